"""What a statement may not do with its source's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.grounding.verification.contradiction import (
    antonyms,
    find_antonym,
    find_contradiction,
    find_swapped_numbers,
    has_other_modality,
    has_reordered_words,
)
from tests.benchmarks.bench_statements import Written, written

VOTE = "The final vote came on March 13, 2024: 523 were in favour, 46 against, and 49 abstained."
WORDS = st.lists(
    st.sampled_from(["rose", "fell", "first", "last", "5", "7", "1990", "May", "12", "of", "two"]),
    max_size=12,
)


@pytest.mark.parametrize(
    ("statement", "source", "how"),
    [
        ("The bridge will open in May.", "The bridge should open in May.", "modality"),
        ("The bridge opens in May.", "The bridge may open in May.", "modality"),
        ("The bridge must open in May.", "The bridge will open in May.", "modality"),
        ("The bridge may open in May.", "The bridge opens in May.", "modality"),
        ("The bridge should open in May.", "The bridge should open in May, they say.", None),
        ("The bridge will open in May.", "The bridge opens in May.", None),
        ("The bridge opens in May.", "The bridge will open in May.", None),
        ("It could sink boats.", "A storm that could sink boats is near.", None),
        ("There are rights groups and there are rights groups.", "There are groups.", "loop"),
        ("three repairs every week, or three repairs every week", "three repairs a week", "loop"),
        ("It rose in May and fell in May.", "It rose in May and fell in May.", None),
        ("one of the oldest of the oldest of the oldest", "the oldest", "loop"),
    ],
)
def test_what_may_be_is_not_what_is_and_nothing_is_said_over_and_over(
    statement: str, source: str, how: str | None
) -> None:
    assert find_contradiction(statement, [source]) == how


@given(WORDS)
def test_a_sentence_has_its_own_modality(told: list[str]) -> None:
    sentence = " ".join([*told[:5], "may", "rise", *told[5:]])
    assert not has_other_modality(sentence, sentence)


@pytest.mark.parametrize(
    ("statement", "numbers"),
    [
        ("46 were in favour and 523 against.", ("46", "523")),
        ("523 were in favour, 49 against and 46 abstained.", ("49", "46")),
        ("523 were in favour and 46 against.", None),
        ("With 523 in favour and 46 against, it passed on March 13, 2024.", None),
        ("On 13 March 2024 the vote was 523 to 46.", None),
        ("Members were against.", None),
    ],
)
def test_numbers_keep_their_order_and_dates_may_go_anywhere(
    statement: str, numbers: tuple[str, str] | None
) -> None:
    assert find_swapped_numbers(statement, [VOTE]) == numbers


def test_numbers_of_different_sources_have_no_order() -> None:
    assert (
        find_swapped_numbers(
            "It has 5 rooms and 9 doors.", ["There are 9 doors.", "There are 5 rooms."]
        )
        is None
    )
    assert find_swapped_numbers("It has five rooms and 9 doors.", ["9 doors, five rooms."]) == (
        "5",
        "9",
    )


def test_a_date_told_without_its_month_is_no_amount_of_its_source() -> None:
    assert (
        find_swapped_numbers("They came on the 5th or 5 of 12.", ["On May 5 12 came, then 5."])
        is None
    )


def test_thousands_of_numbers_are_compared_in_no_time() -> None:
    numbers = [str(number) for number in range(3000, 30_000)]
    there, back = " ".join(numbers), " ".join(reversed(numbers))
    assert find_swapped_numbers(there, [there]) is None
    assert find_swapped_numbers(back, [there]) == ("29999", "29998")


@given(st.permutations(["3", "5", "7", "9"]), st.permutations(["3", "5", "7", "9", "5"]))
def test_two_are_exchanged_when_one_always_stands_behind_the_other(
    said: list[str], there: list[str]
) -> None:
    wrong = any(
        there.index(a) > max(at for at, one in enumerate(there) if one == b)
        for i, a in enumerate(said)
        for b in said[i + 1 :]
    )
    assert (find_swapped_numbers(" ".join(said), [" ".join(there)]) is not None) is wrong


@pytest.mark.parametrize(
    ("statement", "source", "word"),
    [
        ("Sales fell in May.", "Sales rose in May.", "fell"),
        ("Sales rose in May.", "Sales rose in May and fell in June.", None),
        ("Sales rose and fell.", "Sales rose.", None),
        ("It ended after the war.", "It ended before the war.", "after"),
        ("The first phase met in Geneva.", "The second phase met in Geneva.", "first"),
        ("Few of them are cut by anchors.", "Most of them are cut by anchors.", "few"),
        ("It applies until February.", "It applies from February.", "until"),
        ("销售额下降。", "销售额上升。", "下降"),
    ],
)
def test_a_word_turned_into_its_opposite_is_told(
    statement: str, source: str, word: str | None
) -> None:
    assert find_antonym(statement, source) == word


def test_every_word_of_the_list_is_the_opposite_of_its_opposites() -> None:
    opposites = antonyms()
    assert opposites["fell"] == {"rose"} and opposites["lost"] == {"won", "gained", "defeated"}
    assert all(word in opposites[other] for word in opposites for other in opposites[word])
    assert all(word.isalpha() and word.islower() and opposites[word] for word in opposites)


STEERED = (
    "The negotiations were steered by two ambassadors, Ekitela Lokaale of Kenya and Suela Janina "
    "of Albania."
)
TOLD = "Vice President Vance told the hall that excessive regulation could kill a young industry."
ADOPTED = "On March 1, 2024 the General Assembly adopted the text in New York without a vote."


@pytest.mark.parametrize(
    ("statement", "source", "wrong"),
    [
        ("Ambassadors Ekitela Lokaale of Albania and Suela Janina of Kenya steered them.", STEERED,
         False),  # passive in one only: not told
        ("They were steered by Ekitela Lokaale of Albania and Suela Janina of Kenya, ambassadors.",
         STEERED, True),
        ("Vance told the hall that a young industry could kill excessive regulation.", TOLD, True),
        ("Vance told the hall that regulation could kill an industry.", TOLD, False),
        ("Japan sued China over the islands.", "In May China sued Japan over the islands.", True),
        ("Japan was sued by China.", "In May China sued Japan over the islands.", False),
        ("China sued Japan in May.", "In May China sued Japan over the islands.", False),
        ("Rice feeds Japan and China.", "China and Japan grow rice.", False),
        ("In New York the General Assembly adopted the text on March 1, 2024.", ADOPTED, False),
        ("The text was adopted by the General Assembly in New York.", ADOPTED, False),
    ],
)  # fmt: skip
def test_words_keep_their_neighbours(statement: str, source: str, wrong: bool) -> None:
    assert has_reordered_words(statement, [source]) is wrong


def test_words_of_different_sources_have_no_order() -> None:
    sources = ["Ann paid Bob.", "Carol thanked Dora and left Edinburgh."]
    assert not has_reordered_words(
        "Carol thanked Dora, Ann paid Bob, and Carol left Edinburgh.", sources
    )


@given(words=WORDS, kept=st.lists(st.booleans(), min_size=12, max_size=12))
def test_what_only_leaves_words_out_contradicts_nothing(words: list[str], kept: list[bool]) -> None:
    shorter = " ".join(word for word, keep in zip(words, kept, strict=False) if keep)
    source = " ".join(words)
    assert find_antonym(shorter, source) is None
    assert find_swapped_numbers(shorter, [source]) is None
    assert not has_reordered_words(shorter, [source])


@given(st.lists(st.sampled_from("oak elm ash fir yew bay box".split()), unique=True))
def test_the_other_way_round_every_word_keeps_its_neighbours(trees: list[str]) -> None:
    assert not has_reordered_words(" ".join(reversed(trees)), [" ".join(trees)])


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_taken_and_nothing_contradicts_itself(one: str, other: str) -> None:
    assert find_antonym(one, one) is None
    assert find_swapped_numbers(one, [one]) is None
    assert not has_reordered_words(one, [one])
    find_swapped_numbers(one, [other])
    has_reordered_words(one, [other])
    find_antonym(one, other)


def test_of_statements_written_by_hand_few_true_ones_are_suspected() -> None:
    def share(some: list[Written]) -> float:
        return sum(bool(find_contradiction(w.statement, [w.sentence])) for w in some) / len(some)

    every = list(written())
    assert share([one for one in every if one.true]) <= 0.15
    assert share([one for one in every if not one.true]) >= 0.6


@pytest.mark.parametrize(
    ("statement", "source", "word"),
    [
        ("Die Stadt hat den Preis nach der Wahl gesenkt, und er fiel.",
         "Die Stadt hat den Preis nach der Wahl gesenkt, und er stieg.", "fiel"),
        ("El puente se abrió y ganó el premio de la ciudad.",
         "El puente se cerró y perdió el premio de la ciudad.", "abrió"),
        ("La ville est au nord de la rivière.", "La ville est au sud de la rivière.", "nord"),
        ("Город открыл мост.", "Город закрыл мост.", "открыл"),
    ],
)  # fmt: skip
def test_opposites_in_other_languages(statement: str, source: str, word: str | None) -> None:
    assert find_antonym(statement, source) == word
