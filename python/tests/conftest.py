"""What tests share."""

import os
import pathlib
import shutil
import sys

import numpy as np
import pytest

import bitquilt as bq


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
    beside = pathlib.Path(sys.executable).parent / "bitquilt"
    found = beside if beside.exists() else shutil.which("bitquilt")
    assert found, "the wheel brings the command along"
    return os.fspath(found)
