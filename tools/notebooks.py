#!/usr/bin/env python3
"""Runs the notebooks of docs/notebooks from their first cell to their last; tools/notebooks makes the environment.

usage: tools/notebooks.py [--write] [NAME ...]

An error in a cell, or a text that is not the one kept in the notebook, fails. Cells tagged `varies` may show what they like: it depends on the
machine. Pictures are not compared.
"""
import argparse
import pathlib
import re
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "notebooks"
#: How long one cell may take.
SECONDS = 600


def texts(cell):
    """What a cell says, without pictures."""
    said = []
    for output in cell.outputs:
        said.append(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
    return "".join(said)


def run(path, write):
    """Runs a notebook; returns what is wrong, line by line."""
    notebook = nbformat.read(path, 4)
    kept = [texts(cell) if cell.cell_type == "code" else None for cell in notebook.cells]
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", record_timing=False, resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except CellExecutionError as error:
            return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()[-30:]
    if write:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                # Warnings and progress are nothing to keep.
                cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        notebook.metadata.pop("widgets", None)
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, path)
        return []
    wrong = []
    for number, (cell, before) in enumerate(zip(notebook.cells, kept)):
        if before is None or "varies" in cell.metadata.get("tags", []):
            continue
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if texts(cell) != before:
            wrong += [f"cell {number}: expected", before, "found", texts(cell)]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep what the cells show")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default all")
    args = parser.parse_args()
    failed = False
    for path in [FOLDER / f"{name}.ipynb" for name in args.names] or sorted(FOLDER.glob("*.ipynb")):
        started = time.monotonic()
        wrong = run(path, args.write)
        print(f"{path.name}: {time.monotonic() - started:.0f} s, {path.stat().st_size / 1000:.0f} kB{', failed' if wrong else ''}", flush=True)
        for line in wrong:
            print(f"  {line}", file=sys.stderr)
        failed = failed or bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
