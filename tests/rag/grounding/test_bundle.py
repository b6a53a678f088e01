"""Exported answers: what holds checks out, and whatever is tampered with does not."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Library
from index.errors import InputError
from index.types import Document, Passage
from rag.grounding import sealing
from rag.grounding.bundle import Corpus, check_bundle, make_bundle
from rag.types import Answer, Citation, PassageRead, Statement
from tests.support.page_fakes import HOSTILE, make_library, write_articles
from ui.page import export

HEAD = "A title\nSource: S\nPublished: 2023-10\n\n"
BODY = "The forum met in Kyoto. More than 9,000 people registered for it.\n\nIt ended on Thursday."
TEXT = HEAD + BODY
QUOTE = "More than 9,000 people registered for it."


KEY = b"k" * 32


ARTICLES = {"a.txt": TEXT, "b.txt": "Another article was read as well.", "same.txt": TEXT}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library that no test changes."""
    with make_library(tmp_path_factory.mktemp("shelf"), ARTICLES) as made:
        yield made


def answer(said: str = "More than 9,000 people registered.", quote: str = QUOTE) -> Answer:
    start = TEXT.index(QUOTE)
    cited = Citation(
        1, "a.txt", "A title", "S", 1, start, start + len(quote), quote, "2023-10", ("same.txt",)
    )
    read = PassageRead("b.txt", 0, 15, "Another article", 0.5, "b", "", "", 1)
    return Answer(
        "How many registered?", "answered", f"{said} [1]", (Statement(said, "supported", (1,)),),
        (cited,), (read,), model="m", complete=True, short="9,000", notes=("A note.",),
    )  # fmt: skip


def saved_by(shelf: Corpus, key: bytes | None = KEY) -> Any:
    """An export, as it comes back from its file."""
    return json.loads(export.as_json(make_bundle(answer(), shelf, "e", key)))


def failed(saved: object, shelf: Corpus, key: bytes | None = None) -> list[str]:
    return [one.what for one in check_bundle(saved, shelf, key) if not one.ok]


def unvouched(saved: object, shelf: Corpus, key: bytes | None = None) -> list[str]:
    return [one.what for one in check_bundle(saved, shelf, key) if not one.vouched]


def test_what_was_exported_holds(shelf: Library) -> None:
    saved = saved_by(shelf)
    assert failed(saved, shelf, KEY) == unvouched(saved, shelf, KEY) == []
    assert [one.what for one in check_bundle(saved, shelf)] == [
        "seal", "document a.txt", "quote 1", "source 1", "passage 1", "statement 1", "text",
        "short",
    ]  # fmt: skip


@pytest.mark.fault("G46")
def test_what_nobody_vouches_for_is_said(shelf: Library) -> None:
    for saved, key in (
        (saved_by(shelf, None), KEY),  # made before there were seals
        (saved_by(shelf), b"o" * 32),  # by another library
        (saved_by(shelf), None),
    ):
        assert failed(saved, shelf, key) == []
        assert unvouched(saved, shelf, key) == ["seal"]
        (line,) = [one.detail for one in check_bundle(saved, shelf, key) if one.what == "seal"]
        assert "nobody vouches for its question, state, notes" in line


def change(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def apply(saved: dict[str, Any]) -> None:
        *way, last = path.split(".")
        here: Any = saved
        for step in way:
            here = here[int(step)] if isinstance(here, list) else here[step]
        here[last] = value

    return apply


C = "answer.citations.0."
FROM_THE_LIBRARY = [
    (change(C + "quote", "More than 9,999 people registered for it."),
     ["quote 1", "statement 1", "short"]),
    (change(C + "start", 0), ["quote 1", "statement 1"]),
    (change(C + "start", -41), ["quote 1", "statement 1"]),
    (change(C + "title", "The Times"), ["source 1"]),
    (change(C + "source", "Nature"), ["source 1"]),
    (change(C + "date", "2024-10"), ["source 1"]),
    (change(C + "paragraph", 2), ["source 1"]),
    (change(C + "also", ["b.txt"]), ["source 1"]),
    (change("answer.statements.0.text", "More than 12,000 people registered."),
     ["statement 1", "text"]),
    (change("answer.statements.0.citations", [2]), ["statement 1", "text"]),
    (change("answer.statements.0.citations", []), ["statement 1", "text"]),
    (change("answer.citations", []), ["document a.txt", "statement 1", "short"]),
    (change("answer.text", "Nobody came. [1]"), ["text"]),
    (change("answer.short", "12,000"), ["short"]),
    (change("answer.short", ""), ["short"]),
    (change("answer.passages.0.text", "Another forgery"), ["passage 1"]),
    (change("answer.passages.0.start", 8), ["passage 1"]),
    (change("answer.passages.0.source", "Nature"), ["passage 1"]),
    (change("answer.passages.0.paragraph", 9), ["passage 1"]),
    (change("answer.passages.0.document_id", "c.txt"), ["passage 1"]),
    (change("answer.state", "not_found"), ["state"]),
    (change("answer.model", "gpt"), ["models"]),
    (change("documents.0.sha256", "0" * 64), ["document a.txt"]),
    (change("documents.0.title", "The Times"), ["document a.txt"]),
    (change("documents", []), ["document a.txt"]),
]  # fmt: skip
ONLY_SEALED = [
    change("answer.question", "How many drowned?"),
    change("answer.state", "partial"),
    change("answer.short", None),
    change("answer.notes", ["Checked by a notary."]),
    change("answer.notes", []),
    change("answer.passages", []),
    change("answer.passages.0.score", 1.0),
    change("answer.statements.0.support", "unsupported"),
    change("answer.answerable", 0.99),
    change("models.embedding", "another"),
    change("exported", "2020-01-01T00:00:00+00:00"),
    change("checked", "by a notary"),
]


@pytest.mark.fault("G46")
@pytest.mark.parametrize(("tamper", "caught"), FROM_THE_LIBRARY)
def test_every_lie_about_the_documents_is_found_with_and_without_a_seal(
    shelf: Library, tamper: Callable[[dict[str, Any]], None], caught: list[str]
) -> None:
    for made, checked in ((None, None), (KEY, None), (KEY, KEY)):
        saved = saved_by(shelf, made)
        tamper(saved)
        assert failed(saved, shelf, checked) == ["seal"] * (checked is not None) + caught


@pytest.mark.fault("G46")
@pytest.mark.parametrize("tamper", ONLY_SEALED)
def test_every_other_change_breaks_the_seal(
    shelf: Library, tamper: Callable[[dict[str, Any]], None]
) -> None:
    saved = saved_by(shelf)
    tamper(saved)
    assert failed(saved, shelf, KEY) == ["seal"]
    assert unvouched(saved, shelf) == ["seal"]


@pytest.mark.fault("G46")
@pytest.mark.parametrize(
    ("seal", "ours", "elsewhere"),
    [(None, ["seal"], ["seal"]), ({}, ["seal"], ["seal"]), ({"key": 1}, ["seal"], ["seal"]),
     ("x", ["seal"], ["seal"])],
)  # fmt: skip
def test_a_seal_that_is_taken_off_or_garbled_is_broken(
    shelf: Library, seal: object, ours: list[str], elsewhere: list[str]
) -> None:
    saved = saved_by(shelf)
    saved["seal"] = seal
    assert failed(saved, shelf, KEY) == ours
    assert failed(saved, shelf) == elsewhere
    del saved["seal"]
    assert failed(saved, shelf, KEY) == failed(saved, shelf) == ["seal"]


LEAVES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.fault("G46")
@given(st.dictionaries(st.text(st.characters(), max_size=5), LEAVES, max_size=4), st.data())
def test_a_seal_fits_what_it_was_made_over_and_nothing_else(
    content: dict[str, Any], data: st.DataObject
) -> None:
    content.pop("seal", None)
    sealed = content | {"seal": sealing.seal(content, KEY)}
    assert sealing.judge(json.loads(json.dumps(sealed)), KEY) == "ours"
    other = data.draw(st.dictionaries(st.text(max_size=5), LEAVES, max_size=4))
    other.pop("seal", None)
    if json.dumps(other, sort_keys=True) != json.dumps(content, sort_keys=True):
        assert sealing.judge(other | {"seal": sealed["seal"]}, KEY) == "broken"
    assert sealing.judge(sealed, b"o" * 32) == "another's"


def test_a_library_keeps_one_key_to_itself(tmp_path: Path) -> None:
    assert sealing.key_in(tmp_path) is None
    key = sealing.key_in(tmp_path, create=True)
    assert key and len(key) == 32 and sealing.key_in(tmp_path, create=True) == key
    assert stat.S_IMODE((tmp_path / sealing.FILE).stat().st_mode) == 0o600
    (tmp_path / sealing.FILE).write_bytes(b"cut")
    assert sealing.key_in(tmp_path) is None
    assert sealing.key_in(tmp_path, create=True) not in (None, key)
    assert sealing.key_in(tmp_path / "gone", create=True) is None


def test_a_document_that_has_moved_on_is_named(tmp_path: Path) -> None:
    with make_library(tmp_path, ARTICLES) as shelf:
        saved = saved_by(shelf)
        write_articles(shelf, {"a.txt": f"{HEAD}Foreword. {BODY}"})
        assert failed(saved, shelf) == ["document a.txt", "quote 1", "statement 1"]
        longer = TEXT + " Riyadh is next."
        write_articles(shelf, {"a.txt": longer, "same.txt": longer})
        assert failed(saved, shelf) == ["document a.txt"]
        shelf.remove(ARTICLES)
        assert failed(saved, shelf) == ["document a.txt", "quote 1", "passage 1", "statement 1"]


def test_nothing_claimed_nothing_broken(shelf: Library) -> None:
    refused = Answer("Who?", "not_found", "Not in your documents.", complete=True)
    assert failed(make_bundle(refused, shelf), shelf) == []


@pytest.mark.parametrize(
    "saved", [None, [], {}, {"format": "pilcrow-answer", "version": 3},
              {"format": "pilcrow-answer", "version": 2},
              {"format": "pilcrow-answer", "version": []},
              {"format": "pilcrow-answer", "version": 1, "answer": {"question": 5},
               "documents": []},
              {"format": "pilcrow-answer", "version": 1, "answer": [], "documents": 3}],
)  # fmt: skip
def test_what_is_no_export_is_refused_in_one_line(shelf: Library, saved: object) -> None:
    with pytest.raises(InputError) as caught:
        check_bundle(saved, shelf)
    assert "\n" not in str(caught.value)


@given(st.text(st.characters(), max_size=60))
def test_a_page_carries_its_data_whatever_is_in_it(
    shelf: Library, tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("e")
    hostile = f"{text}</script><script>alert(1)</script><!--{HOSTILE}"
    cited = Citation(1, "a.txt", hostile, hostile, 1, 0, len(hostile), hostile)
    said = (Statement(hostile, "supported", (1,)),)
    saved = make_bundle(Answer(hostile, "answered", hostile, said, (cited,), model=hostile), shelf)
    page = export.as_page(saved)
    assert page.count("<script") == 1
    assert "<img" not in page
    for name, content in (("a.html", page), ("a.json", export.as_json(saved))):
        (folder / name).write_bytes(content.encode("utf-8", "replace"))
        file = export.read(folder / name)
        assert file.saved == saved
        assert all(look.ok for look in export.looks(file))
        assert bool(export.looks(file)) == (name == "a.html")


@pytest.mark.fault("G46")
@pytest.mark.parametrize(
    ("true", "forged"),
    [("9,000", "9,999"), ("<h1 ", "<h1 hidden "), ("max-width", "display:none;max-width"),
     ("default-src 'none'", "default-src *"), ("<footer>", "<p>It was checked.</p><footer>"),
     ("</html>\n", "</html>\n<p>more"), ("<!doctype html>", "\ufeff<!doctype html>"),
     ("A title", "The Times"), (">[1]</a>", ">[2]</a>")],
)  # fmt: skip
def test_a_page_that_shows_something_else_than_its_data_is_found(
    shelf: Library, tmp_path: Path, true: str, forged: str
) -> None:
    page = export.as_page(make_bundle(answer(), shelf, "e", KEY))
    path = tmp_path / "a.html"
    path.write_bytes(page.encode())
    file = export.read(path)
    assert [look.ok for look in export.looks(file)] == [True]
    assert failed(file.saved, shelf, KEY) == []
    assert true in page.split("<script", 1)[0] or true == "</html>\n"
    head, script = page.split("<script", 1)
    head, script = (head, script.replace(true, forged)) if true == "</html>\n" else (
        head.replace(true, forged, 1), script)  # fmt: skip
    path.write_bytes(f"{head}<script{script}".encode())
    assert [look.ok for look in export.looks(export.read(path))] == [False]


@dataclass(frozen=True)
class OldShelf:
    """What the library was when `exported-1.html` was made: titles stood beside the texts."""

    documents: tuple[Document, ...] = (
        Document("a.txt", "A title", BODY, "S", "", "2023-10"),
        Document("b.txt", "", "Another article was read as well."),
        Document("same.txt", "A title", BODY, "S", "", "2023-10"),
    )

    def document(self, document_id: str, /) -> Document:
        return next(document for document in self.documents if document.id == document_id)

    def passages(self, document_id: str, /) -> Sequence[Passage]:
        text = self.document(document_id).text
        first = text.partition("\n\n")[0]
        return [Passage(1, 0, len(first), first, ())]


@pytest.mark.fault("G46")
def test_an_export_of_the_first_version_is_read_as_ever(tmp_path: Path) -> None:
    """The very page that was made before exports were sealed."""
    old = (Path(__file__).parents[2] / "support" / "made" / "exported-1.html").read_bytes()
    (tmp_path / "old.html").write_bytes(old)
    file = export.read(tmp_path / "old.html")
    assert failed(file.saved, OldShelf(), KEY) == []
    assert unvouched(file.saved, OldShelf(), KEY) == ["seal"]
    assert [look.ok for look in export.looks(file)] == [True]


@pytest.mark.fault("G46")
def test_a_name_twice_is_refused(shelf: Library, tmp_path: Path) -> None:
    text = export.as_json(make_bundle(answer(), shelf, "e", KEY))
    forged = text.replace('"question": ', '"question": "How many drowned?", "question": ', 1)
    (tmp_path / "a.json").write_text(forged)
    with pytest.raises(InputError, match="no JSON"):
        export.read(tmp_path / "a.json")


@pytest.mark.fault("G45")
@pytest.mark.parametrize("place", ["/dev/zero", "/dev/null", "pipe", "."])
def test_what_is_no_file_is_refused_without_reading_it(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"is no file|cannot read"):
        export.read(tmp_path / place)


def test_a_file_without_an_export_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.html", b"<p>no data"), ("b.json", b"\xff\xfe"), ("c", b"[" * 9999)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError):
            export.read(tmp_path / name)
    with pytest.raises(InputError, match="cannot read"):
        export.read(tmp_path / "none.json")


def test_the_text_to_paste_names_every_source() -> None:
    text = export.as_markdown(answer())
    assert text.endswith(f"[1] A title, S, 2023-10, paragraph 1: “{QUOTE}”")
    assert export.file_name(answer(), "json") == "How-many-registered.json"
