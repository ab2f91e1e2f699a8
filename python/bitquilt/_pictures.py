"""Pictures, which show themselves in a notebook, and functions that draw latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._arrays import plain
from ._errors import InputError
from ._requests import Path

#: Latents uint8 [1, H, W, K] to images [1, height, width], with colours last or first: numbers from 0 to 1, or bytes.
Decode = Callable[[NDArray[np.uint8]], Any]


class Picture:
    """A picture: shows itself in a notebook, `np.asarray` gives its pixels, `save` writes a PNG file."""

    def __init__(self, picture: _bitquilt.Picture) -> None:
        self._picture = picture

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels, uint8 [height, width, 3], or [height, width] where all are gray."""
        return self._picture.pixels()

    def save(self, path: Path) -> None:
        """Writes a PNG file, whole or not at all."""
        self._picture.write(path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.pixels if dtype is None else self.pixels.astype(dtype)

    def _repr_png_(self) -> bytes:
        return self._picture.png()

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture({height}x{width})"


def drawn_by(decode: Decode | None) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None:
    """A function that draws one latent [H, W, K] as uint8 [height, width] or [height, width, 3]."""
    if decode is None:
        return None

    def draw(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
        found = decode(bits[None])
        if hasattr(found, "cpu"):
            found = found.detach().cpu()
        image = plain(found)
        shape = image.shape
        image = image[0] if image.ndim > 2 and shape[0] == 1 else image
        if image.ndim == 3 and image.shape[-1] not in (1, 3) and image.shape[0] in (1, 3):
            image = image.transpose(1, 2, 0)
        if image.ndim == 3 and image.shape[-1] == 1:
            image = image[..., 0]
        if image.ndim not in (2, 3) or image.dtype.kind not in "biuf":
            raise InputError(f"decode: expected an image [1, height, width] or with 3 colours, found an array {shape} of {image.dtype}")
        if image.dtype.kind in "bf":
            image = np.clip(np.nan_to_num(image.astype(np.float32)), 0, 1) * 255 + 0.5
        return np.ascontiguousarray(np.clip(image, 0, 255), dtype=np.uint8)

    return draw
