"""784-200-10: 159,010 parameters. One hidden layer; two of 200 would be 199,210."""

import numpy as np

from .layers import FLOAT, Model, glorot, softmax_loss


class MLP(Model):
    def __init__(self, seed=0, inputs=784, hidden=200, classes=10):
        rng = np.random.default_rng(seed)
        self.parameters = [
            glorot(rng, inputs, hidden, (inputs, hidden)), np.zeros(hidden, FLOAT),
            glorot(rng, hidden, classes, (hidden, classes)), np.zeros(classes, FLOAT),
        ]

    def loss_and_gradients(self, inputs, labels):
        w1, b1, w2, b2 = self.parameters
        flat = inputs.reshape(len(inputs), -1)
        hidden = np.maximum(flat @ w1 + b1, 0)
        loss, delta = softmax_loss(hidden @ w2 + b2, labels)
        back = (delta @ w2.T) * (hidden > 0)
        return loss, [flat.T @ back, back.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]

    def predict(self, inputs):
        w1, b1, w2, b2 = self.parameters
        flat = inputs.reshape(len(inputs), -1)
        return (np.maximum(flat @ w1 + b1, 0) @ w2 + b2).argmax(axis=1)
