"""Latents from arrays and as arrays."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._errors import InputError

Path = str | os.PathLike[str]
#: The axes of an array of latents.
LAYOUTS = ("nhw", "nhwc", "nchw")


class Latents:
    """A set of binary latents: grids of bits, or pyramids of them, with ids from 0 on and labels if there are any.

    Parameters
    ----------
    bits
        An array [N, H, W] or [N, H, W, K] of 0 and 1, −1 and +1, or booleans: of NumPy, or of anything on the CPU that speaks
        DLPack or `__array__` (PyTorch, JAX, Arrow); or an iterable of such batches.
    layout
        "nhwc" or "nchw" for arrays of four axes, which do not say it themselves.
    labels
        An integer for each latent.
    source
        Where they come from, in words.

    Examples
    --------
    >>> import numpy as np, bitquilt as bq
    >>> latents = bq.Latents(np.eye(3)[None].repeat(2, axis=0), labels=[7, 8])
    >>> latents
    Latents(2 of 3x3x1, labelled)
    >>> latents.bits[0, :, :, 0].tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    >>> bq.Latents(batch for batch in np.ones((4, 5, 2, 2, 3)) * -1 if batch is not None)
    Traceback (most recent call last):
    ...
    bitquilt.InputError: an array of 4 axes: say which ones they are with layout="nhwc" or layout="nchw"
    >>> bq.Latents((batch for batch in np.ones((4, 5, 2, 2, 3)) * -1), layout="nchw")
    Latents(20 of 2x3x2)
    """

    def __init__(
        self, bits: Any, *, layout: str | None = None, labels: Any = None, source: str = ""
    ) -> None:
        given = None if labels is None else _labels(labels)
        if _is_array(bits):
            self._set = _set_of([_grid(bits, layout)], given, source)
            return
        if isinstance(bits, (str, os.PathLike)):
            raise InputError("expected an array, found a path: Latents.load reads a latents file")
        if not isinstance(bits, Iterable):
            raise InputError(f"expected an array or an iterable of arrays, found {type(bits).__name__}")
        batches = [_grid(batch, layout) for batch in bits]
        if not batches:
            raise InputError("expected at least one batch of latents, found none")
        shapes = {batch.shape[1:] for batch in batches}
        if len(shapes) > 1:
            raise InputError(f"expected batches of latents of one shape, found {sorted(shapes)}")
        self._set = _set_of([np.concatenate(batches)], given, source)

    @classmethod
    def pyramid(
        cls, levels: Sequence[Any], *, layout: str | None = None, labels: Any = None, source: str = ""
    ) -> Latents:
        """Latents of several levels, coarse to fine: an array for each, of as many latents.

        >>> import numpy as np, bitquilt as bq
        >>> bq.Latents.pyramid([np.zeros((5, 2, 2)), np.ones((5, 4, 4, 2))], layout="nhwc").levels
        [(2, 2, 1), (4, 4, 2)]
        """
        given = None if labels is None else _labels(labels)
        return cls._of(_set_of([_grid(level, layout) for level in levels], given, source))

    @classmethod
    def load(cls, path: Path) -> Latents:
        """Reads a latents file, or the latents of a samples file."""
        return cls._of(_bitquilt.LatentSet.read(there(path)))

    @classmethod
    def _of(cls, set: _bitquilt.LatentSet) -> Latents:
        made = cls.__new__(cls)
        made._set = set
        return made

    def save(self, path: Path) -> None:
        """Writes a latents file (safetensors), whole or not at all."""
        self._set.write(path)

    def __len__(self) -> int:
        return len(self._set)

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """Height, width and channels of each level, coarse to fine: one for latents of one grid."""
        return self._set.levels

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the finest level."""
        return self._set.levels[-1]

    @property
    def bits(self) -> NDArray[np.uint8]:
        """The bits of the finest level, uint8 [N, H, W, K], a copy."""
        return self.level(len(self.levels) - 1)

    def level(self, number: int) -> NDArray[np.uint8]:
        """The bits of a level, 0 for the coarsest, uint8 [N, H, W, K], a copy."""
        if not 0 <= number < len(self.levels):
            raise InputError(f"expected a level of 0 to {len(self.levels) - 1}, found {number}")
        return self._set.bits(number).reshape(len(self), *self.levels[number])

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The labels, if there are any."""
        return self._set.labels

    @property
    def source(self) -> str:
        """Where the latents come from, in words."""
        return self._set.source

    def __getitem__(self, ids: int | slice | Sequence[int] | NDArray[Any]) -> Latents:
        """Some of the latents, by id, by slice, or by an array of ids or of booleans; in the order of ids.

        >>> import numpy as np, bitquilt as bq
        >>> latents = bq.Latents(np.arange(16).reshape(4, 2, 2) % 3 == 0, labels=range(4))
        >>> latents[1:].labels.tolist(), latents[[3, 0]].labels.tolist(), len(latents[2])
        ([1, 2, 3], [0, 3], 1)
        """
        every = np.arange(len(self))
        try:
            picked = np.atleast_1d(every[ids])
        except IndexError as error:
            raise IndexError(f"expected ids below {len(self)}: {error}") from None
        return Latents._of(self._set.only(np.unique(picked).tolist()))

    def __repr__(self) -> str:
        labelled = "" if self.labels is None else ", labelled"
        return f"Latents({len(self):,} of {self._set.shape}{labelled})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latents):
            return NotImplemented
        same = self.levels == other.levels and np.array_equal(self._set.packed(), other._set.packed())
        mine, theirs = self.labels, other.labels
        if mine is None or theirs is None:
            return same and mine is theirs
        return same and np.array_equal(mine, theirs)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self._set.shape, self._set.packed(), self.labels, self._set.codecs, self.source)
        return _restored, arguments


def _restored(shape: str, packed: Any, labels: Any, codecs: list[str], source: str) -> Latents:
    set = _bitquilt.LatentSet.of_packed(shape, packed)
    levels = [set.bits(number) for number in range(len(set.levels))]
    return Latents._of(_bitquilt.LatentSet.of_bits(shape, levels, labels, codecs, source))


def as_latents(given: Any, like: tuple[int, ...] | None = None) -> Latents:
    """Latents as they are, or of an array; `like` says what one latent of an index is, so that an array of one is taken too."""
    if isinstance(given, Latents):
        return given
    if hasattr(given, "latents") and isinstance(given.latents, Latents):
        return given.latents
    if _is_array(given):
        array = _plain(given)
        if like is not None and array.ndim == 4 and array.shape[1:] == like:
            return Latents(array, layout="nhwc")
        if like is not None and array.shape in (like, like[:2]) and (like[2] == 1 or array.ndim == 3):
            return Latents(array.reshape(1, *like), layout="nhwc")
        return Latents(array)
    raise InputError(f"expected Latents, Samples or an array, found {type(given).__name__}")


def there(path: Path) -> Path:
    """The path of a file that is there."""
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    return path


def _is_array(given: Any) -> bool:
    return hasattr(given, "__dlpack__") or hasattr(given, "__array__")


def _plain(given: Any) -> NDArray[Any]:
    """An array as NumPy's, without a copy where that can be."""
    if isinstance(given, np.ndarray):
        return given
    device = getattr(getattr(given, "device", None), "type", "cpu")
    if device != "cpu":
        raise InputError(f"expected an array on the CPU, found one on {device}: hand in array.cpu()")
    if getattr(given, "requires_grad", False):
        given = given.detach()
    try:
        return np.from_dlpack(given) if hasattr(given, "__dlpack__") else np.asarray(given)
    except (BufferError, TypeError, RuntimeError):
        # Booleans, and what else DLPack does not take.
        return np.asarray(given)


def _grid(given: Any, layout: str | None) -> NDArray[np.uint8]:
    """An array as uint8 [N, H, W, K] of 0 and 1."""
    if not _is_array(given):
        raise InputError(f"expected an array, found {type(given).__name__}: np.asarray makes one of lists")
    array = _plain(given)
    if layout is not None and layout not in LAYOUTS:
        raise InputError(f"layout {layout!r}: expected one of {', '.join(LAYOUTS)}")
    if array.ndim == 3:
        array = array[..., None]
    elif array.ndim != 4:
        raise InputError(f"expected latents [N, H, W] or [N, H, W, K], found an array of shape {array.shape}")
    elif layout is None:
        raise InputError('an array of 4 axes: say which ones they are with layout="nhwc" or layout="nchw"')
    elif layout == "nchw":
        array = array.transpose(0, 2, 3, 1)
    return _zeros_and_ones(array)


def _zeros_and_ones(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == bool:
        return np.ascontiguousarray(array).view(np.uint8)
    if array.dtype.kind not in "iuf":
        raise InputError(f"expected 0 and 1, −1 and +1, or booleans, found an array of {array.dtype}")
    ones = array == 1
    for zero in (0, -1):
        if array.dtype.kind == "u" and zero < 0:
            break
        if bool((ones | (array == zero)).all()):
            return np.ascontiguousarray(ones).view(np.uint8)
    other = array[~(ones | (array == 0))]
    raise InputError(f"expected 0 and 1, or −1 and +1, and no other value, found {other.flat[0]} among them")


def _labels(labels: Any) -> NDArray[np.int64]:
    array = _plain(labels) if _is_array(labels) else np.asarray(list(labels))
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputError(f"expected an integer for each latent as labels, found an array {array.shape} of {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.int64)


def _set_of(levels: list[NDArray[np.uint8]], labels: NDArray[np.int64] | None, source: str) -> _bitquilt.LatentSet:
    if not levels:
        raise InputError("expected at least one level, found none")
    counts = {len(level) for level in levels}
    if len(counts) > 1:
        raise InputError(f"expected as many latents at each level, found {sorted(counts)}")
    shape = "+".join("x".join(map(str, level.shape[1:])) for level in levels)
    flat = [np.ascontiguousarray(level).reshape(len(level), int(np.prod(level.shape[1:]))) for level in levels]
    return _bitquilt.LatentSet.of_bits(shape, flat, labels, ["codes"] * len(levels), source)
