"""Exported answers: what holds checks out, and whatever is tampered with does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import InputError
from index.types import Document
from rag.types import Answer, Citation, Statement
from rag.verifying import bundle, verify
from tests.page_fakes import HOSTILE, FakeLibrary
from ui import export

TEXT = "The forum met in Kyoto. More than 9,000 people registered for it.\n\nIt ended on Thursday."
QUOTE = "More than 9,000 people registered for it."


def library(tmp_path: Path, text: str = TEXT) -> FakeLibrary:
    return FakeLibrary(tmp_path, {"a.txt": Document("a.txt", "A title", text)})


def answer(said: str = "More than 9,000 people registered.", quote: str = QUOTE) -> Answer:
    start = TEXT.index(QUOTE)
    cited = Citation(1, "a.txt", "A title", "S", 1, start, start + len(quote), quote)
    return Answer(
        "How many registered?", "answered", f"{said} [1]", (Statement(said, "supported", (1,)),),
        (cited,), model="m", complete=True,
    )  # fmt: skip


def failed(saved: object, shelf: FakeLibrary) -> list[str]:
    return [one.what for one in verify(saved, shelf) if not one.ok]


def test_what_was_exported_holds(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    saved = bundle(answer(), shelf)
    assert failed(json.loads(json.dumps(saved)), shelf) == []
    assert [one.what for one in verify(saved, shelf)] == [
        "document a.txt", "quote 1", "statement 1", "text",
    ]  # fmt: skip


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(saved: dict[str, Any]) -> None:
        *way, last = path.split(".")
        here: Any = saved
        for step in way:
            here = here[int(step)] if isinstance(here, list) else here[step]
        here[last] = value

    return apply


@pytest.mark.parametrize(
    ("tamper", "caught"),
    [
        (change("answer.citations.0.quote", "More than 9,999 people registered for it."),
         ["quote 1", "statement 1"]),
        (change("answer.citations.0.start", 0), ["quote 1", "statement 1"]),
        (change("answer.citations.0.start", -41), ["quote 1", "statement 1"]),
        (change("answer.statements.0.text", "More than 12,000 people registered."),
         ["statement 1", "text"]),
        (change("answer.statements.0.citations", [2]), ["statement 1", "text"]),
        (change("answer.statements.0.citations", []), ["statement 1", "text"]),
        (change("answer.text", "Nobody came. [1]"), ["text"]),
        (change("documents.0.sha256", "0" * 64), ["document a.txt"]),
        (change("documents", []), ["document a.txt"]),
    ],
)  # fmt: skip
def test_every_lie_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, Any]], None], caught: list[str]
) -> None:
    shelf = library(tmp_path)
    saved = json.loads(json.dumps(bundle(answer(), shelf)))
    tamper(saved)
    assert failed(saved, shelf) == caught


def test_a_document_that_has_moved_on_is_named(tmp_path: Path) -> None:
    saved = bundle(answer(), library(tmp_path))
    assert failed(saved, library(tmp_path, "Foreword. " + TEXT)) == [
        "document a.txt", "quote 1", "statement 1",
    ]  # fmt: skip
    assert failed(saved, library(tmp_path, TEXT + " Riyadh is next.")) == ["document a.txt"]
    assert failed(saved, FakeLibrary(tmp_path)) == ["document a.txt", "quote 1", "statement 1"]


def test_nothing_claimed_nothing_broken(tmp_path: Path) -> None:
    refused = Answer("Who?", "not_found", "Not in your documents.", complete=True)
    assert verify(bundle(refused, library(tmp_path)), library(tmp_path)) == []


@pytest.mark.parametrize(
    "saved", [None, [], {}, {"format": "pilcrow-answer", "version": 2},
              {"format": "pilcrow-answer", "version": 1, "answer": {"question": 5},
               "documents": []},
              {"format": "pilcrow-answer", "version": 1, "answer": [], "documents": 3}],
)  # fmt: skip
def test_what_is_no_export_is_refused_in_one_line(tmp_path: Path, saved: object) -> None:
    with pytest.raises(InputError) as caught:
        verify(saved, library(tmp_path))
    assert "\n" not in str(caught.value)


@given(st.text(st.characters(), max_size=60))
def test_a_page_carries_its_data_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("e")
    hostile = f"{text}</script><script>alert(1)</script><!--{HOSTILE}"
    shelf = library(folder, hostile)
    cited = Citation(1, "a.txt", hostile, hostile, 1, 0, len(hostile), hostile)
    said = (Statement(hostile, "supported", (1,)),)
    saved = bundle(Answer(hostile, "answered", hostile, said, (cited,), model=hostile), shelf)
    page = export.as_page(saved)
    assert page.count("<script") == 1
    assert "<img" not in page
    for name, content in (("a.html", page), ("a.json", export.as_json(saved))):
        (folder / name).write_text(content, encoding="utf-8", errors="replace")
        assert export.read(folder / name) == saved


def test_a_file_without_an_export_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.html", b"<p>no data"), ("b.json", b"\xff\xfe"), ("c", b"[" * 9999)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            export.read(tmp_path / name)
    with pytest.raises(InputError, match="cannot read"):
        export.read(tmp_path / "none.json")


def test_the_text_to_paste_names_every_source() -> None:
    text = export.as_text(answer())
    assert text.endswith("[1] A title, S, paragraph 1: “More than 9,000 people registered for it.”")
    assert export.file_name(answer(), "json") == "How-many-registered.json"
