"""What a capable model writes of a composed answer: shown where its sources carry it, else not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Library
from index.errors import ModelFailed
from rag import Assistant
from rag.grounding.citations import ProseParser
from rag.grounding.verification.attribution import Attribution, Attributor
from rag.llm.generator import Message
from rag.query.task import Request
from rag.replies.wording.writer import Check, with_quotes
from rag.types import Answer, Draft, Quotation, SourcedStatement
from tests.rag.test_assistant import CABLES, FORUM, check_pointers
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator

OPENING = "Who gave the opening speech of the forum in Kyoto?"
SAID = "Prime Minister Fumio Kishida gave the opening speech."
BRIDGES = """Bridges of Ravenport

The old bridge of Ravenport was finished in 1884 by Ada Lind. It is made of stone.

The new bridge of Ravenport was finished in 1999 by Otto Berg. It is made of steel.
"""


class FailingGenerator(ScriptedGenerator):
    """Fails in the middle of an answer."""

    def reply(self, messages: Sequence[Message]) -> str:
        raise ModelFailed("the language model's process ended")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    shelf = {"forum.txt": FORUM, "cables.txt": CABLES, "bridges.txt": BRIDGES}
    for name, text in shelf.items():
        (tmp_path / name).write_text(text)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / name for name in shelf])
    return library


def ask(library: Library, question: str, *replies: str) -> Answer:
    return Assistant(library, ScriptedGenerator(replies)).answer(question, explain=True)


def test_a_statement_that_its_sentence_carries_is_told_first_and_cites_it(library: Library) -> None:
    answer = ask(library, OPENING, f"{SAID} ")
    assert answer.statements[0].text == SAID
    assert not answer.statements[0].quoted
    assert answer.citations[0].quote == SAID
    assert answer.model == "scripted"
    check_pointers(library, answer)


def test_the_best_sentence_is_not_shown_once_more_above_words_that_rest_on_it(
    library: Library,
) -> None:
    quotes = Assistant(library, None).answer(OPENING)
    assert quotes.headline is not None and "Kishida" in quotes.headline.quote
    assert ask(library, OPENING, f"{SAID} ").headline is None
    assert ask(library, OPENING, "Whales sing at night.").headline == quotes.headline


@pytest.mark.fault("D9")
@pytest.mark.parametrize(
    "said",
    [
        "President Emmanuel Macron gave the opening speech.",  # a name that is nowhere
        "Prime Minister Fumio Kishida gave the opening speech in 2017.",  # a number that is nowhere
        "The passages do not mention who gave the speech.",  # of what it was given
        "The passage suggests that Prime Minister Fumio Kishida gave the opening speech.",
        "According to the text Prime Minister Fumio Kishida gave the opening speech.",
        "As an AI I cannot say who gave the opening speech.",
        "Kishida",
        "Whales sing to each other across oceans at night.",
        "",
        "\x00\x1b[31m",
        "[1] [2] [3]",
    ],
)
def test_what_no_sentence_carries_is_not_shown_and_the_quotes_stay(
    library: Library, said: str
) -> None:
    quotes = Assistant(library, None).answer(OPENING)
    answer = ask(library, OPENING, said)
    assert [statement.text for statement in answer.statements] == [
        statement.text for statement in quotes.statements
    ]
    assert answer.model == "none"


def test_composed_quotes_are_on_screen_before_the_model_is_asked(library: Library) -> None:
    generator = ScriptedGenerator([f"{SAID} "])
    seen = []
    for snapshot in Assistant(library, generator).stream(OPENING):
        seen.append((snapshot.stage, bool(snapshot.statements), bool(generator.asked)))
    assert ("reading", True, False) in seen
    assert seen[-1] == ("done", True, True)


def test_both_sides_of_a_comparison_keep_their_columns(library: Library) -> None:
    question = "Compare the old bridge of Ravenport and the new bridge of Ravenport"
    reply = (
        "old bridge of Ravenport: The old bridge of Ravenport was finished in 1884 by Ada Lind.\n"
        "new bridge of Ravenport: The new bridge of Ravenport was finished in 1999 by Otto Berg.\n"
    )
    answer = ask(library, question, reply)
    own = {group.label: answer.statements[group.statements[0] - 1] for group in answer.groups}
    assert own["old bridge of Ravenport"].text.endswith("in 1884 by Ada Lind.")
    assert own["new bridge of Ravenport"].text.endswith("in 1999 by Otto Berg.")
    assert not any(one.quoted for one in own.values())
    check_pointers(library, answer)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("Yes, Fumio Kishida gave the opening speech.", "Yes, Fumio Kishida gave"),
        ("Yes. Fumio Kishida gave the opening speech.", "Yes, Fumio Kishida gave"),
        ("No, Fumio Kishida gave the opening speech.", "Fumio Kishida gave"),  # denies nothing
    ],
)
def test_yes_or_no_stands_before_what_it_rests_on(library: Library, reply: str, shown: str) -> None:
    answer = ask(library, "Did Fumio Kishida give the opening speech in Kyoto?", reply)
    assert answer.statements[0].text.startswith(shown)


@pytest.mark.parametrize(
    ("question", "reply", "shown"),
    [
        (OPENING, "Yes, Fumio Kishida gave the opening speech.", ["Yes, Fumio Kishida gave"]),
        ("Did a minister give the opening speech?", "No minister gave the opening speech.", []),
    ],
)
def test_a_yes_is_parted_from_what_is_checked_and_a_denial_is_not(
    library: Library, question: str, reply: str, shown: list[str]
) -> None:
    """Whatever the question was taken for."""
    told = [
        statement.text
        for statement in ask(library, question, reply).statements
        if not statement.quoted
    ]
    assert [text[: len("Yes, Fumio Kishida gave")] for text in told] == shown


@pytest.mark.fault("E4")
def test_a_model_that_fails_leaves_the_quotes_and_one_line(library: Library) -> None:
    quotes = Assistant(library, None).answer(OPENING)
    assistant = Assistant(library, FailingGenerator())
    answer = assistant.answer(OPENING)
    assert answer.text == quotes.text
    assert answer.notes == ("Finished with quotes only: the language model's process ended",)
    assert assistant.answer("How many submarine cables were cut in the Red Sea?").citations


@pytest.mark.fault("E4")
def test_a_model_that_repeats_itself_is_heard_once(library: Library) -> None:
    answer = ask(library, OPENING, f"{SAID} " * 40)
    assert [statement.text for statement in answer.statements].count(SAID) == 1


def test_stopping_leaves_what_is_there(library: Library) -> None:
    assistant = Assistant(library, ScriptedGenerator([f"{SAID} "]))
    answer = assistant.answer(OPENING, stop=lambda: True)
    assert answer.complete and "Kishida" in answer.text


def test_what_is_in_doubt_the_model_is_asked_about_and_can_be_switched_off(
    library: Library,
) -> None:
    doubtful = "Fumio Kishida opened the forum."

    def shown(odds: float, *, judge: bool = True) -> bool:
        generator = ScriptedGenerator([doubtful])
        generator.odds = lambda messages: odds
        answer = Assistant(library, generator, judge=judge).answer(OPENING)
        return answer.statements[0].text == doubtful

    assert shown(9.0)
    assert not shown(-9.0)
    assert not shown(9.0, judge=False)


class Likely(Attributor):
    """Finds every statement likely in its first sentence."""

    def attribute(self, statement: str) -> Attribution:
        return Attribution(tuple(self._sources[:1]), 0.9)


@pytest.mark.parametrize(
    ("odds", "judges", "shown"),
    [
        (9.0, True, ["judged +9.0"]),
        (-9.0, True, []),
        (None, True, ["kept"]),  # a server that cannot say leaves it to the judgement
        (-9.0, False, ["kept"]),
    ],
)
def test_what_is_likely_but_not_said_word_for_word_is_asked_about_as_well(
    odds: float | None, judges: bool, shown: list[str]
) -> None:
    source = Quotation("a.txt", "A", "", "", 1, 0, 14, "The ship sank.", 0.5)
    likely = Likely(BagOfWordsEncoder().encode_query, [source])
    generator = ScriptedGenerator()
    if odds is not None:
        generator.odds = lambda messages: odds
    check = Check(likely, Request("fact", "ship"), [source], judges=judges)
    told = [check.written(Draft((), "It was the ship that sank."))]
    told += check.judged(generator, lambda: False) if judges else []
    assert [one.draft.outcome for one in told if one.told] == shown


def test_what_points_at_a_statement_that_is_not_shown_is_not_shown_either(library: Library) -> None:
    wrong, leaning = "Emmanuel Macron built the new bridge.", "It is made of stone."
    question = "What is the old bridge of Ravenport?"
    said = [
        statement.text
        for statement in ask(library, question, f"{wrong} {leaning}").statements
        if not statement.quoted
    ]
    assert said == []
    right = "The old bridge of Ravenport was finished in 1884 by Ada Lind."
    answer = ask(library, question, f"{right} {leaning}")
    assert [statement.text for statement in answer.statements if not statement.quoted] == [
        right,
        leaning,
    ]
    assert answer.explain and answer.explain.drafts[1].outcome == "kept"


def test_what_points_at_a_statement_is_shown_once_that_one_is(library: Library) -> None:
    doubtful, leaning = "Ada Lind was done with the old bridge in 1884.", "It is made of stone."
    generator = ScriptedGenerator([f"{doubtful} {leaning}"])
    generator.odds = lambda messages: 9.0
    question = "What is the old bridge of Ravenport?"
    answer = Assistant(library, generator).answer(question, explain=True)
    told = [statement.text for statement in answer.statements if not statement.quoted]
    assert told == [doubtful, leaning] and answer.explain
    outcomes = [draft.outcome for draft in answer.explain.drafts]
    assert outcomes == ["dropped", "dangling", "judged +9.0", "kept"]


def test_what_adds_nothing_is_neither_asked_about_nor_told_again(library: Library) -> None:
    asked: list[Sequence[Message]] = []

    def odds(messages: Sequence[Message]) -> float:
        asked.append(messages)
        return 9.0

    first = "Prime Minister Fumio Kishida gave the opening speech."
    generator = ScriptedGenerator([f"{first} Fumio Kishida gave the forum an opening speech."])
    generator.odds = odds
    answer = Assistant(library, generator).answer(OPENING)
    assert [statement.text for statement in answer.statements if not statement.quoted] == [first]
    assert not asked


def test_a_follow_up_goes_on_with_what_the_model_has_read(library: Library) -> None:
    generator = ScriptedGenerator(["", "", ""])
    generator.prompt_tokens = 60
    assistant = Assistant(library, generator)
    first, second = OPENING, "How many people took part in Kyoto?"
    answer = assistant.answer(first)
    assistant.answer(second, [(first, answer.text)])
    before, after = (asked[-1]["content"].partition("Question: ")[0] for asked in generator.asked)
    assert after.startswith(before.partition("\n\nQuestion")[0].rstrip())


def test_a_follow_up_asked_of_less_reads_nothing_of_the_rest(library: Library) -> None:
    generator = ScriptedGenerator(["", "", ""])
    assistant = Assistant(library, generator)
    answer = assistant.answer(OPENING)
    read = generator.asked[-1][-1]["content"]
    cited = answer.citations[0].document_id
    rest = [record for record in library.documents() if record.id != cited]
    elsewhere = [p.text for record in rest for p in library.passages(record.id) if p.text in read]
    assert elsewhere
    second = "How many people took part in Kyoto?"
    assistant.answer(second, [(OPENING, answer.text)], documents=[cited])
    assert not any(text in generator.asked[-1][-1]["content"] for text in elsewhere)


def test_prose_is_handed_out_sentence_by_sentence() -> None:
    parser = ProseParser()
    assert [d.text for d in parser.feed("It met in Kyoto. It w")] == ["It met in Kyoto."]
    assert [d.text for d in parser.feed("as large.\n- Many came. ")] == ["It was large."]
    assert [d.text for d in parser.close()] == ["Many came."]
    assert parser.feed("A sentence that is cut o") == []
    assert parser.close() == []  # what has no end was cut off


@given(
    st.lists(st.sampled_from(["It rose. ", "Many ", "came", " in 2019", ". ", "\n- ", "He"])),
    st.integers(1, 7),
)
def test_prose_reads_the_same_in_pieces_of_any_size(parts: list[str], size: int) -> None:
    text = "".join(parts)

    def read(pieces: list[str]) -> str:
        parser = ProseParser()
        found = [draft for piece in pieces for draft in parser.feed(piece)]
        return " ".join(draft.text for draft in [*found, *parser.close()])

    whole = read([text])
    assert read([text[at : at + size] for at in range(0, len(text), size)]) == whole


def test_quotes_beside_statements_end_with_a_whole_sentence_and_keep_their_place() -> None:
    text = " ".join(f"Sentence number {n} tells of thing {n} and is not long." for n in range(20))
    composed = [Quotation("a.txt", "A", "", "", 1, 7, 7 + len(text), text, 0.5)]
    said = SourcedStatement("Whales sing at night.", tuple(composed), quoted=False)
    first, beside = with_quotes([said] * 1, composed)
    assert first == said and with_quotes([], composed)[0].text == text
    many = [replace(said, text=f"Whale {n} sings to the sea at night all alone.") for n in range(9)]
    *_, beside = with_quotes(many, composed)
    (source,) = beside.sources
    assert beside.text.endswith(".") and text.startswith(beside.text)
    assert source.end - source.start == len(source.text) < len(text)


def test_what_is_said_of_something_else_leaves_the_quotation_where_it_is() -> None:
    text = " ".join(f"Sentence number {n} tells of thing {n} and is not long." for n in range(6))
    composed = [Quotation("a.txt", "A", "", "", 1, 7, 7 + len(text), text, 0.5)]
    beside = "Whales sing at night, far out in the cold sea, where ships and sailors seldom come."
    elsewhere = (replace(composed[0], document_id="b.txt"),)
    written = [SourcedStatement(f"{beside} {beside}", elsewhere, quoted=False)]
    assert [one.text for one in with_quotes(written, composed)][1:] == [text]
    # but what a follow-up is about the model knows better than the search, if it names that
    where = "Where do whales sing at night?"
    assert with_quotes(written, composed, before=where) == written
    assert [one.text for one in with_quotes(written, composed, before="Who met?")][1:] == [text]
    resting = [replace(written[0], sources=tuple(composed))]
    assert [one.text for one in with_quotes(resting, composed, before=where)][1:] == [text]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("The mandate ends in 2025, when a review is due.", "The forum takes no votes."),
        ("The forum does not take any votes.", "The mandate ends in 2025, with a review."),
        ("Nobody votes.", "The forum takes no votes. The mandate ends in 2025, with a review."),
    ],
)  # fmt: skip
def test_a_quotation_beside_says_nothing_that_was_said_of_its_first_or_last_sentence(
    told: str, left: str
) -> None:
    text = "The forum takes no votes. The mandate ends in 2025, with a review."
    composed = [Quotation("a.txt", "A", "", "", 1, 7, 7 + len(text), text, 0.5)]
    sentences = [
        replace(composed[0], end=32, text=text[:25]),
        replace(composed[0], start=33, text=text[26:]),
    ]
    written = [SourcedStatement(told, tuple(sentences), quoted=False)]
    _, beside = with_quotes(written, composed)
    (source,) = beside.sources
    assert beside.text == source.text == left
    assert text[source.start - 7 : source.end - 7] == left


def test_a_sentence_that_points_back_is_not_left_without_the_one_before() -> None:
    text = "The forum takes no votes. That is its strength, say ministers and campaigners in Kyoto."
    quotation = Quotation("a.txt", "A", "", "", 1, 7, 7 + len(text), text, 0.5)
    source = replace(quotation, end=32, text=text[:25])
    said = SourcedStatement("The forum takes no votes.", (source,), quoted=False)
    assert with_quotes([said], [quotation])[1].text == text


def test_a_quotation_is_its_own_statement() -> None:
    one = Quotation("a.txt", "A", "", "", 1, 0, 9, "It  rose.", 0.5, "Oslo")
    assert SourcedStatement.of_quotation(one) == SourcedStatement(
        "It rose.", (one,), quoted=True, label="Oslo"
    )
