"""The network as torch learns it, its training, and what it reaches; see `train_network.py`.

`Network` is the twin of `network.forward`: same parts, same names, same numbers.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from index.projection import FITTED_FOR
from rag import metrics
from rag.reader import network
from rag.reader.examples import Example
from rag.reader.features import NAMES
from rag.reader.network import HEADS, KINDS, VIEWS, WINDOW, Asked, Read, inputs
from rag.reader.second import SURE_OF, short
from rag.short_answer import short_answer

WIDTH, LAYERS, VIEW = 96, 2, 24
_DROPPED, _DECAY, _RATE = 0.15, 0.02, 1.5e-3
_BATCH, _READ = 12, 6
"""Questions a step, and sentences of each."""
_NEAR_WEIGHT, _SPAN_WEIGHT, _ANSWER_WEIGHT = 0.7, 0.5, 0.7
_FAR_AWAY = -1e4
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
_MOST = 16
"""Sentences of a question that are read in measuring, the first rung's best."""
_PRECISE, _ENOUGH_SHOWN = 0.85, 50
"""A short answer is shown from the probability at which so many of the shown are right."""


class Attention(nn.Module):
    """What each row of one text finds in the other; cosine and sameness pull the eye."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q, self.o = nn.Linear(width, width), nn.Linear(width, width)
        self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.bias = nn.Parameter(torch.tensor([[4.0] * HEADS, [2.0] * HEADS]))
        with torch.no_grad():
            self.o.weight.mul_(0.5)
            self.q.weight.mul_(0.5)

    def forward(self, x: Tensor, y: Tensor, mask: Tensor, hints: Tensor) -> Tensor:
        """Shapes as in `network._attend`."""
        n, rows, width = x.shape
        size = width // HEADS

        def heads(made: Tensor) -> Tensor:
            return made.view(n, -1, HEADS, size).transpose(1, 2)

        drawn = heads(self.q(x)) @ heads(self.k(y)).transpose(2, 3) / math.sqrt(size)
        drawn = drawn + torch.einsum("ch,bcnm->bhnm", self.bias, hints)
        share = drawn.masked_fill(~mask[:, None, None], _FAR_AWAY).softmax(-1)
        found: Tensor = self.o((share @ heads(self.v(y))).transpose(1, 2).reshape(n, rows, width))
        return found


def _thinking(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))


class Layer(nn.Module):
    """Sentence and question look at each other, the sentence at its neighbourhood; both think."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.np1, self.nq1, self.np2, self.nq2 = (nn.LayerNorm(width) for _ in range(4))
        self.pq, self.qp = Attention(width), Attention(width)
        self.pf, self.qf = _thinking(width), _thinking(width)
        self.conv = nn.Conv1d(width, width, WINDOW, padding=WINDOW // 2, groups=width)
        with torch.no_grad():
            self.conv.weight.mul_(0.2)
        self.drop = nn.Dropout(_DROPPED)

    def forward(self, p: Tensor, q: Tensor, given: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The sentence's and the question's pieces, one layer on."""
        own, other = self.np1(p), self.nq1(q)
        hints = given["hints"]
        nearby = self.conv((own * given["read_mask"][..., None]).transpose(1, 2)).transpose(1, 2)
        p = p + self.drop(self.pq(own, other, given["asked_mask"], hints)) + self.drop(nearby)
        q = q + self.drop(self.qp(other, own, given["read_mask"], hints.transpose(2, 3)))
        return (
            p + self.drop(self.pf(self.np2(p))),
            q + self.drop(self.qf(self.nq2(q))),
        )


class Network(nn.Module):
    """The whole; `inp` and `inq` begin as (three times) the identity, so that cosines mean much."""

    def __init__(self, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        self.inp, self.inq = nn.Linear(width, width), nn.Linear(width, width)
        self.pflags, self.qflags = nn.Linear(7, width), nn.Linear(4, width)
        self.kind = nn.Embedding(len(KINDS), width)
        self.blocks = nn.ModuleList(Layer(width) for _ in range(layers))
        self.nP, self.nQ = nn.LayerNorm(width), nn.LayerNorm(width)
        self.su, self.sv = nn.Linear(width, VIEWS * VIEW), nn.Linear(width, VIEWS * VIEW)
        self.sw, self.pool = nn.Linear(width, VIEWS), nn.Linear(width, 1)
        seen = 2 * VIEWS + 2 * width + 1 + 2 + len(NAMES)
        out = nn.Linear(width, 2)
        self.hid = nn.Sequential(nn.Linear(seen, width), nn.ReLU(), nn.Dropout(_DROPPED), out)
        self.span, self.drop = nn.Linear(width, 2), nn.Dropout(_DROPPED)
        with torch.no_grad():
            self.inp.weight.copy_(3 * torch.eye(width))
            self.inq.weight.copy_(3 * torch.eye(width))
            out.weight.mul_(0.1)
            out.bias.zero_()

    def forward(self, given: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Support (n,), answers (n,), places (n, longest, 2); see `network.Judged`."""
        read_mask, asked_mask = given["read_mask"], given["asked_mask"]
        given = given | {"hints": torch.stack([given["near"], given["same"]], 1)}
        p = self.inp(self.drop(given["read"])) + self.pflags(given["read_marks"])
        q = self.inq(given["asked"]) + self.qflags(given["asked_marks"])
        q = q + self.kind(given["kind"])[:, None]
        for layer in self.blocks:
            p, q = layer(p, q, given)
        p, q = self.nP(p), self.nQ(q)
        n, longest, _ = p.shape
        sought = functional.normalize(self.su(q).view(n, -1, VIEWS, VIEW), dim=-1).transpose(1, 2)
        there = functional.normalize(self.sv(p).view(n, longest, VIEWS, VIEW), dim=-1)
        close = sought @ there.permute(0, 2, 3, 1)
        close = close.masked_fill(~read_mask[:, None, None], -1).amax(3)
        unasked = ~asked_mask[:, None]
        share = self.sw(q).transpose(1, 2).masked_fill(unasked, _FAR_AWAY).softmax(-1)
        late = (close * share).sum(2)
        worst = -torch.logsumexp((-8 * close).masked_fill(unasked, _FAR_AWAY), 2) / 8
        told = self.pool(p)[..., 0].masked_fill(~read_mask, _FAR_AWAY).softmax(-1)
        sentence = (told[..., None] * p).sum(1)
        question = (share.mean(1)[..., None] * q).sum(1)
        places = self.span(p).masked_fill(~read_mask[..., None], _FAR_AWAY)
        best = places.amax(1).clamp(-20, 20) * 0.1
        seen = [late, worst, sentence, question, given["late"][:, None], best, given["features"]]
        out = self.hid(torch.cat(seen, 1))
        return out[:, 0], out[:, 1], places


def learn(
    fitted: Sequence[Example], tuning: Sequence[Example], chosen: argparse.Namespace
) -> tuple[dict[str, NDArray[np.float32]], list[dict[str, Any]]]:
    """The trained weights by name, and the learning curve on the tuning articles."""
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(chosen.seed)
    net = Network()
    plain = [one for one in net.parameters() if one.ndim <= 1]
    decaying = [one for one in net.parameters() if one.ndim > 1]
    groups = [{"params": decaying, "weight_decay": _DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=_RATE, betas=(0.9, 0.98))
    sample = [tuning[i] for i in np.random.default_rng(0).permutation(len(tuning))[:400]]
    steps, began = int(chosen.epochs * len(fitted) / _BATCH), time.monotonic()
    curve, losses = [], []
    for step, batch in enumerate(_batches(fitted, steps, rng), start=1):
        done = max(step / steps, (time.monotonic() - began) / (60 * chosen.minutes))
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, step / 100) * max(0.05, 1 - 0.95 * done)
        net.train()
        loss, parts = _loss(net, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        losses.append(parts)
        if step % 400 == 0 or step == steps or done >= 1:
            seconds = round(time.monotonic() - began)
            lost = [round(float(x), 3) for x in np.mean(losses[-400:], axis=0)]
            point = {"step": step, "of": steps, "seconds": seconds, "loss": lost}
            curve.append(point | _figures(_read_all(weights_of(net), sample), sample))
            print(json.dumps(curve[-1]), file=sys.stderr, flush=True)  # noqa: T201
            torch.save(net.state_dict(), chosen.out / "network.pt")
        if done >= 1:
            break
    return weights_of(net), curve


def weights_of(net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """The weights as they are shipped: rounded to half precision, by name."""
    return {
        name: value.detach().numpy().astype(np.float16).astype(np.float32)
        for name, value in net.state_dict().items()
    }


Picked = tuple[Example, list[int]]
"""A question and which of its sentences are read; of an answerable one the first is gold."""


def _batches(
    examples: Sequence[Example], steps: int, rng: np.random.Generator
) -> Iterator[list[Picked]]:
    done = 0
    while True:
        order = rng.permutation(len(examples))
        for at in range(0, len(order) - _BATCH + 1, _BATCH):
            picked = [_picked(examples[i], rng) for i in order[at : at + _BATCH]]
            yield [one for one in picked if one is not None]
            done += 1
            if done == steps:
                return


def _picked(example: Example, rng: np.random.Generator) -> Picked | None:
    """Some of its sentences, those that the first rung likes rather; None without a gold one."""
    right = np.flatnonzero(example.gold)[:1] if example.kind == "answerable" else np.zeros(0, int)
    if example.kind == "answerable" and not len(right):
        return None
    wrong = np.flatnonzero(~example.gold)
    odds = np.exp(-np.arange(len(wrong)) / 6.0)
    count = min(_READ - len(right), len(wrong))
    if count:
        wrong = rng.choice(wrong, count, replace=False, p=odds / odds.sum())
    chosen = [*map(int, right), *map(int, wrong)]
    return (example, chosen) if chosen else None


def _loss(net: Network, batch: Sequence[Picked]) -> tuple[Tensor, tuple[float, float, float]]:
    """Which sentence (listwise), where in it, and whether at all; all on top of the first rung."""
    given = collated([(one.asked, [one.sentences[i] for i in chosen]) for one, chosen in batch])
    support, answers, places = net(given)
    ranking, finding, deciding = [], [], []
    at = 0
    for example, chosen in batch:
        mine = slice(at, at + len(chosen))
        scores = torch.from_numpy(example.first[chosen]) + support[mine]
        known = example.kind == "answerable"
        logit = (scores.softmax(0) * answers[mine]).sum() + example.gate
        weight = _NEAR_WEIGHT if example.kind == "near" else 1.0
        target = torch.tensor(float(known))
        decided = functional.binary_cross_entropy_with_logits(logit, target)
        deciding.append(weight * decided)
        if known:
            ranking.append(-scores.log_softmax(0)[0])
            goal = _goal(example, chosen[0], places.shape[1])
            if goal is not None:
                starts, ends = places[at].log_softmax(0).T
                finding.append(-starts[goal[0]] - ends[goal[1]])
        at += len(chosen)
    zero = torch.zeros(())
    parts = [torch.stack(one).mean() if one else zero for one in (ranking, finding, deciding)]
    total = parts[0] + _SPAN_WEIGHT * parts[1] + _ANSWER_WEIGHT * parts[2]
    return total, (parts[0].item(), parts[1].item(), parts[2].item())


def _goal(example: Example, which: int, longest: int) -> tuple[int, int] | None:
    """The word pieces at which the gold answer begins and ends, if both are read."""
    span, spans = example.spans[which], example.sentences[which].spans
    if span is None:
        return None
    inside = [i for i, one in enumerate(spans) if one.end > span.start and one.start < span.end]
    return (inside[0], inside[-1]) if inside and inside[-1] < longest else None


def collated(batch: Sequence[tuple[Asked, Sequence[Read]]]) -> dict[str, Tensor]:
    """The inputs of several questions in one, padded to the longest."""
    each = [inputs(question, sentences) for question, sentences in batch]
    rows = max(one["read"].shape[1] for one in each)
    wide = max(one["asked"].shape[1] for one in each)
    room = {"read": (rows,), "read_mask": (rows,), "read_marks": (rows,), "asked": (wide,),
            "asked_mask": (wide,), "asked_marks": (wide,), "near": (rows, wide),
            "same": (rows, wide)}  # fmt: skip
    joined = {}
    for name in each[0]:
        wanted = room.get(name, ())
        parts = [
            np.pad(
                one[name],
                [
                    (0, wanted[axis - 1] - size if 0 < axis <= len(wanted) else 0)
                    for axis, size in enumerate(one[name].shape)
                ],
            )
            for one in each
        ]
        joined[name] = torch.from_numpy(np.concatenate(parts))
    return joined


Seen = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Of a question's best sentences: support, answers, places."""


def _read_all(
    weights: Mapping[str, NDArray[np.float32]], examples: Sequence[Example]
) -> list[Seen]:
    """What the shipped network makes of each question's best sentences."""
    seen = []
    for one in examples:
        judged = network.judge(one.asked, one.sentences[:_MOST], weights)
        seen.append((judged.support, judged.answers, judged.places))
    return seen


def _correction(example: Example, seen: Seen, share: float = 1.0) -> tuple[NDArray[Any], float]:
    """The sentences' scores with so much of the correction, and the correction to the gate."""
    support, answers, _ = seen
    scores = example.first[: len(support)] + share * support
    belief = np.exp(scores - scores.max())
    return scores, float(belief @ answers / belief.sum())


def _figures(seen: Sequence[Seen], examples: Sequence[Example]) -> dict[str, float]:
    """The learning curve's figures: both rungs, side by side."""
    ranked = [_correction(one, s) for one, s in zip(examples, seen, strict=True)]
    asked = [i for i, one in enumerate(examples) if one.kind == "answerable"]
    kinds = np.array([one.kind for one in examples])
    before = np.array([one.gate for one in examples])
    after = before + np.array([correction for _, correction in ranked])
    found = [_span(examples[i], seen[i], int(np.argmax(ranked[i][0]))) for i in asked]
    golden = [i for i in asked if examples[i].gold[:_MOST].any()]
    given = [_span(examples[i], seen[i], int(np.argmax(examples[i].gold))) for i in golden]
    figures = {
        "first_rung": float(np.mean([examples[i].gold[0] for i in asked])),
        "second_rung": float(np.mean([examples[i].gold[np.argmax(ranked[i][0])] for i in asked])),
        "first_near_auc": _auc(before[kinds == "answerable"], before[kinds == "near"]),
        "near_auc": _auc(after[kinds == "answerable"], after[kinds == "near"]),
        "first_far": _refused(before, kinds, "far", 0.02),
        "far": _refused(after, kinds, "far", 0.02),
        "f1": _mean_f1([examples[i] for i in asked], found),
        "f1_right_sentence": _mean_f1([examples[i] for i in golden], given),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _span(example: Example, seen: Seen, which: int) -> str:
    """The words that answer in one of the sentences."""
    return short(example.sentences[which], seen[2][which])[0]


def _mean_f1(examples: Sequence[Example], said: Sequence[str]) -> float:
    pairs = zip(examples, said, strict=True)
    return float(np.mean([metrics.f1(text, one.answers) for one, text in pairs]))


def _auc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    from sklearn.metrics import roc_auc_score

    labels = np.r_[np.ones(len(higher)), np.zeros(len(lower))]
    return float(roc_auc_score(labels, np.r_[higher, lower]))


def _refused(logits: NDArray[Any], kinds: NDArray[Any], kind: str, lost: float) -> float:
    """The share of a kind refused when so many answerable questions are refused with them."""
    threshold = np.quantile(logits[kinds == "answerable"], lost)
    return float((logits[kinds == kind] < threshold).mean())


def report(
    weights: Mapping[str, NDArray[np.float32]],
    tuning: Sequence[Example],
    held: Sequence[Example],
    curve: Sequence[Mapping[str, Any]],
    folder: Path,
) -> None:
    """Fit the shares on the tuning articles, measure on the ones held out, write everything."""
    seen = _read_all(weights, tuning)
    certain = _certain(tuning, seen)
    share = min(_SHARES, key=lambda share: _surprise(tuning, seen, share))
    figures = {
        "correction": share,
        "tuning": measured(tuning, seen, share, certain),
        "held_out": measured(held, _read_all(weights, held), share, certain),
    }
    half = {name: value.astype(np.float16) for name, value in weights.items()}
    np.savez(folder / network.FILE, **half)  # type: ignore[arg-type]
    data = {
        "fitted": {"encoder": FITTED_FOR, "certain": certain},
        "measured": figures,
        "curve": list(curve),
    }
    (folder / "network.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1), file=sys.stderr)  # noqa: T201


def _certain(examples: Sequence[Example], seen: Sequence[Seen]) -> float:
    """From which probability on short answers are right often enough; see `second.Fitted`."""
    said = list(_said(examples, seen))
    for certain in np.arange(0.1, 1.0, 0.025):
        shown = [metrics.is_right(t, one.answers, "any") for t, p, one in said if p >= certain]
        if len(shown) >= _ENOUGH_SHOWN and np.mean(shown) >= _PRECISE:
            return round(float(certain), 3)
    raise SystemExit("nothing is certain enough to be shown: train longer")


def _surprise(examples: Sequence[Example], seen: Sequence[Seen], share: float) -> float:
    """The mean of -log of the belief in the gold sentences, where one is among those read."""
    lost = []
    for one, saw in zip(examples, seen, strict=True):
        gold = one.gold[: len(saw[0])]
        if one.kind == "answerable" and gold.any():
            scores = _correction(one, saw, share)[0]
            scores = scores - scores.max()
            lost.append(math.log(np.exp(scores).sum() / np.exp(scores[gold]).sum()))
    return float(np.mean(lost))


def _said(
    examples: Sequence[Example], seen: Sequence[Seen]
) -> Iterator[tuple[str, float, Example]]:
    """The likeliest words of the first rung's best sentence, and how likely they are right.

    Nothing is certain where the kind of question has no short answers.
    """
    for one, saw in zip(examples, seen, strict=True):
        if one.kind == "answerable":
            belief = np.exp(one.first - one.first.max())
            text, likely = short(one.sentences[0], saw[2][0])
            sure = one.asked.kind in SURE_OF
            yield text, likely * float(belief[0] / belief.sum()) if sure else 0.0, one


def measured(
    examples: Sequence[Example], seen: Sequence[Seen], share: float, certain: float
) -> dict[str, Any]:
    """Both rungs on the same questions; so much of the network's correction."""
    ranked = [_correction(one, s, share) for one, s in zip(examples, seen, strict=True)]
    kinds, gate = _kinds(examples), np.array([one.gate for one in examples])
    doubt = np.array([correction for _, correction in ranked])
    asked = [i for i, one in enumerate(examples) if one.kind == "answerable"]
    said = list(_said(examples, seen))
    sure = [text if likely >= certain else None for text, likely, _ in said]
    ruled = [short_answer(examples[i].text, examples[i].sentences[0].text) for i in asked]
    either = [span or rule for rule, span in zip(ruled, sure, strict=True)]
    known = [examples[i] for i in asked]
    return {
        "questions": {kind: int((kinds == kind).sum()) for kind in ("answerable", "near", "far")},
        "first_rung": _ranking(known, [one.first for one in known]),
        "second_rung": _ranking(known, [ranked[i][0] for i in asked]),
        "gate": _gate(gate, kinds),
        "gate_with_answers_head": _gate(gate + doubt, kinds),
        "span_f1": round(_mean_f1(known, [text for text, _, _ in said]), 4),
        "short_from_rules": _shown(known, ruled),
        "short_from_span": _shown(known, sure),
        "short_from_either": _shown(known, either),
    }


def _ranking(asked: Sequence[Example], scores: Sequence[NDArray[Any]]) -> dict[str, float]:
    pairs = list(zip(asked, scores, strict=True))
    right = float(np.mean([one.gold[np.argmax(found)] for one, found in pairs]))
    return {"right_first": round(right, 4), "right_of_six": round(_of_six(pairs), 4)}


def _gate(logits: NDArray[Any], kinds: NDArray[Any]) -> dict[str, float]:
    figures = {
        "near_auc": _auc(logits[kinds == "answerable"], logits[kinds == "near"]),
        "near_refused_at_5": _refused(logits, kinds, "near", 0.05),
        "far_refused_at_2": _refused(logits, kinds, "far", 0.02),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _of_six(pairs: Sequence[tuple[Example, NDArray[Any]]]) -> float:
    """How often the gold sentence beats the first rung's five best others."""
    won = []
    for one, scores in pairs:
        gold = one.gold[: len(scores)]
        if gold.any():
            won.append(scores[gold].max() > scores[~gold][:5].max(initial=-np.inf))
    return float(np.mean(won))


def _shown(asked: Sequence[Example], said: Sequence[str | None]) -> dict[str, float]:
    """How often something is said, how often that is right, and its F1 where it is said."""
    pairs = [(one, text) for one, text in zip(asked, said, strict=True) if text]
    right = [metrics.is_right(text, one.answers, "any") for one, text in pairs]
    return {
        "shown": round(len(pairs) / len(asked), 4),
        "right": round(float(np.mean(right or [False])), 4),
        "f1": round(_mean_f1([one for one, _ in pairs], [text for _, text in pairs]), 4),
    }


def _kinds(examples: Sequence[Example]) -> NDArray[Any]:
    return np.array([one.kind for one in examples])
