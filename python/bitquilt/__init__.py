"""Bitquilt: a search engine for binary image latents.

An index of every local context of a set of binary latents; new latents in which every local window was seen in that set; and,
for every bit of a sample, the training patches that it reuses.

>>> import numpy as np, bitquilt as bq
>>> rng = np.random.default_rng(0)
>>> stripes = (np.arange(8)[:, None] + rng.integers(0, 4, 40)[:, None, None]) // 2 % 2 * np.ones((1, 8), int)
>>> index = bq.build(bq.Latents(stripes), tmp / "stripes.index", windows=["3x3"])
>>> len(index), index.shape
(40, (8, 8, 1))
>>> samples = index.generate(4, seed=1)
>>> samples.bits.shape, samples.bits.dtype
((4, 8, 8, 1), dtype('uint8'))
>>> index.verify(samples).verified
True
"""

from . import parts
from ._audit import Audit
from ._build import build
from ._errors import Damaged, Error, InputError, InternalError, Interrupted, MemoryLimit, NotAnIndex, TaskDamaged, Unsupported
from ._fallback import Contexts, Fallback
from ._index import Index, Verified, open
from ._latents import Latents
from ._page import Page
from ._pictures import Picture
from ._samples import Samples
from ._serve import Server, serve
from ._trace import Region, Trace, TracedSample

__all__ = [
    "Audit",
    "Contexts",
    "Damaged",
    "Error",
    "Fallback",
    "Index",
    "InputError",
    "InternalError",
    "Interrupted",
    "Latents",
    "MemoryLimit",
    "NotAnIndex",
    "Page",
    "Picture",
    "Region",
    "Samples",
    "Server",
    "TaskDamaged",
    "Trace",
    "TracedSample",
    "Unsupported",
    "Verified",
    "build",
    "open",
    "parts",
    "serve",
]
