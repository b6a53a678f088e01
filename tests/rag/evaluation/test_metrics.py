"""Every metric against answers worked out by hand, and what must hold for any input."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation import metrics
from rag.evaluation.metrics import Place

TEXT = st.text(alphabet=st.sampled_from("ab the1,.-[]美国次 \n"), max_size=40)
GOLDS = st.lists(TEXT, max_size=3)
FLAGS = st.lists(st.booleans(), max_size=12)
PLACES = st.lists(
    st.builds(
        lambda document, start, length: Place(document, start, start + length),
        st.sampled_from("xy"),
        st.integers(0, 30),
        st.integers(1, 30),
    ),
    max_size=5,
)


def place(start: int, end: int, document: str = "a.txt") -> Place:
    return Place(document, start, end)


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Panthers' defense, a great one!", ["panthers", "defense", "great", "one"]),
        ("$1,000", ["1000"]),
        ("“Sam Bankman-Fried”", ["sam", "bankmanfried"]),
        ("136 次", ["136", "次"]),
        ("136次。", ["136", "次"]),
        ("\uff11\uff13\uff16", ["136"]),
        ("カメラ", ["カ", "メ", "ラ"]),
        ("서울은", ["서", "울", "은"]),
        ("Theatre another", ["theatre", "another"]),
        (" ,.! ", []),
    ],
)
def test_words_are_squads_normal_form_and_characters_in_cjk(text: str, expected: list[str]) -> None:
    assert metrics.words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The companies' taxes and the crisis", ["company", "taxe", "crisi"]),
        ("Which pass is it?", ["pass"]),
        ("黑豹队 NASA在", ["黑豹", "豹队", "nasa", "在"]),
    ],
)
def test_terms_are_stemmed_content_words_and_pairs_in_cjk(text: str, expected: list[str]) -> None:
    assert metrics.terms(text) == expected


# --- answers ---------------------------------------------------------------------------------


def test_exact_ignores_case_articles_and_punctuation() -> None:
    assert metrics.exact("The Eiffel Tower.", ["Paris", "eiffel tower"])
    assert not metrics.exact("Eiffel Towers", ["eiffel tower"])
    assert metrics.exact("\uff11\uff13\uff16次", ["136 次"])


def test_f1_is_the_best_over_the_alternatives() -> None:
    # two words shared of three said and two wanted: precision 2/3, recall 1
    assert metrics.f1("old Eiffel Tower", ["Rome", "Eiffel Tower"]) == pytest.approx(0.8)
    assert metrics.f1("Rome", ["Eiffel Tower"]) == 0
    assert metrics.f1("Rome", []) == 0
    assert metrics.f1("美国人", ["美国"]) == pytest.approx(0.8)


def test_f1_counts_a_repeated_word_only_as_often_as_gold_has_it() -> None:
    assert metrics.f1("war war", ["war"]) == pytest.approx(2 / 3)


def test_contains_wants_a_run_of_whole_words() -> None:
    assert metrics.contains("It began in October 1973, in Cairo.", ["october 1973"])
    assert not metrics.contains("It began in October of 1973.", ["October 1973"])
    assert not metrics.contains("It was 1080.", ["108"])
    assert not metrics.contains("Anything", ["the", ""])
    assert metrics.contains("阿伦有136次擒杀", ["136 次"])
    assert not metrics.contains("阿伦有1367次擒杀", ["136 次"])


def test_right_by_containing_or_by_f1() -> None:
    assert metrics.is_right("It held 308 points in all, they say.", ["308"], "any")
    assert metrics.is_right("three red apples", ["three green apples"], "any")
    assert not metrics.is_right("three apples of a very dark red", ["three green apples"], "any")


def test_a_long_gold_answer_needs_half_its_content_words_only_when_pieced_together() -> None:
    gold = ["Mount Logan is the highest mountain in Canada and lies within the Yukon"]
    # mount, logan, highest, mountain, canada, lie, yukon: four of seven, then three
    four = "The Yukon in Canada, says one report after another, has Mount Logan"
    three = "The Yukon, says one report after another, has Mount Logan"
    assert metrics.is_right(four, gold, "all")
    assert not metrics.is_right(four, gold, "any")
    assert not metrics.is_right(three, gold, "all")


def test_half_a_short_name_is_not_right() -> None:
    assert not metrics.is_right("Sam was there with us all day", ["Sam Bankman-Fried"], "all")


def test_first_words_counts_characters_in_cjk() -> None:
    assert metrics.first_words("one two, three", 2) == "one two,"
    assert metrics.first_words("one", 2) == "one"
    assert metrics.first_words("有136次擒杀", 3) == "有136次"
    assert len(metrics.first_words("word " * 80).split()) == metrics.BRIEF_WORDS


@given(TEXT, GOLDS)
def test_answer_scores_are_bounded_and_agree(answer: str, golds: list[str]) -> None:
    score = metrics.f1(answer, golds)
    assert 0 <= score <= 1
    if metrics.exact(answer, golds):
        assert score == 1
    if metrics.contains(answer, golds) or score == 1:
        assert metrics.is_right(answer, golds, "any")
    if metrics.is_right(answer, golds, "any"):
        assert metrics.is_right(answer, golds, "all")


@given(TEXT, TEXT, TEXT)
def test_a_gold_answer_parted_by_spaces_is_found_in_any_text(
    before: str, gold: str, after: str
) -> None:
    assert metrics.contains(f"{before} {gold} {after}", [gold]) == bool(metrics.words(gold))


# --- places ----------------------------------------------------------------------------------


def test_overlap_and_share_stay_within_a_document() -> None:
    assert metrics.overlap(place(0, 10), place(5, 20)) == 5
    assert metrics.overlap(place(0, 5), place(5, 9)) == 0
    assert metrics.overlap(place(0, 10), place(0, 10, "b.txt")) == 0
    assert metrics.share(place(0, 10), place(5, 25)) == 0.25


def test_a_hit_holds_one_whole_gold_span() -> None:
    gold = [place(10, 20), place(50, 55)]
    assert metrics.is_hit(place(5, 20), gold, None, "any")
    assert not metrics.is_hit(place(5, 19), gold, None, "any")
    assert metrics.is_hit(place(40, 60), gold, None, "any")
    assert not metrics.is_hit(place(5, 20, "b.txt"), gold, None, "any")


def test_a_hit_holds_sixty_percent_of_the_paragraph() -> None:
    paragraph = place(0, 100)
    gold = [place(90, 99)]
    assert metrics.is_hit(place(0, 60), gold, paragraph, "any")
    assert not metrics.is_hit(place(0, 59), gold, paragraph, "any")


def test_sixty_percent_of_one_gold_span_is_enough_when_all_are_needed() -> None:
    gold = [place(0, 10), place(50, 60)]
    assert metrics.is_hit(place(54, 80), gold, None, "all")
    assert not metrics.is_hit(place(55, 80), gold, None, "all")


def test_a_piece_belongs_to_the_paragraph_that_has_most_of_it() -> None:
    paragraph = place(100, 200)
    assert metrics.belongs(place(110, 120), paragraph)
    assert metrics.belongs(place(0, 160), paragraph)
    assert not metrics.belongs(place(50, 150), paragraph)


def test_characters_found_twice_are_paid_twice_in_precision_only() -> None:
    gold = [place(0, 10)]
    once = metrics.characters([place(0, 20)], gold)
    twice = metrics.characters([place(0, 20), place(0, 20)], gold)
    assert once == (1.0, 0.5, 0.5)
    assert twice == (1.0, 0.25, 0.5)
    assert metrics.characters([], gold) == (0, 0, 0)
    assert metrics.characters([place(5, 15)], gold) == (0.5, 0.5, 5 / 15)


@given(PLACES, PLACES)
def test_character_scores_are_bounded_and_the_union_is_the_least(
    found: list[Place], gold: list[Place]
) -> None:
    recall, precision, union = metrics.characters(found, gold)
    assert 0 <= union <= recall <= 1
    assert 0 <= precision <= 1


@given(PLACES)
def test_finding_exactly_the_gold_is_perfect_recall(gold: list[Place]) -> None:
    recall, _, union = metrics.characters(gold, gold)
    assert recall == union == (1.0 if gold else 0.0)


# --- rankings --------------------------------------------------------------------------------


def test_reciprocal_rank_stops_at_k() -> None:
    assert metrics.reciprocal_rank([False, False, True, True]) == pytest.approx(1 / 3)
    assert metrics.reciprocal_rank([False] * 10 + [True]) == 0
    assert metrics.reciprocal_rank([]) == 0


def test_recall_is_the_share_of_all_relevant_items() -> None:
    assert metrics.recall([True, False, True], 4, 2) == 0.25
    assert metrics.recall([True, False, True], 4, 10) == 0.5
    assert metrics.recall([], 0, 5) == 0


def test_ndcg_discounts_by_the_logarithm_of_the_rank() -> None:
    assert metrics.ndcg([False, True], 1) == pytest.approx(1 / math.log2(3))
    assert metrics.ndcg([True, False, True], 2) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))
    assert metrics.ndcg([True] * 10, 25) == pytest.approx(1)
    assert metrics.ndcg([True], 0) == 0


@given(FLAGS, st.integers(0, 5))
def test_ranking_scores_are_bounded_and_ordered(flags: list[bool], unseen: int) -> None:
    total = sum(flags) + unseen
    scores = [metrics.recall(flags, total, k) for k in (1, 5, 10)]
    assert scores == sorted(scores)
    assert all(0 <= score <= 1 for score in scores)
    assert 0 <= metrics.ndcg(flags, total) <= 1 + 1e-9
    assert 0 <= metrics.reciprocal_rank(flags) <= 1


@given(st.lists(st.integers(0, 4)))
def test_the_first_of_each_key_is_kept_in_order(keys: list[int]) -> None:
    kept = metrics.first_of_each(keys)
    assert kept == sorted(kept)
    assert [keys[at] for at in kept] == list(dict.fromkeys(keys))


# --- citations -------------------------------------------------------------------------------


def test_markers_are_read_alone_and_in_lists() -> None:
    text = "So it is [1]. Both agree [2, 3][1]. In [1973] it began [a] []."
    assert metrics.markers(text) == [1, 2, 3, 1]
    assert metrics.without_markers("So it is [1]. Both [2, 3] agree.") == "So it is . Both agree."


def test_numbers_are_compared_without_thousands_commas() -> None:
    assert metrics.numbers("From 1,000 to 2.5 % in 1973, 12,34") == {"1000", "2.5", "1973", "12,34"}
    assert metrics.numbers("\uff11\uff12 次") == {"12"}


def test_names_are_capitalised_words_inside_a_sentence_or_capitals_anywhere() -> None:
    text = "Yesterday the Panthers met NATO. Then came Josh Norman. eBay won in NASA在"
    assert metrics.names(text) == {"panther", "nato", "josh", "norman", "ebay", "nasa"}
    assert metrics.names("“Quoted words” begin a sentence") == set()
    assert metrics.names("Straße und ß") == set()


@pytest.mark.parametrize(
    ("statement", "supported"),
    [
        ("Norman intercepted four balls.", True),
        ("Josh Norman intercepted four passes.", True),  # three quarters of the words
        ("Norman dropped two passes.", False),
        ("In 2015 Josh Norman intercepted four balls.", True),
        ("In 2016 Josh Norman intercepted four balls.", False),
        ("Four balls were intercepted by Luke Norman.", False),
    ],
)
def test_support_wants_most_words_and_every_number_and_name(
    statement: str, supported: bool
) -> None:
    cited = "In 2015, Josh Norman intercepted four balls, two of them for touchdowns."
    assert metrics.is_supported(statement, cited, lambda _: 1.0) is supported


def test_support_weighs_rare_words_more() -> None:
    def rare(term: str) -> float:
        return 9.0 if term == "zeppelin" else 1.0

    statement = "the zeppelin flew slowly"
    assert metrics.is_supported(statement, "a zeppelin", rare)
    assert not metrics.is_supported(statement, "it flew slowly", rare)


def test_nothing_is_supported_without_cited_text() -> None:
    assert not metrics.is_supported("It is.", " ", lambda _: 1.0)


def test_support_in_chinese_goes_by_pairs_of_characters() -> None:
    cited = "约什·诺曼拦截了四次传球。"
    assert metrics.is_supported("诺曼拦截了四次传球", cited, lambda _: 1.0)
    assert not metrics.is_supported("坎克利贡献了很多擒抱", cited, lambda _: 1.0)


@given(TEXT)
def test_a_text_supports_itself(text: str) -> None:
    assert metrics.is_supported(text, text, lambda _: 1.0) is bool(text.strip())


# --- many questions --------------------------------------------------------------------------


def test_mean_ratio_and_percentile_of_nothing_are_none() -> None:
    assert metrics.mean([]) is None
    assert metrics.ratio([{}], "part", "whole") is None
    assert metrics.percentile([], 0.5) is None


def test_ratio_weighs_rows_by_their_whole() -> None:
    rows = [{"part": 1.0, "whole": 1.0}, {"part": 0.0, "whole": 3.0}, {}]
    assert metrics.ratio(rows, "part", "whole") == 0.25


def test_percentile_is_a_value_that_occurred() -> None:
    values = [float(n) for n in range(100, 0, -1)]
    assert metrics.percentile(values, 0.5) == 50
    assert metrics.percentile(values, 0.95) == 95
    assert metrics.percentile([7.0], 0.95) == 7


def test_bootstrap_of_constant_differences_is_a_point() -> None:
    assert metrics.bootstrap([[0.25] * 8]) == metrics.Interval(0.25, 0.25, 0.25)
    assert metrics.bootstrap([[1.0, 1.0], [], [0.0]]) == metrics.Interval(0.5, 0.5, 0.5)
    assert metrics.bootstrap([[], []]) is None


def test_bootstrap_interval_is_near_the_normal_one() -> None:
    # standard error of the mean of 200 ones and 200 zeros: 0.5 / sqrt(400) = 0.025
    found = metrics.bootstrap([[0.0, 1.0] * 200], seed=3)
    assert found is not None
    assert found.difference == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)
    assert found == metrics.bootstrap([[0.0, 1.0] * 200], seed=3)


@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), max_size=6), min_size=1, max_size=2))
def test_bootstrap_interval_lies_within_the_values(groups: list[list[float]]) -> None:
    found = metrics.bootstrap(groups, rounds=40)
    assert (found is None) == (not any(groups))
    if found:
        assert -1 <= found.low <= found.high <= 1


# --- reference -------------------------------------------------------------------------------


def test_bm25_ranks_by_rare_shared_terms() -> None:
    ranker = metrics.Bm25(
        ["The river runs north.", "A river and a bridge.", "The bridge of sighs.", ""]
    )
    assert ranker.rank("Where is the bridge of sighs?") == [2, 1]
    assert ranker.rank("rivers") == [1, 0]  # the shorter text first
    assert ranker.rank("rivers", 1) == [1]
    assert ranker.rank("unheard") == []
    assert ranker.weight("unheard") > ranker.weight("sigh") > ranker.weight("river") > 0


def test_bm25_value_worked_out_by_hand() -> None:
    # two texts of one term each: length equals the average, so the gain of one occurrence is 1
    ranker = metrics.Bm25(["alpha", "beta"])
    assert ranker.weight("alpha") == pytest.approx(math.log(2))


def test_bm25_finds_chinese_and_survives_no_texts() -> None:
    assert metrics.Bm25(["黑豹队的防守", "野马队的进攻"]).rank("黑豹防守") == [0]
    assert metrics.Bm25([]).rank("anything") == []
    assert metrics.Bm25([]).weight("anything") > 0
