"""Each task's answer is composed of the documents' own sentences, with exact citations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index import Library
from index.types import EVERYWHERE
from rag import Answer, Assistant
from rag.query.question import QueryVariant, analyze
from rag.query.task import understand
from rag.query.text_features import with_capitals
from rag.reader.ranker import Ranker
from rag.replies.answerability import Answerability
from rag.replies.extractive.composer import Composer
from rag.replies.topics import TopicSearch
from rag.types import RankedSentence, Ranking
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import make_library

HARBOUR = """Harbour Gets a Breakwater
Published: 2024-05-02

The harbour of Vintrop gets a breakwater. The council voted for it on May 2, 2024.

The breakwater will be 840 metres long. It will cost 12 million euros, more than was planned.

In 1998 a storm had sunk nine boats in the harbour. After that the fishermen asked for a wall.
"""
BRIDGE = """A Bridge for Solnes
Published: 2023-01-10

Solnes builds a bridge over the sound. The bridge will open in 2026.

The bridge replaces two ferries, which carry 900 people a day between the islands.
"""


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    for name, text in (("harbour.txt", HARBOUR), ("bridge.txt", BRIDGE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "harbour.txt", tmp_path / "bridge.txt"])
        yield made


def ask(library: Library, question: str) -> Answer:
    answer = Assistant(library, None, reader=None).answer(question)
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    assert answer.to_dict()["task"] == answer.task
    return answer


def test_a_document_is_summed_up_in_its_order(library: Library) -> None:
    answer = ask(library, "summarise the article about the harbour")
    assert (answer.task, answer.state) == ("summarise", "answered")
    assert {citation.document_id for citation in answer.citations} == {"harbour.txt"}
    assert {citation.paragraph for citation in answer.citations} == {1, 2, 3}
    starts = [citation.start for citation in answer.citations]
    assert starts == sorted(starts)


def test_an_overview_has_a_run_for_each_document(library: Library) -> None:
    answer = ask(library, "what do my documents say about the bridge and the harbour?")
    assert answer.task == "overview"
    assert {group.label for group in answer.groups} <= {"Harbour Gets a Breakwater",
                                                        "A Bridge for Solnes"}  # fmt: skip
    assert answer.text.startswith("- ")


def test_a_comparison_has_a_side_for_each(library: Library) -> None:
    answer = ask(library, "compare the breakwater with the bridge")
    assert (answer.task, answer.form) == ("compare", "columns")
    assert [group.label for group in answer.groups] == ["breakwater", "bridge"]
    assert {citation.document_id for citation in answer.citations} == {"harbour.txt", "bridge.txt"}


def test_a_briefing_has_as_many_points_as_are_asked_for(library: Library) -> None:
    answer = ask(library, "Write a 2-bullet briefing on the breakwater")
    assert (answer.task, answer.form) == ("order", "bullets")
    assert answer.text.count("- ") == len(answer.citations) == 2
    assert {citation.document_id for citation in answer.citations} == {"harbour.txt"}


def test_bullets_on_a_topic_are_as_many_as_are_asked_for(library: Library) -> None:
    answer = ask(library, "two bullet points on the breakwater")
    assert (answer.task, answer.form) == ("order", "bullets")
    assert answer.text.count("- ") == len(answer.citations) == 2


def test_what_is_asked_of_two_things_is_told_of_both(library: Library) -> None:
    answer = ask(library, "how long will the breakwater be and when will the bridge open?")
    assert {citation.document_id for citation in answer.citations} == {"harbour.txt", "bridge.txt"}
    places = [(citation.document_id, citation.start, citation.end) for citation in answer.citations]
    assert all(
        a[0] != b[0] or a[2] <= b[1] or b[2] <= a[1] for a in places for b in places if a != b
    )


def test_a_timeline_is_in_order(library: Library) -> None:
    answer = ask(library, "timeline of the harbour breakwater")
    assert answer.task == "timeline"
    assert [group.label for group in answer.groups] == ["1998", "2024-05-02"]


def test_a_table_of_what_is_dated_has_its_dates(tmp_path: Path) -> None:
    (tmp_path / "fairs.txt").write_text(
        "Fairs of the Coast\nPublished: 2024-06-01\n\n"
        "The Solnes fair opened on May 9, 2024. Nobody counted the guests.\n\n"
        "The Orrin fair opened on March 4, 2023. The Vintrop fair followed in June 2023.\n",
        encoding="utf-8",
    )
    (tmp_path / "bridge.txt").write_text(BRIDGE, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "fairs.txt", tmp_path / "bridge.txt"])
        answer = ask(made, "Make a table of the fairs")
        undated = ask(made, "Make a table of the ferries")
    assert (answer.task, answer.form) == ("order", "table")
    assert [group.label for group in answer.groups] == ["2023-03-04", "2023-06", "2024-05-09"]
    assert (undated.form, undated.groups) == ("table", ())


def test_a_timeline_of_what_a_document_tells_by_the_way_has_nothing_else(tmp_path: Path) -> None:
    told = "The treaty of Fremdal was signed in June 2011. It came to life in 2013."
    (tmp_path / "ferry.txt").write_text(f"{BRIDGE}\n{told}", encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "ferry.txt"])
        answer = ask(made, "timeline of the Fremdal treaty")
    assert answer.task == "timeline"
    assert [group.label for group in answer.groups] == ["2011-06", "2013"]


def test_a_capital_at_the_beginning_of_a_sentence_makes_no_name(tmp_path: Path) -> None:
    (tmp_path / "cables.txt").write_text(
        "Cut Off\nPublished: 2024-06-01\n\nBreaks are ordinary at sea.\n\n"
        "On March 4, 2023 the cable to Vintrop was cut.\n\n"
        "On May 9, 2024 a cable off Solnes was cut as well.\n",
        encoding="utf-8",
    )
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "cables.txt"])
        answer = ask(made, "timeline of cable breaks")
    assert [group.label for group in answer.groups] == ["2023-03-04", "2024-05-09"]


def test_what_another_sentence_of_the_document_says_of_the_question_is_told_too(
    tmp_path: Path,
) -> None:
    society = (
        "The Vintrop Rowers are the oldest on the coast. Two widows founded them.\n\n"
        "Boats are kept in a barn. Members pay nothing.\n\n"
        "The headquarters are in a mill on the sound, which has no heating at all.\n"
    )
    (tmp_path / "rowers.txt").write_text(f"Oars\n\n{society}", encoding="utf-8")
    (tmp_path / "bridge.txt").write_text(BRIDGE, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "rowers.txt", tmp_path / "bridge.txt"])
        answer = ask(made, "Where do the Vintrop Rowers have their headquarters?")
    assert answer.state != "not_found"
    assert "oldest on the coast" in answer.text
    assert "in a mill on the sound" in answer.text


def test_of_two_claims_the_one_about_what_is_named_comes_first(tmp_path: Path) -> None:
    told = (
        "Three Meetings\n\nThe charter of Vintrop was agreed by nine towns. Both Malm and Haug "
        "signed it.\n\nThe closing statement of Solnes found fewer friends. Malm refused."
    )
    (tmp_path / "meetings.txt").write_text(told, encoding="utf-8")
    question = "Did Malm sign the closing statement of Solnes?"
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "meetings.txt"])
        hits = made.search(question, 10)
        by_text = {
            sentence.text: RankedSentence.of(hit, position, 0.0)
            for hit in hits
            for position, sentence in enumerate(hit.sentences)
        }
        signed = replace(by_text["Both Malm and Haug signed it."], score=0.6)
        refused = replace(by_text["Malm refused."], score=0.3)
        composed = Composer(made).compose(
            analyze(question), question, Ranking((signed, refused), 0.9), EVERYWHERE
        )
    assert "Malm refused." in composed[0].text
    assert "signed it" in composed[1].text


def test_a_question_with_the_words_of_one_title_is_not_asked_back(library: Library) -> None:
    topics = TopicSearch(library)
    assert (
        topics.is_title("how many harbour breakwaters? the harbour breakwater", EVERYWHERE) is False
    )
    assert topics.is_title("which harbour gets a breakwater?", EVERYWHERE)
    assert not topics.is_title("what about the harbour?", EVERYWHERE)  # one word may be anyone's


def test_what_is_told_of_another_place_may_not_answer(library: Library) -> None:
    assert ask(library, "How long will the breakwater of Vintrop be?").state == "answered"
    answer = ask(library, "How long will the breakwater be that Solnes gets?")
    assert answer.state in ("partial", "not_found")


def test_a_name_typed_small_is_a_name_where_the_documents_write_it_large(library: Library) -> None:
    hits = library.search("the breakwater of Vintrop")
    texts = [hit.text for hit in hits]
    assert with_capitals("how long is it in vintrop harbour?", texts) == (
        "how long is it in Vintrop harbour?"
    )


def test_who_is_named_nowhere_leaves_a_question_without_an_answer(library: Library) -> None:
    answer = ask(library, "How long will the breakwater that Marlowe draws be?")
    assert answer.missing == ("Your documents do not mention “Marlowe”.",)


def test_what_is_nowhere_is_named(library: Library) -> None:
    answer = ask(library, "what do my documents say about Starlink?")
    assert answer.state == "not_found"
    assert answer.missing == ("Your documents do not mention “Starlink”.",)
    assert answer.text == "Not in your documents. Your documents do not mention “Starlink”."
    assert not answer.citations


def test_what_has_another_form_than_asked_for_is_told(library: Library) -> None:
    answer = ask(library, "How old is the bridge over the sound?")
    assert answer.state == "not_found"
    assert answer.missing == (
        "They speak of “bridge over the sound”, but the closest passages do not give the age. "
        "The closest passage is in “A Bridge for Solnes”.",
    )


def test_a_price_in_the_paragraph_beside_the_closest_one_is_not_missing(tmp_path: Path) -> None:
    text = (
        "The tide gauge of Vintrop was moved to the new quay on Monday. It stood there for years."
        "\n\nThe move cost 90,000 crowns. The old house of the gauge becomes a museum.\n"
    )
    (tmp_path / "gauge.txt").write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "gauge.txt"])
        answer = ask(library, "What did moving the tide gauge of Vintrop cost?")
    assert not any("amount of money" in sentence for sentence in answer.missing)
    assert "90,000" in answer.text or answer.state != "answered"


def test_a_price_in_another_document_that_is_as_close_is_not_missing(tmp_path: Path) -> None:
    texts = {
        "plan.txt": "Plans of Vintrop\n\nThe dredging of Vintrop has a cost nobody likes.\n",
        "report.txt": "A Report\n\nDredging at Vintrop took eleven weeks at a cost, in the end, of "
        "13 million crowns.\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / name for name in texts])
        answer = ask(made, "What was the cost of the dredging of Vintrop?")
        assert answer.state != "not_found"
        other = ask(made, "What was the price of the dredging of Vintrop?")
        assert other.missing


def test_only_a_refusal_that_knows_of_nothing_missing_names_what_may_answer(
    library: Library,
) -> None:
    unclear = ask(library, "Whose idea was the bridge?")
    assert unclear.state == "not_found"
    assert unclear.closest
    text = library.document(unclear.closest.document_id).text
    assert text[unclear.closest.start : unclear.closest.end] == unclear.closest.quote
    held = unclear.passages[0]
    assert held.start <= unclear.closest.start < held.end
    assert Answer.from_dict(unclear.to_dict()).closest == unclear.closest
    assert ask(library, "How old is the bridge over the sound?").closest is None
    assert ask(library, "what do my documents say about Starlink?").closest is None


def test_a_year_that_the_closest_document_does_not_know_is_told(library: Library) -> None:
    assert ask(library, "When had a storm sunk nine boats, in 1998?").state == "answered"
    answer = ask(library, "When had a storm sunk nine boats, in 1987?")
    assert answer.state == "not_found"
    assert "do not mention 1987" in answer.missing[0]


@pytest.mark.parametrize(
    "question", ["What is A Bridge for Solnes about?", "what's “A bridge for Solnes” all about"]
)
def test_what_a_document_is_about_is_its_summary(library: Library, question: str) -> None:
    answer = ask(library, question)
    assert (answer.task, answer.state) == ("summarise", "answered")
    assert {citation.document_id for citation in answer.citations} == {"bridge.txt"}


def test_what_is_remarked_after_a_question_need_not_be_there(library: Library) -> None:
    asked = "How long will the breakwater be?"
    told = ask(library, f"{asked} A cousin in Reykjavik quarrels about everything.")
    assert (told.state, told.citations) == ("answered", ask(library, asked).citations)


def test_a_comparison_is_there_when_both_of_its_sides_are(library: Library) -> None:
    answerability = Answerability(library)
    told = understand("compare the breakwater with the bridge")
    assert answerability.has_topic(told, [], EVERYWHERE)
    untold = understand("compare the breakwater with the lighthouse keeper")
    assert not answerability.has_topic(untold, [], EVERYWHERE)


def test_in_doubt_a_number_that_is_not_there_decides(library: Library) -> None:
    answerability, ranker = Answerability(library), Ranker(library)

    def lacks(question: str) -> bool:
        ranking = ranker.rank(QueryVariant.of(question), library.search(question))
        return answerability.lacks_asked(question, ranking, EVERYWHERE)

    assert not lacks("Will the bridge open in 2026?")
    assert lacks("Will the bridge open in 2031?")


def test_a_question_that_names_nothing_is_asked_back(library: Library) -> None:
    answer = ask(library, "when will it open?")
    assert answer.text.endswith("?")
    assert len(answer.options) == 2
    assert not answer.citations


def test_a_mistyped_word_is_read_and_said(library: Library) -> None:
    answer = ask(library, "how long will the breakwatter be")
    assert "Searched for “breakwater” for “breakwatter”." in answer.notes
    assert "840 metres" in answer.text
    assert answer.question == "how long will the breakwatter be"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("hello", "The library holds 2 articles."),
        ("thank you so much", "You're welcome."),
        ("how many articles are in here", "The library holds 2 documents"),
        ("which is the newest document", "The newest of your 2 articles is “Harbour Gets"),
        ("what's the oldest document in the library", "The oldest of your 2 articles is “A Bridge"),
        ("which of my articles are about the bridge?", "1 of your 2 articles is about “bridge”"),
        ("how many of the articles were published in 2024?", "1 of your 2 articles are dated 2024"),
        ("where does my data go?", "everything stays on this computer"),
    ],
)
def test_small_talk_and_questions_about_the_library(library: Library, said: str, told: str) -> None:
    answer = ask(library, said)
    assert told in answer.text
    assert (answer.state, answer.citations, answer.model) == ("answered", (), "none")


def test_a_document_of_words_that_score_nothing_is_looked_for_all_the_same(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:  # every hit has the score 0
        answer = Assistant(library, generator=None).answer("What about source: about?")
    assert answer.complete


def test_what_stands_alone_is_held_to_what_it_names_in_a_talk_too(library: Library) -> None:
    talk = [("What does the bridge replace?", "The bridge replaces two ferries.")]
    answer = Assistant(library, None, reader=None).answer(
        "How old is the bridge over the sound?", history=talk
    )
    assert answer.state == "not_found"
    assert "do not give the age" in answer.missing[0]


def test_a_dateline_is_no_part_of_the_best_sentence(tmp_path: Path) -> None:
    told = "A New Pier\n\nVINTROP, May 2 - The council of Vintrop opened the new pier on Monday.\n"
    (tmp_path / "pier.txt").write_text(told, encoding="utf-8")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "pier.txt"])
        *_, last = Assistant(made, None, reader=None).stream("Who opened the new pier?")
        assert last.headline
        assert last.headline.quote == "The council of Vintrop opened the new pier on Monday."
        text = made.document("pier.txt").text
        assert text[last.headline.start : last.headline.end] == last.headline.quote
