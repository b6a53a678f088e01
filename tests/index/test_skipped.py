"""What is not read because nobody reads it, or because a person said so: skipped, never failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index import Library
from index.system.ignoring import FILE, IgnoreRules
from tests.support.fakes import BagOfWordsEncoder
from ui.cli import app
from ui.commands.session import Parts

NOTES = {
    "kyoto.txt": "The forum met in Kyoto.",
    "drafts/lima.txt": "The forum may meet in Lima.",
    "drafts/kept.txt": "This draft is kept on purpose.",
    "old/1999/oslo.txt": "The forum met in Oslo.",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    for name, text in NOTES.items():
        (tmp_path / "notes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notes" / name).write_text(text)
    return tmp_path / "notes"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "store", encoder=BagOfWordsEncoder()) as made:
        yield made


def ids(library: Library) -> set[str]:
    return {record.id for record in library.documents()}


def test_files_of_no_known_kind_are_skipped_counted_and_listed_when_asked_for(
    notes: Path, tmp_path: Path
) -> None:
    (notes / "photo.png").write_bytes(b"\x89PNG")
    (notes / "Makefile").write_text("all:")

    def opened(path: Path, create: bool, threads: int) -> Library:
        return Library.open(path, encoder=BagOfWordsEncoder(), create=create)

    def run(*arguments: object) -> tuple[int, str, str]:
        words = ["--store", str(tmp_path / "store"), *map(str, arguments)]
        result = CliRunner().invoke(app, words, obj=Parts(opened))
        return result.exit_code, result.stdout, result.stderr

    code, _, said = run("add", notes)
    how = "pip install 'pilcrow-rag[ocr]' reads the text in pictures and scans"
    counts = "4 added, 0 updated, 0 unchanged, 0 removed, 0 failed, 2 skipped (which: --skipped)"
    assert (code, said.splitlines()) == (0, [f"not read: 1 picture; {how}", counts])
    code, _, said = run("rebuild", "--skipped")
    assert code == 0
    assert f"skipped: {notes / 'photo.png'}: a picture: {how}" in said.splitlines()
    assert f"skipped: {notes / 'Makefile'}: no suffix" in said
    assert "which" not in said
    skipped = json.loads(run("add", notes, "--json")[1])["skipped"]
    assert [Path(one["path"]).name for one in skipped] == ["Makefile", "photo.png"]
    code, _, said = run("add", notes / "photo.png")
    assert (code, "1 failed" in said) == (4, True), "who names a file wants it read"


def test_globs_of_a_pilcrowignore_are_read_as_git_reads_them(library: Library, notes: Path) -> None:
    (notes / FILE).write_text("# drafts are nobody's business\ndrafts/*\n!drafts/kept.txt\n")
    (notes / "old" / FILE).write_text("/1999\n")
    report = library.update([notes])
    assert ids(library) == {"kyoto.txt", "drafts/kept.txt"}
    assert {Path(one.path).name: one.reason for one in report.skipped} == {
        "lima.txt": "ignored", "1999": "ignored",
    }  # fmt: skip
    assert report.failed == ()


def test_what_is_ignored_from_now_on_goes_and_comes_back_unasked(
    library: Library, notes: Path
) -> None:
    library.update([notes])
    (notes / FILE).write_text("*.txt\n!kyoto.txt\n")
    report = library.rebuild()  # most of them at once: not lost, for a person said so
    assert set(report.removed) == NOTES.keys() - {"kyoto.txt"}
    assert report.unreachable == ()
    (notes / FILE).unlink()
    assert set(library.rebuild().added) == NOTES.keys() - {"kyoto.txt"}


def test_globs_given_with_a_folder_are_remembered_until_others_are_given(
    library: Library, notes: Path
) -> None:
    library.update([notes], exclude=["drafts/", "old"])
    assert ids(library) == {"kyoto.txt"}
    assert library.rebuild().added == ()
    assert library.update([notes]).added == ()
    library.update([notes / "drafts"], exclude=["lima*"])  # beside those of the folder around it
    assert ids(library) == {"kyoto.txt"}
    library.update([notes], exclude=["lima*"])
    assert ids(library) == NOTES.keys() - {"drafts/lima.txt"}
    library.update([notes], exclude=[])
    assert ids(library) == NOTES.keys()


def test_an_ignored_file_that_is_named_itself_is_added_and_stays(
    library: Library, notes: Path
) -> None:
    (notes / FILE).write_text("drafts/\n")
    library.update([notes])
    assert library.update([notes / "drafts" / "lima.txt"]).added == ("lima.txt",)
    assert library.rebuild().removed == ()
    assert "lima.txt" in ids(library)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 200_000])
def test_globs_that_cannot_be_read_are_told_and_ignore_nothing(
    content: bytes, library: Library, notes: Path
) -> None:
    (notes / FILE).write_bytes(content)
    report = library.update([notes])
    assert [Path(failed.path).name for failed in report.failed] == [FILE]
    assert ids(library) == NOTES.keys()


def test_the_nearest_file_of_globs_decides(notes: Path) -> None:
    (notes / FILE).write_text("*.txt\n")
    (notes / "drafts" / FILE).write_text("!lima.txt\n")
    rules = IgnoreRules(notes)
    assert rules.ignores(notes / "kyoto.txt")
    assert not rules.ignores(notes / "drafts" / "lima.txt")
    assert IgnoreRules(notes, ["drafts"]).ignores_within(notes / "drafts" / "lima.txt")
