"""Progress: nothing, a bar, or a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, Iterator, Union

#: `True` for a bar (by tqdm, where it is installed), a function `(stage, done, total, unit)`, or nothing.
Progress = Union[bool, Callable[[str, int, int, str], object], None]


class _Bar:
    """A bar for each stage."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm, self._bar, self._stage = tqdm, None, ("", 0)

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        if (stage, total) != self._stage:
            self.close()
            self._bar = self._tqdm(total=total or None, desc=stage, unit=f" {unit}", unit_scale=total > 100_000)
            self._stage = (stage, total)
        assert self._bar is not None
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def watched(progress: Progress) -> Iterator[Callable[[str, int, int, str], object] | None]:
    """What the engine calls while it works."""
    if not progress:
        yield None
        return
    if callable(progress):
        yield progress
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield None
        return
    bar = _Bar(tqdm)
    try:
        yield bar
    finally:
        bar.close()
