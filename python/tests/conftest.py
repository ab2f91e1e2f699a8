"""What tests and doctests share."""

import multiprocessing
import os
import pathlib

import numpy as np
import pytest

import bitquilt as bq


@pytest.fixture(autouse=True)
def _doctest_folder(doctest_namespace, tmp_path):
    doctest_namespace["tmp"] = tmp_path


@pytest.fixture(scope="session")
def digits():
    """Strokes on an 8x8 grid: 60 latents."""
    random = np.random.default_rng(1)
    latents = np.zeros((60, 8, 8), np.uint8)
    for latent in latents:
        latent[random.integers(8)] = 1
        latent[:, random.integers(8)] = 1
    return latents


@pytest.fixture(scope="session")
def index(digits, tmp_path_factory):
    return bq.build(digits, tmp_path_factory.mktemp("index") / "digits.index", windows=["3x3", "5x5"])


@pytest.fixture(scope="session")
def command():
    """The command of the same wheel."""
    import shutil
    import sys

    beside = pathlib.Path(sys.executable).parent / "bitquilt"
    found = beside if beside.exists() else shutil.which("bitquilt")
    assert found, "the wheel brings the command along"
    return os.fspath(found)


def in_process(context, target, *arguments, seconds=60):
    """What `target` returns in a process of another start method; fails if it takes too long."""
    with multiprocessing.get_context(context).Pool(1) as pool:
        return pool.apply_async(target, arguments).get(timeout=seconds)
