"""The command line: what goes where, which exit code, and nothing hostile on the terminal."""

from __future__ import annotations

import io
import json
import logging
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner, Result

from index.library import Library
from index.types import Progress
from rag.assistant import Assistant
from rag.grounding import sealing
from rag.grounding.bundle import make_bundle
from rag.settings import Settings
from rag.types import Answer, Citation, Group, PassageRead, Statement
from tests.support.fakes import BagOfWordsEncoder
from ui.cli import app
from ui.commands.session import Parts
from ui.language.catalogue import speaking
from ui.page import export
from ui.terminal import clean, open_console, progress_bar, to_json
from ui.terminal_answer import show_answer

KYOTO = """Forum in Kyoto

Published: 9 October 2023

The Internet Governance Forum met in Kyoto in October 2023. More than 6,000 people took part.

Its host was the government of Japan. The forum lasted five days.
"""
CABLES = """Cables under the sea

Nearly all traffic between continents runs through submarine cables. A cable lasts 25 years.
"""
COMMANDS = (
    "add",
    "import",
    "remove",
    "rebuild",
    "forget",
    "list",
    "search",
    "ask",
    "chat",
    "serve",
    "mcp",
    "check",
    "eval",
    "doctor",
    "verify",
)

Run = Callable[..., Result]


def open_library(path: Path, create: bool, threads: int) -> Library:
    """The real library on an encoder that needs no weights."""
    return Library.open(path, encoder=BagOfWordsEncoder(), create=create, threads=threads)


def make_assistant(library: Library, settings: Settings, quotes_only: bool) -> Assistant:
    """The real assistant without a language model: it answers with quotes."""
    return Assistant(library, generator=None)


PARTS = Parts(open_library=open_library, make_assistant=make_assistant)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def run(store: Path) -> Run:
    """Runs a command on the test's own library."""

    def run_command(*arguments: object, parts: Parts = PARTS, env: Any = None) -> Result:
        words = ["--store", str(store), *map(str, arguments)]
        return CliRunner().invoke(app, words, obj=parts, env=env)

    return run_command


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    """Two articles, not yet added."""
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "kyoto.txt").write_text(KYOTO, encoding="utf-8")
    (folder / "cables.txt").write_text(CABLES, encoding="utf-8")
    return folder


@pytest.fixture
def stocked(run: Run, articles: Path) -> Run:
    """Runs a command on a library that holds the two articles."""
    assert run("add", articles).exit_code == 0
    return run


# --- help and usage ------------------------------------------------------------------------------


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help").stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_the_store(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--store" in result.stdout


@pytest.mark.fault("R3")
def test_an_import_without_ray_says_what_to_install_and_loses_nothing(
    run: Run, articles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where it is not installed
    manifest = articles.parent / "manifest.txt"
    manifest.write_text("articles/kyoto.txt\n\narticles/cables.txt\n")
    for source in (articles, manifest):
        result = run("import", source)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "pip install 'pilcrow-rag[ray]'" in result.stderr
    assert len(json.loads(run("list", "--json").stdout)["documents"]) == 0
    assert run("add", articles).exit_code == 0


def test_an_import_needs_a_folder_or_a_list_of_paths(run: Run, tmp_path: Path) -> None:
    (empty := tmp_path / "empty.txt").write_text("\n \n")
    (binary := tmp_path / "binary").write_bytes(b"\xff\x00")
    told = {
        source: run("import", source, "--ray", "local")
        for source in (tmp_path / "nowhere", empty, binary)
    }
    assert {result.exit_code for result in told.values()} == {2}
    assert "cannot be read" in told[tmp_path / "nowhere"].stderr
    assert "names no file" in told[empty].stderr
    assert "not text" in told[binary].stderr


def test_a_library_in_a_folder_is_imported_into_on_this_machine(run: Run, articles: Path) -> None:
    result = run("import", articles, "--ray", "10.0.0.5:6379")
    assert result.exit_code == 2
    assert "a library in a folder is this machine's alone" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("add",), ("ask", "a", "b"), ("search", "q", "-k", "0"), ("frobnicate",)]
)
def test_wrong_usage_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.fault("G45")
def test_memory_that_is_not_there_is_one_line(run: Run) -> None:
    def no_room(path: Path, create: bool, threads: int) -> Library:
        raise MemoryError

    result = run("list", parts=Parts(open_library=no_room))
    assert result.exit_code == 1
    assert "not enough memory" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.fault("G41", "G42")
def test_check_looks_at_the_conversations_and_mends_them(stocked: Run, store: Path) -> None:
    assert "none are kept" in stocked("check").stdout
    (store / "conversations.sqlite").write_bytes(b"junk" * 500)
    told = stocked("check", "--json")
    assert told.exit_code == 1
    assert [line["name"] for line in json.loads(told.stdout) if not line["ok"]] == ["conversations"]
    assert stocked("check", "--repair").exit_code == 0
    assert stocked("check").exit_code == 0


# --- articles in, articles out -------------------------------------------------------------------


def test_add_says_what_it_did_on_stderr(run: Run, articles: Path) -> None:
    result = run("add", articles)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 added" in result.stderr
    assert "2 unchanged" in run("add", articles).stderr


def test_add_prints_its_report_as_json(run: Run, articles: Path) -> None:
    report = json.loads(run("add", articles, "--json").stdout)
    assert report["added"] == ["cables.txt", "kyoto.txt"]
    assert report["failed"] == []


def test_files_that_fail_are_listed_and_the_rest_is_added(run: Run, articles: Path) -> None:
    (articles / "empty.txt").write_bytes(b"")
    (articles / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    result = run("add", articles, articles / "nowhere.txt", articles / "picture.png")
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert result.exit_code == 4
    assert {"empty.txt", "nowhere.txt", "picture.png"} <= {
        Path(line.split(": ")[1]).name for line in failed
    }
    assert "2 added" in result.stderr


def test_one_missing_path_is_exit_code_4(run: Run, tmp_path: Path) -> None:
    result = run("add", tmp_path / "nowhere")
    assert result.exit_code == 4
    assert len([line for line in result.stderr.splitlines() if line.startswith("failed: ")]) == 1


def test_list_names_documents_and_counts(stocked: Run) -> None:
    result = stocked("list")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["cables.txt", "kyoto.txt"]
    assert result.stderr.startswith("2 documents, ")


def test_list_as_json_says_how_vectors_are_kept(stocked: Run) -> None:
    listed = json.loads(stocked("list", "--json").stdout)
    assert [document["id"] for document in listed["documents"]] == ["cables.txt", "kyoto.txt"]
    assert listed["stats"]["vectors"] == "flat"
    assert listed["stats"]["documents"] == 2


def test_remove_takes_out_only_what_is_named(stocked: Run) -> None:
    result = stocked("remove", "kyoto.txt")
    assert result.exit_code == 0
    assert "removed kyoto.txt" in result.stderr
    assert [line.split()[0] for line in stocked("list").stdout.splitlines()] == ["cables.txt"]


def test_removing_what_is_not_there_changes_nothing(stocked: Run) -> None:
    result = stocked("remove", "kyoto.txt", "atlantis.txt")
    assert result.exit_code == 2
    assert "atlantis.txt" in result.stderr
    assert len(stocked("list").stdout.splitlines()) == 2


def test_rebuild_sees_a_changed_file(stocked: Run, articles: Path) -> None:
    (articles / "cables.txt").write_text(CABLES + "\nSharks do not matter.\n", encoding="utf-8")
    assert "would be: 0 added, 1 updated" in stocked("rebuild", "--dry-run").stderr
    assert json.loads(stocked("rebuild", "--json").stdout)["updated"] == ["cables.txt"]
    assert json.loads(stocked("rebuild", "--json").stdout)["updated"] == []


def test_an_encoder_is_named_for_good_or_told_to_be_none(stocked: Run) -> None:
    refused = stocked("rebuild", "--encoder", "nobody/nothing")
    assert refused.exit_code == 1
    assert "give english, multilingual, a sentence-transformers folder" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    planned = stocked("rebuild", "--encoder", "english", "--dry-run")
    assert "are embedded anew with all-MiniLM-L6-v2; until that is done" in planned.stderr
    other = stocked("search", "Kyoto", env={"PILCROW_ENCODER": "english"})
    assert other.exit_code == 1
    assert "pilcrow rebuild --full; or go on with bag-of-words" in other.stderr


def test_rebuild_full_embeds_everything_again(stocked: Run) -> None:
    assert json.loads(stocked("rebuild", "--json").stdout)["embedded"] == 0
    assert json.loads(stocked("rebuild", "--full", "--json").stdout)["embedded"] > 0


# --- questions -----------------------------------------------------------------------------------


def test_search_shows_passages_with_their_place(stocked: Run) -> None:
    result = stocked("search", "How many people took part in Kyoto?", "-k", "1")
    assert result.exit_code == 0
    assert result.stdout.startswith("1. Forum in Kyoto")
    assert "More than 6,000 people took part." in result.stdout


def test_search_as_json_gives_offsets_into_the_document(stocked: Run, store: Path) -> None:
    found = json.loads(stocked("search", "submarine cables", "--json").stdout)
    hit = found["hits"][0]
    with Library.open(store, encoder=BagOfWordsEncoder(), create=False) as library:
        text = library.document(hit["document_id"]).text
    assert text[hit["start"] : hit["end"]] == hit["text"]


def test_ask_cites_what_it_says(stocked: Run) -> None:
    result = stocked("ask", "How many people took part in the forum in Kyoto?")
    assert result.exit_code == 0
    assert "6,000" in result.stdout
    assert "[1] Forum in Kyoto" in result.stdout


def test_ask_as_json_is_the_answer_itself(stocked: Run) -> None:
    result = stocked("ask", "--json", "How many people took part in the forum in Kyoto?")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer["state"] in ("answered", "partial")
    (citation, *_) = answer["citations"]
    assert KYOTO[citation["start"] : citation["end"]] == citation["quote"]


class Prepared:
    """An assistant that says the same whatever it is asked."""

    def __init__(self, said: Answer) -> None:
        self._said = said

    def answer(self, question: str, **_: object) -> Answer:
        return self._said


def test_json_carries_every_part_of_an_answer(stocked: Run) -> None:
    said = in_parts(
        "columns", "Oslo", "Rome", task="compare", missing=("Nothing about Bonn.",), options=("A",)
    )

    def prepared(library: Library, settings: Settings, quotes_only: bool) -> Any:
        return Prepared(said)

    result = stocked("ask", "--json", "q", parts=replace(PARTS, make_assistant=prepared))
    answer = json.loads(result.stdout)
    assert (answer["task"], answer["form"]) == ("compare", "columns")
    assert answer["groups"] == [
        {"label": "Oslo", "statements": [1]}, {"label": "Rome", "statements": [2]}
    ]  # fmt: skip
    assert (answer["missing"], answer["options"]) == (["Nothing about Bonn."], ["A"])
    assert set(answer) == {field.name for field in fields(Answer)} - {"explain"} | {"version"}


class Unknowing:
    """An assistant whose documents never hold the answer."""

    def answer(self, question: str, **_: object) -> Answer:
        note = "No language model: quotes only."
        text = "Not in your documents."
        return Answer(question, "not_found", text, notes=(note,), complete=True)

    def stream(self, question: str, **_: object) -> Iterator[Answer]:
        yield self.answer(question)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_is_not_in_the_documents_is_exit_code_3(stocked: Run, form: tuple[str, ...]) -> None:
    parts = replace(PARTS, make_assistant=lambda *_: cast(Assistant, Unknowing()))
    result = stocked("ask", *form, "Which enzyme splits lactose?", parts=parts)
    assert result.exit_code == 3
    assert "Not in your documents." in result.stdout
    assert result.stderr == "No language model: quotes only.\n"


def test_the_model_is_chosen_by_flag_before_the_environment(stocked: Run) -> None:
    asked: list[tuple[str | None, bool]] = []

    def note_choice(library: Library, settings: Settings, quotes_only: bool) -> Assistant:
        asked.append((settings.model, quotes_only))
        return cast(Assistant, Unknowing())

    parts = replace(PARTS, make_assistant=note_choice)
    env = {"PILCROW_MODEL": "environment.gguf"}
    stocked("ask", "Why?", "--model", "flag.gguf", parts=parts, env=env)
    stocked("ask", "Why?", "--no-model", parts=parts, env=env)
    assert asked == [("flag.gguf", False), ("environment.gguf", True)]


@pytest.mark.parametrize("question", ["", "   ", "why " * 25_000])
def test_a_question_that_cannot_be_asked_is_one_line(stocked: Run, question: str) -> None:
    result = stocked("ask", question)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("pilcrow: ")


@pytest.mark.parametrize(
    "command",
    [("ask", "why?"), ("search", "why?"), ("list",), ("rebuild",), ("check",), ("remove", "a")],
)
def test_without_a_library_every_command_names_the_one_that_makes_it(
    run: Run, store: Path, command: tuple[str, ...]
) -> None:
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"pilcrow --store {store} add ARTICLES" in result.stderr
    assert not store.exists()


def test_asking_an_empty_library_names_the_command_that_fills_it(stocked: Run) -> None:
    stocked("remove", "kyoto.txt", "cables.txt")
    result = stocked("ask", "why?")
    assert result.exit_code == 1
    assert "add ARTICLES" in result.stderr


def test_eval_scores_a_file_of_questions(stocked: Run, tmp_path: Path) -> None:
    start = KYOTO.index("More than")
    gold = {"document": "kyoto.txt", "start": start, "end": start + 34}
    question = {
        "id": "1",
        "question": "How many people took part in the forum in Kyoto?",
        "answerable": True,
        "answers": ["6,000"],
        "gold": [gold],
    }
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps(question) + "\n", encoding="utf-8")
    result = stocked("eval", file, "--json")
    assert json.loads(result.stdout)["questions"]["answerable"] == 1
    (tmp_path / "earlier.json").write_text(result.stdout, encoding="utf-8")
    shown = stocked("eval", file, "--against", tmp_path / "earlier.json").stdout
    assert "retrieval" in shown
    assert "against earlier" in shown


def test_eval_is_drawn_and_told_as_tables(stocked: Run, tmp_path: Path) -> None:
    asked = (("1", "How many people took part in the forum in Kyoto?", True), ("2", "Why?", False))
    file, picture = tmp_path / "questions.jsonl", tmp_path / "run.svg"
    file.write_text("".join(
        json.dumps({"id": i, "question": q, "answerable": a, "answers": ["6,000"] * a}) + "\n"
        for i, q, a in asked
    ), encoding="utf-8")  # fmt: skip
    shown = stocked("eval", file, "--plot", picture).stdout
    assert "<svg" in picture.read_text("utf-8")
    for title in ("risk against coverage", "calibration", "seconds until", "first evidence"):
        assert title in shown
    wrong = stocked("eval", file, "--plot", tmp_path / "run.txt")
    assert wrong.exit_code == 2
    assert "'run.txt' is no picture: end it in .png, .svg, .pdf" in wrong.stderr
    assert "no folder" in stocked("eval", file, "--plot", tmp_path / "away" / "x.png").stderr


def test_eval_of_a_missing_file_is_one_line(stocked: Run, tmp_path: Path) -> None:
    result = stocked("eval", tmp_path / "nowhere.jsonl")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


# --- chat, check, doctor -------------------------------------------------------------------------


def test_chat_serves_the_library_and_says_where(run: Run) -> None:
    served: list[dict[str, Any]] = []

    def serve(assistant: Assistant, library: Library, **options: Any) -> None:
        served.append(options)
        options["on_ready"](f"http://{options['host']}:{options['port']}")

    parts = replace(PARTS, serve=serve)
    env = {"PILCROW_PASSWORD": "open sesame", "PILCROW_TRUSTED_PROXY": "192.0.2.7"}
    result = run("chat", "--port", 8123, parts=parts, env=env)
    assert result.exit_code == 0
    assert "http://127.0.0.1:8123" in result.stderr
    assert (served[0]["password"], served[0]["open_browser"]) == ("open sesame", False)
    assert served[0]["trusted_proxy"] == "192.0.2.7/32"
    assert served[0]["options"].samples.is_dir()
    assert "sesame" not in result.output


def test_check_tells_a_whole_library_from_a_damaged_one(stocked: Run, store: Path) -> None:
    assert stocked("check").exit_code == 0
    with sqlite3.connect(store / "library.sqlite") as database:
        database.execute('UPDATE passages SET start = start + 9000, "end" = "end" + 9000')
    database.close()
    result = stocked("check", "--json")
    assert result.exit_code == 1
    assert [line for line in json.loads(result.stdout) if not line["ok"]]


def test_verify_checks_an_exported_answer(stocked: Run, store: Path, tmp_path: Path) -> None:
    with open_library(store, False, 1) as library:
        answer = Assistant(library, generator=None).answer(
            "How many people took part in the Internet Governance Forum?"
        )
        saved = make_bundle(answer, library, "e", sealing.key_in(store, create=True))
        unsealed = make_bundle(answer, library)
    file = tmp_path / "answer.html"
    file.write_text(export.as_page(saved), encoding="utf-8")
    fine = stocked("verify", file)
    assert fine.exit_code == 0, fine.output
    assert "everything it claims holds" in fine.stderr
    assert "statement 1" in fine.stdout and "passage 1" in fine.stdout
    file.write_text(export.as_page(saved).replace("<h1 ", "<h1 hidden ", 1), encoding="utf-8")
    assert stocked("verify", file).exit_code == 1
    file.write_text(export.as_page(unsealed), encoding="utf-8")
    partly = stocked("verify", file)
    assert partly.exit_code == 0
    assert "nobody vouches for its question" in partly.stderr
    saved["answer"]["citations"][0]["quote"] = "Nobody came."
    file.with_suffix(".json").write_text(export.as_json(saved), encoding="utf-8")
    broken = stocked("verify", file.with_suffix(".json"), "--json")
    assert broken.exit_code == 1
    assert {load["what"] for load in json.loads(broken.stdout) if not load["ok"]} >= {"quote 1"}


def test_verify_refuses_what_is_no_export(stocked: Run, articles: Path) -> None:
    refused = stocked("verify", articles / "kyoto.txt")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1


def test_doctor_says_for_each_part_whether_it_is_fine(stocked: Run) -> None:
    result = stocked("doctor", "--json")
    lines = {line["name"]: line for line in json.loads(result.stdout)}
    assert {"Python", "processor", "memory", "disk", "packages", "library"} <= set(lines)
    assert lines["library"]["detail"].startswith("2 documents")
    assert result.exit_code == (0 if all(line["ok"] for line in lines.values()) else 1)


def test_doctor_without_a_library_names_the_command_that_makes_one(run: Run, store: Path) -> None:
    lines = {line["name"]: line for line in json.loads(run("doctor", "--json").stdout)}
    assert "pilcrow add" in lines["library"]["detail"]
    assert not store.exists()


# --- where the library is, who is writing, how things end ----------------------------------------


def test_the_store_may_stand_after_the_command(tmp_path: Path, articles: Path) -> None:
    words = ["add", str(articles), "--store", str(tmp_path / "after")]
    assert CliRunner().invoke(app, words, obj=PARTS).exit_code == 0
    assert (tmp_path / "after").is_dir()


def test_the_store_may_come_from_the_environment(tmp_path: Path, articles: Path) -> None:
    place = {"PILCROW_STORE": str(tmp_path / "environment")}
    assert CliRunner().invoke(app, ["add", str(articles)], obj=PARTS, env=place).exit_code == 0
    assert (tmp_path / "environment").is_dir()


def test_a_library_that_is_being_written_is_exit_code_75(
    stocked: Run, store: Path, articles: Path
) -> None:
    with FileLock(store / "write.lock"):
        result = stocked("add", articles)
        assert stocked("search", "cables").exit_code == 0
    assert (result.exit_code, len(result.stderr.splitlines())) == (75, 1)


def test_ctrl_c_is_one_line_and_exit_code_130(run: Run, articles: Path) -> None:
    def interrupted(path: Path, create: bool, threads: int) -> Library:
        raise KeyboardInterrupt

    result = run("add", articles, parts=replace(PARTS, open_library=interrupted))
    assert (result.exit_code, result.stderr) == (130, "pilcrow: interrupted\n")


def test_a_bug_keeps_its_traceback(run: Run, articles: Path) -> None:
    def broken(path: Path, create: bool, threads: int) -> Library:
        raise ZeroDivisionError

    result = run("add", articles, parts=replace(PARTS, open_library=broken))
    assert isinstance(result.exception, ZeroDivisionError)


# --- the terminal --------------------------------------------------------------------------------

CITATION = Citation(
    number=1,
    document_id="kyoto.txt",
    title="Forum in \x1b]0;owned\x07Kyoto [red]",
    source="Example",
    paragraph=2,
    start=0,
    end=4,
    quote="More than\x1b[2J 6,000 people [bold]took[/bold] part.",
    date="2023-10-09",
)
FINAL = Answer(
    question="How many?",
    state="answered",
    text="More than 6,000. [1]",
    statements=(Statement("More than 6,000.", "supported", (1,)),),
    citations=(CITATION,),
    complete=True,
    headline=CITATION,
)


def terminal() -> Console:
    """A console that believes it is a terminal and writes to memory."""
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system=None,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )


def written(console: Console) -> str:
    return cast(io.StringIO, console.file).getvalue()


def growing(final: Answer) -> Iterator[Answer]:
    """The answer as it arrives: searching, the best sentence, each statement, the end."""
    empty = replace(final, statements=(), citations=(), text="", complete=False)
    yield replace(empty, headline=None, stage="searching")
    yield replace(empty, stage="reading")
    for count in range(1, len(final.statements) + 1):
        yield replace(empty, statements=final.statements[:count], stage="writing")
    yield final


def test_a_terminal_sees_the_evidence_before_the_first_statement() -> None:
    console = terminal()
    seen: list[str] = []

    def watched() -> Iterator[Answer]:
        for snapshot in growing(FINAL):
            yield snapshot
            seen.append(written(console))

    show_answer(watched(), console)
    assert "6,000 people" in seen[1]
    assert "More than 6,000. [1]" not in seen[1]
    assert "More than 6,000. [1]" in seen[2]
    assert "[1] Forum in" in written(console)


def test_a_statement_that_checking_changed_does_not_stay() -> None:
    console = terminal()
    first = replace(FINAL, statements=(Statement("Wrong.", "supported", (1,)),), complete=False)
    show_answer([first, FINAL], console)
    final = written(console).rpartition("\x1b[2K")[2]  # after the last erased line
    assert "More than 6,000. [1]" in final
    assert "Wrong." in written(console)
    assert "Wrong." not in final


def test_a_pipe_gets_the_finished_answer_only() -> None:
    console = Console(file=io.StringIO(), markup=False, highlight=False, soft_wrap=True)
    assert show_answer(growing(FINAL), console) is FINAL
    assert written(console).startswith("More than 6,000. [1]\n")


def test_nothing_found_shows_the_closest_passages() -> None:
    console = terminal()
    close = PassageRead("cables.txt", 0, 9, "A cable lasts 25 years.", 0.3, title="Cables")
    answer = Answer("Why?", "not_found", "Not in your documents.", passages=(close,), complete=True)
    show_answer([answer], console)
    assert "Not in your documents." in written(console)
    assert "A cable lasts 25 years." in written(console)


def test_a_terminal_is_told_in_its_language_and_a_pipe_in_english() -> None:
    close = PassageRead("c.txt", 0, 9, "Ein Kabel hält 25 Jahre.", 0.3, title="Kabel", paragraph=3)
    missing = ("Your documents do not mention “Bonn”.",)
    text = "Not in your documents. Your documents do not mention “Bonn”."
    answer = Answer("Warum?", "not_found", text, passages=(close,), missing=missing, complete=True)
    shown, piped = terminal(), Console(file=io.StringIO(), markup=False, highlight=False)
    with speaking("de"):
        show_answer([answer], shown)
        show_answer([answer], piped)
    assert "Nicht in Ihren Dokumenten. Ihre Dokumente erwähnen „Bonn“ nicht." in written(shown)
    assert "· Kabel · Absatz 3" in written(shown)
    assert "Not in your documents." in written(piped) and "paragraph 3" in written(piped)


def in_parts(form: str, *labels: str, **more: Any) -> Answer:
    """An answer with a quoted sentence under each label."""
    numbers = range(1, len(labels) + 1)
    cited = tuple(replace(CITATION, number=n, quote=f"Sentence {n}.") for n in numbers)
    said = tuple(Statement(f"Sentence {n}.", "supported", (n,), True) for n in numbers)
    groups = tuple(Group(label, (n,)) for n, label in zip(numbers, labels, strict=True) if label)
    return Answer(
        "q", "answered", "as text", said, cited, complete=True, form=form, groups=groups, **more
    )


def shown_of(answer: Answer, width: int = 120) -> list[str]:
    """The lines of the answer itself on a terminal."""
    console = terminal()
    console.width = width
    show_answer([answer], console)
    text = written(console).rpartition("\x1b[2K")[2].partition("\n[1]")[0]
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_a_terminal_shows_a_comparison_side_by_side_where_there_is_room() -> None:
    answer = in_parts("columns", "Oslo \x1b[2J", "Rome")
    wide = shown_of(answer)
    assert any("Oslo" in line and "Rome" in line for line in wide)
    assert any("Sentence 1. [1]" in line and "Sentence 2. [2]" in line for line in wide)
    narrow = shown_of(answer, width=60)
    assert [line.split()[0] for line in narrow[-4:]] == ["Oslo", "Sentence", "Rome", "Sentence"]
    assert "\x1b[2J" not in "".join(wide + narrow)


def test_a_terminal_shows_dates_beside_what_happened() -> None:
    lines = shown_of(in_parts("bullets", "2023-12", "2024-03-13"))
    assert any(re.search(r"^December 2023 +Sentence 1\. \[1\]$", line) for line in lines)
    assert any(re.search(r"^13 March 2024 +Sentence 2\. \[2\]$", line) for line in lines)


def test_a_terminal_lists_what_speaks_to_a_claim_without_a_verdict() -> None:
    lines = shown_of(in_parts("prose", "", "", task="yes_no"))
    assert lines[-3:] == ["What your documents say about it", "•  Sentence 1. [1]",
                          "•  Sentence 2. [2]"]  # fmt: skip


def test_a_terminal_shows_a_list_and_a_table() -> None:
    assert [line[:1] for line in shown_of(in_parts("bullets", "", ""))[-2:]] == ["•", "•"]
    assert "13 March 2024" in shown_of(in_parts("conflict", "2024-03-13", "2023-12"))[0]
    table = "\n".join(shown_of(in_parts("table", "Oslo", "Rome")))
    assert re.search(r"What the source says +Source", table)
    assert re.search(r"Rome +Sentence 2\. \[2\] +Forum in", table)


def test_a_terminal_shows_what_may_be_meant_and_what_is_missing() -> None:
    text = "What do you mean by “it”: “A” or “B”?"
    lines = shown_of(Answer("q", "partial", text, complete=True, options=("A", "B")))
    assert lines[-3:] == ["What do you mean by “it”?", "  • A", "  • B"]
    lines = shown_of(in_parts("columns", "Oslo", "Rome", missing=("Nothing about Bonn.",)))
    assert lines[-1] == "Nothing about Bonn."


def test_a_pipe_gets_the_text_of_an_answer_in_parts() -> None:
    console = Console(file=io.StringIO(), markup=False, highlight=False, soft_wrap=True)
    show_answer([in_parts("columns", "Oslo", "Rome")], console)
    assert written(console).startswith("as text\n")


@pytest.mark.fault("C3", "C13")
def test_a_document_cannot_steer_the_terminal_or_pose_as_markup() -> None:
    console = terminal()
    show_answer(growing(FINAL), console)
    shown = written(console)
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "[bold]took[/bold]" in shown


@given(st.text(st.characters()))  # lone surrogates too: file names bring them
def test_clean_text_is_one_printable_line(text: str) -> None:
    shown = clean(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)


@given(st.text())
def test_clean_text_keeps_every_word_of_ordinary_text(text: str) -> None:
    ordinary = "".join(c for c in text if c.isalnum() or c == " ")
    assert clean(ordinary) == " ".join(ordinary.split())


@pytest.mark.fault("C3")
@given(st.dictionaries(st.text(), st.text()))
def test_json_is_lossless_and_harmless(value: dict[str, str]) -> None:
    text = to_json(value)
    assert json.loads(text) == value
    text.encode("utf-8")
    assert "\x1b" not in text
    assert "\x9b" not in text


@pytest.mark.fault("G28")
def test_what_a_library_prints_while_the_chat_runs_cannot_steer_the_terminal(run: Run) -> None:
    hostile = "\x1b]0;PWNED\x07\x9b2J\x1b[8mnobody sees this"

    def serve(assistant: Assistant, library: Library, **options: Any) -> None:
        print("custom component", hostile)  # noqa: T201  (as gradio does)
        for stream in (sys.stdout, sys.stderr):
            stream.writelines([hostile, "\n"])
            stream.buffer.write(hostile.encode())
            stream.flush()
        logging.StreamHandler().emit(logging.makeLogRecord({"msg": hostile}))
        open_console().print(Text("ours", style="green"))
        open_console(stderr=True).print(Text("ours", style="green"))

    parts = replace(PARTS, serve=serve)
    result = run("chat", parts=parts, env={"FORCE_COLOR": "1", "NO_COLOR": None})
    assert result.exit_code == 0, result.output
    for told in (result.stdout, result.stderr):
        assert told.count("nobody sees this") >= 2
        assert told.count("\x1b[32mours\x1b[0m") == 1
        rest = told.replace("\x1b[32mours\x1b[0m", "")
        assert not {"\x1b", "\x07", "\x9b"} & {*rest}
    assert result.stderr.count("PWNED") == 3


def test_colours_are_left_out_when_asked(stocked: Run) -> None:
    coloured = stocked("check", env={"FORCE_COLOR": "1", "TERM": "xterm"}).stdout
    plain = stocked("check", env={"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"}).stdout
    assert "\x1b[32m" in coloured
    assert "\x1b[32m" not in plain


def test_progress_is_drawn_on_a_terminal_only() -> None:
    with progress_bar(open_console(stderr=True)) as draw:
        assert draw is None
    console = terminal()
    with progress_bar(console) as draw:
        assert draw is not None
        draw(Progress("reading", 1, 2))
        draw(Progress("embedding", 3, 4))
    assert "embedding" in written(console)
    assert "3/4" in written(console)
