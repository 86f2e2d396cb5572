"""conv 5x5x16, pool, conv 5x5x32, pool (no padding), 120, 84, classes: 90,242 parameters with 62 classes, 85,822 with
the 10 of MNIST."""

import numpy as np

from .layers import FLOAT, Model, glorot, softmax_loss


def _patches(images, size):
    """Windows of (rows, height, width, channels) as (rows, h, w, size * size * channels), size first."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    windows = windows.transpose(0, 1, 2, 4, 5, 3)
    return np.ascontiguousarray(windows).reshape(*windows.shape[:3], -1)


def _unpatch(gradient, shape, size):
    """Adds the gradients of the windows back into the image."""
    rows, height, width, channels = shape
    image = np.zeros(shape, FLOAT)
    windows = gradient.reshape(rows, height - size + 1, width - size + 1, size, size, channels)
    for i in range(size):
        for j in range(size):
            image[:, i : i + height - size + 1, j : j + width - size + 1] += windows[:, :, :, i, j]
    return image


def _pool(images):
    rows, height, width, channels = images.shape
    blocks = images.reshape(rows, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 5, 2, 4)
    blocks = blocks.reshape(rows, height // 2, width // 2, channels, 4)
    return blocks.max(axis=4), blocks.argmax(axis=4)


def _unpool(gradient, where):
    rows, height, width, channels = gradient.shape
    blocks = np.zeros((rows, height, width, channels, 4), FLOAT)
    np.put_along_axis(blocks, where[..., None], gradient[..., None], axis=4)
    blocks = blocks.reshape(rows, height, width, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(rows, height * 2, width * 2, channels)


class CNN(Model):
    def __init__(self, seed=0, classes=62):
        rng = np.random.default_rng(seed)
        shapes = [(25, 16), (400, 32), (512, 120), (120, 84), (84, classes)]
        self.parameters = []
        for fan_in, fan_out in shapes:
            self.parameters += [glorot(rng, fan_in, fan_out, (fan_in, fan_out)), np.zeros(fan_out, FLOAT)]

    def _forward(self, inputs):
        w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = self.parameters
        images = inputs.reshape(len(inputs), 28, 28, 1)
        columns1 = _patches(images, 5)
        first = np.maximum(columns1 @ w1 + b1, 0)
        pooled1, where1 = _pool(first)
        columns2 = _patches(pooled1, 5)
        second = np.maximum(columns2 @ w2 + b2, 0)
        pooled2, where2 = _pool(second)
        flat = pooled2.reshape(len(inputs), -1)
        third = np.maximum(flat @ w3 + b3, 0)
        fourth = np.maximum(third @ w4 + b4, 0)
        return fourth @ w5 + b5, (columns1, first, pooled1, where1, columns2, second, pooled2, where2, flat, third, fourth)

    def loss_and_gradients(self, inputs, labels):
        w1, b1, w2, b2, w3, b3, w4, b4, w5, b5 = self.parameters
        scores, kept = self._forward(inputs)
        columns1, first, pooled1, where1, columns2, second, pooled2, where2, flat, third, fourth = kept
        loss, d5 = softmax_loss(scores, labels)
        d4 = (d5 @ w5.T) * (fourth > 0)
        d3 = (d4 @ w4.T) * (third > 0)
        d2 = _unpool((d3 @ w3.T).reshape(pooled2.shape), where2) * (second > 0)
        back = (d2.reshape(-1, 32) @ w2.T).reshape(columns2.shape)
        d1 = _unpool(_unpatch(back, pooled1.shape, 5), where1) * (first > 0)
        return loss, [
            columns1.reshape(-1, 25).T @ d1.reshape(-1, 16), d1.sum(axis=(0, 1, 2)),
            columns2.reshape(-1, 400).T @ d2.reshape(-1, 32), d2.sum(axis=(0, 1, 2)),
            flat.T @ d3, d3.sum(axis=0), third.T @ d4, d4.sum(axis=0), fourth.T @ d5, d5.sum(axis=0),
        ]

    def predict(self, inputs):
        return self._forward(inputs)[0].argmax(axis=1)
