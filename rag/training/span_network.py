"""The network in torch: its training, with checkpoints, and its export. For training only."""

from __future__ import annotations

import random
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from index.embedding.encoder import Encoder
from index.system.offline import no_telemetry
from rag.reader.span_inputs import Pair, pair
from rag.training.dataset import FIRST_EPOCH, SEED, Dataset, Example, epoch
from rag.training.progress import report

BATCH = 16
RATE, WARM_UP, DECAY, CLIP = 1.5e-4, 0.06, 0.01, 1.0
_MASKED, _MASK = 0.04, 103  # share of word pieces that are hidden, and BERT's [MASK]
_LAST_SPECIAL = 103
_SORTED_TOGETHER = (
    32  # batches whose examples are put in order of length, so that little is padding
)
_SAVED_EVERY, _REPORTED_EVERY = 250, 50
_FAR_AWAY = -1e4
CHECKPOINT, _OPTIMIZER = "checkpoint.safetensors", "optimizer."
_OPSET = 18
_HEADS = ("span", "support", "ans")


@dataclass(frozen=True, slots=True)
class Row:
    """An example as the network reads it."""

    pair: Pair
    answers: tuple[tuple[int, int], ...]
    """First and last word piece of each answer, counted from the start of the pair."""


class Network(nn.Module):
    """The encoder's layers, and four numbers for each word piece."""

    def __init__(self, bert: Any) -> None:
        """Grow from an encoder; its tables of word pieces and places stay as they are."""
        super().__init__()
        self.bert = bert
        bert.pooler = None
        for module in bert.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0  # a fifth of the time, and word pieces are hidden instead
        bert.embeddings.word_embeddings.weight.requires_grad_(False)
        bert.embeddings.position_embeddings.weight.requires_grad_(False)
        width = bert.config.hidden_size
        self.span, self.support, self.ans = (nn.Linear(width, n) for n in (2, 1, 1))
        for head in (self.span, self.support, self.ans):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(self, ids: Tensor, second: Tensor, mask: Tensor) -> Tensor:
        """Marks of pairs, shape (n, longest, 4); see `rag.reader.span_reader.TokenLogits`."""
        read = self.bert(input_ids=ids, token_type_ids=second, attention_mask=mask)
        return self.headed(read.last_hidden_state)

    def headed(self, read: Tensor) -> Tensor:
        """The four numbers of each word piece."""
        return torch.cat([self.span(read), self.support(read), self.ans(read)], -1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows, padded."""

    ids: Tensor
    second: Tensor
    mask: Tensor
    """All of shape (n, longest)."""
    owner: Tensor
    """Each word piece's share in the mean of its sentence, shape (n, sentences, longest)."""
    read: Tensor
    """Which sentences have any, shape (n, sentences)."""
    allowed: Tensor
    """Where an answer may begin or end; the first piece stands for none. Shape (n, longest)."""
    begins: Tensor
    ends: Tensor
    """Where one does."""
    supports: Tensor
    """Which sentences support an answer, none of them first; shape (n, 1 + sentences)."""
    answered: Tensor
    """Which rows are answered, shape (n,)."""


def row(example: Example, dataset: Dataset, encoder: Encoder) -> Row:
    """An example's word pieces."""
    passage = dataset.passages[example.passage]
    made = pair(encoder, example.question, passage.title, passage.text, passage.sentences)
    answers = []
    for span in example.answers:
        inside = [i for i, s in enumerate(made.spans) if s.end > span.start and s.start < span.end]
        if inside:
            answers.append((inside[0] + made.passage_start, inside[-1] + made.passage_start))
    return Row(made, tuple(answers))


def batches(dataset: Dataset, number: int, encoder: Encoder) -> Iterator[list[Row]]:
    """One time through the questions."""
    examples, rng = epoch(dataset, number), random.Random(FIRST_EPOCH + number + 1)
    together = BATCH * _SORTED_TOGETHER
    for at in range(0, len(examples), together):
        rows = [row(example, dataset, encoder) for example in examples[at : at + together]]
        rows.sort(key=lambda row: len(row.pair.ids))
        some = [rows[k : k + BATCH] for k in range(0, len(rows), BATCH)]
        rng.shuffle(some)
        yield from some


def collated(rows: Sequence[Row]) -> Batch:
    """Rows as tensors."""
    n, longest = len(rows), max(len(row.pair.ids) for row in rows)
    sentences = max(max(row.pair.sentences, default=0) for row in rows) + 1
    ids, second, mask = (torch.zeros(n, longest, dtype=torch.long) for _ in range(3))
    owner, supports = torch.zeros(n, sentences, longest), torch.zeros(n, sentences + 1)
    allowed = torch.zeros(n, longest, dtype=torch.bool)
    begins, ends = torch.zeros(n, longest), torch.zeros(n, longest)
    for i, one in enumerate(rows):
        made, length = one.pair, len(one.pair.ids)
        ids[i, :length] = torch.tensor(made.ids)
        second[i, made.question_length : length] = 1
        mask[i, :length] = 1
        allowed[i, 0] = allowed[i, made.passage_start : length - 1] = True
        for at, sentence in enumerate(made.sentences):
            if sentence >= 0:
                owner[i, sentence, made.passage_start + at] = 1
        for first, last in one.answers or ((0, 0),):
            begins[i, first], ends[i, last] = 1, 1
            sentence = made.sentences[first - made.passage_start] if first else -1
            supports[i, sentence + 1] = 1
    weight = owner.sum(-1, keepdim=True)
    answered = torch.tensor([bool(row.answers) for row in rows]).float()
    return Batch(
        ids, second, mask, owner / weight.clamp(min=1), weight[..., 0] > 0, allowed, begins, ends,
        supports, answered,
    )  # fmt: skip


def losses(network: Network, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Of the places, of the supporting sentence, and of whether there is any; means, nats."""
    marks = network(batch.ids, batch.second, batch.mask)
    places = functional.log_softmax(
        marks[..., :2].masked_fill(~batch.allowed[..., None], _FAR_AWAY), 1
    )
    place = (_any(places[..., 0], batch.begins) + _any(places[..., 1], batch.ends)) / 2
    told = (batch.owner @ marks[..., 2:3])[..., 0].masked_fill(~batch.read, _FAR_AWAY)
    told = torch.cat([torch.zeros(len(told), 1), told], 1)
    support = _any(functional.log_softmax(told, 1), batch.supports)
    answers = functional.binary_cross_entropy_with_logits(marks[:, 0, 3], batch.answered)
    return place.mean(), support.mean(), answers


def _any(likely: Tensor, right: Tensor) -> Tensor:
    """Minus the logarithm of what all that is right holds together."""
    return -torch.logsumexp(likely.masked_fill(right == 0, -1e9), 1)


def train(
    dataset: Dataset,
    encoder: Encoder,
    bert: Any,
    steps: int,
    folder: Path,
    *,
    threads: int,
    save_every: int = _SAVED_EVERY,
) -> Network:
    """A trained network; goes on from the checkpoint in `folder` when there is one.

    Args:
        dataset: what to learn.
        encoder: whose word pieces it is read in.
        bert: the encoder's network, which is trained further.
        steps: batches in all; the rate rises for a while, then falls to nothing at the last.
        folder: for checkpoints.
        threads: cores to learn on; the weights depend a little on how many there are.
        save_every: steps between checkpoints.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    network = Network(bert).train()
    optimizer = _optimizer(network)
    done = _resumed(network, optimizer, folder)
    progress = _LossCurve(steps, done)
    for at, rows in enumerate(_stream(dataset, encoder, steps)):
        if at < done:
            continue
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (at + 1) / (WARM_UP * steps)) * (1 - at / steps)
        batch = collated(rows)
        hidden = (torch.rand(batch.ids.shape) < _MASKED) & (batch.ids > _LAST_SPECIAL)
        batch.ids[hidden] = _MASK
        place, support, answers = losses(network, batch)
        loss: Any = place + support + answers / 2
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        progress.step(place.item(), support.item(), answers.item())
        if (at + 1) % save_every == 0:
            _save(network, optimizer, at + 1, folder)
    return network.eval()


def _stream(dataset: Dataset, encoder: Encoder, steps: int) -> Iterator[list[Row]]:
    number = 0
    while True:
        for rows in batches(dataset, number, encoder):
            if steps == 0:
                return
            steps -= 1
            yield rows
        number += 1


def _optimizer(network: Network) -> torch.optim.Optimizer:
    learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(
        [
            {
                "params": [parameter for parameter in learnt if parameter.ndim > 1],
                "weight_decay": DECAY,
            },
            {
                "params": [parameter for parameter in learnt if parameter.ndim < 2],
                "weight_decay": 0.0,
            },
        ],
        lr=RATE,
        fused=True,
    )


def _resumed(network: Network, optimizer: torch.optim.Optimizer, folder: Path) -> int:
    """How many steps were done before; everything is as it was after them."""
    file = folder / CHECKPOINT
    if not file.exists():
        return 0
    kept = load_file(str(file))
    chance, done = kept.pop("chance"), kept.pop("done")
    state: dict[int, dict[str, Tensor]] = {}
    for name in [name for name in kept if name.startswith(_OPTIMIZER)]:
        number, what = name.removeprefix(_OPTIMIZER).split(".")
        state.setdefault(int(number), {})[what] = kept.pop(name)
    network.load_state_dict(kept)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    torch.set_rng_state(chance)
    return int(done)


def _save(network: Network, optimizer: torch.optim.Optimizer, done: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = dict(network.state_dict())
    for number, state in optimizer.state_dict()["state"].items():
        kept |= {f"{_OPTIMIZER}{number}.{what}": value for what, value in state.items()}
    kept |= {"chance": torch.get_rng_state(), "done": torch.tensor(done)}
    trial = folder / f"{CHECKPOINT}.trial"
    save_file(kept, str(trial))
    trial.replace(folder / CHECKPOINT)


class _LossCurve:
    """The learning curve, a line now and then."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._done = steps, done
        self._sums = np.zeros(3)
        self._began, self._first = time.monotonic(), done

    def step(self, *parts: float) -> None:
        self._sums += parts
        self._done += 1
        if self._done % _REPORTED_EVERY == 0:
            place, support, answers = self._sums / _REPORTED_EVERY
            spent = time.monotonic() - self._began
            left = spent / (self._done - self._first) * (self._steps - self._done)
            report(
                f"{self._done}/{self._steps} places {place:.3f} support {support:.3f} "
                f"answers {answers:.3f}, {left / 60:.0f} min left"
            )
            self._sums[:] = 0


class _Rows(nn.Module):
    """What is exported: one pair at a time, without padding, from its rows in the tables on."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, rows: Tensor, second: Tensor) -> Tensor:
        bert = self.network.bert
        told = bert.embeddings.token_type_embeddings(second)
        read = bert.embeddings.LayerNorm(rows + told)
        for layer in bert.encoder.layer:
            made = layer(read)
            read = made[0] if isinstance(made, tuple) else made
        return self.network.headed(read)


def export(network: Network, file: Path) -> None:
    """Write what was trained as an ONNX graph that counts in bytes, but for its heads.

    Inputs `rows` (1, pieces, width) and `second` (1, pieces), output `marks` (1, pieces, 4).
    Weights have a scale for each column and seven bits, so that no sum of products overflows where
    there are no VNNI instructions; what they are multiplied by is scaled as it comes. That is 1.5
    times as fast as float weights, in a third of the memory, and the marks correlate by .997.
    """
    no_telemetry()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    pieces = {1: "pieces"}
    width = network.bert.config.hidden_size
    with (
        warnings.catch_warnings(),
        torch.inference_mode(),
        tempfile.TemporaryDirectory() as folder,
    ):
        warnings.simplefilter("ignore")
        whole = Path(folder) / "whole.onnx"
        torch.onnx.export(
            _Rows(network).eval(),
            (torch.randn(1, 7, width), torch.tensor([[0, 0, 0, 1, 1, 1, 1]])),
            str(whole),
            input_names=["rows", "second"],
            output_names=["marks"],
            dynamic_axes={"rows": pieces, "second": pieces, "marks": pieces},
            opset_version=_OPSET,
            dynamo=False,
        )
        quantize_dynamic(
            whole,
            file,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=[f"/{head}/MatMul" for head in _HEADS],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
