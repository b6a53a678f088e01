"""Every fault of the catalogue has a test that holds its outcome, and the table says which."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.programs.fault_table import FAULTS, OPEN, PAGE, TABLE


@pytest.fixture(scope="module")
def told() -> Any:
    """What the tests' sources say, read by an interpreter without other threads.

    Until 3.11.8 Python parses wrongly where another thread parses at the same time ("AST
    constructor recursion depth mismatch", python/cpython#106905), and tests before this one may
    have left servers running.
    """
    asked = [sys.executable, "-m", "tests.programs.fault_table", "--json"]
    done = subprocess.run(asked, check=True, capture_output=True, cwd=TABLE.parent.parent)
    return json.loads(done.stdout)


def test_the_table_is_current(told: Any) -> None:
    assert TABLE.read_text(encoding="utf-8") == told["table"], "write it anew with: make faults"


def test_every_fault_is_held_or_known_to_be_open(told: Any) -> None:
    known = {fault.id for fault in FAULTS}
    held = told["held"]
    assert held.keys() <= known
    assert OPEN.keys() <= known
    assert {fault for fault in known if not held.get(fault)} <= OPEN.keys()


def test_the_tests_of_the_page_are_there(told: Any) -> None:
    assert {name for listed in PAGE.values() for name in listed} <= set(told["names"])
