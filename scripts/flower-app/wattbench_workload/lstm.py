"""Embedding 258x8, two LSTM layers of 256 with one bias vector and peephole weights, dense to 258 characters: 866,578
parameters. Peepholes are what gives the article's count; common libraries leave them out."""

import numpy as np

from .layers import FLOAT, Model, glorot, softmax_loss


def _sigmoid(x):
    return FLOAT(1) / (FLOAT(1) + np.exp(-x))


class _Layer:
    """One LSTM layer. Gates stand in the order input, forget, cell, output; peepholes input, forget, output."""

    @staticmethod
    def parameters(rng, inputs, units):
        bias = np.zeros(4 * units, FLOAT)
        bias[units : 2 * units] = 1
        return [
            glorot(rng, inputs + units, units, (inputs, 4 * units)),
            glorot(rng, inputs + units, units, (units, 4 * units)), bias, np.zeros((3, units), FLOAT),
        ]

    @staticmethod
    def forward(sequence, parameters):
        """(steps, rows, inputs) to (steps, rows, units)."""
        w, u, b, peep = parameters
        steps, rows, _ = sequence.shape
        units = u.shape[0]
        h = np.zeros((rows, units), FLOAT)
        c = np.zeros((rows, units), FLOAT)
        outputs = np.empty((steps, rows, units), FLOAT)
        kept = []
        projected = sequence @ w + b
        for step in range(steps):
            z = projected[step] + h @ u
            i = _sigmoid(z[:, :units] + peep[0] * c)
            f = _sigmoid(z[:, units : 2 * units] + peep[1] * c)
            g = np.tanh(z[:, 2 * units : 3 * units])
            new = f * c + i * g
            o = _sigmoid(z[:, 3 * units :] + peep[2] * new)
            squashed = np.tanh(new)
            kept.append((h, c, i, f, g, o, new, squashed))
            h = o * squashed
            c = new
            outputs[step] = h
        return outputs, kept

    @staticmethod
    def backward(sequence, parameters, kept, gradient):
        w, u, b, peep = parameters
        units = u.shape[0]
        du = np.zeros_like(u)
        dpeep = np.zeros_like(peep)
        dz_all = np.empty((*gradient.shape[:2], 4 * units), FLOAT)
        dh_next = np.zeros_like(gradient[0])
        dc_next = np.zeros_like(gradient[0])
        for step in reversed(range(len(kept))):
            h, c, i, f, g, o, new, squashed = kept[step]
            dh = gradient[step] + dh_next
            do = dh * squashed * o * (1 - o)
            dc = dh * o * (1 - squashed * squashed) + dc_next + do * peep[2]
            di = dc * g * i * (1 - i)
            df = dc * c * f * (1 - f)
            dg = dc * i * (1 - g * g)
            dpeep[0] += (di * c).sum(axis=0)
            dpeep[1] += (df * c).sum(axis=0)
            dpeep[2] += (do * new).sum(axis=0)
            dz = np.concatenate([di, df, dg, do], axis=1)
            dz_all[step] = dz
            du += h.T @ dz
            dh_next = dz @ u.T
            dc_next = dc * f + di * peep[0] + df * peep[1]
        inputs = sequence.shape[2]
        flat = dz_all.reshape(-1, 4 * units)
        dw = sequence.reshape(-1, inputs).T @ flat
        return dz_all @ w.T, [dw, du, flat.sum(axis=0), dpeep]


class LSTM(Model):
    """Predicts the next character at every step of a sequence of character numbers (rows, steps)."""

    def __init__(self, seed=0, characters=258, embedding=8, units=256):
        rng = np.random.default_rng(seed)
        self.parameters = [
            rng.normal(0, 0.1, (characters, embedding)).astype(FLOAT),
            *_Layer.parameters(rng, embedding, units), *_Layer.parameters(rng, units, units),
            glorot(rng, units, characters, (units, characters)), np.zeros(characters, FLOAT),
        ]

    def _forward(self, inputs):
        p = self.parameters
        embedded = p[0][inputs.T]
        first, kept1 = _Layer.forward(embedded, p[1:5])
        second, kept2 = _Layer.forward(first, p[5:9])
        steps, rows, units = second.shape
        return second.reshape(-1, units) @ p[9] + p[10], (embedded, first, kept1, second, kept2)

    def loss_and_gradients(self, inputs, labels):
        p = self.parameters
        scores, (embedded, first, kept1, second, kept2) = self._forward(inputs)
        units = second.shape[2]
        loss, delta = softmax_loss(scores, labels.T.reshape(-1))
        dense = [second.reshape(-1, units).T @ delta, delta.sum(axis=0)]
        back, layer2 = _Layer.backward(first, p[5:9], kept2, (delta @ p[9].T).reshape(second.shape))
        back, layer1 = _Layer.backward(embedded, p[1:5], kept1, back)
        table = np.zeros_like(p[0])
        np.add.at(table, inputs.T.reshape(-1), back.reshape(-1, back.shape[2]))
        return loss, [table, *layer1, *layer2, *dense]

    def predict(self, inputs):
        scores, _ = self._forward(inputs)
        return scores.argmax(axis=1).reshape(inputs.shape[1], inputs.shape[0]).T
