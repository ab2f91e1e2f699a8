"""How good pictures are, and how near: a small classifier and its features, distances between sets of them, nearest latents.

That of digits is data/digits-classifier.safetensors, which tools/train-classifier makes. Distances of such features are no FID:
another network, another data set.
"""
import os

import jax
import numpy
from jax import numpy as jnp
from jax.example_libraries import optimizers
from safetensors.numpy import load_file

from measure import ROOT

WEIGHTS = os.path.join(ROOT, "data", "digits-classifier.safetensors")
# Neighbours that say how far a set reaches around each of its points.
NEIGHBOURS = 5
SURE = 0.95
CONVOLUTIONS = ("first", "second", "third")
# Of training.
BATCH = 128
LARGEST_STEP = 0.002


def forward(weights, images):
    """The features [N, F] and the logits [N, 10] of images [N, H, W, channels] of 0 to 1."""
    x = images
    for layer in CONVOLUTIONS:
        if f"{layer}.weight" not in weights:
            continue
        x = jax.lax.conv_general_dilated(x, weights[f"{layer}.weight"], (1, 1), "SAME",
                                         dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(x + weights[f"{layer}.bias"])
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    features = jax.nn.relu(x.reshape(len(x), -1) @ weights["features.weight"] + weights["features.bias"])
    return features, features @ weights["classes.weight"] + weights["classes.bias"]


def start(random, sides, channels, units):
    """Random weights (He et al. 2015) for images of some sides: a convolution with pooling for each of `channels` after the first,
    `units` features, 10 classes."""
    layers = {name: (3, 3, *pair) for name, pair in zip(CONVOLUTIONS, zip(channels, channels[1:]))}
    pooled = [side >> len(layers) for side in sides]
    layers |= {"features": (pooled[0] * pooled[1] * channels[-1], units), "classes": (units, 10)}
    weights = {}
    for name, shape in layers.items():
        inputs = int(numpy.prod(shape[:-1]))
        weights[f"{name}.weight"] = jnp.asarray(random.normal(0, (2 / inputs) ** 0.5, shape), jnp.float32)
        weights[f"{name}.bias"] = jnp.zeros(shape[-1])
    return weights


def train(images, classes, channels, units, epochs):
    """Trains a classifier; gives the weights after each epoch. `images` [N, H, W, channels] of 0 to 1."""
    steps = epochs * (len(images) // BATCH)
    opening, update, weights_of = optimizers.adam(optimizers.polynomial_decay(LARGEST_STEP, steps, 0.0))

    def loss(weights, images, classes):
        chances = jax.nn.log_softmax(forward(weights, images)[1])
        return -jnp.take_along_axis(chances, classes[:, None], axis=1).mean()

    @jax.jit
    def update_by(step, state, images, classes):
        return update(step, jax.grad(loss)(weights_of(state), images, classes), state)

    random = numpy.random.default_rng(1)
    state, step = opening(start(random, images.shape[1:3], channels, units)), 0
    for _ in range(epochs):
        order = random.permutation(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            ids = order[first : first + BATCH]
            state = update_by(step, state, images[ids].astype(numpy.float32), classes[ids].astype(numpy.int32))
            step += 1
        yield weights_of(state)


class Judge:
    """Holds samples against images that nobody trained on, by the features of a classifier."""

    def __init__(self, weights=None):
        weights = load_file(WEIGHTS) if weights is None else weights
        weights = {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}
        self.forward = jax.jit(lambda images: forward(weights, images))

    def look(self, images):
        """The features [N, F] and the probability of each class [N, 10] of images [N, H, W] or [N, H, W, channels]."""
        images = images[..., None] if images.ndim == 3 else images
        parts = [self.forward(jnp.asarray(images[first : first + 1000], jnp.float32))
                 for first in range(0, len(images), 1000)]
        features, logits = (numpy.concatenate([numpy.asarray(part[place]) for part in parts]) for place in (0, 1))
        return features.astype(numpy.float64), numpy.asarray(jax.nn.softmax(logits))


def frechet(one, other):
    """The Fréchet distance of two sets of features as normal distributions (Dowson & Landau 1982)."""
    means = one.mean(axis=0) - other.mean(axis=0)
    covariances = [numpy.cov(features, rowvar=False) for features in (one, other)]
    # tr √(AB) is the sum of the roots of the eigenvalues of AB, which are real and not negative.
    roots = numpy.sqrt(numpy.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(min=0))
    return float(means @ means + sum(map(numpy.trace, covariances)) - 2 * roots.sum())


def squared_distances(one, other):
    """Squared Euclidean distances [N, M]."""
    sums = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return (sums - 2 * one @ other.T).clip(min=0)


def coverage(real, samples):
    """Precision, recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020), of as many real ones as samples."""
    real = real[: len(samples)]
    # The nearest of each is itself.
    reach = lambda own: numpy.sort(squared_distances(own, own), axis=1)[:, NEIGHBOURS]
    between = squared_distances(real, samples)
    in_real = between <= reach(real)[:, None]
    in_samples = between <= reach(samples)[None]
    return {
        "precision": float(in_real.any(axis=0).mean()),
        "recall": float(in_samples.any(axis=1).mean()),
        "density": float(in_real.sum(axis=0).mean() / NEIGHBOURS),
        "coverage": float(in_real.any(axis=1).mean()),
    }


class Nearest:
    """Hamming distances to the nearest of some latents."""

    def __init__(self, bits):
        self.latents = jnp.asarray(bits, jnp.float32)
        self.ones = self.latents.sum(axis=1)
        part = lambda own: (own.sum(axis=1)[:, None] + self.ones - 2 * own @ self.latents.T).min(axis=1)
        self.part = jax.jit(part)

    def to(self, bits):
        parts = [numpy.asarray(self.part(jnp.asarray(bits[first : first + 250], jnp.float32)))
                 for first in range(0, len(bits), 250)]
        return numpy.concatenate(parts)

    def moved(self, images, by=2):
        """Distances [N] of images [N, H, W] to the nearest of the latents, the image moved by up to `by` pixels, whichever way."""
        padded = numpy.pad(images, ((0, 0), (by, by), (by, by)))
        height, width = images.shape[1:]
        nearest = None
        for down in range(2 * by + 1):
            for right in range(2 * by + 1):
                part = padded[:, down : down + height, right : right + width].reshape(len(images), -1)
                distances = self.to(part)
                nearest = distances if nearest is None else numpy.minimum(nearest, distances)
        return nearest


def unpacked(packed, count):
    """The first bits [N, count] of packed rows."""
    return numpy.unpackbits(packed, axis=1, count=count, bitorder="little")
