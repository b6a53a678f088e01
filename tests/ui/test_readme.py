"""What `ui/README.md` says of files and limits is so."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

UI = Path(__file__).resolve().parents[2] / "ui"
README = (UI / "README.md").read_text(encoding="utf-8")
LIMITS = re.findall(r"^\| `([\w.]+)\.(_?[A-Z_]+)` \| ([\d.]+) \|", README, re.MULTILINE)


@pytest.mark.parametrize(("module", "name", "value"), LIMITS)
def test_a_limit_is_what_the_table_says(module: str, name: str, value: str) -> None:
    place = (
        f"ui.{module}" if (UI / f"{module.replace('.', '/')}.py").exists() else f"ui.page.{module}"
    )
    assert str(getattr(import_module(place), name)) == value


def test_every_limit_is_in_the_table() -> None:
    """Numbers that name a state, an exit code or a unit are no limits."""
    no_limits = {"HEADLINE", "INTERRUPTED", "NOTHING_FOUND", "SOME_FILES_FAILED", "GIB"}
    numbers = {
        f"{path.relative_to(UI).with_suffix('')}.{target.id}".replace("/", ".")
        for path in UI.rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, int | float)
        if target.id not in no_limits
    }
    assert {name.removeprefix("page.") for name in numbers} <= {
        f"{module}.{name}" for module, name, _ in LIMITS
    }


@pytest.mark.parametrize("folder", ["", "page"])
def test_a_room_has_at_most_sixteen_entries(folder: str) -> None:
    entries = [path for path in (UI / folder).iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 16


@pytest.mark.parametrize("folder", ["", "page"])
def test_the_tables_name_every_file_of_the_room(folder: str) -> None:
    told = set(re.findall(r"^\| `([\w./]+)` \| \D", README, re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (UI / folder).iterdir()
        if not path.name.startswith("_") and path.suffix in ("", ".py")
    }
    assert there <= told
