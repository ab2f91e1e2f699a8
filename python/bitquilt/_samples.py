"""Samples of a search."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._errors import InputError
from ._latents import Latents
from ._pictures import Picture
from ._requests import Path, there

#: `answered_by` of a bit that was given, and of one that a network answered.
FIXED, INTERPOLATED = 0, 255


class Samples:
    """Samples, what answered each of their bits, and how the search for each went.

    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(bq.Latents(np.eye(4)[None] == 1), tmp / "eye.index", windows=["3x3"])
    >>> samples = index.generate(3)
    >>> samples
    Samples(3 of 4x4x1)
    >>> samples.bits[0, :, :, 0].tolist() == np.eye(4).tolist()
    True
    >>> samples.save(tmp / "samples.safetensors")
    >>> bq.Samples.load(tmp / "samples.safetensors").latents == samples.latents
    True
    """

    def __init__(self, samples: _bitquilt.Samples) -> None:
        self._samples = samples

    @classmethod
    def load(cls, path: Path) -> Samples:
        """Reads a samples file, or any latents file as samples that nobody accounts for yet."""
        return cls(_bitquilt.Samples.read(there(path)))

    def save(self, path: Path) -> None:
        """Writes them as `bitquilt generate` does, byte for byte; latents that no search made, as a latents file."""
        if not self._samples.has_run and self.searched:
            raise InputError("these samples were loaded from a file: copy that; `samples.latents.save` writes the bits alone")
        self._samples.write(path)

    @property
    def latents(self) -> Latents:
        """The samples as latents."""
        return Latents._of(self._samples.latents)

    @property
    def bits(self) -> NDArray[np.uint8]:
        """The bits of the finest level, uint8 [N, H, W, K]; `torch.from_numpy` shares them."""
        return self.latents.bits

    def level(self, number: int) -> NDArray[np.uint8]:
        """The bits of a level, 0 for the coarsest, uint8 [N, H, W, K]."""
        return self.latents.level(number)

    @property
    def searched(self) -> bool:
        """Whether a search made them: latents of other files are samples that nobody accounts for."""
        return self._samples.searched

    @property
    def answered_by(self) -> NDArray[np.uint8]:
        """For each bit in scan order, uint8 [N, bits]: 0 where it was given, 255 where a network answered, else 1 + the number of
        the window in `windows`."""
        answered = self._samples.answered_by()
        if answered is None:
            raise InputError("no search made these latents: nothing is known of what answered their bits")
        return answered

    @property
    def windows(self) -> list[str]:
        """The windows of the search, in the order in which they were asked."""
        return self._samples.windows

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """How each search went, as `bitquilt generate --json` prints it: its number, its status ("sample", "none exists", "budget spent" …),
        what it took, and how many bits each window answered. Empty where they were loaded."""
        return list(json.loads(self._samples.attempts()))

    def picture(self, **options: Any) -> Picture:
        """The samples as a sheet, which shows itself in a notebook; options as of `Latents.picture`."""
        return self.latents.picture(**options)

    def _repr_png_(self) -> bytes:
        return self.picture()._repr_png_()

    def __len__(self) -> int:
        return len(self._samples.latents)

    def __repr__(self) -> str:
        return f"Samples({len(self):,} of {self._samples.latents.shape})"
