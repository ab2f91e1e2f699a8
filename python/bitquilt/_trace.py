"""Where samples come from, as the trace file has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _bitquilt
from ._errors import InputError
from ._page import Page
from ._pictures import Decode, Picture, drawn_by
from ._progress import Progress, watched
from ._requests import Path, as_json, as_number


NO_PICTURES = "a trace that was read from a file or a pickle has no pictures: trace the samples again"


@dataclass(frozen=True)
class Region:
    """A part of a sample that one training latent has, bit for bit, moved by so many sites."""

    #: Level of a pyramid, 0 for the coarsest.
    level: int
    #: Id of the training latent.
    latent: int
    #: How far down and to the right the sample has it.
    shift: tuple[int, int]
    #: Row and column of its first site.
    first: tuple[int, int]
    #: How many sites it has.
    sites: int
    #: How many bits.
    bits: int
    #: What it tells, in bits.
    information: float


class TracedSample:
    """One sample, traced. `record` is its part of the trace file. Shows its picture in a notebook."""

    def __init__(self, record: dict[str, Any], levels: list[dict[str, Any]], drawn: _bitquilt.Traced | None) -> None:
        self.record, self._levels, self._drawn = record, levels, drawn

    @property
    def sample(self) -> int:
        """Its number among the samples."""
        return int(self.record["sample"])

    @property
    def summary(self) -> dict[str, Any]:
        """Its figures."""
        return dict(self.record["summary"])

    @property
    def judged(self) -> bool:
        """Whether there was something to judge it by."""
        return "verdict" in self.record

    @property
    def verdict(self) -> dict[str, Any]:
        """Whether it is called a copy ("copy"), how likely an honest latent looks as much like one ("p"), and of what."""
        return dict(_of_judged(self.record, "verdict"))

    @property
    def regions(self) -> list[Region]:
        """The regions of its quilt."""
        return [
            Region(
                level=region["level"],
                latent=region["latent"],
                shift=(region["down"], region["right"]),
                first=(region["row"], region["col"]),
                sites=region["sites"],
                bits=region["bits"],
                information=region["information"],
            )
            for region in self.record["regions"]
        ]

    def region_map(self, level: int = -1) -> NDArray[np.int64]:
        """The number of each bit's region in `regions`, −1 where it is in none, int64 [H, W, K]; of pyramids at a level, the
        finest unless another is named. Takes a trace with `bits=True`."""
        if "bits" not in self.record:
            raise InputError("the trace says nothing of single bits: trace with bits=True")
        own = self._levels[level]
        height, width, channels = own["shape"]
        part = self.record["bits"]["region"][own["first"] : own["first"] + height * width * channels]
        numbers = [-1 if number is None else number for number in part]
        return np.array(numbers, dtype=np.int64).reshape(height, width, channels)

    def picture(self, *, sources: int = 5, level: int | None = None, decode: Decode | None = None) -> Picture:
        """The sample, what it is most likely a copy of where that was judged, its quilt coloured by source, the sources that tell most with what
        was copied outlined, and the nearest training latent with what differs, as `bitquilt trace --png` draws them.

        `level` of a pyramid [default: the finest]; `decode` draws latents of that level as images (see `Latents.picture`).
        """
        return _map(self._drawn, self.sample, self.sample + 1, sources, level, decode)

    def _repr_png_(self) -> bytes:
        return self.picture()._repr_png_()

    def __repr__(self) -> str:
        verdict = "" if not self.judged else f", {'a copy' if self.verdict['copy'] else 'no copy'} (p = {self.verdict['p']:.4f})"
        return f"TracedSample({self.sample}: {len(self.record['regions'])} regions{verdict})"


class Trace:
    """Where samples come from: `document` is the trace file (`schemas/trace.schema.json`) as Python has JSON.

    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(bq.Latents(np.eye(6)[None] == 1), tmp / "eyes.index", windows=["3x3"])
    >>> trace = index.trace(index.generate(2))
    >>> trace.summary["supported"], len(trace), trace[0].regions[0].latent
    (1.0, 2, 0)
    """

    def __init__(self, text: str, drawn: _bitquilt.Traced | None = None) -> None:
        self._text, self._drawn = text, drawn

    @cached_property
    def document(self) -> dict[str, Any]:
        """The trace file, read when it is first asked for: with every bit it is large."""
        return dict(json.loads(self._text))

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Reads a trace file; of one there are no pictures."""
        read = cls(FilePath(path).read_text(encoding="utf-8", errors="replace"))
        try:
            found = read.document.get("format")
        except (ValueError, AttributeError, TypeError) as error:
            raise InputError(f"{path}: expected a trace file (JSON), found {error}") from None
        if found != "bitquilt.trace":
            raise InputError(f"{path}: expected a trace file (bitquilt.trace), found {found!r}")
        return read

    def __reduce__(self) -> tuple[Any, ...]:
        return Trace, (self._text,)

    def save(self, path: Path) -> None:
        """Writes the trace file, as `bitquilt trace -o` does."""
        FilePath(path).write_text(self._text, encoding="utf-8")

    @property
    def summary(self) -> dict[str, Any]:
        """The figures of all samples."""
        return dict(self.document["summary"])

    @property
    def judged(self) -> bool:
        """Whether there was something to judge samples by: `against` or `calibration`."""
        return "copies" in self.document["summary"]

    @property
    def copies(self) -> dict[str, Any]:
        """How many samples are called copies and how many of as many honest latents would be."""
        return dict(_of_judged(self.document["summary"], "copies"))

    def credits(self) -> list[dict[str, Any]]:
        """The training latents by what they lent, most first."""
        return list(self.document["summary"]["credits"])

    def __len__(self) -> int:
        return len(self.document["samples"])

    def __getitem__(self, number: int) -> TracedSample:
        return TracedSample(self.document["samples"][number], self.document["levels"], self._drawn)

    def __iter__(self) -> Iterator[TracedSample]:
        return (self[number] for number in range(len(self)))

    def records(self) -> list[dict[str, Any]]:
        """A flat record for each sample: its figures that are numbers, and its verdict."""
        records = []
        for traced in self:
            record: dict[str, Any] = {"sample": traced.sample, "label": traced.record.get("label")}
            record |= {name: value for name, value in traced.summary.items() if isinstance(value, (int, float))}
            record["regions"] = len(traced.record["regions"])
            if traced.judged:
                record |= {"copy": traced.verdict["copy"], "p": traced.verdict["p"]}
            records.append(record)
        return records

    def region_records(self) -> list[dict[str, Any]]:
        """A flat record for each region of each sample."""
        return [
            {"sample": traced.sample, **{name: value for name, value in region.items() if not isinstance(value, (dict, list))}}
            for traced in self
            for region in traced.record["regions"]
        ]

    def to_pandas(self, *, regions: bool = False) -> Any:
        """The records, of samples or of regions, as a `pandas.DataFrame`."""
        import pandas

        return pandas.DataFrame(self.region_records() if regions else self.records())

    def to_arrow(self, *, regions: bool = False) -> Any:
        """The records, of samples or of regions, as a `pyarrow.Table`; a trace itself is what polars, DuckDB and others take for a table of
        samples.

        >>> import numpy as np, bitquilt as bq
        >>> index = bq.build(bq.Latents(np.eye(6)[None] == 1), tmp / "table.index", windows=["3x3"])
        >>> index.trace(index.generate(2)).to_arrow(regions=True).select(["sample", "latent", "bits"]).to_pylist()
        [{'sample': 0, 'latent': 0, 'bits': 36}, {'sample': 1, 'latent': 0, 'bits': 36}]
        """
        import pyarrow

        return pyarrow.Table.from_pylist(self.region_records() if regions else self.records())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def picture(
        self,
        *,
        limit: int = 8,
        sources: int = 5,
        level: int | None = None,
        decode: Decode | None = None,
        progress: Progress = False,
    ) -> Picture:
        """The first samples as `TracedSample.picture` draws each."""
        return _map(self._drawn, 0, min(as_number("limit", limit, 1), len(self)), sources, level, decode, progress)

    def page(self, *, decode: Decode | None = None, progress: Progress = False) -> Page:
        """The first 200 samples as one web page that fetches nothing, to look at in a notebook, mail or publish, as `bitquilt trace --html` writes it;
        `decode` draws latents of the finest level as images.

        >>> import numpy as np, bitquilt as bq
        >>> index = bq.build(bq.Latents(np.eye(6)[None] == 1), tmp / "page.index", windows=["3x3"])
        >>> index.trace(index.generate(2)).page()[:15]
        '<!DOCTYPE html>'
        """
        if self._drawn is None:
            raise InputError(NO_PICTURES)
        with watched(progress) as told:
            return Page(self._drawn.page(drawn_by(decode), told))

    def _repr_png_(self) -> bytes:
        return self.picture()._repr_png_()

    def __repr__(self) -> str:
        copies = "" if not self.judged else f", {self.copies['copies']} called copies"
        return f"Trace({len(self):,} samples, {100 * self.summary['supported']:.1f} % of their bits supported{copies})"


def _of_judged(told: dict[str, Any], name: str) -> Any:
    if name not in told:
        raise InputError("nothing was judged: trace with against=, latents that were not indexed, or with calibration=")
    return told[name]


def _map(
    drawn: _bitquilt.Traced | None, first: int, end: int, sources: int, level: int | None, decode: Decode | None, progress: Progress = False
) -> Picture:
    if drawn is None:
        raise InputError(NO_PICTURES)
    request = as_json({"sources": as_number("sources", sources), "level": None if level is None else as_number("level", level)})
    with watched(progress) as told:
        return Picture(drawn.map(first, end, request, drawn_by(decode), told))
