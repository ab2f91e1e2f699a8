"""Building indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from . import _bitquilt
from ._index import Index, open
from ._latents import Latents
from ._progress import Progress, watched
from ._requests import Ids, Path, Size, as_bytes, as_ids, as_number, as_windows


def build(
    latents: Latents | Any,
    path: Path,
    *,
    windows: str | Sequence[str] | None = None,
    depth: str | None = None,
    anchor: Literal["none", "site"] = "none",
    condition: Literal["none", "label"] = "none",
    exclude: Ids | None = None,
    hold_out: int | None = None,
    hold_out_to: Path | None = None,
    memory: Size | None = None,
    force: bool = False,
    layout: str | None = None,
    progress: Progress = False,
) -> Index:
    """Builds an index of latents in the folder `path`, and opens it.

    Parameters
    ----------
    latents
        `Latents`, an array, or an iterable of batches (see `Latents`), which may be larger than memory: held is an eighth of a byte a bit.
    windows
        The windows that are meant where later calls name none, as "7x7"; every smaller one is answered as well.
    depth
        The largest window to answer, where that is larger.
    anchor, condition
        Whether the site, or the latent's label, is part of every context.
    exclude
        Latents that are not indexed; the others keep their ids.
    hold_out, hold_out_to
        How many latents to set aside, drawn at random (`Latents.drawn`), to tell later how honest ones look: they are not indexed but
        written to a latents file [default: beside the index, INDEX.held-out.safetensors], which `trace` and `audit` take as `against`.
    memory
        What the build may take, the latents included [default: a quarter of the machine's].
    force
        Whether to replace an index that is there, which stays whole until the new one is.
    layout
        The axes of arrays, as `Latents` takes it.

    Examples
    --------
    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(np.ones((3, 4, 4)), tmp / "ones.index", windows=["3x3", "5x5"])
    >>> index.windows
    ['3x3', '5x5']
    >>> bq.build(np.ones((3, 4, 4)), tmp / "ones.index")
    Traceback (most recent call last):
    ...
    bitquilt.InputError: ...ones.index: ...
    """
    if not isinstance(latents, Latents):
        latents = Latents(latents, layout=layout, memory=memory)
    with watched(progress) as told:
        _bitquilt.build(
            latents._set, path, as_windows(windows), depth, anchor, condition, as_bytes(memory), force, as_ids(exclude),
            None if hold_out is None else as_number("hold_out", hold_out), hold_out_to, told,
        )
    return open(path)
