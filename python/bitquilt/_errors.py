"""What can go wrong. Files that cannot be read or written are plain `OSError`s, with their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._samples import Samples


class Error(Exception):
    """Any error of this package."""


class InputError(Error, ValueError):
    """Arrays, options or files that cannot be what was asked for: what was expected, what was found, what to do."""


class NotAnIndex(Error, FileNotFoundError):
    """No index is there."""


class Damaged(Error):
    """An index or a file is not what was written."""


class TaskDamaged(Damaged):
    """What a task of a build wrote is not what it wrote: `kind` ("map" or "reduce") and `number` tell which has to be run again."""

    def __init__(self, message: str, kind: str, number: int) -> None:
        super().__init__(message, kind, number)
        self.kind, self.number = kind, number

    def __str__(self) -> str:
        return str(self.args[0])


class MemoryLimit(Error, MemoryError):
    """More memory than may be taken; nothing was taken."""


class Unsupported(Error):
    """Samples have bits that nothing in the training set supports."""


class InternalError(Error, RuntimeError):
    """A bug in bitquilt."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a search: `samples` is what was found by then."""

    def __init__(self, samples: Samples) -> None:
        super().__init__(f"{len(samples)} samples were found")
        self.samples = samples


# As users import them, so that tracebacks say so.
for _class in (Error, InputError, NotAnIndex, Damaged, TaskDamaged, MemoryLimit, Unsupported, InternalError, Interrupted):
    _class.__module__ = "bitquilt"
