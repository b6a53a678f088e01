"""The file layer on a system that refuses what Windows refuses: nobody here has the real one.

The stand-in renames, replaces and deletes no file that this process has open, opens no folder, and
knows no `fcntl`. What it shows is the order of our steps, not how Windows behaves otherwise.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from index import Library
from index.system import files
from tests.support.fakes import BagOfWordsEncoder

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="which files are open is read from /proc"
)


def is_open(path: Any) -> bool:
    """Whether this process has the file open."""
    wanted = os.path.realpath(path)
    for handle in Path("/proc/self/fd").iterdir():
        try:
            if os.readlink(handle) == wanted:  # noqa: PTH115  (it may be gone)
                return True
        except OSError:
            continue
    return False


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's own functions, as they are on Windows."""

    def refusing(real: Callable[..., Any], *, both: bool) -> Callable[..., Any]:
        def act(path: Any, *more: Any, **named: Any) -> Any:
            for one in (path, *more[:1]) if both else (path,):
                if isinstance(one, str | os.PathLike) and is_open(one):
                    raise PermissionError(13, "being used by another process", str(one))
            return real(path, *more, **named)

        return act

    def open_file(path: Any, *more: Any, real: Any = os.open, **named: Any) -> int:
        if os.path.isdir(path):  # noqa: PTH112  (may be a descriptor)
            raise PermissionError(13, "Permission denied", str(path))
        handle: int = real(path, *more, **named)
        return handle

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "fcntl" else found(name, *a)
    )
    monkeypatch.setattr(os, "open", open_file)
    for name, both in (("rename", True), ("replace", True), ("unlink", False), ("remove", False)):
        monkeypatch.setattr(os, name, refusing(getattr(os, name), both=both))
    yield


def test_the_stand_in_refuses_what_windows_refuses(windows: None, tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("w"):
        for act in (path.unlink, lambda: path.replace(tmp_path / "b")):
            with pytest.raises(PermissionError):
                act()
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    path.unlink()


def test_a_file_takes_the_place_of_another(windows: None, tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"old", b"new"):
        with files.replacing(path) as file:
            file.write(content)
        assert path.read_bytes() == content
    with pytest.raises(ValueError), files.replacing(path) as file:
        file.write(b"half")
        raise ValueError
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_what_killed_writers_left_is_swept_away(windows: None, tmp_path: Path) -> None:
    (tmp_path / f"a.1{files._NEW}").touch()
    files.sweep(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_library_is_made_filled_and_read(windows: None, tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    articles.mkdir()
    (articles / "a.txt").write_text("Cables\n\nAbout 600 cables carry nearly all traffic.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        assert library.update([articles]).added == ("a.txt",)
        (articles / "a.txt").write_text("Cables\n\nAbout 700 cables carry nearly all traffic.\n")
        assert library.update([articles]).updated == ("a.txt",)
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        (hit, *_) = library.search("cables")
        assert "700" in hit.text
        assert library.remove(["a.txt"]).left == 0
        assert library.check().ok
