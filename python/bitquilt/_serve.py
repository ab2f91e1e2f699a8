"""The explorer: an index and samples looked at in a browser."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _bitquilt
from ._pictures import Decode
from ._progress import Progress, watched
from ._requests import Path, as_json, as_number, as_windows, there

if TYPE_CHECKING:
    from ._index import Index


class Server:
    """A running explorer. It answers until `stop`, the end of a `with` block, or the end of the process."""

    def __init__(self, server: _bitquilt.Server) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The address of its page."""
        return self._server.url

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._server.traced() is not None

    def stop(self) -> None:
        """Stops it."""
        self._server.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.stop()

    def _repr_html_(self) -> str:
        url = html.escape(self.url)
        return f'<a href="{url}" target="_blank" rel="noopener">{url}</a>' if self.running else "stopped"

    def __repr__(self) -> str:
        return f"Server({self.url if self.running else 'stopped'})"


def serve(
    index: Index,
    samples: Any = None,
    *,
    windows: str | Sequence[str] | None = None,
    against: Any = None,
    calibration: Path | None = None,
    false_alarms: float = 0.01,
    generate: bool | None = None,
    decode: Decode | None = None,
    pictures: Path | None = None,
    listen: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    host_names: Sequence[str] = (),
    cors: str | None = None,
    progress: Progress = False,
) -> Server:
    """Opens a page on this machine, as `bitquilt serve` does: where samples come from, who copies, and new samples.

    `samples`: a set of them or of latents, or several by their names. They are traced while you look. `against` and `calibration` give
    verdicts, as in `Index.trace`. `generate`: whether visitors may [default: where only this machine reaches the page]. `decode` draws
    latents (see `Latents.picture`); `pictures` is a folder of pictures of training latents, named by their ids. An address to `listen` at that
    other machines reach takes a `token`, which is made unless you name one.

    >>> import numpy as np, bitquilt as bq
    >>> index = bq.build(bq.Latents(np.eye(6)[None] == 1), tmp / "eyes.index", windows=["3x3"])
    >>> with bq.serve(index, {"mine": index.generate(2)}) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    >>> server.running
    False
    """
    given = {} if samples is None else dict(samples) if isinstance(samples, Mapping) else {"samples": samples}
    sets = []
    for name, set in given.items():
        own = index._samples_of(set)
        sets.append((str(name), own.latents.source or str(name), own))
    held_out = None if against is None else index._latents(against)._set
    options = {
        "listen": listen, "port": as_number("port", port), "token": token, "host_names": list(host_names), "cors": cors,
        "generate": generate, "pictures": None if pictures is None else str(FilePath(pictures)),
    }
    with watched(progress) as told:
        server = _bitquilt.serve(
            index._session, sets, as_json({"windows": as_windows(windows)}), held_out, "held-out",
            None if calibration is None else there(calibration), as_json({"false_alarms": false_alarms}), as_json(options), decode, told,
        )
    return Server(server)
