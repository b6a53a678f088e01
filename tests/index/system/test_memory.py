"""What the system says of its memory; what it does not say is not made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.system.memory import Memory, memory


def test_total_and_what_a_new_program_could_have(tmp_path: Path) -> None:
    source = tmp_path / "meminfo"
    source.write_text("MemTotal:  2000 kB\nMemFree: 1 kB\nMemAvailable:  500 kB\nHugePages: 0\n")
    assert memory(source) == Memory(2_048_000, 512_000)


@pytest.mark.parametrize("junk", ["", "MemTotal: much kB\n", "MemTotal: 5 kB\n", "\n\n"])
def test_without_a_word_of_it_all_counts_as_free(tmp_path: Path, junk: str) -> None:
    source = tmp_path / "meminfo"
    source.write_text(junk)
    here = memory(source)
    assert here is not None and here.free == here.total > 10_000_000
