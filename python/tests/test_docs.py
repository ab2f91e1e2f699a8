"""The examples of the documentation say what happens."""

import doctest
import importlib
import pathlib
import re

import pytest

MODULES = [f"bitquilt{name}" for name in ["", "._audit", "._build", "._fallback", "._index", "._latents", "._page", "._samples", "._trace", ".parts"]]


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name, tmp_path):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    found = [test for test in finder.find(module, name, extraglobs={"tmp": tmp_path}) if test.examples]
    assert found, "no example"
    for test in found:
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test).failed == 0, test.name


def test_the_guide_is_typed(tmp_path):
    """What users copy from the page passes the strictest of checkers."""
    api = pytest.importorskip("mypy.api")
    here = pathlib.Path(__file__).resolve().parents[2]
    blocks = re.findall(r"^```python run\n(.*?)^```$", (here / "docs" / "guide" / "python.md").read_text(), re.DOTALL | re.MULTILINE)
    files = [tmp_path / f"block_{number}.py" for number in range(len(blocks))]
    for file, block in zip(files, blocks):
        file.write_text(block)
    config = here / "python" / "pyproject.toml"
    told, wrong, code = api.run(["--strict", "--no-warn-return-any", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), *map(str, files)])
    assert len(blocks) > 5 and code == 0, told + wrong
