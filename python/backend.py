"""Builds the wheel as maturin does, with the command in it: whatever asks for one (pip, build, tools/build-python) gets both."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import maturin
from maturin import *  # noqa: F403  the other hooks are maturin's own

HERE = pathlib.Path(__file__).resolve().parent
#: In a source distribution all lies in one folder, in the repository the package is a member of it.
ROOT = HERE if (HERE / "src" / "main.rs").exists() else HERE.parent
#: What maturin puts into a wheel beside the package; pyproject.toml names it.
DATA = HERE / "wheel-data"


@contextlib.contextmanager
def data():
    """The folder of scripts, while it is needed."""
    scripts = DATA / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    try:
        yield scripts
    finally:
        shutil.rmtree(DATA)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Builds the command, then the wheel with it."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cargo = [os.environ.get("CARGO", "cargo"), "build", "--release", "--quiet", "--bin", "bitquilt"]
    subprocess.run([*cargo, "--manifest-path", ROOT / "Cargo.toml", "--target-dir", target], check=True)
    with data() as scripts:
        command = shutil.copy2(target / "release" / "bitquilt", scripts)
        if shutil.which("strip"):
            subprocess.run(["strip", command], check=True)
        return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    """Builds the source distribution."""
    with data():
        return maturin.build_sdist(sdist_directory, config_settings)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Writes the wheel's metadata."""
    with data():
        return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
