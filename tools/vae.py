"""A variational autoencoder of binary images (Kingma & Welling 2014), as a user's own generator: two dense layers each way."""
import jax
import jax.numpy as jnp
import numpy

WIDTH = 400


def dense(key, rows, columns):
    return {"w": jax.random.normal(key, (rows, columns)) / numpy.sqrt(rows), "b": jnp.zeros(columns)}


def apply(layer, values):
    return values @ layer["w"] + layer["b"]


def encode(weights, images):
    hidden = jax.nn.relu(apply(weights["in"], images))
    return apply(weights["mean"], hidden), apply(weights["log_variance"], hidden)


def decode(weights, latents):
    return apply(weights["out"], jax.nn.relu(apply(weights["back"], latents)))


def loss(weights, images, key):
    """The negative evidence lower bound of images, in nats."""
    mean, log_variance = encode(weights, images)
    latents = mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)
    logits = decode(weights, latents)
    likelihood = (images * logits - jax.nn.softplus(logits)).sum(axis=1)
    divergence = 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    return (divergence - likelihood).mean()


@jax.jit
def step(weights, moments, images, key, number):
    """One step of Adam (Kingma & Ba 2015)."""
    value, gradients = jax.value_and_grad(loss)(weights, images, key)
    first, second = moments
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda m, g: 0.999 * m + 0.001 * g * g, second, gradients)
    change = lambda w, m, v: w - 1e-3 * (m / (1 - 0.9**number)) / (jnp.sqrt(v / (1 - 0.999**number)) + 1e-8)
    return jax.tree.map(change, weights, first, second), (first, second), value


def samples_of(images, count, dimensions, steps, batch=128, seed=0):
    """Trains on images [N, H, W] of 0 and 1, and returns `count` samples, each pixel what is likelier."""
    flat = images.reshape(len(images), -1).astype(numpy.float32)
    keys = jax.random.split(jax.random.key(seed), 7)
    sides = {"in": (flat.shape[1], WIDTH), "mean": (WIDTH, dimensions), "log_variance": (WIDTH, dimensions),
             "back": (dimensions, WIDTH), "out": (WIDTH, flat.shape[1])}
    weights = {name: dense(key, *shape) for (name, shape), key in zip(sides.items(), keys)}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    moments, random = (zeros, zeros), numpy.random.default_rng(seed)
    for number in range(1, steps + 1):
        chosen = flat[random.integers(len(flat), size=min(batch, len(flat)))]
        weights, moments, value = step(weights, moments, chosen, jax.random.fold_in(keys[5], number), number)
    latents = jax.random.normal(keys[6], (count, dimensions))
    return numpy.asarray(decode(weights, latents) > 0).reshape(count, *images.shape[1:]), float(value)
