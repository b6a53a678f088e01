"""The second stage: what it marks stays inside its sentence, what it weighs stays a belief."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from index import Hit, Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.errors import ModelMissing
from index.types import ScoredSentence, Span
from rag.assistant import Assistant
from rag.query.question import QueryVariant
from rag.reader.ranker import Ranker
from rag.reader.rerankers import CROSS_ENCODER_SENTENCES, CrossEncoderReranker, load_reranker
from rag.reader.span_inputs import PASSAGE_PIECES, QUESTION_PIECES, TITLE_PIECES, Pair, pair
from rag.reader.span_model import SpanModel
from rag.reader.span_reader import (
    LONGEST_SPAN,
    PASSAGES_READ,
    SpanPrediction,
    SpanReader,
    best_hits,
    best_span,
    calibration,
    predict_spans,
    rerank,
    whole_numbers,
)
from rag.types import RankedSentence, Ranking
from tests.support.fakes import BagOfWordsEncoder, Highlighter

ENCODER = BagOfWordsEncoder()
TEXT = (
    "Three submarine cables were cut in the Red Sea in February 2024. A quarter of the traffic "
    "was affected. Repairs took five months."
)
SENTENCES_OF_TEXT = (Span(0, 64), Span(65, 104), Span(105, 132))
QUESTION = "How many submarine cables were cut in the Red Sea?"


def hit(number: int = 0, text: str = TEXT, spans: tuple[Span, ...] = SENTENCES_OF_TEXT) -> Hit:
    sentences = tuple(ScoredSentence(s.start, s.end, text[s.start : s.end], 0.5) for s in spans)
    return Hit(
        f"{number}.txt", "Cables", "", 0, len(text), text, 0.5, number + 1, sentences=sentences
    )


def read(one: Hit, position: int, score: float) -> RankedSentence:
    return RankedSentence.of(one, position, score)


@given(
    marks=st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).standard_normal((200, 4)).astype(np.float32) * 4
    )
)
def test_an_answer_stands_inside_its_sentence_and_is_as_likely_as_can_be(
    marks: NDArray[np.float32],
) -> None:
    made = pair(ENCODER, QUESTION, "Cables", TEXT, SENTENCES_OF_TEXT)
    seen = predict_spans(made, marks[: len(made.ids)])
    assert sorted(seen) == [0, 1, 2]
    for position, one in seen.items():
        sentence = SENTENCES_OF_TEXT[position]
        assert sentence.start <= one.place.start < one.place.end <= sentence.end
        assert 0 <= one.likely <= 1
    assert sum(one.likely for one in seen.values()) <= 1 + 1e-6


@pytest.mark.parametrize("pieces", [1, 5, LONGEST_SPAN, 90])
def test_a_span_begins_before_it_ends_and_is_short(pieces: int) -> None:
    rng = np.random.default_rng(pieces)
    for _ in range(20):
        first, last, _ = best_span(rng.standard_normal((pieces, 4)) * 5)
        assert 0 <= first <= last < pieces
        assert last - first < LONGEST_SPAN


@pytest.mark.parametrize(
    ("part", "whole"),
    [("900", "5,900"), ("5", "5,900"), ("5,900 visitors", "5,900 visitors"), ("came", "came"),
     (" in", " in"), ("visitors in 20", "visitors in 2024")],
)  # fmt: skip
def test_no_number_is_cut_in_two(part: str, whole: str) -> None:
    text = "In all 5,900 visitors came, visitors in 2024."
    start = text.index(part)
    first, last = whole_numbers(text, start, start + len(part))
    assert text[first:last] == whole


@given(
    scores=st.lists(st.floats(1e-6, 1), min_size=3, max_size=3),
    answerable=st.floats(0, 1),
    seen=st.lists(
        st.none()
        | st.builds(
            SpanPrediction,
            span=st.floats(-40, 40),
            place=st.just(Span(0, 5)),
            likely=st.floats(0, 1),
        ),
        min_size=3,
        max_size=3,
    ),
)
def test_what_is_weighed_is_a_belief_in_the_same_sentences(
    scores: list[float], answerable: float, seen: list[SpanPrediction | None]
) -> None:
    one = hit()
    reading = Ranking(tuple(read(one, i, score) for i, score in enumerate(scores)), answerable)
    found = rerank(reading, seen, calibration())
    assert sorted(s.position for s in found.sentences) == [0, 1, 2]
    beliefs = [s.score for s in found.sentences]
    assert beliefs == sorted(beliefs, reverse=True)
    assert sum(beliefs) == pytest.approx(1)
    assert found.answerable == answerable
    for s in found.sentences:
        assert one.sentences[s.position].text == s.text
        assert bool(s.short) == (seen[s.position] is not None)


def test_a_pair_is_cut_and_knows_its_sentences() -> None:
    long = " ".join(f"word{i}" for i in range(400))
    made = pair(ENCODER, long, long, long, (Span(0, 60), Span(61, len(long))))
    assert made.question_length == QUESTION_PIECES + 2
    assert made.passage_start == made.question_length + TITLE_PIECES
    assert len(made.spans) == len(made.sentences) == PASSAGE_PIECES
    assert len(made.ids) == made.passage_start + PASSAGE_PIECES + 1
    assert made.sentences[0] == 0
    assert made.sentences[-1] == 1
    assert long[made.spans[7].start : made.spans[7].end] == "word7"


def test_only_the_best_passages_are_read() -> None:
    hits = [hit(number) for number in range(PASSAGES_READ + 3)]
    sentences = tuple(read(hit, i, 0.1) for hit in hits for i in range(3))
    network = Highlighter()
    found = SpanReader(ENCODER, network).rerank(QUESTION, Ranking(sentences, 0.5))
    assert network.read == PASSAGES_READ
    assert best_hits(sentences) == hits[:PASSAGES_READ]
    assert {s.hit.document_id for s in found.sentences if not s.short} == {
        hit.document_id for hit in hits[PASSAGES_READ:]
    }


def test_words_between_known_ones_are_the_short_answer() -> None:
    reading = Ranking(tuple(read(hit(), i, 1 / 3) for i in range(3)), 0.5)
    found = SpanReader(ENCODER, Highlighter()).rerank("How many submarine cables?", reading)
    best = next(sentence for sentence in found.sentences if sentence.position == 0)
    assert best.short in best.text
    assert best.short.startswith("Three")


@pytest.mark.parametrize(
    ("question", "text"),
    [("海底电缆有多少条被切断？", TEXT),
     (QUESTION, "Drei Seekabel wurden im Roten Meer gekappt. Ein Viertel war betroffen.")],
)  # fmt: skip
def test_other_languages_are_left_to_the_first_stage(question: str, text: str) -> None:
    one = hit(text=text, spans=(Span(0, len(text)),))
    reading = Ranking((read(one, 0, 1.0),), 0.5)
    network = Highlighter()
    assert SpanReader(ENCODER, network).rerank(question, reading) is reading
    assert not network.read


def test_who_reads_closely_is_a_choice() -> None:
    ours = BagOfWordsEncoder().with_identity(revision=calibration().encoder)
    assert isinstance(load_reranker("own", ours, 1), SpanReader)
    assert load_reranker("own", BagOfWordsEncoder(), 1) is None
    assert load_reranker("none", ours, 1) is None


class Backwards:
    """A cross-encoder that likes what comes last in the alphabet."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([float(sorted(texts).index(text)) for text in texts])


def test_a_cross_encoder_orders_and_leaves_the_gate_alone() -> None:
    reading = Ranking(tuple(read(hit(), i, score) for i, score in enumerate((0.7, 0.2, 0.1))), 0.8)
    found = CrossEncoderReranker(Backwards()).rerank(QUESTION, reading)
    assert [sentence.text for sentence in found.sentences] == sorted(
        (s.text for s in reading.sentences), reverse=True
    )
    assert sum(sentence.score for sentence in found.sentences) == pytest.approx(1)
    assert found.answerable == reading.answerable


def test_a_cross_encoder_reads_only_so_many() -> None:
    sentences = tuple(read(hit(n), 0, 1 / 40) for n in range(40))
    found = CrossEncoderReranker(Backwards()).rerank(QUESTION, Ranking(sentences, 0.5))
    assert len(found.sentences) == 40
    assert (
        sum(sentence.score == 1 / 40 for sentence in found.sentences)
        >= 40 - CROSS_ENCODER_SENTENCES
    )


def tiny_cross_encoder(folder: Path, numbers: int = 1) -> Path:
    """A real one with weights nobody has trained."""
    transformers = pytest.importorskip("transformers")
    from index.embedding.encoder import default_folder

    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        num_labels=numbers,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(default_folder()).save_pretrained(folder)
    return folder


def test_a_cross_encoder_in_a_folder_takes_the_place_of_ours(tmp_path: Path) -> None:
    chosen = load_reranker(str(tiny_cross_encoder(tmp_path)), BagOfWordsEncoder(), 1)
    assert isinstance(chosen, CrossEncoderReranker)
    reading = Ranking(tuple(read(hit(), i, 1 / 3) for i in range(3)), 0.5)
    found = chosen.rerank(QUESTION, reading)
    assert sum(sentence.score for sentence in found.sentences) == pytest.approx(1)
    assert len({sentence.score for sentence in found.sentences}) == 3


def test_a_model_that_is_no_cross_encoder_is_refused_in_one_line(tmp_path: Path) -> None:
    chosen = load_reranker(str(tiny_cross_encoder(tmp_path, numbers=3)), BagOfWordsEncoder(), 1)
    assert chosen is not None
    with pytest.raises(ModelMissing, match=r"gives 3 numbers .*PILCROW_READER=own"):
        chosen.rerank(QUESTION, Ranking((read(hit(), 0, 1.0),), 0.5))


@pytest.mark.parametrize("name", ["no/such-model", "nowhere", "/nowhere/at/all", "../x y"])
def test_a_cross_encoder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelMissing, match="no cross-encoder"):
        load_reranker(name, BagOfWordsEncoder(), 1)


# --- with the packaged network ---


@pytest.fixture(scope="module")
def network() -> SpanModel:
    return SpanModel(2)


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(threads=2)


def real_pair(encoder: SentenceTransformerEncoder, question: str) -> Pair:
    return pair(encoder, question, "Cables", TEXT, SENTENCES_OF_TEXT)


def test_the_network_finds_what_is_asked_for(
    network: SpanModel, encoder: SentenceTransformerEncoder
) -> None:
    asked = {
        "How many submarine cables were cut in the Red Sea?": "Three",
        "When were the cables in the Red Sea cut?": "February 2024",
        "How long did the repairs take?": "five months",
    }
    for question, answer in asked.items():
        made = real_pair(encoder, question)
        (marks,) = network.token_logits([made])
        best = max(predict_spans(made, marks).values(), key=lambda predict_span: predict_span.span)
        assert answer in TEXT[best.place.start : best.place.end]


def test_a_pair_is_read_the_same_in_any_company(
    network: SpanModel, encoder: SentenceTransformerEncoder
) -> None:
    short, other = real_pair(encoder, "When?"), real_pair(encoder, QUESTION)
    (alone,) = network.token_logits([short])
    beside = network.token_logits([other, short, other])[1]
    np.testing.assert_array_equal(alone, beside)


def test_an_assistant_shows_the_best_sentence_before_it_reads_closely(tmp_path: Path) -> None:
    (tmp_path / "cables.txt").write_text(f"Cables\n\n{TEXT}\n", encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=ENCODER)
    library.update([tmp_path / "cables.txt"])
    hits = library.search(QUESTION, 5)
    assert Ranker(library).rank(QueryVariant.of(QUESTION), hits).answerable > 0.5
    network = Highlighter()
    answers = Assistant(library, None, reader=SpanReader(ENCODER, network)).stream(QUESTION)
    early = next(answer for answer in answers if answer.headline)
    assert early.headline is not None
    assert early.headline.quote.startswith("Three submarine cables")
    before = network.read
    *_, last = answers
    assert (before, network.read) == (0, 1)
    assert last.state == "answered"
    assert last.timings.evidence_ms == early.timings.evidence_ms


def test_a_damaged_network_is_told_and_done_without(tmp_path: Path) -> None:
    class Damaged:
        def token_logits(self, pairs: Sequence[Pair]) -> list[NDArray[np.float32]]:
            raise ModelMissing("the reader's network is damaged. Reinstall Pilcrow")

    (tmp_path / "cables.txt").write_text(f"Cables\n\n{TEXT}\n", encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=ENCODER)
    library.update([tmp_path / "cables.txt"])
    assistant = Assistant(library, None, reader=SpanReader(ENCODER, Damaged()))
    plain = Assistant(library, None, reader="none")
    for question in (QUESTION, QUESTION):  # the second time for good
        answer, without = assistant.answer(question), plain.answer(question)
        assert (answer.state, answer.text) == (without.state, without.text)
        assert any("Reinstall Pilcrow" in note for note in answer.notes)


class Sharp:
    """A network as sure, or as unsure, of the same words as it is told to be."""

    def __init__(self, how_sure: float) -> None:
        self._how_sure = how_sure

    def token_logits(self, pairs: Sequence[Pair]) -> list[NDArray[np.float32]]:
        return [logits * np.float32(self._how_sure) for logits in Highlighter().token_logits(pairs)]


@pytest.mark.parametrize(("how_sure", "short"), [(4.0, "Three"), (0.1, None)])
def test_only_a_sure_short_answer_heads_the_reply(
    tmp_path: Path, how_sure: float, short: str | None
) -> None:
    (tmp_path / "cables.txt").write_text(f"Cables\n\n{TEXT}\n", encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=ENCODER)
    library.update([tmp_path / "cables.txt"])
    reader = SpanReader(ENCODER, Sharp(how_sure))
    question = "What submarine cables were cut in the Red Sea in February 2024?"  # no rule answers
    answer = Assistant(library, None, reader=reader).answer(question)
    assert answer.short == short
