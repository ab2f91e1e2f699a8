"""Audits: who copies, how much, from where."""

from __future__ import annotations

import json
import os
from typing import Any

from . import _bitquilt
from ._errors import InputError
from ._page import Page
from ._pictures import Decode, drawn_by
from ._requests import Path


class Audit:
    """The audit of a set of samples: `report` is what `bitquilt audit --json` prints (`schemas/audit.schema.json`). Shows its page in a
    notebook.

    >>> import numpy as np, bitquilt as bq
    >>> noise = np.random.default_rng(1).integers(0, 2, (300, 8, 8))
    >>> index = bq.build(noise[:200], tmp / "noise.index", depth="7x7")
    >>> audit = index.audit(noise[[3, 5, 250]], against=noise[200:250], false_alarms=0.05)
    >>> audit.copies["copies"], sorted(lent["latent"] for lent in audit.credits)
    (2, [3, 5])
    """

    def __init__(self, audit: _bitquilt.Audit, decode: Decode | None) -> None:
        self._audit, self._decode = audit, drawn_by(decode)
        self.report: dict[str, Any] = json.loads(audit.report())

    @property
    def copies(self) -> dict[str, Any]:
        """How many samples are called copies, and how many of as many honest latents would be."""
        return dict(self.report["copies"])

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """The verdict on each sample: its number, its label, whether it is called a copy, and p."""
        return list(self.report["verdicts"])

    @property
    def worst(self) -> list[dict[str, Any]]:
        """The samples that look most like copies, the worst first, and what of them is a copy of what."""
        return list(self.report["worst"])

    @property
    def credits(self) -> list[dict[str, Any]]:
        """The training latents that lent most."""
        return list(self.report["credits"])

    @property
    def numbers(self) -> list[dict[str, Any]]:
        """The field's own numbers, each beside held-out latents, with its trap."""
        return list(self.report["numbers"])

    @property
    def page(self) -> Page:
        """The report as one web page that needs nothing else."""
        return Page(self._audit.page(self._decode))

    def save(self, path: Path, *, force: bool = False) -> None:
        """Writes the report as a folder, as `bitquilt audit -o` does; `force` replaces one that is there."""
        if os.path.exists(path) and not force:
            raise InputError(f"{os.fspath(path)}: exists already: choose another name, or force=True to replace it")
        self._audit.write(path, self._decode)

    def to_pandas(self) -> Any:
        """The verdicts as a `pandas.DataFrame`."""
        import pandas

        return pandas.DataFrame(self.verdicts)

    def _repr_html_(self) -> str:
        return self.page._repr_html_()

    def __repr__(self) -> str:
        return f"Audit({self.copies['copies']} of {self.copies['samples']} samples called copies)"
