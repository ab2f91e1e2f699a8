"""What requests are written with."""

from __future__ import annotations

import errno
import json
import operator
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ._errors import InputError

Path = str | os.PathLike[str]
#: A number of bytes, or a text as "4GiB".
Size = int | str
#: Ids of training latents: one, some, or a text as "3,17,100..200".
Ids = int | Iterable[int] | str

UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def as_bytes(size: Size | None) -> int | None:
    """A size in bytes."""
    if size is None:
        return None
    if not isinstance(size, str):
        return as_number("a size in bytes", size)
    number = size.rstrip("BKMGTki ")
    unit = size[len(number) :].strip()
    try:
        return int(float(number) * UNITS[unit])
    except (KeyError, ValueError):
        raise InputError(f"{size!r} is not a size: expected a number of bytes, or a text as '4GiB' or '512MiB'") from None


def as_ids(ids: Ids | None) -> str:
    """Ids as a text."""
    if ids is None:
        return ""
    if isinstance(ids, str):
        return ids
    return str(ids) if isinstance(ids, int) else ",".join(str(int(id)) for id in ids)


def as_windows(windows: str | Sequence[str] | None) -> list[str]:
    """Windows as a list."""
    if windows is None:
        return []
    return [windows] if isinstance(windows, str) else list(windows)


def as_json(request: dict[str, Any]) -> str:
    """A request as JSON, NumPy's numbers and arrays as plain ones."""
    try:
        return json.dumps(
            request, allow_nan=False, default=lambda value: value.tolist() if isinstance(value, (np.generic, np.ndarray)) else str(value)
        )
    except ValueError as error:
        raise InputError(f"the request: expected numbers, found one that is none: {error}") from None


def as_number(name: str, value: Any, least: int = 0) -> int:
    """A whole number of at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name}: expected a whole number, found {value!r}") from None
    if number < least:
        raise InputError(f"{name}: expected a number of at least {least}, found {number}")
    return number


def there(path: Path) -> Path:
    """The path of a file that is there."""
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    return path
