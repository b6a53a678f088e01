"""Every fault of the catalogue has a test that holds its outcome, and the table says which."""

from __future__ import annotations

from tests.fault_table import FAULTS, OPEN, PAGE, TABLE, held_by, names, table


def test_the_table_is_current() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "write it anew with: make faults"


def test_every_fault_is_held_or_known_to_be_open() -> None:
    known = {fault.id for fault in FAULTS}
    held = held_by()
    assert held.keys() <= known
    assert OPEN.keys() <= known
    assert {fault for fault in known if not held.get(fault)} <= OPEN.keys()


def test_the_tests_of_the_page_are_there() -> None:
    assert {name for listed in PAGE.values() for name in listed} <= names()
