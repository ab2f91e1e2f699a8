"""A function of the user's answers where retrieval finds nothing; its bits are marked, and no others."""

import numpy as np
import pytest

import bitquilt as bq


class Logistic:
    """A logistic regression over the numbers of a context, in double precision: the same for a row in every batch."""

    def __init__(self, contexts):
        self.weights = np.zeros(contexts.symbols.shape[1] + 1)
        numbers = self.numbers(contexts)
        for _ in range(300):
            wrong = self.chances(numbers) - contexts.bits
            self.weights -= 0.5 * numbers.T @ wrong / len(numbers)

    @staticmethod
    def numbers(contexts):
        return np.concatenate([contexts.symbols, np.ones((len(contexts), 1))], axis=1)

    def chances(self, numbers):
        return 1 / (1 + np.exp(-(numbers * self.weights).sum(axis=1)))

    def __call__(self, contexts):
        return self.chances(self.numbers(contexts))


@pytest.fixture(scope="module")
def network(index, digits):
    contexts = index.contexts(digits, "5x5")
    assert len(contexts) == digits.size == len(contexts.bits)
    trained = Logistic(contexts)
    assert ((trained(contexts) > 0.5) == contexts.bits).mean() > 0.8
    return bq.Fallback(trained, window="5x5")


@pytest.fixture
def noise():
    """An upper half that nobody drew."""
    given = np.random.default_rng(3).integers(0, 2, (8, 8))
    return {"fixed": given, "mask": np.arange(8)[:, None] < 4}


def test_it_answers_where_nothing_matches_and_its_bits_are_marked(index, network, noise):
    asked = {"windows": "5x5", **noise, "seed": 4}
    assert not len(index.generate(8, **asked, max_backtracks=200))
    for policy in ["on-no-match", "on-dead-end", "always"]:
        samples = index.generate(8, **asked, fallback=network, policy=policy, max_backtracks=200)
        assert len(samples) == 8
        answered = samples.answered_by.reshape(8, 8, 8)
        assert (answered[:, :4] == 0).all() and (answered[:, 4:] > 0).all()
        assert (answered == 255).any()
        assert (answered[:, 4:] == 255).all() == (policy == "always")
        proof = index.verify(samples, brute_force=True)
        assert proof.verified and proof.interpolated == (answered == 255).sum()
        again = index.generate(3, first=5, **asked, fallback=network, policy=policy, max_backtracks=200)
        assert np.array_equal(again.bits, samples.bits[5:])


def test_it_answers_no_more_bits_than_it_may(index, network, noise):
    found = index.generate(8, windows="5x5", **noise, fallback=network, policy="on-no-match", max_interpolated=0)
    assert not len(found) and {attempt["status"] for attempt in found.attempts} == {"cap reached"}


def test_what_it_raises_comes_out_and_wrong_answers_are_refused(index, noise):
    def broken(contexts):
        raise KeyError("no such weight")

    asked = {"windows": "5x5", **noise, "policy": "on-no-match"}
    with pytest.raises(KeyError, match="no such weight"):
        index.generate(8, **asked, fallback=bq.Fallback(broken, window="5x5"))
    for wrong in [lambda contexts: np.full(len(contexts), 1.5), lambda contexts: [0.5] * (len(contexts) + 1)]:
        with pytest.raises(bq.InputError):
            index.generate(8, **asked, fallback=bq.Fallback(wrong, window="5x5"))
    with pytest.raises((TypeError, ValueError)):
        index.generate(8, **asked, fallback=bq.Fallback(lambda contexts: "half", window="5x5"))
    with pytest.raises(bq.InputError, match="9x9"):
        index.generate(8, **asked, fallback=bq.Fallback(broken, window="9x9"))
