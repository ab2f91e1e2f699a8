"""Columns of Hugging Face datasets, in memory and streamed."""

import datasets
import numpy as np
import pytest

import bitquilt as bq

BITS = np.random.default_rng(0).integers(0, 2, (7, 3, 4)).astype(np.uint8)
ROWS = {"codes": BITS.tolist(), "flat": BITS.reshape(7, -1).tolist(), "digit": list(range(7))}


@pytest.fixture(params=["lists", "arrays", "streamed", "shuffled"])
def dataset(request, tmp_path):
    if request.param == "lists":
        return datasets.Dataset.from_dict(ROWS)
    if request.param == "arrays":
        own = {"codes": datasets.Array2D((3, 4), "uint8"), "flat": datasets.Sequence(datasets.Value("bool"), 12), "digit": datasets.Value("int32")}
        return datasets.Dataset.from_dict(ROWS, features=datasets.Features(own))
    if request.param == "streamed":
        return datasets.Dataset.from_dict(ROWS).to_iterable_dataset(num_shards=3)
    # Rows that are not where they were: what a table of the whole file would get wrong.
    return datasets.Dataset.from_dict({name: rows[::-1] for name, rows in ROWS.items()}).select(range(6, -1, -1))


def test_a_column_becomes_latents(dataset):
    latents = bq.Latents.from_table(dataset, "codes", label="digit")
    assert np.array_equal(latents.bits[..., 0], BITS) and latents.labels.tolist() == list(range(7))
    assert bq.Latents.from_table(dataset, "flat", shape=(3, 4)) == bq.Latents(BITS)


def test_a_column_that_is_not_there_is_refused(dataset):
    with pytest.raises(bq.InputError, match="codes"):
        bq.Latents.from_table(dataset, "kodes")


def test_a_trace_becomes_a_dataset(index, digits):
    rows = datasets.Dataset(index.trace(digits[:4]).to_arrow())
    assert rows["sample"][:] == [0, 1, 2, 3]
