"""What a sentence says on its surface: numbers, names, negation, and what an answer looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.languages.stemming import any_of, match_forms
from index.tokenization import words
from rag.query.answer_type import AnswerType, answer_type
from rag.query.question import QueryVariant
from rag.query.text_features import (
    TextFeatures,
    content_stems,
    dates,
    features_of,
    in_english,
    names,
    negations,
    numbers,
    stem,
    years,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("5.3 billion users in 2023.", {"5.3", "2023"}),
        ("1,200 people and twelve dogs", {"1200", "12"}),
        ("no figures, only one word", set()),
        ("Die Stadt hat nach dem Fest zwölf Kabel und hundert Boote.", {"12", "100"}),
        ("Город купил десять лодок.", {"10"}),
        ("Es waren 1.234,5 Tonnen, ５３ und ١٢.", {"1234.5", "53", "12"}),
        ("Die Stadt hat nach dem Jahr 9.000 und 5,3 gezählt.", {"9000", "5.3"}),
        ("It cost 35 million euros, or 7%.", {"35", "7"}),
    ],
)
def test_numbers_are_read_as_digits(text: str, wanted: set[str]) -> None:
    assert numbers(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The forum met in Kyoto with Li Junru's help.", {"kyoto", "li", "junru"}),
        ("UNESCO opened it.", {"unesco"}),
        ("Nothing is named here.", set()),
    ],
)
def test_names_are_capitals_inside_a_sentence(text: str, wanted: set[str]) -> None:
    assert names(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It did not happen.", 1),
        ("They can't and won't.", 2),
        ("It failed.", 1),
        ("It did.", 0),
        ("Die Brücke wurde nie eröffnet, und der Fluss ist nicht breit.", 2),
        ("El puente no se abrió.", 1),
        ("Мост не открыли.", 1),
        ("桥没有开通。", 1),
        ("Die Stadt hat die Not gesehen.", 0),
    ],
)
def test_negations_are_counted(text: str, wanted: int) -> None:
    assert negations(text) == wanted


@pytest.mark.parametrize(
    ("one", "other"), [("governing", "governed"), ("treaties", "treaty"), ("cables", "cable")]
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many came?", "number"),
        ("Wie viele Menschen kamen?", "number"),
        ("Wann wurde die Brücke eröffnet?", "when"),
        ("Combien de personnes sont venues ?", "number"),
        ("¿Por qué se cerró el puente?", "why"),
        ("Где находится мост?", "where"),
        ("谁建造了桥？", "who"),
        ("橋はいつ開通しましたか？", "when"),
        ("كم عدد الجسور؟", "number"),
        ("When did it open?", "when"),
        ("Who opened it?", "who"),
        ("Which city hosted it?", "where"),
        ("Why did it fail?", "why"),
        ("What is a cable?", "other"),
    ],
)
def test_the_kind_of_answer_is_read_from_the_question(question: str, kind: AnswerType) -> None:
    assert answer_type(question) == kind


@pytest.mark.parametrize(
    ("question", "text", "wanted"),
    [
        ("How many came in 2023?", "In 2023 about 8,000 came.", True),
        ("How many came in 2023?", "Many came in 2023.", False),
        ("Who opened it?", "It was opened by Fumio Kishida.", True),
        ("Who opened it?", "It was opened.", False),
        ("What is it?", "It is a cable.", None),
    ],
)
def test_a_text_fits_when_it_has_something_new_of_that_kind(
    question: str, text: str, wanted: bool | None
) -> None:
    assert QueryVariant.of(question).has_answer_type(TextFeatures(text)) is wanted


def test_chinese_runs_are_cut_into_pairs() -> None:
    assert words("黑豹队 lost") == ("黑豹", "豹队", "lost")


@given(st.text(max_size=300))
def test_any_text_makes_a_query_of_quoted_words_only(text: str) -> None:
    query = any_of(match_forms(text))
    bare = [part for part in query.split(" OR ") if part]
    assert all(part[0] == part[-1] == '"' and '"' not in part[1:-1] for part in bare)


@given(st.text(max_size=300) | st.sampled_from(["In May 2014, 62 % of UNESCO's staff said no."]))
def test_features_are_what_the_functions_find(text: str) -> None:
    features = TextFeatures(text)
    for _ in range(2):  # found, then kept
        assert features.words == words(text)
        assert features.stems == set(content_stems(text))
        assert (features.names, features.numbers) == (names(text), numbers(text))
        assert (features.years, features.dates) == (years(text), dates(text))
        assert features.negations == negations(text)


def test_what_a_text_says_is_looked_for_once_for_all_who_come_to_it() -> None:
    text = "In May 2014, 62 % of UNESCO's staff said no."
    once = features_of(text)
    assert once == TextFeatures(text)
    assert once.stems is features_of("".join(list(text))).stems


@given(st.text(max_size=300))
def test_nothing_breaks_on_any_text(text: str) -> None:
    assert all(content_stems(text)) or not content_stems(text)
    assert negations(text) >= 0
    assert all(any(c.isdigit() for c in number) for number in numbers(text))


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("The forum met in Kyoto, and the delegates spoke about cables that were cut.", True),
        ("She said it was not the first time that this had been tried.", True),
        ("Die Stadt hat im Mai die neue Brücke über den Fluss eröffnet.", False),
        ("La ville a inauguré en mai le nouveau pont sur le fleuve.", False),
        ("Мост через реку открыли в мае.", False),
    ],
)
def test_english_is_known_by_the_words_that_join_others(text: str, english: bool) -> None:
    assert in_english(text) is english
