"""`pilcrow ask`: where it looks, conversations; what `eval` writes for others; the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from index.library import Library
from rag.assistant import Assistant
from rag.settings import Settings
from rag.types import Answer
from tests.support.page_fakes import ARTICLES, HeldLibrary, make_library
from ui.cli import app
from ui.commands.session import Parts

QUESTION = "How many participants registered for the forum held in Kyoto?"
TAGGED = {
    "tagged.md": "---\ntitle: On wind\nauthor: Ada Byron\ntags: [energy, hills]\n---\n\n"
    "## Of hills\n\nTurbines on the hill of Velmora turn at night.\n"
}


class Listening(Assistant):
    """The real assistant, remembering what it was handed."""

    histories: list[list[tuple[str, str]]]

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        self.histories.append(list(history))
        return super().stream(question, history, **options)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("ask"), ARTICLES | TAGGED) as made:
        made.collect(["tagged.md"], "hills")
        yield made


@pytest.fixture
def assistant(library: HeldLibrary) -> Listening:
    made = Listening(library, None, reader="none")
    made.histories = []
    return made


@pytest.fixture
def parts(library: HeldLibrary, assistant: Listening) -> Parts:
    def make(_: Library, settings: Settings, quotes_only: bool) -> Assistant:
        return assistant

    return Parts(open_library=lambda *_: library, make_assistant=make)


def run(parts: Parts, *words: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], obj=parts, input=typed)


@pytest.mark.parametrize(
    ("filters", "documents"),
    [
        (("--document", "kyoto.txt"), {"kyoto.txt"}),
        (("--document", "On wind"), {"tagged.md"}),
        (("--author", "ada byron"), {"tagged.md"}),
        (("--author", "Byron"), {"tagged.md"}),
        (("--source", "The Link"), {"kyoto.txt"}),
        (("--tag", "energy"), {"tagged.md"}),
        (("--tag", "energy", "--tag", "hills"), {"tagged.md"}),
        (("--type", ".md", "--tag", "#energy"), {"tagged.md"}),
        (("--since", "2023-10", "--until", "2023"), {"kyoto.txt"}),
        (("--tag", "energy", "--source", "The Link"), set()),
        (("--section", "hills"), {"tagged.md"}),
        (("--collection", "Hills"), {"tagged.md"}),
        (("--collection", "hills", "--source", "The Link"), set()),
    ],
)
def test_it_looks_where_it_is_told(
    parts: Parts, filters: tuple[str, ...], documents: set[str]
) -> None:
    done = run(parts, "ask", "--json", QUESTION, *filters)
    answer = json.loads(done.stdout)
    assert {passage["document_id"] for passage in answer["passages"]} == documents
    assert done.exit_code == (0 if documents == {"kyoto.txt"} else 3)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (("--tag", "enrgy"), "no document has the tag: 'enrgy'; near it is 'energy'"),
        (("--document", "kyoto"), "'kyoto.txt'"),
        (("--section", "of hels"), "no document has the section: 'of hels'; near it is 'Of hills'"),
        (("--author", "Ada Bryon"), "near it is 'Ada Byron'"),
        (("--source", "Nobody's News"), "there is, for example"),
        (("--collection", "hils"), "no document has the collection: 'hils'; near it is 'hills'"),
        (("--since", "soon"), "'soon' is no date: write 2024, 2024-09 or 2024-09-04"),
        (("--until", "2023-02-30"), "'2023-02-30' is no date"),
        (("--since", "2024", "--until", "2023"), "the first is later"),
    ],
)
def test_what_is_misspelt_is_told_with_what_is_near(
    parts: Parts, filters: tuple[str, ...], words: str
) -> None:
    done = run(parts, "ask", QUESTION, *filters)
    assert done.exit_code == 2
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("language", "greeting", "missing"),
    [
        ("de", "Fragen Sie Ihre Artikel.", ""),
        ("", "Ask your articles.", ""),
        ("xx", "", "PILCROW_LANGUAGE='xx' is none of en, de, fr, es, zh, ja, ar"),
    ],
)
def test_a_person_is_spoken_to_in_the_language_that_was_chosen(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, language: str, greeting: str, missing: str
) -> None:
    monkeypatch.setenv("PILCROW_LANGUAGE", language)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")  # nobody is at a terminal here
    done = run(parts, "ask", typed="/quit\n")
    assert greeting in done.stderr and missing in done.stderr


def test_a_conversation_remembers_what_was_said(parts: Parts, assistant: Listening) -> None:
    typed = (
        f"{QUESTION}\n\nAnd from how many countries?\n{'x' * 2001}\n/new\nWho else?\n/quit\nNo?\n"
    )
    done = run(parts, "ask", typed=typed)
    assert done.exit_code == 0
    first, follow_up, new = assistant.histories[0], assistant.histories[1], assistant.histories[-1]
    assert first == [] and new == []
    assert follow_up[0][0] == QUESTION and "9,000" in follow_up[0][1]
    assert "178 countries" in done.stdout
    assert "2,001 characters" in done.stderr


def test_a_conversation_keeps_to_its_place(parts: Parts) -> None:
    done = run(parts, "ask", "--tag", "energy", typed=f"{QUESTION}\nWhat turns at night?\n")
    assert "Velmora" in done.stdout and "9,000" not in done.stdout


def test_json_takes_a_question(parts: Parts) -> None:
    done = run(parts, "ask", "--json")
    assert done.exit_code == 2 and "one question" in done.stderr


@pytest.fixture
def questions(tmp_path: Path, library: HeldLibrary) -> Path:
    text = library.document("kyoto.txt").text
    start = text.index("More than 9,000")
    gold = {"document": "kyoto.txt", "start": start, "end": start + 30}
    lines = [
        {"id": "q 1", "question": QUESTION, "answerable": True, "answers": ["9,000"],
         "gold": [gold]},
        {"id": "q2", "question": "Zebras?", "answerable": False, "kind": "far_unanswerable"},
    ]  # fmt: skip
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_trec_gets_a_run_and_its_judgements(
    parts: Parts, questions: Path, tmp_path: Path, library: HeldLibrary
) -> None:
    assert run(parts, "eval", questions, "--export", "trec", "--to", tmp_path).exit_code == 0
    ranked = [line.split(" ") for line in (tmp_path / "mine.run").read_text().splitlines()]
    judged = [line.split(" ") for line in (tmp_path / "mine.qrels").read_text().splitlines()]
    assert all(len(row) == 6 and row[1] == "Q0" for row in ranked)
    assert {row[0] for row in ranked} == {"q%201", "q2"}
    first = next(row for row in ranked if row[0] == "q%201")
    assert judged == [["q%201", "0", first[2], "1"]]
    document, _, place = first[2].partition("#")
    begin, end = map(int, place.split("-"))
    assert "9,000" in library.document(document).text[begin:end]


def test_ragas_gets_a_line_for_each_question(parts: Parts, questions: Path, tmp_path: Path) -> None:
    done = run(parts, "eval", questions, "--export", "ragas", "--to", tmp_path)
    assert done.exit_code == 0, done.stderr
    answered, refused = map(json.loads, (tmp_path / "mine.ragas.jsonl").read_text().splitlines())
    assert "9,000" in answered["response"] and answered["reference"] == "9,000"
    assert answered["reference_contexts"] == ["More than 9,000 participants f"]
    assert any("9,000" in context for context in answered["retrieved_contexts"])
    assert refused["state"] == "not_found"


def test_a_folder_that_is_not_there_is_said(parts: Parts, questions: Path) -> None:
    done = run(parts, "eval", questions, "--export", "trec", "--to", "/nowhere/at/all")
    assert done.exit_code == 2 and "cannot write" in done.stderr


def test_the_schema_is_printed(parts: Parts) -> None:
    assert json.loads(run(parts, "schema").stdout)["title"] == "Pilcrow answer"
    assert json.loads(run(parts, "schema", "--events").stdout)["title"] == "Pilcrow event"


def test_the_shell_can_complete(parts: Parts) -> None:
    assert "--install-completion" in run(replace(parts), "--help").stdout
