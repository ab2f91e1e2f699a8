"""The examples of the documentation say what happens."""

import doctest
import importlib

import pytest

MODULES = [f"bitquilt{name}" for name in ["", "._audit", "._build", "._fallback", "._index", "._latents", "._samples", "._trace"]]


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_what_they_say(name, tmp_path):
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    found = [test for test in finder.find(module, name, extraglobs={"tmp": tmp_path}) if test.examples]
    assert found, "no example"
    for test in found:
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test).failed == 0, test.name
