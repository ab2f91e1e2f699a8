"""Web pages: texts that show themselves in a notebook."""

from __future__ import annotations

import html
from pathlib import Path as FilePath

from ._requests import Path


class Page(str):
    """A web page that fetches nothing: the text of it, which shows itself in a notebook; `save` writes it.

    >>> import bitquilt as bq
    >>> page = bq.Page("<!DOCTYPE html><p>1 < 2</p>")
    >>> page.save(tmp / "page.html")
    >>> (tmp / "page.html").read_text() == page
    True
    """

    def save(self, path: Path) -> None:
        """Writes the page as a file."""
        FilePath(path).write_text(self, encoding="utf-8")

    def _repr_html_(self) -> str:
        # A frame of its own, so that the page's style and script stay there.
        return f'<iframe style="width:100%;height:44em;border:0" srcdoc="{html.escape(self)}"></iframe>'
