"""Indexes: opened and asked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._arrays import is_array
from ._audit import Audit
from ._errors import InputError, Interrupted, Unsupported
from ._fallback import Contexts, Fallback
from ._latents import Latents, as_latents
from ._pictures import Decode
from ._progress import Progress, watched
from ._requests import Ids, Path, Size, as_bytes, as_ids, as_json, as_number, as_windows, there
from ._samples import Samples
from ._trace import Trace

#: A posting: where a next bit occurred.
POSTING = np.dtype([("latent", "u8"), ("position", "u8"), ("row", "u4"), ("col", "u4"), ("channel", "u4"), ("bit", "u1")])


@dataclass(frozen=True)
class Verified:
    """What a proof of samples found."""

    #: Whether every bit that was neither given nor interpolated is supported.
    verified: bool
    #: Samples that were looked at.
    samples: int
    #: Bits that were checked.
    checked: int
    #: Bits that were given.
    fixed: int
    #: Bits that a network answered.
    interpolated: int
    #: Bits that nothing supports: sample, position and window of each.
    unsupported: list[dict[str, Any]]

    def check(self) -> None:
        """Raises `Unsupported` if a bit is not supported."""
        if self.unsupported:
            first = ", ".join(f"sample {bit['sample']} position {bit['position']} at {bit['window']}" for bit in self.unsupported[:3])
            raise Unsupported(f"{len(self.unsupported)} bits are not supported, the first ones: {first}")


def open(path: Path, *, without: Ids | None = None, memory: Size | None = None) -> Index:
    """Opens the index in folder `path`.

    `without` answers as if these training latents had never been indexed; `memory` is what may be held of it: windows, training
    latents, samples [default: what the machine can give].
    """
    return Index(_bitquilt.Session(path, as_ids(without), as_bytes(memory)), as_ids(without), as_bytes(memory))


class Index:
    """An opened index. Shared by threads, and usable in processes that are forked or spawned: it pickles by path and content.

    >>> import pickle, numpy as np, bitquilt as bq
    >>> index = bq.build(np.eye(4)[None] == 1, tmp / "one.index", windows="3x3")
    >>> index
    Index(1 latents 4x4x1, windows to 3x3)
    >>> pickle.loads(pickle.dumps(index)).identity == index.identity
    True
    """

    def __init__(self, session: _bitquilt.Session, without: str, memory: int | None) -> None:
        self._session, self._without, self._memory = session, without, memory
        self._info: dict[str, Any] = json.loads(session.info())

    @property
    def info(self) -> dict[str, Any]:
        """What the index holds, as `bitquilt info --json` prints it."""
        return dict(self._info)

    @property
    def path(self) -> str:
        """The folder."""
        return os.fspath(self._session.path)

    @property
    def identity(self) -> str:
        """A digest of what decides every count: latents, shape, conditions."""
        return self._session.identity

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the finest level."""
        return self.levels[-1]

    @property
    def levels(self) -> list[tuple[int, int, int]]:
        """Height, width and channels of each level."""
        sides = [tuple(map(int, level.split("x"))) for level in str(self._info["shape"]).split("+")]
        return [(height, width, channels) for height, width, channels in sides]

    @property
    def windows(self) -> list[str]:
        """The windows that are meant where a call names none."""
        return list(self._info["named"])

    def __len__(self) -> int:
        return int(self._info["latents"])

    def __repr__(self) -> str:
        depths = ", ".join(array["depth"] for array in self._info["arrays"])
        return f"Index({len(self):,} latents {self._info['shape']}, windows to {depths})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.path, self._without, self._memory, self.identity)

    def without(self, ids: Ids) -> Index:
        """The same index as if these training latents had never been indexed, beside those that are left out already."""
        both = ",".join(filter(None, [self._without, as_ids(ids)]))
        return open(self.path, without=both, memory=self._memory)

    def training(self, *, progress: Progress = False) -> Latents:
        """The training latents."""
        with watched(progress) as told:
            return Latents._of(self._session.training(told))

    def lookup(self, latents: Any, window: str | None = None, *, progress: Progress = False) -> NDArray[np.uint64]:
        """How often 0 and 1 followed the context of every bit, uint64 [N, H, W, K, 2], H, W and K of the window's level.

        >>> import numpy as np, bitquilt as bq
        >>> index = bq.build(np.eye(4)[None].repeat(3, axis=0), tmp / "three.index", windows=["3x3"])
        >>> index.lookup(np.eye(4)[None])[0, 0, :, 0].tolist()
        [[0, 3], [3, 0], [3, 0], [3, 0]]
        """
        set = self._latents(latents)
        with watched(progress) as told:
            counts = self._session.lookup(set._set, window, told)
        return counts.reshape(len(set), *set.levels[self._level_of(window)], 2)

    def contexts(self, latents: Any, window: str | None = None, *, progress: Progress = False) -> Contexts:
        """Every context of a window of some latents, as a `Fallback` is asked about them, with the bit that followed: what to train one
        on.

        >>> import numpy as np, bitquilt as bq
        >>> index = bq.build(np.eye(4)[None] == 1, tmp / "net.index", windows=["3x3"])
        >>> contexts = index.contexts(np.eye(4)[None])
        >>> contexts.symbols.shape, contexts.bits[:5].tolist(), contexts.symbols[5].tolist()
        ((16, 5), [1, 0, 0, 0, 0], [1.0, -1.0, -1.0, -1.0, 1.0])
        """
        set = self._latents(latents)
        with watched(progress) as told:
            symbols, places, labels = self._session.contexts(set._set, window, told)
        bits = set.level(self._level_of(window)).reshape(-1)
        return Contexts(symbols, places, labels, bits)

    def postings(
        self,
        latent: Any,
        at: tuple[int, ...],
        window: str | None = None,
        *,
        level: int = -1,
        limit: int | None = 1000,
    ) -> NDArray[Any]:
        """Where the context of one bit occurred, and which bit followed: a structured array (`latent`, `position`, `row`, `col`,
        `channel`, `bit`), at most `limit` for each next bit, in the order of the array.

        `latent` is the id of a training latent, or a latent [H, W, K]; `at` is (row, column) or (row, column, channel).

        >>> import numpy as np, bitquilt as bq
        >>> index = bq.build(np.eye(4)[None].repeat(2, axis=0), tmp / "two.index", windows=["3x3"])
        >>> found = index.postings(0, (1, 1), "3x3")
        >>> found["latent"].tolist(), found["row"].tolist(), found["bit"].tolist()
        ([0, 0, 1, 1], [1, 2, 1, 2], [1, 1, 1, 1])
        """
        levels = self.levels
        level = range(len(levels))[level]
        height, width, channels = levels[level]
        row, col, channel = at if len(at) == 3 else (*at, 0)
        if not (0 <= row < height and 0 <= col < width and 0 <= channel < channels):
            raise InputError(f"at {at}: expected a place of {height}x{width}x{channels}")
        start = sum(h * w * k for h, w, k in levels[:level])
        of = None
        number = latent
        if not isinstance(latent, (int, np.integer)):
            set = self._latents(latent)
            of, number = set._set, 0
        request = {
            "window": window,
            "latent": int(number),
            "position": start + (row * width + col) * channels + channel,
            "top": limit,
        }
        report = json.loads(self._session.query(as_json(request), of))
        pairs = [(*pair, bit) for bit in (0, 1) for pair in report[f"postings{bit}"]]
        found = np.zeros(len(pairs), POSTING)
        if pairs:
            latents, positions, bits = np.array(pairs, np.uint64).T
            site = (positions - np.uint64(start)) // np.uint64(channels)
            found["latent"], found["position"], found["bit"] = latents, positions, bits
            found["row"], found["col"] = site // np.uint64(width), site % np.uint64(width)
            found["channel"] = (positions - np.uint64(start)) % np.uint64(channels)
        return found

    def generate(
        self,
        n: int = 64,
        *,
        windows: str | Sequence[str] | None = None,
        first: int = 0,
        seed: int = 0,
        fixed: Any = None,
        mask: Any = None,
        label: int | None = None,
        size: tuple[int, int] | None = None,
        novel: bool | str | int = False,
        distinct: bool = False,
        max_copied: float | Sequence[str] | None = None,
        max_copied_like_held_out: float | None = None,
        calibration: Path | None = None,
        min_count: int | str = 1,
        temperature: float | str = 1.0,
        fallback: Fallback | Sequence[Fallback] | None = None,
        progress: Progress = False,
        **options: Any,
    ) -> Samples:
        """Searches for samples `first` to `first + n`: every local window of each was seen in training. Sample j depends on the
        index, the options, the seed and j alone, whatever the number of threads.

        Ctrl-C raises `Interrupted`, a `KeyboardInterrupt` that has in `samples` what was found by then.

        Parameters
        ----------
        windows
            At which every bit must be supported, largest first; smaller ones answer where larger ones know nothing. "longest":
            as much of each context as occurred.
        fixed, mask
            A latent [H, W, K] and where it is to stay (all of it without a mask); of pyramids lists of one array a level, `None` for
            those that are free.
        label
            The label of the samples, of an index with `condition="label"`.
        size
            Height and width, where they are others than the index's.
        novel
            True: no sample is a training latent; of pyramids at the finest level; "every", or the number of a level.
        distinct
            No sample twice.
        max_copied
            Bits that a sample may carry of any one training latent; of pyramids also ["1:60", …], by level.
        max_copied_like_held_out, calibration
            No sample carries more than all but such a share of held-out latents do, of a calibration that `trace` or `audit` wrote.
        min_count, temperature
            Occurrences that a bit needs; sharper below 1, flatter above. Of pyramids also texts as "1 2:3", by level.
        fallback
            A function of yours that answers where the index has no match, with `policy` ("on-dead-end", "on-no-match" or "always") and
            `max_interpolated` bits of a sample at most; of pyramids one for each level.
        options
            Whatever else a `GenerateRequest` takes: method, backoff, max_backtracks, restart, timeout_seconds, max_states, preload.

        Examples
        --------
        >>> import numpy as np, bitquilt as bq
        >>> stripes = np.arange(6)[:, None] // 2 % 2 * np.ones((1, 6), int)
        >>> index = bq.build(np.stack([stripes, 1 - stripes, stripes.T, 1 - stripes.T]), tmp / "four.index", windows=["3x3"])
        >>> given = np.ones((6, 6), int)
        >>> mask = np.arange(6)[:, None] < 2
        >>> index.generate(1, fixed=given, mask=mask).bits[0, :3, :, 0].tolist()
        [[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]]
        >>> index.generate(4, novel=True, windows="global").attempts[0]["status"]
        Traceback (most recent call last):
        ...
        bitquilt.InputError: ...global...
        """
        request = self._request(
            windows=windows, seed=seed, fixed=fixed, mask=mask, label=label, size=size, novel=novel, distinct=distinct,
            max_copied=max_copied, min_count=min_count, temperature=temperature, **options,
        )
        first, n = as_number("first", first), as_number("n", n)
        request["samples"] = {"start": first, "end": first + n}
        if (max_copied_like_held_out is None) != (calibration is None):
            raise InputError("max_copied_like_held_out: is told by a calibration: hand in both")
        fallbacks = [fallback] if isinstance(fallback, Fallback) else list(fallback or [])
        asked = [(one.window, one._asked(), one.name) for one in fallbacks]
        with watched(progress) as told:
            if max_copied_like_held_out is not None and calibration is not None:
                limits = _bitquilt.carried_at(self._session, there(calibration), max_copied_like_held_out, told)
                request["max_copied"] = [*request.get("max_copied", []), *limits]
            return _found(*self._session.generate(as_json(request), asked, told))

    def samples(self, *, first: int = 0, batch: int = 64, **options: Any) -> Iterator[NDArray[np.uint8]]:
        """Samples without end, one after the other, uint8 [H, W, K] of the finest level: those of `generate`, in its order. Searches
        that find none are passed over; what was yielded is yours when you stop, by Ctrl-C too.

        >>> import itertools, numpy as np, bitquilt as bq
        >>> index = bq.build(np.eye(4)[None] == 1, tmp / "endless.index", windows=["3x3"])
        >>> [sample.shape for sample in itertools.islice(index.samples(seed=3), 3)]
        [(4, 4, 1), (4, 4, 1), (4, 4, 1)]
        """
        while True:
            found = self.generate(batch, first=first, **options)
            if not len(found) and all(attempt["status"] == "none exists" for attempt in found.attempts):
                return
            yield from found.bits
            first += batch

    def all(self, max_samples: int | None = None, *, progress: Progress = False, **options: Any) -> tuple[Samples, bool]:
        """Every sample that there is, each once, and whether they are proved to be all. Options as of `generate`."""
        with watched(progress) as told:
            found = _found(*self._session.enumerate(as_json(self._request(**options)), max_samples, told))
        return found, bool(found.attempts) and found.attempts[-1]["status"] == "none exists"

    def count(self, max_states: int | None = 20_000, *, progress: Progress = False, **options: Any) -> tuple[int, bool]:
        """How many samples there are, and whether all are counted. Options as of `generate`."""
        with watched(progress) as told:
            report = json.loads(self._session.count(as_json(self._request(**options)), max_states, told))
        return int(report["count"]), bool(report["complete"])

    def _request(
        self, *, windows: Any = None, fixed: Any = None, mask: Any = None, novel: Any = False, max_copied: Any = None, **options: Any
    ) -> dict[str, Any]:
        request = {name: value for name, value in options.items() if value is not None}
        request["windows"] = as_windows(windows)
        if novel is not False and novel is not None:
            request["novel"] = "finest" if novel is True else str(novel)
        if max_copied is not None:
            limits = [max_copied] if isinstance(max_copied, (int, float, str)) else max_copied
            request["max_copied"] = [str(limit) for limit in limits]
        if fixed is not None:
            request["fixed"] = self._fixed(fixed, mask, request.get("size"))
        elif mask is not None:
            raise InputError("mask says where fixed stays: hand in fixed too")
        return request

    def _fixed(self, fixed: Any, mask: Any, size: tuple[int, int] | None) -> list[tuple[int, bool]]:
        levels = self.levels
        if len(levels) == 1:
            height, width = size or levels[0][:2]
            levels, fixed, mask = [(height, width, levels[0][2])], [fixed], [mask]
        elif size is not None:
            raise InputError("fixed: takes pyramids of the index's own size")
        masks = [None] * len(levels) if mask is None else mask
        if len(fixed) != len(levels) or len(masks) != len(levels):
            raise InputError(f"fixed and mask: expected an array, or None, for each of {len(levels)} levels")
        given: list[tuple[int, bool]] = []
        start = 0
        for shape, bits, where in zip(levels, fixed, masks):
            count = int(np.prod(shape))
            if bits is not None:
                values = _fitting("fixed", bits, shape)
                stays = np.ones(shape, bool) if where is None else _fitting("mask", where, shape).astype(bool)
                values, stays = as_latents(values[None], shape).bits.reshape(-1), stays.reshape(-1)
                given += [(start + int(at), bool(values[at])) for at in np.flatnonzero(stays)]
            start += count
        return given

    def verify(
        self, samples: Samples | Any, *, window: str | Sequence[str] | None = None, brute_force: bool = False, progress: Progress = False
    ) -> Verified:
        """Proves that every bit of samples is supported at the window that answered it; of other latents at `window`, of pyramids one for
        each level. With `brute_force`, from the training latents alone."""
        request = {"windows": as_windows(window), "brute_force": brute_force}
        with watched(progress) as told:
            report = self._session.verify(self._samples_of(samples), as_json(request), told)
        return Verified(**json.loads(report))

    def check(self, *, brute_force: bool = False, progress: Progress = False) -> str | None:
        """Proves the index itself; returns what is wrong with it, `None` for nothing."""
        with watched(progress) as told:
            return self._session.verify_index(brute_force, told)

    def trace(
        self,
        samples: Samples | Any,
        *,
        windows: str | Sequence[str] | None = None,
        against: Latents | Any = None,
        calibration: Path | None = None,
        save_calibration: Path | None = None,
        false_alarms: float = 0.01,
        bits: bool = False,
        limit: int | None = None,
        nearest: int | None = None,
        progress: Progress = False,
        **options: Any,
    ) -> Trace:
        """Tells where samples, or any latents, come from. `against`, latents that were not indexed, or a `calibration` of an earlier
        call gives each a verdict: whether it copies, at a rate of false alarms that is kept.

        `bits=True` tells it of every bit; `options` are those of a `TraceRequest`: top, reach, credits, all_latents, preload.
        """
        request, top = _trace_request(windows, bits, nearest, options)
        if limit is not None:
            request["samples"] = {"start": 0, "end": as_number("limit", limit, 1)}
        held_out = None if against is None else self._latents(against)._set
        of = self._samples_of(samples)
        with watched(progress) as told:
            traced = _bitquilt.trace(
                self._session, of, as_json(request), top, of.latents.source, held_out, _name_of(against),
                None if calibration is None else there(calibration), save_calibration, as_json({"false_alarms": false_alarms}), told,
            )
        return Trace(traced.text, traced)

    def audit(
        self,
        samples: Samples | Any,
        *,
        against: Latents | Any,
        calibration: Path | None = None,
        false_alarms: float = 0.01,
        worst: int = 24,
        credits: int = 24,
        decode: Decode | None = None,
        progress: Progress = False,
    ) -> Audit:
        """Tells how many samples copy, which most, from where, and what the field's own numbers say; `against` are latents that were not
        indexed, drawn as the training latents were. `calibration`: how these looked, from an earlier call.

        `worst` and `credits` bound how many samples and training latents are told one by one; `decode` draws them, as in
        `Latents.picture`.
        """
        held_out, of = self._latents(against), self._samples_of(samples)
        request = {"copies": {"false_alarms": false_alarms}, "worst": as_number("worst", worst), "credits": as_number("credits", credits)}
        with watched(progress) as told:
            audit = _bitquilt.audit(
                self._session, of, held_out._set, _name_of(against), None if calibration is None else there(calibration),
                of.latents.source or "samples", as_json(request), told,
            )
        return Audit(audit, decode)

    def measure(self, held_out: Any = None, *, windows: str | Sequence[str] | None = None, limit: int | None = None,
                progress: Progress = False) -> dict[str, Any]:
        """The counts as a model of latents: bits per latent, of the training latents as if each had not been indexed and of held-out
        ones, as `bitquilt eval counts --json` prints them."""
        request: dict[str, Any] = {"windows": as_windows(windows)}
        if limit is not None:
            request["limit"] = limit
        set = None if held_out is None else self._latents(held_out)._set
        with watched(progress) as told:
            return dict(json.loads(self._session.measure_counts(as_json(request), set, told)))

    def _latents(self, given: Any) -> Latents:
        """Latents, or an array of some or of one, as those of this index."""
        return as_latents(given, self.shape if len(self.levels) == 1 else None)

    def _level_of(self, window: str | None) -> int:
        """The level of a window; without one, of the only one that there is: the engine has refused where there are several."""
        level, colon, _ = (self.windows[0] if window is None else window).partition(":")
        return int(level) if colon and level.isdigit() else 0

    def _samples_of(self, samples: Any) -> _bitquilt.Samples:
        if isinstance(samples, Samples):
            return samples._samples
        set = self._latents(samples)
        return _bitquilt.Samples.of_latents(set._set)


def _name_of(given: Any) -> Path:
    """What latents are called: by their file, or where they come from in words."""
    if isinstance(given, (str, os.PathLike)):
        return given
    return str(getattr(given, "source", "")) or "latents in memory"


def _found(samples: _bitquilt.Samples, raised: BaseException | None) -> Samples:
    """The samples of a search; what stopped it is raised, with the samples where it was Ctrl-C."""
    found = Samples(samples)
    if isinstance(raised, KeyboardInterrupt):
        raise Interrupted(found) from None
    if raised is not None:
        raise raised
    return found


def _fitting(name: str, given: Any, shape: tuple[int, int, int]) -> NDArray[Any]:
    """An array that can be spread over one latent [H, W, K]."""
    array = np.asarray(given)
    array = array[..., None] if array.ndim == 2 else array
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        found = np.asarray(given).shape
        raise InputError(f"{name}: expected an array {shape} or {shape[:2]}, found one {found}") from None


def _reopened(path: str, without: str, memory: int | None, identity: str) -> Index:
    return Index(_bitquilt.Session(path, without, memory, identity), without, memory)


def _trace_request(windows: Any, bits: bool, nearest: int | None, options: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    """What is asked of a trace, and how many places of each bit are told, if any."""
    request: dict[str, Any] = {"windows": as_windows(windows), **options}
    if nearest is not None:
        request["nearest"] = nearest
    return request, int(options.get("top", 3)) if bits else None
