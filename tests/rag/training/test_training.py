"""What trains the network: articles stay apart, examples are true, an interrupted run goes on."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder, default_folder
from index.embedding.torch_backend import TorchNetwork
from rag.reader.span_reader import SpanReader
from rag.training.calibrate import figures, fit, outcomes
from rag.training.dataset import Dataset, epoch, load_dataset, perturb, split, swapped
from tests.support.fakes import BagOfWordsEncoder, Highlighter

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
transformers = pytest.importorskip("transformers")

TOWNS = (
    "Aldern", "Brent", "Corva", "Dunmoor", "Eskwell", "Fallow", "Garvel", "Hexby", "Ivemoor",
    "Jarrow", "Kelso", "Lindal", "Morven", "Nairn", "Oakham", "Penrith",
)  # fmt: skip


def data_in(folder: Path) -> Path:
    """Sixteen articles with the same two questions each, and one that nothing answers."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    lines: list[dict[str, Any]] = []
    for at, town in enumerate(TOWNS):
        paragraphs = [
            f"The mill of {town} opened in {1800 + at} beside the river. It burned down later.",
            f"Mayor {town[:3]}ton built the bridge of {town} from grey stone. Carts crossed it.",
        ]
        text = "\n\n".join(paragraphs) + "\n"
        (docs / f"{town}.txt").write_text(text, encoding="utf-8")
        asked = (
            (f"When did the mill of {town} open?", str(1800 + at), 0),
            (f"Who built the bridge of {town}?", f"Mayor {town[:3]}ton", 1),
            (f"When did the church of {town} open?", "", 0),
        )
        for question, answer, number in asked:
            paragraph = text.index(paragraphs[number])
            end = paragraph + len(paragraphs[number])
            start = text.index(answer) if answer else 0
            gold = [{"document": f"{town}.txt", "start": start, "end": start + len(answer)}]
            lines.append(
                {
                    "id": f"{town}{len(lines)}",
                    "question": question,
                    "answers": [answer] if answer else [],
                    "gold": gold if answer else [],
                    "paragraph": {"document": f"{town}.txt", "start": paragraph, "end": end},
                    "answerable": bool(answer),
                    "kind": "answerable" if answer else "near_unanswerable",
                }
            )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "questions.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("training")
    data_in(folder / "data")
    library = Library.open(folder / "library", encoder=BagOfWordsEncoder())
    library.update([folder / "data" / "docs"])
    return library


@pytest.fixture(scope="module")
def dataset(library: Library) -> Dataset:
    (data,) = {Path(document.path).parent.parent for document in library.documents()}
    return load_dataset(library, data)


def test_articles_belong_to_one_part() -> None:
    parts = split([f"{i:02}" for i in range(29)])
    assert [len(parts[part]) for part in ("learnt", "tuning", "held")] == [18, 3, 8]
    assert len(set().union(*parts.values())) == 29


def test_a_question_is_only_asked_of_its_own_part(dataset: Dataset) -> None:
    for part, asked in dataset.questions.items():
        for one in asked:
            there = [number for number, _ in one.own] + list(one.other)
            assert {dataset.passages[number].document for number in there} <= set(
                dataset.parts[part]
            )


def test_an_answer_stands_where_the_example_says(dataset: Dataset) -> None:
    answers = {
        question.question.question: question.question.answers
        for question in dataset.questions["learnt"]
    }
    told = 0
    for example in epoch(dataset, 0):
        text = dataset.passages[example.passage].text
        for span in example.answers:
            told += 1
            golds = answers.get(example.question)
            assert golds is None or text[span.start : span.end] in golds  # None: typed otherwise
    assert told > 10


def test_what_has_no_answer_is_not_given_one(dataset: Dataset) -> None:
    unanswerable = {
        question.question.question
        for question in dataset.questions["learnt"]
        if not question.question.answerable
    }
    assert all(not one.answers for one in epoch(dataset, 3) if one.question in unanswerable)


def test_an_epoch_is_the_same_each_time_and_the_next_is_another(dataset: Dataset) -> None:
    assert epoch(dataset, 1) == epoch(dataset, 1)
    assert epoch(dataset, 1) != epoch(dataset, 2)


def test_as_people_type() -> None:
    typed = [perturb("When did the mill of Kelso open?", how) for how in range(4)]
    assert typed == [
        "when did the mill of kelso open?", "When did the mill of Kelso open",
        "when did the mill of kelso open", "mill Kelso open",
    ]  # fmt: skip


def test_another_name_is_put_in_that_the_passage_does_not_hold(dataset: Dataset) -> None:
    one = next(a for a in dataset.questions["learnt"] if "bridge" in a.question.question)
    page = one.own[0][0]
    rng = random.Random(1)
    made = swapped(one.question.question, one.article, page, dataset, rng)
    assert made is None or (made != one.question.question and made.startswith("Who built"))
    assert swapped("Who built it?", one.article, page, dataset, rng) is None


def tiny_bert() -> Any:
    torch.manual_seed(3)
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    return transformers.BertModel(config)


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(threads=1)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    dataset: Dataset, encoder: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    from rag.training.span_network import train

    whole = train(dataset, encoder, tiny_bert(), 4, tmp_path / "a", threads=1, save_every=2)
    (tmp_path / "b").mkdir()

    class Enough(Exception):
        pass

    def interrupted() -> Any:
        """Stops at the third batch, after the checkpoint at the second."""
        bert, calls = tiny_bert(), []
        bert.register_forward_pre_hook(lambda *_: calls.append(1))

        def look(*_: object) -> None:
            if len(calls) > 2:
                raise Enough

        bert.register_forward_pre_hook(look)
        return bert

    with pytest.raises(Enough):
        train(dataset, encoder, interrupted(), 4, tmp_path / "b", threads=1, save_every=2)
    again = train(dataset, encoder, tiny_bert(), 4, tmp_path / "b", threads=1, save_every=2)
    for name, value in whole.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), again.state_dict()[name].numpy(), name)


def test_learning_lowers_the_loss_and_leaves_the_tables_alone(
    dataset: Dataset, encoder: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    from rag.training.span_network import batches, collated, losses, train

    bert = tiny_bert()
    before = bert.embeddings.word_embeddings.weight.clone()
    some = collated(next(batches(dataset, 0, encoder)))
    from rag.training.span_network import Network

    with torch.inference_mode():
        first = sum(float(loss) for loss in losses(Network(tiny_bert()).eval(), some))
        network = None
    network = train(dataset, encoder, bert, 30, tmp_path, threads=1)
    with torch.inference_mode():
        last = sum(float(loss) for loss in losses(network, some))
    assert last < first
    assert torch.equal(bert.embeddings.word_embeddings.weight, before)


def test_what_is_exported_in_bytes_marks_nearly_the_same(
    encoder: SentenceTransformerEncoder, tmp_path: Path
) -> None:
    from index.types import Span
    from rag.reader.span_inputs import pair
    from rag.reader.span_model import SpanModel
    from rag.training.span_network import Network, export

    torch.manual_seed(4)
    network = Network(TorchNetwork(default_folder(), 1).model[0].auto_model)
    export(network, tmp_path / "span_reader.onnx")
    assert (tmp_path / "span_reader.onnx").stat().st_size < 12_000_000
    graph = onnx.load(tmp_path / "span_reader.onnx").graph
    whole = {one.name for one in graph.node if one.op_type == "MatMul"}
    assert {"/span/MatMul", "/support/MatMul", "/ans/MatMul"} <= whole, "heads stay as they are"
    text = "The mill of Kelso opened in 1810 beside the river."
    made = pair(encoder, "When did it open?", "Kelso", text, [Span(0, len(text))])
    (ours,) = SpanModel(1, tmp_path / "span_reader.onnx").token_logits([made])
    second = torch.arange(len(made.ids)) >= made.question_length
    with torch.inference_mode():
        ids = torch.tensor([made.ids])
        theirs = network.eval()(ids, second[None].long(), torch.ones_like(ids))[0].numpy()
    assert ours.shape == theirs.shape == (len(made.ids), 4)
    for mark in range(4):
        assert np.corrcoef(ours[:, mark], theirs[:, mark])[0, 1] > 0.95


def test_what_is_fitted_is_measured_on_other_articles(library: Library, dataset: Dataset) -> None:
    reader = SpanReader(BagOfWordsEncoder(), Highlighter())
    tuning = outcomes(library, dataset, "tuning", reader)
    fitted = fit(tuning, "revision", "digest")
    told = figures(outcomes(library, dataset, "held", reader), fitted)
    assert fitted.encoder == "revision"
    assert fitted.ranking[0] > 0
    assert told["second"]["right_sentence_first"] >= told["first"]["right_sentence_first"] - 0.3
    assert 0 <= told["short"]["shown"] <= 1
    assert set(told["questions"]) <= {"answerable", "near", "far"}
