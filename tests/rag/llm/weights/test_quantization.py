"""The packaged model in the form this machine reads fastest: chosen once, never half-made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from rag.llm.generator import Message
from rag.llm.grammar import pointer_grammar
from rag.llm.model_worker import load_llama
from rag.llm.weights.model_files import find_model
from rag.llm.weights.quantization import VARIANTS, fastest_variant

Speed = Callable[[Path, int], float]
WEIGHTS = "0" * 64


def speeds(**of: float) -> Speed:
    """So many tokens a second by form; what is not named is as slow as the packaged file."""
    return lambda path, threads: of.get(path.stem, 100.0)


def never(path: Path, threads: int) -> float:
    raise AssertionError(f"{path} was timed again")


def test_a_persons_own_file_is_used_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    assert fastest_variant(mine, "", 1, folder=tmp_path / "kept", speed=never) == mine
    assert not (tmp_path / "kept").exists()


def test_what_cannot_be_made_leaves_the_file_as_shipped(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing else")
    assert fastest_variant(broken, WEIGHTS, 1, folder=tmp_path / "kept", speed=speeds()) == broken
    assert [one.name for one in tmp_path.iterdir()] == ["broken.gguf"]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose choice is Q4_0; a test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("models") / "one"
    fastest_variant(find_model().path, WEIGHTS, 1, folder=folder, speed=speeds(Q4_0=200.0))
    return folder


@pytest.mark.model
@pytest.mark.parametrize("best", VARIANTS)
def test_the_fastest_is_kept_and_not_looked_for_again(tmp_path: Path, best: str) -> None:
    shipped, folder = find_model().path, tmp_path / "models" / "one"
    made = fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=speeds(**{best: 200.0}))
    assert made == folder / f"{best}.gguf"
    assert sorted(one.name for one in folder.iterdir()) == [f"{best}.gguf", "choice.json"]
    assert list(folder.parent.iterdir()) == [folder]
    assert fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=never) == made


@pytest.mark.model
def test_a_little_faster_is_not_worth_another_form(tmp_path: Path) -> None:
    shipped, folder = find_model().path, tmp_path / "one"
    slow = speeds(Q4_0=110.0, Q8_0=115.0)
    assert fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=slow) == shipped
    assert fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=never) == shipped


@pytest.mark.model
@pytest.mark.parametrize("hurt", ["Q4_0.gguf", "choice.json"])
def test_a_changed_file_is_made_again(quick: Path, tmp_path: Path, hurt: str) -> None:
    shipped, folder = find_model().path, tmp_path / "one"
    shutil.copytree(quick, folder)
    made = folder / "Q4_0.gguf"
    assert fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=never) == made
    (folder / hurt).write_bytes(b"\x00" * 100)
    again = fastest_variant(shipped, WEIGHTS, 1, folder=folder, speed=speeds(Q4_0=200.0))
    assert again == made
    assert made.read_bytes() == (quick / "Q4_0.gguf").read_bytes()
    assert json.loads((folder / "choice.json").read_text())["form"] == "Q4_0"


@pytest.mark.model
def test_the_packaged_model_writes_in_whatever_form_was_chosen() -> None:
    model = find_model()
    llama = load_llama(model.path, model.sha256, 1, 512)
    asked: Message = {"role": "user", "content": "[1] The bank opened in May.\n\nQuestion: When?"}
    _, *written = llama.write(llama.prompt([asked]), pointer_grammar([1]), 20, Event())
    assert "".join(map(str, written)).startswith("[1] ")
