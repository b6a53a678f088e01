"""Evaluation over small hand-made libraries whose every figure can be worked out by hand."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seeds
from index import Library
from index.errors import InputError
from index.types import EVERYWHERE, Document, DocumentRecord, Hit, ScoredSentence, SearchScope
from rag import Assistant
from rag.evaluation import (
    Question,
    Report,
    Row,
    compare,
    evaluate,
    load_questions,
    load_report,
    summarise,
)
from rag.evaluation.metrics import Place
from rag.query.follow_ups import History
from rag.types import Answer, CheckedDraft, Citation, Explanation, ShownSentence, Statement
from ui.commands.report_table import report_lines

RIVER = (
    "The Sel is a river in the north. It is 310 kilometres long.\n\n"
    "Its bridge at Orn was built in 1887. A flood took the bridge in 1931."
)
MOON = "The moon Tiva circles Brel in nine days.\n\nIts surface is ice. Nobody has landed on Tiva."
TEXTS = {"river.txt": RIVER, "moon.txt": MOON}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"the", "a", "in", "is", "was", "it", "of"}


@dataclass
class SmallLibrary(Library):
    """Paragraphs ranked by how many of the question's words they share, sentences likewise."""

    texts: dict[str, str]
    asked: list[tuple[str, int, Collection[str] | None]] = field(default_factory=list)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Hit]:
        self.asked.append((query, k, documents))
        hits = [
            self._hit(document_id, paragraph, words(query))
            for document_id, text in self.texts.items()
            if documents is None or document_id in documents
            for paragraph in re.finditer(r"[^\n]+", text)
        ]
        ranked = sorted((hit for hit in hits if hit.score), key=lambda hit: -hit.score)[:k]
        return [replace(hit, rank=rank) for rank, hit in enumerate(ranked, start=1)]

    def _hit(self, document_id: str, paragraph: re.Match[str], wanted: set[str]) -> Hit:
        def score(text: str) -> float:
            return len(words(text) & wanted) / max(1, len(wanted))

        start = paragraph.start()
        sentences = tuple(
            ScoredSentence(start + found.start(), start + found.end(), found[0], score(found[0]))
            for found in re.finditer(r"[^ .][^.]*\.", paragraph[0])
        )
        return Hit(
            document_id=document_id,
            title="",
            source="",
            start=start,
            end=paragraph.end(),
            text=paragraph[0],
            score=score(paragraph[0]),
            rank=0,
            sentences=sentences,
        )

    def documents(self) -> list[DocumentRecord]:
        return [
            DocumentRecord(
                id=document_id,
                title="",
                source="",
                author="",
                date="",
                paragraphs=0,
                passages=0,
                sentences=0,
                characters=len(text),
                content_hash="",
                path="",
                added_at="",
            )
            for document_id, text in self.texts.items()
        ]

    def document(self, document_id: str) -> Document:
        return Document(id=document_id, title="", text=self.texts[document_id])


@dataclass
class QuotingAssistant(Assistant):
    """Quotes the best sentence of the first hit; refuses below a share of shared words."""

    library: SmallLibrary
    enough: float = 0.4

    def answer(self, question: str, history: History = (), **options: Any) -> Answer:
        hits = self.library.search(question, 5, documents=options["documents"])
        if not hits or hits[0].score < self.enough:
            return Answer(question, "not_found", "Not in your documents.", complete=True)
        best = max(hits[0].sentences, key=lambda sentence: sentence.score)
        return quoting(question, hits[0].document_id, best.start, best.text)


class FixedAssistant(Assistant):
    """Gives the same answer to everything."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def answer(self, question: str, history: History = (), **options: Any) -> Answer:
        return replace(self._answer, question=question)


def citation(number: int, document_id: str, start: int, quote: str) -> Citation:
    return Citation(number, document_id, "", "", 1, start, start + len(quote), quote)


def quoting(question: str, document_id: str, start: int, quote: str) -> Answer:
    return Answer(
        question,
        "answered",
        f"{quote} [1]",
        (Statement(quote, "supported", (1,)),),
        (citation(1, document_id, start, quote),),
        complete=True,
    )


def at(document: str, part: str) -> Place:
    start = TEXTS[document].index(part)
    return Place(document, start, start + len(part))


def asks(question: str, answer: str, document: str, paragraph: int = 0) -> Question:
    text = TEXTS[document].split("\n\n")[paragraph]
    return Question(
        id=question,
        question=question,
        answerable=True,
        answers=(answer,),
        gold=(at(document, answer),),
        paragraph=at(document, text),
    )


def asks_in_vain(question: str, kind: str = "near_unanswerable") -> Question:
    return Question(id=question, question=question, answerable=False, kind=kind)


LENGTH = asks("How long is the river Sel?", "310 kilometres", "river.txt")
BUILT = asks("When was the bridge at Orn built?", "1887", "river.txt", 1)
DAYS = asks("In how many days does Tiva circle Brel?", "nine", "moon.txt")
NEAR = asks_in_vain("Who designed the bridge at Orn?")
QUESTIONS = [LENGTH, BUILT, DAYS, NEAR]


def small() -> SmallLibrary:
    return SmallLibrary(dict(TEXTS))


def run(questions: Sequence[Question], answer: Answer) -> Report:
    return evaluate(small(), FixedAssistant(answer), questions)


# --- question files --------------------------------------------------------------------------


def write(path: Path, *entries: dict[str, Any] | str) -> Path:
    lines = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


FULL: dict[str, Any] = {
    "id": "q1",
    "question": "When?",
    "answers": ["1887"],
    "document": "river.txt",
    "answer_start": 3,
    "gold": [{"document": "river.txt", "start": 3, "end": 7}],
    "need": "any",
    "paragraph": {"document": "river.txt", "start": 0, "end": 90},
    "answerable": True,
    "kind": "answerable",
}


def test_a_line_of_the_shared_shape_is_read_whole(tmp_path: Path) -> None:
    none = FULL | {"id": "q2", "answers": [], "gold": [], "answerable": False}
    none |= {"kind": "near_unanswerable", "need": "all"}
    path = write(tmp_path / "q.jsonl", "\ufeff" + json.dumps(FULL), "", none)
    assert load_questions(path) == [
        Question(
            "q1",
            "When?",
            True,
            ("1887",),
            (Place("river.txt", 3, 7),),
            "any",
            Place("river.txt", 0, 90),
        ),
        Question(
            "q2",
            "When?",
            False,
            need="all",
            paragraph=Place("river.txt", 0, 90),
            kind="near_unanswerable",
        ),
    ]


def test_a_turn_of_a_conversation_brings_the_turns_before_it(tmp_path: Path) -> None:
    turn = FULL | {"history": [["What is it?", "A river."]]}
    unclear = FULL | {"id": "q2", "answerable": False, "kind": "underspecified", "history": []}
    first, second = load_questions(write(tmp_path / "q.jsonl", turn, unclear))
    assert first.history == (("What is it?", "A river."),)
    assert (second.history, second.group) == ((), "unclear")
    bad = write(tmp_path / "bad.jsonl", FULL | {"history": ["What is it?"]})
    with pytest.raises(InputError, match="pairs"):
        load_questions(bad)


def test_a_persons_own_line_needs_little(tmp_path: Path) -> None:
    mine = {"id": "1", "question": "Wo\u2028liegt es?", "answerable": True, "answers": ["x"]}
    none = {"id": "2", "question": "Who?", "answerable": False, "kind": "odd\x1b[2J"}
    first, second = load_questions(write(tmp_path / "q.jsonl", mine, none))
    assert (first.need, first.gold, first.paragraph, first.group) == ("any", (), None, "answerable")
    assert first.question == "Wo\u2028liegt es?"
    assert second.group == "other"


def test_the_seed_questions_can_be_read() -> None:
    with seeds.questions().open(encoding="utf-8") as lines:
        expected = [json.loads(line)["id"] for line in lines]
    assert [question.id for question in load_questions(str(seeds.questions()))] == expected


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{", "not JSON"),
        ("[1]", "JSON object"),
        ("[" * 100_000, "nested"),
        (FULL | {"id": 7}, "id must be a text"),
        (FULL | {"question": "  "}, "question must be a text"),
        ('{"id": "x", "question": "\\ud800", "answerable": false}', "broken characters"),
        (FULL | {"answerable": "yes"}, "answerable must be true or false"),
        (FULL | {"need": "some"}, "need must be"),
        (FULL | {"answers": "1887"}, "answers must be a list"),
        (FULL | {"answers": [1887]}, "an answer must be a text"),
        (FULL | {"answers": [], "gold": []}, "needs answers or gold"),
        (FULL | {"gold": [{"document": "a", "start": 5, "end": 5}]}, "gold must give"),
        (FULL | {"gold": [{"document": "a", "start": True, "end": 5}]}, "gold must give"),
        (FULL | {"gold": [{"start": 1, "end": 5}]}, "gold's document"),
        (FULL | {"paragraph": [0, 5]}, "paragraph must give"),
        (FULL, "used twice"),
    ],
)
def test_a_malformed_line_is_named(
    tmp_path: Path, entry: dict[str, Any] | str, problem: str
) -> None:
    path = write(tmp_path / "q.jsonl", FULL, entry)
    with pytest.raises(InputError, match=rf"q\.jsonl, line 2: .*{problem}") as caught:
        load_questions(path)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_question_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_questions(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="no questions"):
        load_questions(write(tmp_path / "empty.jsonl"))
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(InputError, match="UTF-8"):
        load_questions(latin)


# --- a whole run -----------------------------------------------------------------------------


def test_a_run_worked_out_by_hand() -> None:
    library = small()
    report = evaluate(library, QuotingAssistant(library), QUESTIONS, far=3)
    assert report.questions == {"answerable": 3, "near": 1, "far": 3}
    assert report.retrieval["recall_1"] == report.retrieval["ndcg_10"] == 1
    # the length question's nearest sentence is the one that says "river", not the one with 310
    assert report.answers["right"] == report.answers["cites_gold"] == pytest.approx(2 / 3)
    assert report.citations["validity"] == report.citations["support"] == 1
    assert report.citations["gold_precision"] == pytest.approx(2 / 3)
    assert report.refusals == {"near": 0, "far": 1, "false": 0}
    assert report.headline == pytest.approx((2 / 3 + 3 / 4) / 2)
    assert report.arms["nearest"]["headline"] == pytest.approx(1 / 3)
    assert report.arms["bm25"]["right"] == 1
    assert report.arms["bm25"]["headline"] == 0.5
    assert report.notes == ()


def test_a_far_question_sees_every_document_but_its_own() -> None:
    library = small()
    evaluate(library, QuotingAssistant(library), [LENGTH], far=1)
    # each question is searched once by the evaluation and once by the assistant
    assert [documents for _, _, documents in library.asked] == [
        None,
        None,
        frozenset({"moon.txt"}),
        frozenset({"moon.txt"}),
    ]


def test_retrieval_only_asks_no_assistant_and_only_what_has_gold() -> None:
    for assistant in (None, QuotingAssistant(small())):
        report = evaluate(small(), assistant, QUESTIONS, retrieval_only=True, far=2)
        assert [row.id for row in report.rows] == [LENGTH.id, BUILT.id, DAYS.id]
        assert report.headline is None
        assert report.retrieval["mrr_10"] == 1
        assert report.refusals["false"] is None


def test_a_larger_limit_asks_the_same_questions_and_more() -> None:
    many = [asks_in_vain(f"Who is number {n}?") for n in range(30)]
    drawn = [
        {row.id for row in run_with(many, limit=limit, seed=1).rows} for limit in (5, 12, 30, 99)
    ]
    assert [len(ids) for ids in drawn] == [5, 12, 30, 30]
    assert drawn[0] < drawn[1] < drawn[2]
    assert {row.id for row in run_with(many, limit=5, seed=2).rows} != drawn[0]


def run_with(questions: Sequence[Question], *, limit: int | None, seed: int) -> Report:
    library = small()
    return evaluate(library, QuotingAssistant(library), questions, limit=limit, seed=seed)


def test_progress_counts_up_to_everything() -> None:
    seen: list[tuple[int, int]] = []
    library = small()
    evaluate(
        library,
        QuotingAssistant(library),
        [LENGTH, NEAR],
        far=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_documents_may_be_named_by_the_tail_of_their_id() -> None:
    nested = SmallLibrary({f"set/docs/{name}": text for name, text in TEXTS.items()})
    report = evaluate(nested, QuotingAssistant(nested), [BUILT, DAYS], far=1)
    assert report.retrieval["recall_1"] == report.answers["cites_gold"] == 1
    assert report.refusals["far"] == 1


def test_missing_documents_are_noted_and_none_at_all_is_an_error() -> None:
    library = SmallLibrary({"river.txt": RIVER})
    report = evaluate(library, None, [LENGTH, DAYS])
    assert report.retrieval["recall_10"] == 0.5
    assert report.notes == ("1 of 2 documents that the questions name are not in the library",)
    with pytest.raises(InputError, match="pilcrow add"):
        evaluate(SmallLibrary({"other.txt": "Other."}), None, [LENGTH])


def test_nothing_to_ask_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing to ask"):
        evaluate(small(), None, [NEAR], retrieval_only=True)


def test_a_question_that_cannot_be_asked_is_named() -> None:
    class Refusing(SmallLibrary):
        def search(self, query: str, k: int = 10, **scope: Any) -> list[Hit]:
            raise InputError("the question is too long")

    with pytest.raises(InputError, match=r"How long is the river Sel\?.*too long"):
        evaluate(Refusing(dict(TEXTS)), None, [LENGTH])


# --- single scores ---------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", [True, False])
def test_always_and_never_refusing_score_half_at_most(refuses: bool) -> None:
    answer = (
        Answer("", "not_found", "Not in your documents.")
        if refuses
        else quoting("", "river.txt", RIVER.index("Its bridge"), RIVER.split("\n\n")[1])
    )
    report = run([BUILT, NEAR], answer)
    assert report.headline == 0.5
    assert report.refusals["near"] == report.refusals["false"] == float(refuses)


def test_right_without_citing_gold_earns_no_credit() -> None:
    elsewhere = quoting("", "moon.txt", 0, MOON.split("\n\n")[0])
    answer = replace(elsewhere, statements=(Statement("It was 1887.", "supported", (1,)),))
    report = run([BUILT], answer)
    assert report.answers["right"] == report.answers["brief"] == 1
    assert report.answers["cites_gold"] == report.headline == 0
    assert report.citations["gold_precision"] == report.citations["gold_recall"] == 0
    assert report.citations["support"] == 0


def test_right_but_late_is_not_brief() -> None:
    long = quoting("", "river.txt", RIVER.index("Its bridge"), RIVER.split("\n\n")[1])
    said = "so " * 60 + "1887"
    report = run([BUILT], replace(long, statements=(Statement(said, "supported", (1,)),)))
    assert report.answers["right"] == 1
    assert report.answers["brief"] == 0


def test_markers_are_no_part_of_the_answer() -> None:
    answer = quoting("", "river.txt", RIVER.index("1887"), "1887")
    report = run([BUILT], replace(answer, statements=(Statement("1887 [1]", "supported", (1,)),)))
    assert report.answers["exact"] == report.answers["f1"] == 1


def test_validity_counts_wrong_quotes_and_markers_without_citation() -> None:
    good = citation(1, "river.txt", 0, "The Sel")
    answer = Answer(
        "",
        "answered",
        "It [1] is [2] so [3].",
        (Statement("It is so.", "supported", (1, 3)),),
        (good, citation(2, "river.txt", 1, "The Sel"), citation(4, "gone.txt", 0, "?")),
    )
    # valid: citation 1, markers 1 and 2 in the text, the statement's 1; not: two citations, 3, 3
    assert run([BUILT], answer).citations["validity"] == 0.5


def test_an_answer_without_statements_is_one_unsupported_statement() -> None:
    assert run([BUILT], Answer("", "answered", "Some say 1887.")).citations["support"] == 0


def test_a_refusal_counts_for_no_citation_figure() -> None:
    report = run([BUILT], Answer("", "not_found", "Not in your documents."))
    assert set(report.citations.values()) == {None}
    assert report.answers["right"] == report.answers["f1"] == 0


def test_a_cited_gold_answer_elsewhere_in_the_gold_document_counts() -> None:
    text = "The bridge was built in 1887.\n\nIn 1887 the bridge at Orn opened."
    library = SmallLibrary({"a.txt": text, "b.txt": "Also in 1887 there was war."})
    question = Question("q", "When?", True, ("1887",), (Place("a.txt", 24, 28),))
    second = FixedAssistant(quoting("", "a.txt", text.index("In 1887"), "In 1887 the bridge"))
    foreign = FixedAssistant(quoting("", "b.txt", 0, "Also in 1887 there was war."))
    assert evaluate(library, second, [question]).headline == 1
    assert evaluate(library, foreign, [question]).headline == 0
    unplaced = replace(question, gold=())
    assert evaluate(library, foreign, [unplaced]).headline == 1


def test_half_of_the_gold_is_enough_credit_where_all_is_needed() -> None:
    spans = (at("river.txt", "310 kilometres"), at("river.txt", "1887"), at("moon.txt", "nine"))
    question = Question("q", "Which numbers?", True, ("1887",), spans, "all")
    one = quoting("", "river.txt", RIVER.index("1887"), "1887")
    two = replace(
        one,
        citations=(*one.citations, citation(2, "moon.txt", MOON.index("nine"), "nine")),
    )
    assert run([question], one).citations["gold_recall"] == pytest.approx(1 / 3)
    assert run([question], one).headline == 0
    assert run([question], two).citations["gold_recall"] == pytest.approx(2 / 3)
    assert run([question], two).citations["gold_precision"] == 1
    assert run([question], two).headline == 1


# --- rankings --------------------------------------------------------------------------------


class RankedLibrary(SmallLibrary):
    """Finds the given places, whatever is asked."""

    def __init__(self, texts: dict[str, str], found: Sequence[Place]) -> None:
        super().__init__(texts)
        self._found = found

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        scope: SearchScope = EVERYWHERE,
    ) -> list[Hit]:
        return [
            Hit(
                p.document,
                "",
                "",
                p.start,
                p.end,
                self.texts[p.document][p.start : p.end],
                1 / rank,
                rank,
            )
            for rank, p in enumerate(self._found[:k], start=1)
        ]


def test_a_turn_is_right_with_half_of_its_reference_and_a_citation_anywhere_in_gold() -> None:
    reference = "The Sel runs through the north for 310 kilometres until the sea"
    turn = replace(
        LENGTH, answers=(reference,), history=(), paragraph=None, gold=(at("river.txt", RIVER),)
    )
    quote = "The Sel is a river in the north. It is 310 kilometres long."
    answer = quoting("", "river.txt", 0, quote)
    report = run([turn], answer)
    assert report.rows[0].values["credit"] == 1.0
    assert report.evidence["words"] == 13
    alone = run([replace(turn, history=None)], answer)
    assert alone.rows[0].values["right"] == alone.rows[0].values["cites_gold"] == 0.0


def test_the_conversation_is_told_to_the_assistant() -> None:
    told: list[History] = []

    class Listening(FixedAssistant):
        def answer(self, question: str, history: History = (), **options: Any) -> Answer:
            told.append(history)
            return super().answer(question, history, **options)

    listening = Listening(Answer("", "not_found", "", complete=True))
    evaluate(small(), listening, [replace(LENGTH, history=(("Hello?", "Yes."),)), BUILT])
    assert told == [(("Hello?", "Yes."),), ()]


def test_an_unclear_question_is_met_by_a_refusal_or_a_question() -> None:
    unclear = asks_in_vain("How long is it?", "underspecified")
    back = Answer("", "partial", "Which river do you mean?", complete=True)
    report = run([unclear, NEAR, LENGTH], back)
    assert report.refusals["unclear"] == 0.0
    assert (report.refusals["unclear_met"], report.refusals["asked_back"]) == (1.0, 1.0)
    assert report.refusals["near"] == 0.0
    refused = run([unclear, LENGTH], Answer("", "not_found", "Is it?", complete=True))
    assert (refused.refusals["unclear_met"], refused.refusals["asked_back"]) == (1.0, 0.0)
    assert run([unclear], quoting("", "river.txt", 0, "It.")).rows[0].values["credit"] == 0.0


def test_pieces_of_one_paragraph_count_once_in_ndcg() -> None:
    # three pieces of the other paragraph, then the gold one: third hit place 4, second paragraph
    found = [Place("river.txt", a, a + 10) for a in (0, 10, 20)] + [
        at("river.txt", "built in 1887")
    ]
    report = evaluate(RankedLibrary(dict(TEXTS), found), None, [BUILT])
    assert report.retrieval["mrr_10"] == 0.25
    assert report.retrieval["recall_1"] == 0
    assert report.retrieval["recall_5"] == 1
    assert report.retrieval["ndcg_10"] == pytest.approx(1 / math.log2(3))
    assert report.retrieval["top_1"] == 0


def test_a_piece_of_the_gold_paragraph_without_the_gold_is_no_hit() -> None:
    found = [at("river.txt", "A flood")]
    report = evaluate(RankedLibrary(dict(TEXTS), found), None, [BUILT])
    assert report.retrieval["recall_10"] == report.retrieval["mrr_10"] == 0
    assert report.retrieval["top_1"] == report.retrieval["ndcg_10"] == 1


def test_evidence_spread_over_documents_is_counted_by_document() -> None:
    texts = {name: f"Text of {name}." for name in "abcd"}
    question = Question("q", "?", True, gold=tuple(Place(name, 0, 9) for name in "abc"), need="all")
    found = [Place(name, 0, 4) for name in "ddabb"]
    report = evaluate(RankedLibrary(texts, found), None, [question])
    assert report.retrieval["recall_1"] == 0
    assert report.retrieval["recall_5"] == pytest.approx(2 / 3)
    assert report.retrieval["mrr_10"] == 0.5
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert report.retrieval["ndcg_10"] == pytest.approx((1 / math.log2(3) + 1 / 2) / ideal)
    assert report.retrieval["characters_recall"] is None


def test_evidence_within_one_document_is_counted_by_characters() -> None:
    text = "x" * 1000
    question = Question("q", "?", True, ("x",), (Place("a", 0, 100), Place("a", 500, 600)), "all")
    found = [Place("a", 0, 200), Place("a", 0, 200), *[Place("a", 700, 800)] * 3]
    found += [Place("a", 500, 600)]  # the sixth is not looked at
    report = evaluate(RankedLibrary({"a": text}, found), None, [question])
    assert report.retrieval["characters_recall"] == 0.5
    assert report.retrieval["characters_precision"] == pytest.approx(100 / 700)
    assert report.retrieval["characters_iou"] == pytest.approx(100 / 400)
    assert report.retrieval["recall_1"] == 1


def test_the_reference_ranks_whole_documents_where_documents_are_the_unit() -> None:
    texts = {"a": "Red kites.\n\nRed foxes.\n\nRed deer.", "b": "Blue whales and red squids."}
    question = Question("q", "red", True, gold=(Place("a", 0, 4), Place("b", 0, 4)), need="all")
    report = evaluate(SmallLibrary(texts), None, [question])
    assert report.arms["bm25"]["recall_1"] == 0.5
    assert report.arms["bm25"]["recall_5"] == 1
    assert report.retrieval["recall_1"] == 0.5


def test_the_reference_reads_the_librarys_paragraphs() -> None:
    text = "First line.\nSecond line with 1887.\n \n\nAnother paragraph."
    question = Question("q", "Second line 1887?", True, ("1887",), (Place("a", 29, 33),))
    report = evaluate(RankedLibrary({"a": text}, []), None, [question])
    assert text[29:33] == "1887"
    assert report.arms["bm25"]["recall_1"] == 1
    assert report.retrieval["recall_10"] == 0


# --- reports ---------------------------------------------------------------------------------


def test_a_report_survives_json(tmp_path: Path) -> None:
    library = small()
    report = evaluate(library, QuotingAssistant(library), QUESTIONS, far=2)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(report.to_dict() | {"comparison": {}}), encoding="utf-8")
    assert load_report(path) == report


@pytest.mark.parametrize("text", ["[]", "{}", "no", '{"rows": [{"id": 1}]}', '{"rows": [1]}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="not a saved evaluation"):
        load_report(path)


def credits(values: Sequence[float], kind: str = "answerable") -> list[Row]:
    return [Row(f"{kind}{number}", kind, {"credit": value}) for number, value in enumerate(values)]


def test_compare_pairs_questions_and_weighs_both_sides_alike() -> None:
    earlier = summarise(credits([0, 0, 0, 0, 1]) + credits([0], "near"))
    now = summarise(credits([1, 1, 1, 1]) + credits([0], "near") + credits([1], "far"))
    (difference,) = compare(now, earlier).differences
    # four answerables and one near question were asked both times
    assert (difference.name, difference.questions) == ("headline", 5)
    assert (difference.earlier, difference.now, difference.difference) == (0, 0.5, 0.5)
    assert (difference.low, difference.high) == (0.5, 0.5)


def test_compare_needs_common_questions() -> None:
    with pytest.raises(InputError, match="share no question"):
        compare(summarise(credits([1])), summarise(credits([1], "far")))


def test_the_same_run_compared_with_itself_has_not_moved() -> None:
    library = small()
    report = evaluate(library, QuotingAssistant(library), QUESTIONS)
    for each in compare(report, report).differences:
        assert (each.difference, each.low, each.high) == (0, 0, 0)
    assert [each.name for each in compare(report, report).differences] == [
        "headline",
        "right",
        "recall@5",
    ]


def test_the_table_shows_us_beside_the_references() -> None:
    library = small()
    report = evaluate(library, QuotingAssistant(library), QUESTIONS, far=3)
    lines = report_lines(report, compare(report, report))
    assert lines[0] == "asked: 3 answerable, 1 near, 3 far"
    outcome = lines[next(n for n, line in enumerate(lines) if line.startswith("outcome")) :][:4]
    assert [line.split() for line in outcome] == [
        ["outcome", "right", "brief", "cites", "gold", "headline"],
        ["pilcrow", "0.667", "0.667", "0.667", "0.708"],
        ["BM25's", "paragraph", "1.000", "1.000", "1.000", "0.500"],
        ["nearest", "sentence", "0.667", "0.667", "0.667", "0.333"],
    ]
    assert any(line.split()[:1] == ["headline"] and "+0.000" in line for line in lines)
    assert max(map(len, lines)) <= 90


def test_the_table_leaves_out_what_was_not_measured_and_says_one_sided() -> None:
    lines = report_lines(evaluate(small(), None, [LENGTH]))
    assert not any(line.startswith(("characters", "refused", "citations")) for line in lines)
    one_sided = report_lines(run([LENGTH], Answer("", "not_found", "")))
    assert one_sided[-1].startswith("note: the headline is one-sided")


def test_the_table_shows_nothing_of_questions_or_documents() -> None:
    hostile = "\x1b[2J<script>"
    question = replace(LENGTH, id=hostile, question=hostile, answers=(hostile,))
    lines = report_lines(run([question], Answer(hostile, "answered", hostile)))
    assert not any("\x1b" in line or "script" in line for line in lines)


def numbers_in(value: object) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers_in(part)]
    return [value] if isinstance(value, float) else []


ANSWERS: dict[str, Callable[[], Answer]] = {
    "refuses": lambda: Answer("", "not_found", ""),
    "quotes gold": lambda: quoting("", "river.txt", RIVER.index("Its bridge"), RIVER[61:97]),
    "quotes wrongly": lambda: quoting("", "moon.txt", 3, "no such words 1887"),
    "says without citing": lambda: Answer(
        "", "partial", "1887 [7]", (Statement("1887", "unsupported", ()),)
    ),
}


@given(
    st.sampled_from(sorted(ANSWERS)),
    st.lists(st.sampled_from(QUESTIONS), min_size=1, unique=True),
    st.integers(0, 3),
)
def test_every_figure_is_a_share(name: str, questions: list[Question], far: int) -> None:
    report = evaluate(small(), FixedAssistant(ANSWERS[name]()), questions, far=far)
    shares = [numbers_in(part) for part in (report.retrieval, report.answers, report.citations)]
    shares += [numbers_in(report.refusals), numbers_in(report.arms)]
    assert all(0 <= number <= 1 for part in shares for number in part)
    assert all(seconds >= 0 for seconds in numbers_in(report.seconds))
    for row in report.rows:
        assert row.values.get("credit", 0) <= row.values.get("right", 1)
        assert row.values.get("brief", 0) <= row.values.get("right", 1)
        assert row.values.get("exact", 0) <= row.values.get("f1", 1)


# --- evidence, drafts and the gate's curve ------------------------------------------------------


def explained(question: str, belief: float, outcome: str) -> Answer:
    """Quotes the length of the river; its model wrote one statement."""
    quote = "It is 310 kilometres long."
    start = RIVER.index(quote)
    return replace(
        quoting(question, "river.txt", start, quote),
        answerable=belief,
        explain=Explanation(
            evidence=(ShownSentence(1, "river.txt", start, start + len(quote), 0.9, lead=True),),
            prompt_tokens=200,
            drafts=(CheckedDraft((1,), "It is 310 kilometres long.", outcome),),
        ),
    )


@pytest.mark.parametrize(("outcome", "shown", "lost"), [("kept", 1, 0), ("beside the point", 0, 1)])
def test_what_checking_did_to_the_drafts_is_counted(outcome: str, shown: int, lost: int) -> None:
    report = run([LENGTH], explained("", 0.9, outcome))
    assert report.evidence == {"evidence_gold": 1, "prompt_tokens": 200, "words": 5}
    assert report.drafts == {"supported": 1, "shown": shown, "false_removals": lost}
    assert run([BUILT], explained("", 0.9, outcome)).evidence["evidence_gold"] == 0


def test_the_curve_says_what_other_thresholds_would_do() -> None:
    def row(kind: str, belief: float, credit: float) -> Row:
        refused = float(belief < 0.2)
        return Row(f"{kind}{belief}", kind, dict(answerable=belief, refused=refused, credit=credit))

    rows = [row("answerable", 0.1 * i, float(i > 4)) for i in range(1, 11)]
    rows += [row("far", 0.05, 1.0), row("near", 0.55, 0.0)]
    curve = summarise(rows).curve
    assert all(point["far"] == 1 for point in curve)
    half = next(point for point in curve if point["false"] == 0.5)
    assert half["near"] == 1
    assert half["risk"] == 0
    assert curve[0]["risk"] is None  # below the run's own threshold nobody knows
    assert [point["threshold"] for point in curve] == sorted(p["threshold"] or 0 for p in curve)
    assert summarise([]).curve == ()


def test_a_saved_report_keeps_its_curve(tmp_path: Path) -> None:
    report = run([LENGTH, NEAR], explained("", 0.9, "kept"))
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report.to_dict()))
    assert load_report(path).to_dict() == report.to_dict()
    assert any(line.startswith("gate's curve") for line in report_lines(report))
