"""What a library holds is its owner's alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library
from index.system.checksums import sha256
from index.system.files import make_private
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder
from ui.page import feedback, upload_copies
from ui.page.conversations import Conversations, Turn, new_key


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask that most systems set."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder.parent).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


def loose(folder: Path) -> dict[str, str]:
    """What others may do with, and how."""
    return {name: oct(mode) for name, mode in modes(folder).items() if mode & 0o077}


def filled(tmp_path: Path) -> Path:
    """A library's folder with all that there may be in one, while it is open."""
    folder, articles = tmp_path / "library", tmp_path / "articles"
    articles.mkdir(exist_ok=True)
    (articles / "kyoto.txt").write_text("The forum met in Kyoto.\n")
    (tmp_path / "sent.txt").write_text("Cables lie under the sea.\n")
    (tmp_path / "sent.txt").chmod(0o644)
    with Library.open(folder, encoder=BagOfWordsEncoder()) as library:
        upload_copies.take_in([str(tmp_path / "sent.txt")], folder / "uploads", {})
        library.update([articles, folder / "uploads"])
        library.search("forum")
        Conversations(folder).keep("c1", Turn(new_key(), "Who met in Kyoto?"))
        feedback.record(folder, "k1", Answer("Who?", "not_found", "No.", complete=True), "up")
        found = loose(folder)
        assert not found, found
        assert {"library.sqlite-wal", "library.sqlite-shm"} <= {p.name for p in folder.iterdir()}
    return folder


@pytest.mark.fault("G40")
def test_a_library_is_made_for_its_owner_alone(tmp_path: Path, umask: None) -> None:
    folder = filled(tmp_path)
    found = modes(folder)
    assert found["library"] == found["library/uploads"] == 0o700
    files = {name: mode for name, mode in found.items() if (tmp_path / name).is_file()}
    assert {"library/library.sqlite", "library/conversations.sqlite", "library/vectors.cache",
            "library/uploads/sent.txt", "library/feedback.jsonl"} <= set(files)  # fmt: skip
    assert set(files.values()) == {0o600}, files


@pytest.mark.fault("G40")
def test_a_library_that_was_open_to_others_is_closed_when_it_is_opened(
    tmp_path: Path, umask: None
) -> None:
    folder = filled(tmp_path)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "vectors.cache").chmod(0o444)
    with Library.open(folder, encoder=BagOfWordsEncoder()):
        assert loose(folder) == {}
    assert modes(folder)["library/vectors.cache"] == 0o400, "nothing is allowed that was not"


def test_a_folder_that_holds_other_things_stays_open_and_the_library_in_it_does_not(
    tmp_path: Path, umask: None
) -> None:
    folder = filled(tmp_path)
    (folder / "notes.txt").write_text("mine")
    (folder / "library.sqlite.link").symlink_to(folder / "notes.txt")
    for path in [folder, folder / "library.sqlite"]:
        path.chmod(0o755)
    make_private(folder)
    assert modes(folder)["library"] == 0o755
    assert modes(folder)["library/notes.txt"] == 0o644
    assert modes(folder)["library/library.sqlite"] == 0o700


def test_the_cache_of_what_can_be_made_again_is_private_too(tmp_path: Path, umask: None) -> None:
    (tmp_path / "weights").write_bytes(b"weights")
    sha256(tmp_path / "weights", tmp_path / "cache" / "digests.json")
    assert loose(tmp_path / "cache") == {}
