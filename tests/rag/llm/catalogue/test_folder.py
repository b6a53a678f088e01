"""What is remembered beside the fetched models: the default, and how fast each was."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import InputError, LibraryBusy, ModelFailed
from rag.llm.catalogue.entries import entries, known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed, models_folder
from rag.llm.catalogue.speed import first_word, measured
from rag.llm.weights.model_files import find_model
from tests.rag.llm.catalogue.small_models import CONTENT, small_entry

ENTRY = small_entry()
QWEN = known_entry("qwen-1.5b")
SPEEDS = st.builds(Speed, st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.integers(1, 64))


def test_it_is_where_the_person_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILCROW_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("PILCROW_MODELS")
    assert models_folder().parts[-2:] == ("pilcrow", "models")


def test_a_default_is_kept_and_taken_back(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models")
    assert folder.default is None
    folder.set_default(QWEN)
    assert ModelFolder(folder.path).default == "qwen-1.5b"
    folder.set_default(None)
    assert folder.default is None


@pytest.mark.parametrize(
    "junk", [b"", b"[]", b"{", b'{"name": 3}', b'{"name": "gone"}', b"\xff", b'{"bundled": {}}']
)
def test_damaged_memories_count_as_none(tmp_path: Path, junk: bytes) -> None:
    for name in ("default.json", "speeds.json"):
        (tmp_path / name).write_bytes(junk)
    folder = ModelFolder(tmp_path)
    assert (folder.default, folder.speeds()) == (None, {})
    folder.remember("bundled", Speed(1, 2, 3))
    assert folder.speeds() == {"bundled": Speed(1, 2, 3)}


def test_a_removed_model_is_gone_with_what_had_come_and_no_default(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    folder.file(QWEN).write_bytes(bytes(7))
    folder.partial_file(QWEN).write_bytes(bytes(5))
    folder.set_default(QWEN)
    assert folder.remove(QWEN) == 12
    assert (folder.fetched(QWEN), folder.default) == (0, None)
    with pytest.raises(InputError, match=r"qwen-1\.5b is not here"):
        folder.remove(QWEN)


def test_a_model_that_is_being_fetched_is_not_removed(tmp_path: Path) -> None:
    folder, held, end = ModelFolder(tmp_path), Event(), Event()
    folder.partial_file(ENTRY).write_bytes(CONTENT[:10])

    def hold() -> None:
        with folder.holding(ENTRY, wait=True):
            held.set()
            end.wait()

    thread = Thread(target=hold)
    thread.start()
    held.wait()
    try:
        with pytest.raises(LibraryBusy, match="just fetching tiny"):
            folder.remove(ENTRY)
    finally:
        end.set()
        thread.join()
    assert folder.remove(ENTRY) == 10


@given(SPEEDS, st.sampled_from(entries()))
def test_a_measured_model_takes_as_long_as_measured_and_larger_ones_longer(
    speed: Speed, entry: object
) -> None:
    wait = first_word(QWEN, {"qwen-1.5b": speed})
    assert wait is not None and wait.measured
    assert wait.seconds == pytest.approx(650 / speed.reading)
    others = [first_word(other, {"qwen-1.5b": speed}) for other in entries()[1:]]
    by_size = sorted(
        (other.parameters, guess.seconds)
        for other, guess in zip(entries()[1:], others, strict=True)
        if guess
    )
    assert [seconds for _, seconds in by_size] == sorted(seconds for _, seconds in by_size)


def test_a_larger_model_is_foretold_about_as_slow_as_it_was_found() -> None:
    """Measured one after the other on one core: the packaged model, then this one, 42 and 6."""
    wait = first_word(QWEN, {"bundled": Speed(352, 44, 1)})
    assert wait is not None and not wait.measured
    assert wait.seconds == pytest.approx(650 / 42, rel=0.1)


def test_nothing_is_foretold_where_nothing_was_measured() -> None:
    assert first_word(QWEN, {}) is None
    assert first_word(QWEN, {"a model of before": Speed(1, 1, 1)}) is None


def test_what_is_no_model_cannot_be_measured(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelFailed, match=r"x\.gguf cannot be measured: ") as caught:
        measured(path, 1)
    assert "\n" not in str(caught.value)


@pytest.mark.model
def test_the_packaged_model_is_measured() -> None:
    speed = measured(find_model().path, 1)
    assert speed.reading > 0 and speed.writing > 0 and speed.threads == 1
