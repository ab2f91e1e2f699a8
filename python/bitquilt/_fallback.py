"""Functions that answer where retrieval finds nothing, and the contexts that they are asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Contexts:
    """Contexts of one window as numbers, one row each.

    They say what the index compares and nothing more, so a function of them is a function of the context.
    """

    #: float32 [n, numbers]: −1 for a 0, 1 for a 1 and 0 for what is not there, in raster order, channels innermost; behind them, of squares, whether
    #: there are 1, 2 … columns to the right; last, of windows that see a coarser level, its bits.
    symbols: NDArray[np.float32]
    #: uint32 [n]: the channel of the bit and where in its parent its site lies, or its place where that is part of contexts.
    places: NDArray[np.uint32]
    #: uint32 [n]: the number of the label, 0 where contexts are bound to none.
    labels: NDArray[np.uint32]
    #: The bit that followed each, uint8 [n], where it is known; else none.
    bits: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True)
class Fallback:
    """A function that answers where the index has no match: of `Contexts` of `window`, to the probability that a 1 follows each, [n].

    Its answer for a context must depend on that context alone, whatever else is in the batch and whatever was asked before: samples
    depend on it, and which contexts come together depends on the number of threads. Networks whose sums depend on the size of the batch
    give samples that another machine may not repeat to the last bit. Bits that it answers are marked (`answered_by` 255).

    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(np.eye(6)[None] == 1, tmp / "one.index", windows=["3x3"])
    >>> given, mask = np.ones((6, 6), int), np.arange(6)[:, None] < 1
    >>> coin = bq.Fallback(lambda contexts: np.full(len(contexts), 0.5), window="3x3")
    >>> samples = index.generate(4, fixed=given, mask=mask, fallback=coin, policy="on-no-match")
    >>> bool((samples.answered_by == 255).any()), len(samples)
    (True, 4)
    """

    function: Callable[[Contexts], Any]
    window: str

    def _asked(self) -> Callable[..., NDArray[np.float32]]:
        def ask(symbols: NDArray[np.float32], places: NDArray[np.uint32], labels: NDArray[np.uint32]) -> NDArray[np.float32]:
            found = self.function(Contexts(symbols, places, labels))
            if hasattr(found, "detach"):
                found = found.detach().cpu()
            return np.ascontiguousarray(found, dtype=np.float32).reshape(-1)

        return ask

    @property
    def name(self) -> str:
        """The function's name, for the samples file."""
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__))
