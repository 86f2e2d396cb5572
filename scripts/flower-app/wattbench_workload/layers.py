"""What the models share: initial values, softmax, mini-batches."""

import numpy as np

FLOAT = np.float32


def glorot(rng, fan_in, fan_out, shape):
    limit = np.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape).astype(FLOAT)


def softmax_loss(scores, labels):
    """Mean cross entropy and its gradient for scores of shape (rows, classes)."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(np.maximum(probabilities[rows, labels], 1e-12)).mean()
    gradient = probabilities
    gradient[rows, labels] -= 1
    return float(loss), gradient / FLOAT(len(labels))


class Model:
    """Parameters as a list of arrays, plain SGD. Subclasses give `loss_and_gradients` and `predict`."""

    parameters: list

    @property
    def parameter_count(self):
        return sum(array.size for array in self.parameters)

    @property
    def message_bytes(self):
        return sum(array.nbytes for array in self.parameters)

    def load(self, arrays):
        for own, new in zip(self.parameters, arrays):
            if own.shape != new.shape:
                raise ValueError(f"parameter of shape {own.shape} expected, got {new.shape}")
            own[...] = new

    def train_epoch(self, inputs, labels, batch_size, learning_rate, rng):
        """One pass in random order; returns the mean loss."""
        order = rng.permutation(len(inputs))
        losses = []
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            loss, gradients = self.loss_and_gradients(inputs[rows], labels[rows])
            losses.append(loss)
            for parameter, gradient in zip(self.parameters, gradients):
                parameter -= FLOAT(learning_rate) * gradient
        return float(np.mean(losses)) if losses else 0.0

    def accuracy(self, inputs, labels, batch_size=1000):
        hits = total = 0
        for start in range(0, len(inputs), batch_size):
            expected = labels[start : start + batch_size]
            found = self.predict(inputs[start : start + batch_size])
            hits += int((found == expected).sum())
            total += expected.size
        return hits / max(total, 1)
