"""Does what was composed answer the question? What a capable model thinks of it, as one number.

The gate counts words and vectors, and takes a passage about the right subject for one that answers.
A model that has read it says more, in one word: how much likelier a yes than a no is. Neither is
believed alone (`rag.reader.gate.with_opinion`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.llm.generator import Generator
from rag.llm.prompt import opinion_messages
from rag.query.question import Question

ASKED = frozenset({"fact", "explain", "yes_no"})
"""Tasks that ask something which a text states or does not."""


def is_asked(question: Question) -> bool:
    """Whether a model is asked about a question: one thing, in the language it was measured in."""
    request = question.request
    return request.task in ASKED and len(request.parts) <= 1 and question.language == "en"


def opinion(
    generator: Generator,
    question: str,
    texts: Sequence[str],
    tokens: int,
    stop: Callable[[], bool],
) -> float | None:
    """The log-odds, in nats, that the composed quotations state the answer.

    None when the model cannot say, and when they are longer than what may be read.

    Args:
        generator: a capable model.
        question: in the wording that was searched for.
        texts: the composed answer, the sources' own sentences.
        tokens: that may be read for it.
        stop: asked often; when it says True nothing more is read.

    Raises:
        ModelFailed: when the model fails at it.
        ModelMissing: when it cannot be used at all.
    """
    messages = opinion_messages(question, texts)
    if not texts or generator.count(messages) > tokens:
        return None
    return generator.log_odds(messages, stop)
