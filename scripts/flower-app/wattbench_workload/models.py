"""The three models by name."""

from .cnn import CNN
from .lstm import LSTM
from .mlp import MLP


def make(config):
    name = str(config["model"])
    seed = int(config["seed"])
    if name == "mlp":
        return MLP(seed)
    if name == "cnn":
        return CNN(seed, int(config["cnn-classes"]))
    if name == "lstm":
        return LSTM(seed)
    raise ValueError(f'model "{name}" is not known: mlp, cnn or lstm')
