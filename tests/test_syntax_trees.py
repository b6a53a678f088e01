"""Syntax trees are built by one thread at a time: Python 3.11 gets two at once wrong.

"AST constructor recursion depth mismatch" it then says. pytest builds them when it rewrites what is
imported. Left alone it rewrites not only tests but every library that brings a plugin for it, as
anyio does, and servers in threads import parts of anyio when they need them.
"""

from __future__ import annotations

import ast
import gc
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

TESTS = Path(__file__).parent


def test_no_library_is_rewritten_when_a_thread_imports_it() -> None:
    (hook,) = (one for one in sys.meta_path if isinstance(one, AssertionRewritingHook))
    brought = {
        path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for distribution in distributions()
        if any(point.group == "pytest11" for point in distribution.entry_points)
        for path in map(Path, distribution.files or ())
        if path.suffix == ".py"
    }
    assert "anyio.to_thread" in brought
    rewritten = set()
    for name in {*brought, *sys.modules}:
        module = sys.modules.get(name.rpartition(".")[0])
        path = list(getattr(module, "__path__", ()))
        if name not in NAMED and (spec := hook.find_spec(name, path or None)):
            rewritten.add(Path(str(spec.origin)))
    # a library's own `test_….py` is rewritten by its name; none is imported by a serving thread
    others = [path for path in rewritten if not path.match("test_*.py")]
    others = [path for path in others if not path.match("*_test.py")]
    assert [path for path in others if TESTS not in path.parents] == []


NAMED = ("_hypothesis_pytestplugin", "pytest_timeout", "xdist.plugin")
"""The plugins that pytest is told to use; they are loaded before the first test."""


def test_the_plugins_it_is_told_to_use_are_loaded() -> None:
    assert all(name in sys.modules and find_spec(name) for name in NAMED)


@pytest.fixture
def often_interrupted() -> Iterator[None]:
    """Threads take turns, and garbage is collected, as often as can be."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()

    def watch(*_: object) -> None:
        sum(range(20))

    sys.setswitchinterval(1e-6)
    gc.set_threshold(20)
    gc.callbacks.append(watch)
    yield
    gc.callbacks.remove(watch)
    gc.set_threshold(*threshold)
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("often_interrupted")
def test_threads_that_parse_do_not_disturb_each_other() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    wrong: list[str] = []

    def parse() -> None:
        for _ in range(150):
            try:
                ast.parse(source)
            except SystemError as error:
                wrong.append(str(error))

    threads = [threading.Thread(target=parse) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert gc.isenabled()
