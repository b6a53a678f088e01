"""What the page asks for besides answers, without a browser."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from index import Library
from index.types import DocumentRecord, SearchScope
from rag.evaluation import load_questions
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made.pdf_files import book
from tests.support.page_fakes import (
    HOSTILE,
    HeldLibrary,
    ScriptedAssistant,
    document_ids,
    make_library,
    write_articles,
)
from tests.support.programs import PATIENCE
from ui.api.metrics import Metrics
from ui.page import api as api_module
from ui.page import feedback
from ui.page.api import PageApi
from ui.page.chat import AskRequest, Chat
from ui.page.conversations import Conversations, Scope, new_key
from ui.page.jobs import JobRunner
from ui.page.suggester import Suggester
from ui.page.views import overview
from ui.page.views.answers import TurnMeta

KYOTO = "How many participants registered in Kyoto?"


@dataclass
class Room:
    """Everything behind the page, without Gradio."""

    library: HeldLibrary
    assistant: ScriptedAssistant
    store: Conversations
    chat: Chat
    api: PageApi

    def ask(self, question: str, **request: Any) -> str:
        """Asks to the end; the key of the turn."""
        _, _, run = self.chat.begin(question, replace(AskRequest(), **request))
        assert list(self.chat.answer(run))
        return run.meta.key


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with make_library(tmp_path) as library:
        assistant = ScriptedAssistant(library)
        store = Conversations(library.path)
        api = PageApi(library, store, JobRunner(library), Suggester(library, None))
        yield Room(library, assistant, store, Chat(assistant, library, store), api)


CONVERSATION = "c" * 32


def test_each_update_carries_its_own_turn_and_no_earlier_one(room: Room) -> None:
    for _ in range(100):
        room.ask(KYOTO, conversation=CONVERSATION)
    _, _, run = room.chat.begin(KYOTO, AskRequest(conversation=CONVERSATION))
    updates = list(room.chat.answer(run))
    assert run.number == 101
    assert all(drawn.count("<article") == 1 for drawn, _ in updates)
    assert max(len(drawn) for drawn, _ in updates) < 20_000
    assert room.assistant.histories[-1] == [
        (t.question, t.answer.text) for t in room.store.turns(CONVERSATION)[-4:-1] if t.answer
    ]


def test_a_conversation_is_opened_with_its_turns_and_the_last_ones_sources(room: Room) -> None:
    room.ask(KYOTO, conversation=CONVERSATION)
    room.ask("Who baked sourdough?", conversation=CONVERSATION)
    slots = room.api.ask({"name": "open", "id": CONVERSATION})["slots"]
    assert slots["past"].count("<article") == 2
    assert 'data-turn="2"' in slots["past-sources"]
    assert 'data-turn="1"' not in slots["past-sources"]


def test_of_a_long_conversation_the_last_turns_are_drawn_and_the_others_on_demand(
    room: Room,
) -> None:
    room.ask(KYOTO, conversation=CONVERSATION)
    (first,) = room.store.turns(CONVERSATION)
    for number in range(api_module._TURNS + 4):
        room.store.keep(CONVERSATION, replace(first, key=new_key(), question=f"Question {number}"))
    past = room.api.ask({"name": "open", "id": CONVERSATION})["slots"]["past"]
    assert past.count("<article") == api_module._TURNS
    assert 'data-before="6"' in past and "5 earlier questions" in past
    assert 'id="t5"' not in past and 'id="t6"' in past
    rest = room.api.ask({"name": "earlier", "id": CONVERSATION, "before": 6})["html"]
    assert rest.count("<article") == 5
    assert "earlier question" not in rest and 'id="t1"' in rest
    for wrong in (None, "x", -3, 10**9):
        assert "html" in room.api.ask({"name": "earlier", "id": CONVERSATION, "before": wrong})
    everything = room.api.ask({"name": "all-sources", "id": CONVERSATION})
    assert everything["html"].count("<section") == api_module._TURNS + 5
    assert everything["title"] == KYOTO


def test_a_turn_is_drawn_alone_as_far_as_it_has_come(room: Room) -> None:
    room.ask("About cables", conversation=CONVERSATION)
    _, _, run = room.chat.begin(KYOTO, AskRequest(conversation=CONVERSATION))
    api = PageApi(
        room.library, room.store, JobRunner(room.library), Suggester(room.library, None),
        talk=room.chat,
    )  # fmt: skip
    request = {"name": "turn", "key": run.meta.key, "number": 2, "conversation": CONVERSATION}
    stream = room.chat.answer(run)
    next(stream)
    reply = api.ask(request)
    assert reply["running"] and "data-running" in reply["html"] and 'id="t2"' in reply["html"]
    assert list(stream)
    reply = api.ask(request)
    assert reply["html"].count("<article") == 1 and 'id="t2"' in reply["html"]
    assert "9,000 participants" in reply["html"] and 'data-turn="2"' in reply["sources"]


def test_only_the_last_turn_gives_way_to_a_retry(room: Room) -> None:
    first = room.ask(KYOTO, conversation=CONVERSATION)
    second = room.ask("About cables", conversation=CONVERSATION)
    room.ask("", conversation=CONVERSATION, again=second, replaces=second)
    room.ask("", conversation=CONVERSATION, again=first, replaces=first)
    asked = [t.question for t in room.store.turns(CONVERSATION)]
    assert asked == [KYOTO, "About cables", KYOTO]


def test_a_question_looks_where_it_was_told_to_and_a_retry_too(room: Room) -> None:
    scope = AskRequest.read('{"documents": ["cables.md"], "since": "2023", "until": ""}').scope
    key = room.ask("How many days does a ship need?", conversation=CONVERSATION, scope=scope)
    assert room.assistant.scopes[-1] == SearchScope(("cables.md",), ("2023", "9999"))
    room.ask("", conversation=CONVERSATION, again=key, replaces=key)
    assert room.assistant.scopes[-1] == SearchScope(("cables.md",), ("2023", "9999"))
    drawn = room.api.ask({"name": "open", "id": CONVERSATION})["slots"]["past"]
    assert "Asked only of Cables under the sea · dated from 2023" in drawn


@pytest.mark.parametrize(
    "sent",
    ["", "[]", "null", "{", '{"documents": 5, "conversation": "../x", "since": "<b>"}',
     '{"documents": [1, null], "replaces": [], "question": {}}'],
)  # fmt: skip
def test_requests_that_are_not_well_formed_are_none(sent: str) -> None:
    assert AskRequest.read(sent) == AskRequest()


def begun(room: Room, talk: Chat) -> str:
    """The key of a question whose page has gone after its first evidence."""
    room.assistant.go_on.clear()
    _, _, run = talk.begin(KYOTO, AskRequest(conversation=CONVERSATION))
    stream = talk.answer(run)
    while "headline" not in next(stream)[0]:
        pass
    stream.close()
    return run.meta.key


def test_an_answer_goes_on_for_a_page_that_is_reloaded(room: Room) -> None:
    talk = Chat(room.assistant, room.library, room.store, grace=60)
    try:
        key = begun(room, talk)
        drawn, sources = talk.look(key, 1, TurnMeta(key)) or ("", "")
        assert "data-running" in drawn and "headline" in drawn and "<mark>" in sources
    finally:
        room.assistant.go_on.set()
    wait_for(lambda: not talk.busy)
    (kept,) = room.store.turns(CONVERSATION)
    assert kept.phase == "done" and kept.answer and kept.answer.statements
    assert talk.look(key, 1, TurnMeta(key)) is None


def test_an_answer_that_nobody_comes_back_to_is_stopped_and_kept(room: Room) -> None:
    talk = Chat(room.assistant, room.library, room.store, grace=0)
    try:
        begun(room, talk)
        wait_for(lambda: not talk.busy)
    finally:
        room.assistant.go_on.set()
    (kept,) = room.store.turns(CONVERSATION)
    assert kept.phase == "stopped" and kept.answer and kept.answer.headline


def test_an_answer_says_how_many_files_were_still_being_read(room: Room) -> None:
    talk = Chat(room.assistant, room.library, room.store, unread=lambda: 9)
    _, _, run = talk.begin("Who baked sourdough?", AskRequest(conversation=CONVERSATION))
    *_, (drawn, _) = talk.answer(run)
    reopened = room.api.ask({"name": "open", "id": CONVERSATION})["slots"]["past"]
    for page in (drawn, reopened):
        assert "9 files were still being read when this was asked." in page
        assert page.count('data-action="again">Ask again</button>') == 1


def test_what_the_page_answers_is_counted_like_what_programs_ask(room: Room) -> None:
    metrics = Metrics()
    counted = partial(metrics.answered, "page")
    talk = Chat(room.assistant, room.library, room.store, answered=counted)
    for question in (KYOTO, "Who baked sourdough?"):
        _, _, run = talk.begin(question, AskRequest(conversation=CONVERSATION))
        list(talk.answer(run))
    told = metrics.text(2).decode()
    assert 'pilcrow_questions_total{interface="page",state="answered"} 1.0' in told
    assert 'pilcrow_questions_total{interface="page",state="not_found"} 1.0' in told
    assert 'pilcrow_stage_seconds_count{stage="total"} 2.0' in told


def test_an_answer_can_be_stopped_from_a_reloaded_page(room: Room) -> None:
    talk = Chat(room.assistant, room.library, room.store, grace=60)
    api = PageApi(
        room.library, room.store, JobRunner(room.library), Suggester(room.library, None), talk=talk
    )
    try:
        key = begun(room, talk)
        assert api.ask({"name": "stop", "key": "nobody's"}) == {}
        assert talk.busy
        assert api.ask({"name": "stop", "key": key}) == {}
        wait_for(lambda: not talk.busy)
    finally:
        room.assistant.go_on.set()
    assert room.store.turns(CONVERSATION)[0].phase == "stopped"


def test_what_is_deleted_while_it_is_answered_stays_deleted(room: Room) -> None:
    _, _, run = room.chat.begin(KYOTO, AskRequest(conversation=CONVERSATION))
    stream = room.chat.answer(run)
    next(stream)
    room.api.ask({"name": "delete", "id": CONVERSATION})
    assert list(stream)
    assert room.store.listed() == []
    room.ask(KYOTO, conversation=CONVERSATION)  # asked anew where it was: it is wanted again
    assert len(room.store.turns(CONVERSATION)) == 2


def test_a_removed_source_keeps_its_quote_and_a_changed_one_marks_nothing(room: Room) -> None:
    key = room.ask(KYOTO)
    file = room.library.path.parent / "articles" / "kyoto.txt"
    before = room.api.ask({"name": "sources", "key": key, "number": 1})["html"]
    assert "<mark>More than 9,000" in before and "has changed" not in before
    write_articles(room.library, {"kyoto.txt": "New words.\n\n" + file.read_text()})
    changed = room.api.ask({"name": "sources", "key": key, "number": 1})["html"]
    assert "The document has changed since" in changed
    reader = room.api.ask({"name": "read", "document": "kyoto.txt", "key": key, "start": 0})
    assert "<mark" not in reader["slots"]["reader"]
    room.library.remove(["kyoto.txt"])
    gone = room.api.ask({"name": "sources", "key": key, "number": 1})["html"]
    assert "Source removed" in gone and "More than 9,000 participants" in gone


def test_the_reader_marks_what_was_cited_and_escapes_the_rest(room: Room) -> None:
    key = room.ask("What do hostile words say?")
    request = {"name": "read", "document": "hostile.txt", "key": key, "start": 3}
    page = room.api.ask(request)["slots"]["reader"]
    assert page.count("<mark data-n=") == 2
    assert "<script" not in page and "<img" not in page
    assert "problem" in room.api.ask({"name": "read", "document": "../../etc/passwd"})


def test_from_mark_to_mark_and_to_what_is_looked_for_in_the_article(room: Room) -> None:
    key = room.ask("What do hostile words say?")
    text = room.library.document("hostile.txt").text

    def step(**given: Any) -> tuple[int, int, str]:
        reply = room.api.ask({"name": "find", "document": "hostile.txt", "key": key, **given})
        return reply["count"], reply.get("number", 0), reply["html"]

    def place(**given: Any) -> tuple[int, int]:
        count, number, _ = step(**given)
        return number, count

    second = text.index("A second sentence")
    assert place(way="on") == (1, 2)
    assert place(way="on", **{"from": second}) == (1, 2), "after the last one comes the first"
    assert place(way="back", **{"from": second}) == (1, 2)
    assert place(way="back") == (2, 2)
    count, number, drawn = step(words="hostile  WORDS", way="on")
    assert (count, number) == (1, 1)
    assert f'class="found" data-at="{text.index("Hostile words")}">Hostile words</mark>' in drawn
    assert "<script" not in drawn and "<img" not in drawn
    assert step(words="xyzzy")[:2] == (0, 0)
    assert step(words="[1] </mark>")[0] == text.count("[1] </mark>")


def test_removing_can_be_undone_with_that_very_file_only(room: Room) -> None:
    reply = room.api.ask({"name": "remove", "ids": json.dumps(["cables.md"])})
    assert "−2 paragraphs" in reply["toast"]["text"]
    assert "cables.md" not in document_ids(room.library)
    assert "problem" in room.api.ask({"name": "restore", "ids": json.dumps(["kyoto.txt"])})
    assert "problem" not in room.api.ask(reply["toast"]["undo"])
    assert room.library.document("cables.md").title == "Cables under the sea"


def test_the_real_library_takes_a_removed_file_back(tmp_path: Path) -> None:
    (tmp_path / "articles" / "old").mkdir(parents=True)
    for name in ("a.txt", "old/b.txt"):
        (tmp_path / "articles" / name).write_text(f"What {name} says is short.\n")
    with Library.open(tmp_path / "store", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "articles"])
        store = Conversations(library.path)
        api = PageApi(library, store, JobRunner(library), Suggester(library, None))
        assert api.ask({"name": "library"})["slots"]["library"].count('data-state="ready"') == 2
        for document in ("a.txt", "old/b.txt"):
            undo = api.ask({"name": "remove", "ids": json.dumps([document])})["toast"]["undo"]
            assert document not in [d.id for d in library.documents()]
            assert api.ask(undo)["toast"]["text"] == "It is back in the library."
            assert [d.id for d in library.documents()] == ["a.txt", "old/b.txt"]


def test_each_file_of_a_rebuild_shows_its_own_passages(room: Room) -> None:
    works = JobRunner(room.library)
    room.library.go_on.clear()
    looks = works.rebuild()
    next(look for look in looks if any(row.state == "embedding" for row in look.rows))
    view = next(looks)
    embedding = [row for row in view.rows if row.state == "embedding"]
    assert [(row.document_id, row.detail) for row in embedding] == [("cables.md", "0/2")]
    assert (view.done, view.total) == (0, 5)
    room.library.go_on.set()
    *_, last = looks
    assert {row.state for row in last.rows} == {"done"}


def test_a_file_is_called_changed_when_its_content_is(tmp_path: Path) -> None:
    article = tmp_path / "a.txt"
    article.write_text("What it says is short.\n")
    with Library.open(tmp_path / "store", encoder=BagOfWordsEncoder()) as library:
        library.update([article])
        api = PageApi(
            library, Conversations(library.path), JobRunner(library), Suggester(library, None)
        )

        def state() -> str:
            drawn = api.ask({"name": "library"})["slots"]["library"]
            return str(re.findall('data-state="(.*?)"', drawn)[0])

        later = article.stat().st_mtime + 100
        os.utime(article, (later, later))
        assert state() == "ready"
        article.write_text("What it says is other.\n")
        os.utime(article, (later, later))
        assert state() == "changed"
        article.unlink()
        assert state() == "gone"


def test_removing_what_cannot_come_back_asks_first(room: Room) -> None:
    (room.library.path.parent / "articles" / "cables.md").unlink()
    asked = room.api.ask({"name": "remove", "ids": json.dumps(["cables.md"])})
    assert "cannot be undone" in asked["confirm"]
    assert "cables.md" in document_ids(room.library)
    done = room.api.ask({"name": "remove", "ids": json.dumps(["cables.md"]), "sure": True})
    assert done["toast"]["undo"] is None
    assert "cables.md" not in document_ids(room.library)


def test_several_are_removed_at_once_and_come_back_together(room: Room) -> None:
    both = ["cables.md", "kyoto.txt"]
    assert "problem" in room.api.ask({"name": "remove", "ids": json.dumps([*both, "gone.txt"])})
    assert "problem" in room.api.ask({"name": "remove", "ids": json.dumps([])})
    reply = room.api.ask({"name": "remove", "ids": json.dumps(both)})
    assert reply["toast"]["text"] == "2 documents removed: −4 paragraphs."
    assert document_ids(room.library) == ["hostile.txt"]
    assert "problem" in room.api.ask({"name": "restore", "ids": json.dumps(both[:1])})
    assert room.api.ask(reply["toast"]["undo"])["toast"]["text"] == "2 documents are back."
    assert len(document_ids(room.library)) == 3


def test_several_are_tagged_and_a_tag_that_all_have_is_taken_off(room: Room) -> None:
    both, one = json.dumps(["cables.md", "kyoto.txt"]), json.dumps(["kyoto.txt"])
    assert room.api.ask({"name": "tag", "ids": one, "tag": "<b>"})["toast"]["undo"]
    toast = room.api.ask({"name": "tag", "ids": both, "tag": "<b>"})["toast"]
    assert toast["text"] == "1 document tagged “<b>”."
    assert room.api.ask({"name": "library"})["slots"]["library"].count("#&lt;b&gt;") == 2
    assert room.api.ask({"name": "library", "words": "<b>"})["slots"]["library"].count("<li") == 2
    room.api.ask(toast["undo"])
    assert room.api.ask({"name": "library"})["slots"]["library"].count("#&lt;b&gt;") == 1
    taken = room.api.ask({"name": "tag", "ids": one, "tag": "<b>"})["toast"]["text"]
    assert taken == "1 document no longer tagged “<b>”."
    assert "problem" in room.api.ask({"name": "tag", "ids": one, "tag": " "})
    assert "problem" in room.api.ask({"name": "tag", "ids": "[1", "tag": "x"})


def test_of_several_those_that_cannot_come_back_are_counted(room: Room) -> None:
    files = ["cables.md", "kyoto.txt"]
    for name in files:
        (room.library.path.parent / "articles" / name).unlink()
    asked = room.api.ask({"name": "remove", "ids": json.dumps(["hostile.txt", *files])})["confirm"]
    assert "and 1 more are gone or cannot be read now" in asked
    sure = {"name": "remove", "ids": json.dumps(files), "sure": True}
    assert room.api.ask(sure)["toast"]["undo"] is None


def test_words_are_found_inside_the_documents_and_marked(room: Room) -> None:
    drawn = room.api.ask({"name": "in-text", "words": "weeks tonga"})["html"]
    text = room.library.document("cables.md").text
    start, end = map(int, re.findall(r'data-start="(\d+)" data-end="(\d+)"', drawn)[0])
    assert text[start:end] == "Tonga was offline for five weeks in 2022."
    assert "<mark>Tonga</mark> was offline for five <mark>weeks</mark> in" in drawn
    hostile = room.api.ask({"name": "in-text", "words": "hostile text"})["html"]
    assert "<mark>hostile</mark>" in hostile and "<img" not in hostile and "<script" not in hostile
    for words in ("", "to", "xyzzy", "tonga xyzzy"):
        assert room.api.ask({"name": "in-text", "words": words})["html"] == ""


def test_folders_are_a_tree(room: Room) -> None:
    deep = {
        "law/eu/act.txt": "The act\n\nIt bans.\n", "law/old/sea.txt": "The sea\n\nIt is wide.\n",
        "boats/raft.txt": "A raft\n\nIt floats.\n",
    }  # fmt: skip
    write_articles(room.library, deep)

    def rows(**given: Any) -> list[str]:
        reply = room.api.ask({"order": "folder", **given})
        drawn = reply["html"] if "html" in reply else reply["slots"]["library"]
        assert drawn.count('<ul class="documents">') == ("html" not in reply)
        return re.findall(r'<li (?:class|data)[^>]*?="?(?:folder-row|([^"]*))"', drawn)

    assert rows(name="library") == ["", "", "cables.md", "kyoto.txt", "hostile.txt"]
    inside = room.api.ask({"name": "more-documents", "order": "folder", "folder": "law"})["html"]
    assert re.findall('data-folder="(.+?)"', inside)[::2] == ["law/eu", "law/old"]
    assert rows(name="more-documents", folder="law/eu") == ["law/eu/act.txt"]
    assert rows(name="library", words="sea")[-1] == "law/old/sea.txt"
    named = room.api.ask({"name": "all", "words": "raft"})["names"]
    assert named == [["boats/raft.txt", "A raft"]]
    room.library.remove(deep)


def test_thumbs_go_to_a_question_file_and_back_out(room: Room) -> None:
    key = room.ask(KYOTO)
    path = room.library.path / feedback.GOOD
    assert room.api.ask({"name": "rate", "key": key, "way": "up"})["verdict"] == "up"
    (question,) = load_questions(path)
    text = room.library.document("kyoto.txt").text
    assert text[question.gold[0].start : question.gold[0].end].startswith("More than 9,000")
    assert room.api.ask({"name": "rate", "key": key, "way": "up"})["verdict"] == ""
    assert path.read_text() == ""
    wrong = {"name": "rate", "key": key, "way": "down"}
    room.api.ask(wrong)
    assert room.api.ask(wrong | {"why": "incomplete"})["verdict"] == "down"
    noted = (room.library.path / feedback.WRONG).read_text()
    assert noted.count("\n") == 1 and '"why": "incomplete"' in noted
    assert room.api.ask(wrong | {"why": "x" * 999})["verdict"] == ""  # no reason there is


def test_names_and_filters_look_at_every_document(room: Room) -> None:
    assert room.api.ask({"name": "names", "words": "cables harbour"}) == {
        "names": [["cables.md", "Cables under the sea", ""]], "more": 0, "facets": [],
    }  # fmt: skip
    numbered = {f"cables {n}.txt": f"Cables under the sea\n\nPart {n}.\n" for n in range(9)}
    write_articles(room.library, numbered)
    named = room.api.ask({"name": "names", "words": "cables"})
    assert (len(named["names"]), named["more"]) == (8, 2)
    assert named["names"][0] == ["cables 0.txt", "Cables under the sea", "cables 0.txt"]
    room.library.remove(numbered)
    slots = room.api.ask({"name": "library", "words": "kyoto"})["slots"]
    assert slots["library"].count("<li") == 1
    assert "3 documents" in slots["count"]


NOTES = {
    "law/act.md": "---\ntitle: The act\ntags: [law/eu]\nauthor: Ann Lee\n---\n\n"
    "## On ferries\n\nFerries sail at dawn.\n",
    "boats/raft.txt": "Rafts sail at dusk.\n",
}


def test_facets_are_offered_with_how_many_documents_have_them(room: Room) -> None:
    write_articles(room.library, NOTES)
    drawn = room.api.ask({"name": "facets"})["slots"]["facets"]
    for value, count in (
        ("law", 1),
        ("law/eu", 1),
        ("Ann Lee", 1),
        ("boats", 1),
        ("txt", 3),
        ("On ferries", 1),
    ):
        assert f'<option value="{value}"' in drawn
        assert f">{value} ({count})<" in drawn
    offered = room.api.ask({"name": "names", "words": "law"})["facets"]
    assert ["tags", "law", "tag law"] in offered
    assert ["folders", "law", "folder law"] in offered
    offered = room.api.ask({"name": "names", "words": "section ferries"})["facets"]
    assert offered == [["sections", "On ferries", "section On ferries"]]
    assert room.api.ask({"name": "names", "words": ""})["facets"] == []


def test_a_question_is_asked_of_what_has_the_chosen_facets(room: Room) -> None:
    write_articles(room.library, NOTES)
    sent = {"tags": ["law", 7], "kinds": ["md"], "folders": "boats", "authors": []}
    request = AskRequest.read(json.dumps(sent))
    assert request.scope == Scope(tags=("law",), kinds=("md",))
    html, _, run = room.chat.begin("When do they sail?", request)
    assert "documents with tag law · type md" in html
    list(room.chat.answer(run))
    assert room.assistant.scopes[-1] == SearchScope(tags=("law",), kinds=("md",))
    kept = room.store.turn(run.meta.key)
    assert kept is not None
    assert kept.scope == request.scope


def asked_back(room: Room, *options: str) -> str:
    """The key of a turn that was answered with a question back."""
    room.assistant.prepared["Who?"] = Answer(
        "Who?", "partial", "What do you mean?", complete=True, stage="done", options=options
    )
    return room.ask("Who?", conversation=CONVERSATION)


def test_an_option_is_where_the_question_is_asked_again(room: Room) -> None:
    key = asked_back(room, "Cables under the sea", "kyoto.txt")
    for option, document in ((1, "cables.md"), (2, "kyoto.txt")):
        _, _, run = room.chat.begin("", AskRequest(again=key, option=option))
        assert (run.question, run.scope.documents) == ("Who?", (document,))


def test_an_option_that_is_no_document_is_said_in_the_question(room: Room) -> None:
    key = asked_back(room, HOSTILE)
    _, _, run = room.chat.begin("", AskRequest(again=key, option=1))
    assert (run.question, run.scope.documents) == (f"Who? ({HOSTILE})", ())


@pytest.mark.parametrize("option", [-1, 0, 2, 10**30, True, "1", None, [1]])
def test_an_option_that_there_is_not_asks_the_question_as_it_was(
    room: Room, option: object
) -> None:
    key = asked_back(room, "Cables under the sea")
    request = AskRequest.read(json.dumps({"again": key, "option": option}))
    _, _, run = room.chat.begin("", request)
    assert (run.question, run.scope.documents) == ("Who?", ())


def test_a_hostile_title_stays_text_in_every_list(room: Room) -> None:
    room.ask(HOSTILE, conversation=CONVERSATION)
    for request in ({"name": "library"}, {"name": "conversations"},
                    {"name": "open", "id": CONVERSATION}):  # fmt: skip
        drawn = "".join(room.api.ask(request)["slots"].values())
        assert "<img" not in drawn and "<script" not in drawn and "${" not in drawn


@pytest.mark.parametrize(
    "request_", [None, [], {}, {"name": "nothing"}, {"name": "open", "id": "no"},
                 {"name": "why", "key": {}}, {"name": "rate"}, {"name": "rename"},
                 {"name": "export", "key": "x"}, {"name": "sources", "key": 5},
                 {"name": "turn", "key": [], "number": "x"}],
)  # fmt: skip
def test_what_makes_no_sense_is_answered_in_one_line(room: Room, request_: object) -> None:
    reply = room.api.ask(request_)
    assert set(reply) <= {"problem", "slots"}
    assert "Traceback" not in str(reply)


def test_suggestions_are_found_once_for_each_state_of_the_library(tmp_path: Path) -> None:
    text = "Vint Cerf chaired the Leadership Panel in Kyoto. Others were there too."
    library = make_library(tmp_path, {"a.txt": text})
    assistant = ScriptedAssistant(library)
    found = threading.Event()

    def ask(question: str) -> Answer:
        *_, last = assistant.stream(question)
        found.set()
        return last

    suggester = Suggester(library, ask)
    assert suggester.opening() == ()
    assert found.wait(PATIENCE)
    wait_for(lambda: suggester.ready)
    assert suggester.opening() == ("Who chaired the Leadership Panel in Kyoto?",)
    wait_for((library.path / "suggestions.json").exists)
    *_, answer = assistant.stream("Others that were there?")
    answer = replace(answer, citations=answer.citations[:1])
    following = suggester.following(answer, {answer.question})
    assert following[:1] == suggester.opening()
    assert suggester.following(answer, set(following)) == ()
    asked = len(assistant.histories)
    assert Suggester(library, ask).opening() == suggester.opening()
    assert len(assistant.histories) == asked
    write_articles(library, {"a.txt": "Nothing of that kind."})
    assert not suggester.ready


def test_closing_ends_the_search_for_suggestions_and_begins_no_other(tmp_path: Path) -> None:
    text = "Vint Cerf chaired the Panel in Kyoto.\n\nMaria Ressa welcomed the Declaration of 2023."
    library = make_library(tmp_path, {"a.txt": text})
    assistant, begun, go_on = ScriptedAssistant(library), threading.Event(), threading.Event()

    def ask(question: str) -> Answer:
        begun.set()
        assert go_on.wait(PATIENCE)
        *_, last = assistant.stream(question)
        return last

    suggester = Suggester(library, ask)
    suggester.opening()
    assert begun.wait(PATIENCE)
    closing = threading.Thread(target=suggester.close)
    closing.start()
    wait_for(suggester._closed.is_set)
    go_on.set()
    closing.join(PATIENCE)
    assert len(assistant.histories) == 1
    assert suggester.opening() == ()
    assert not (library.path / "suggestions.json").exists()


def wait_for(done: Callable[[], bool]) -> None:
    """Until it is so, or the test's own time limit ends it."""
    tick = threading.Event()
    while not done():
        tick.wait(0.01)


def test_why_names_forms_scores_and_times(room: Room) -> None:
    key = room.ask(KYOTO)
    page = room.api.ask({"name": "why", "key": key})["html"]
    for words in (KYOTO, "0.91", "120 tokens, 96 of which it knew", "the model’s reading 372 ms",
                  "searching and reading 38 ms", "Kyoto hosts", "0.70", "3.20"):  # fmt: skip
        assert words in page


def test_a_page_of_a_pdf_is_shown_with_the_sentence_boxed(room: Room, tmp_path: Path) -> None:
    (tmp_path / "book.pdf").write_bytes(book(3))
    room.library.update([tmp_path / "book.pdf"])
    text = room.library.document("book.pdf").text
    start = text.index("The lighthouse of chapter 2")
    place = {"document": "book.pdf", "start": start}
    reader = room.api.ask({"name": "read", **place})["slots"]["reader"]
    assert "Show page 2 as printed" in reader
    shown = room.api.ask({"name": "page", **place, "page": 2, "end": start + 40})["slots"]["paper"]
    assert "Page 2 of 3" in shown
    assert shown.count('class="boxed"') == 1
    assert "data:image/png;base64," in shown
    other = room.api.ask({"name": "page", **place, "page": 3, "end": start + 40})["slots"]["paper"]
    assert "the sentence is not on this page" in other
    assert "no page 9" in room.api.ask({"name": "page", **place, "page": 9})["problem"]
    plain = room.api.ask({"name": "read", "document": document_ids(room.library)[-1]})
    assert "as printed" not in plain["slots"]["reader"]


def test_a_topic_is_not_called_by_what_stands_above_each_text(room: Room) -> None:
    write_articles(room.library, {
        f"{n}.txt": f"On {thing}\nBy the Quillmark editors\nPublished: May {n}, 2024\n\n"
        f"The {thing} of Orn is old. Nobody repairs the {thing}.\n"
        for n, thing in enumerate(("bridge", "tower", "ferry", "quay", "market"), start=1)
    })  # fmt: skip
    assert "quillmark" not in room.api.ask({"name": "overview"})["html"].lower()


def test_the_library_is_seen_from_above_and_a_topic_names_its_documents(room: Room) -> None:
    drawn = room.api.ask({"name": "overview"})["html"]
    assert "2023-10: 1 document" in drawn and "2024-03: 1 document" in drawn
    assert "1 document without a date" in drawn
    assert "onerror" not in re.sub(r"&lt;.*?&gt;", "", drawn)
    topics = drawn.count('data-action="topic"')
    named = [room.api.ask({"name": "topic", "topic": n})["names"] for n in range(topics)]
    assert sorted(id_ for names in named for id_, _ in names) == document_ids(room.library)
    for wrong in (None, -1, topics, "x"):
        assert (
            "open the overview again" in room.api.ask({"name": "topic", "topic": wrong})["problem"]
        )
    room.library.remove(document_ids(room.library))
    assert "None of them has a date." in room.api.ask({"name": "overview"})["html"]


@pytest.mark.parametrize(
    ("dates", "labels"),
    [
        ((), []),
        (("2024-01-05", "2024-03-01", "2024-03-30"), ["2024-01", "2024-02", "2024-03"]),
        (("2019", "2021-04"), ["2019", "2020", "2021"]),
        (("1901", "1999-05-01"), [f"{y}–{y + 9}" for y in range(1900, 2000, 10)]),
    ],
)
def test_bars_stand_for_months_years_or_decades(dates: tuple[str, ...], labels: list[str]) -> None:
    records = [
        DocumentRecord(f"{n}.txt", "", "", "", when, 1, 0, 0, 3, "h", "/x", "")
        for n, when in enumerate(dates)
    ]
    found = overview.periods(records)
    assert [period.label for period in found] == labels
    assert sum(period.documents for period in found) == len(dates)
    for period in found:  # days that there are: a browser takes no others
        assert date.fromisoformat(period.since) < date.fromisoformat(period.until)
