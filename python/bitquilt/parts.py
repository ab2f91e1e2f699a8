"""Building an index in tasks that many processes or machines share. Whatever runs them needs a folder that all of them see; `bitquilt.ray` is one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from . import _bitquilt
from ._errors import InputError
from ._index import Index, open as _open
from ._progress import Progress, watched
from ._requests import Ids, Path, Size, as_bytes, as_ids, as_number, as_windows
from ._samples import Samples


class Ended(NamedTuple):
    """How a task ended."""

    reused: bool  #: Whether it had ended before: then nothing was done.
    contexts: int  #: Occurrences that it took.
    bytes: int  #: Bytes of the files that it made.


class Status(NamedTuple):
    """How far a build is."""

    maps: int  #: Map tasks, from 0 on.
    maps_left: list[int]  #: Those that have not ended.
    reduces: int  #: Reduce tasks, from 0 on.
    reduces_left: list[int]  #: Those that have not ended.


class Parts:
    """A build in tasks: the folder of its work, with the plan that all tasks agree on.

    Map tasks run in any order and anywhere, reduce tasks once all of them have ended; a task that was killed is run again, and one that is
    run twice does no harm. It is pickled by its path and its plan.

    Examples
    --------
    >>> import numpy as np, bitquilt as bq
    >>> bq.Latents(np.random.default_rng(0).integers(0, 2, (50, 8, 8))).save(tmp / "few.safetensors")
    >>> build = bq.parts.plan(tmp / "few.safetensors", tmp / "work", depth="5x5", maps=3, parts=2)
    >>> for number in range(build.maps):
    ...     done = build.map(number)
    >>> done.contexts
    1088
    >>> for number in range(build.reduces):
    ...     done = build.reduce(number)
    >>> index = build.publish(tmp / "few.index")
    >>> len(index)
    50
    """

    def __init__(self, path: Path) -> None:
        self._work = _bitquilt.Work.open(path)
        status = self.status()
        #: Map tasks and reduce tasks, each numbered from 0 on.
        self.maps, self.reduces = status.maps, status.reduces

    def __repr__(self) -> str:
        return f"<bitquilt.Parts {self.path}: {self.maps} map tasks, {self.reduces} reduce tasks>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.path, self.id)

    @property
    def path(self) -> str:
        """The folder."""
        return str(self._work.path)

    @property
    def id(self) -> str:
        """What tells the plan from every other one."""
        return self._work.id

    @property
    def latents(self) -> int:
        """How many latents the index will hold."""
        return self._work.latents

    def status(self) -> Status:
        """Which tasks have not ended."""
        told = json.loads(self._work.status())
        return Status(told["maps"], told["maps_left"], told["reduces"], told["reduces_left"])

    def map(self, number: int, *, memory: Size | None = None, again: bool = False, progress: Progress = False) -> Ended:
        """Sorts the contexts of the latents of one map task within `memory` [default: a quarter of the machine's]. What has ended is done
        `again` only when that is asked for."""
        with watched(progress) as told:
            return Ended(*self._work.map(as_number("number", number), as_bytes(memory), again, told))

    def reduce(self, number: int, *, again: bool = False, progress: Progress = False) -> Ended:
        """Merges one part, once all map tasks have ended. Raises `TaskDamaged` where what a map task wrote is damaged: run that one again."""
        with watched(progress) as told:
            return Ended(*self._work.reduce(as_number("number", number), again, told))

    def publish(self, path: Path, *, force: bool = False, progress: Progress = False) -> Index:
        """Puts the parts together as an index in the folder `path`, once all tasks have ended, and opens it."""
        with watched(progress) as told:
            self._work.publish(path, force, told)
        return _open(path)


def plan(
    sources: Path | Sequence[Path],
    work: Path,
    *,
    windows: str | Sequence[str] | None = None,
    depth: str | None = None,
    anchor: Literal["none", "site"] = "none",
    condition: Literal["none", "label"] = "none",
    exclude: Ids | None = None,
    maps: int | None = None,
    parts: int | None = None,
    force: bool = False,
    progress: Progress = False,
) -> Parts:
    """Plans a build of an index in tasks, in the folder `work`; the same plan again goes on with what is there.

    Parameters
    ----------
    sources
        Latents files, all of one shape; ids go on from one to the next. One is in memory at a time.
    work
        The folder of the build, which all of its machines see, as they do the sources; it may go once the index is there.
    windows, depth, anchor, condition, exclude
        As `build` takes them.
    maps
        Map tasks, each of as many latents [default: one for each 16.8 million contexts].
    parts
        Parts of each array, each a reduce task [default: as `maps`]. Equal contexts stay together, so that there may be fewer.
    force
        Whether to replace another plan that is there; what its tasks made stays, in a folder of its own.
    """
    paths = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    with watched(progress) as told:
        planned = _bitquilt.Work.plan(
            paths, work, as_windows(windows), depth, anchor, condition, as_ids(exclude),
            None if maps is None else as_number("maps", maps), None if parts is None else as_number("parts", parts), force, told,
        )
    return Parts(planned.path)


def join(samples: Sequence[Path], path: Path) -> Samples:
    """Puts samples files of one run together that were searched for in ranges (`first` of `Index.generate`), in order of their numbers, and
    loads it: what one search for all of them saves, byte for byte.

    Examples
    --------
    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(np.eye(4)[None] == 1, tmp / "joined.index", windows=["3x3"])
    >>> for first in [0, 3]:
    ...     index.generate(3, first=first, seed=1).save(tmp / f"{first}.safetensors")
    >>> joined = bq.parts.join([tmp / "3.safetensors", tmp / "0.safetensors"], tmp / "all.safetensors")
    >>> joined.latents == index.generate(6, seed=1).latents
    True
    """
    _bitquilt.join(list(samples), path)
    return Samples.load(path)


def _opened(path: str, id: str) -> Parts:
    parts = Parts(path)
    if parts.id != id:
        raise InputError(f"{path}: expected the plan {id}, found {parts.id}: another build was planned there since")
    return parts
