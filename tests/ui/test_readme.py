"""What `ui/README.md` says of files and limits is so."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

UI = Path(__file__).resolve().parents[2] / "ui"
README = (UI / "README.md").read_text(encoding="utf-8")
LIMITS = re.findall(r"^\| `([\w.]+)\.(_?[A-Z_]+)` \| ([\d.]+) \|", README, re.MULTILINE)


@pytest.mark.parametrize(("module", "name", "value"), LIMITS)
def test_a_limit_is_what_the_table_says(module: str, name: str, value: str) -> None:
    assert str(getattr(import_module(f"ui.page.{module}"), name)) == value


@pytest.mark.parametrize("folder", ["", "page"])
def test_the_tables_name_every_file_of_the_room(folder: str) -> None:
    told = set(re.findall(r"^\| `([\w./]+)` \| \D", README, re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (UI / folder).iterdir()
        if not path.name.startswith("_") and path.suffix in ("", ".py")
    }
    assert there <= told
