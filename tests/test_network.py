"""The small network: numpy and torch agree, padding and company change nothing, spans are parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index import Library
from index.projection import FITTED_FOR, pack
from index.types import Span
from rag.reader import Reader, ReadSentence, network
from rag.reader.features import NAMES
from rag.reader.network import Asked, Read
from rag.reader.second import answer_in, best_span, right_sort, whole_numbers
from tests.fakes import BagOfWordsEncoder

WIDTH = 96


def asked(rng: np.random.Generator, pieces: int = 7) -> Asked:
    vectors = (rng.standard_normal((pieces, WIDTH)) / 10).astype(np.float32)
    words = ("how", "many", "cable", "##s", "were", "cut", "?")
    return Asked(vectors, tuple(words[i % 7] for i in range(pieces)), "number")


def read(rng: np.random.Generator, pieces: int) -> Read:
    words = ["Three", "cable", "s", "were", "cut", "in", "2024", "."]
    said = [words[i % 8] for i in range(pieces)]
    ends = np.cumsum([len(word) + 1 for word in said])
    spans = [
        Span(int(end) - len(word) - 1, int(end) - 1) for word, end in zip(said, ends, strict=True)
    ]
    vectors = rng.standard_normal((pieces, WIDTH)).astype(np.float32)
    return Read(
        pack(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)),
        tuple("##s" if word == "s" else word.lower() for word in said),
        tuple(spans),
        " ".join(said),
        rng.standard_normal(len(NAMES)).astype(np.float32),
    )


def random_weights() -> dict[str, NDArray[np.float32]]:
    torch = pytest.importorskip("torch")
    from rag.reader.fit_network import Network, weights_of

    torch.manual_seed(5)
    return weights_of(Network())


def test_numpy_and_torch_say_the_same() -> None:
    torch = pytest.importorskip("torch")
    from rag.reader.fit_network import Network, collated

    rng = np.random.default_rng(1)
    torch.manual_seed(5)
    net = Network().eval()
    question, sentences = asked(rng), [read(rng, n) for n in (3, 8, 40)]
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    ours = network.judge(question, sentences, weights)
    with torch.inference_mode():
        support, answers, places = net(collated([(question, sentences)]))
    np.testing.assert_allclose(ours.support, support.numpy(), atol=1e-3)
    np.testing.assert_allclose(ours.answers, answers.numpy(), atol=1e-3)
    np.testing.assert_allclose(ours.places, places.numpy(), atol=1e-3)


def test_a_sentence_is_judged_the_same_in_any_company() -> None:
    rng = np.random.default_rng(2)
    weights = random_weights()
    question, short, long = asked(rng), read(rng, 4), read(rng, 50)
    alone = network.judge(question, [short], weights)
    beside = network.judge(question, [long, short], weights)
    np.testing.assert_allclose(alone.support[0], beside.support[1], atol=1e-4)
    np.testing.assert_allclose(alone.answers[0], beside.answers[1], atol=1e-4)
    np.testing.assert_allclose(alone.places[0], beside.places[1, :4], atol=1e-4)


def test_what_is_too_long_is_cut() -> None:
    rng = np.random.default_rng(3)
    judged = network.judge(asked(rng, 60), [read(rng, 200)], random_weights())
    assert judged.places.shape == (1, network.MOST_READ, 2)
    assert np.isfinite(judged.support).all()


def test_the_packaged_weights_are_those_of_the_network() -> None:
    pytest.importorskip("torch")
    from rag.reader.fit_network import Network

    expected = {name: tuple(value.shape) for name, value in Network().state_dict().items()}
    assert {name: value.shape for name, value in network.packaged().items()} == expected


@pytest.mark.parametrize("pieces", [1, 5, 64, 90])
def test_a_span_begins_before_it_ends_and_is_short(pieces: int) -> None:
    rng = np.random.default_rng(pieces)
    for _ in range(20):
        places = rng.standard_normal((64, 2)).astype(np.float32) * 5
        first, last, likely = best_span(places, pieces)
        assert 0 <= first <= last < min(pieces, 64)
        assert last - first < 14
        assert 0 <= likely <= 1


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


def library_of(folder: Path, encoder: BagOfWordsEncoder) -> Library:
    (folder / "cables.txt").write_text(
        "Cables\n\nThree submarine cables were cut in the Red Sea in February 2024. A quarter of "
        "the traffic was affected. Repairs took five months.\n"
    )
    library = Library.open(folder / "library", encoder=encoder)
    library.update([folder / "cables.txt"])
    return library


QUESTION = "How many submarine cables were cut in the Red Sea?"


@pytest.fixture
def knowing(tmp_path: Path) -> Library:
    """A library whose encoder calls itself the one the network has learnt from."""
    return library_of(tmp_path, BagOfWordsEncoder(WIDTH).with_identity(revision=FITTED_FOR))


def best_of(library: Library, question: str) -> ReadSentence:
    sentence = Reader(library).read(question, library.search(question, 10)).sentences[0]
    return replace(sentence, score=1e9)  # however little the network likes a fake encoder's pieces


def test_a_short_answer_is_a_part_of_its_sentence(knowing: Library) -> None:
    sentence = best_of(knowing, QUESTION)
    answer = answer_in(knowing, QUESTION, sentence)
    assert answer and answer in sentence.text


def test_a_sentence_that_is_not_believed_in_gives_no_short_answer(knowing: Library) -> None:
    sentence = replace(best_of(knowing, QUESTION), score=0.0)
    assert answer_in(knowing, QUESTION, sentence) is None


@pytest.mark.parametrize(
    "question", ["What was cut in the Red Sea?", "Was wurde gekappt?", "Red Sea"]
)
def test_other_questions_get_no_short_answer(knowing: Library, question: str) -> None:
    assert answer_in(knowing, question, best_of(knowing, question)) is None


def test_another_encoder_s_word_pieces_are_not_read(tmp_path: Path) -> None:
    library = library_of(tmp_path, BagOfWordsEncoder())
    assert answer_in(library, QUESTION, best_of(library, QUESTION)) is None


def test_a_passage_that_has_just_gone_gives_no_short_answer(knowing: Library) -> None:
    sentence = best_of(knowing, QUESTION)
    knowing.remove(["cables.txt"])
    assert answer_in(knowing, QUESTION, sentence) is None


@pytest.mark.parametrize(
    ("question", "text", "may"),
    [
        ("How many users did the country have?", "most", False),
        ("How much does the institute cost?", "Britain", False),
        ("How much does the institute cost?", "100 million pounds", True),
        ("How many ships came?", "three", True),
        ("When did the bank open?", "the harbour", False),
        ("When did the bank open?", "May 2021", True),
        ("Who opened the bank?", "the mayor", True),
    ],
)
def test_a_short_answer_is_of_the_sort_that_was_asked_for(
    question: str, text: str, may: bool
) -> None:
    assert right_sort(question, text) is may
