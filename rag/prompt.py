"""Question and evidence → messages. The one place where prompts live.

Sentences carry numbers, and the model writes the number first: it commits to its evidence before
it writes, and the screen can light the source before the words arrive. Sentences come before the
question, so that a follow-up about the same evidence shares its beginning with the prompt before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.generator import Message
from rag.types import Evidence

SYSTEM = (
    "You answer questions using only the numbered sentences. "
    "Each line of your answer starts with the number of the sentence it comes from, "
    "then says in one short sentence what that sentence tells about the question."
)
TOKENS = 350
"""What a whole prompt may cost: a token of prompt is 3 ms on two cores, and six sentences hold
what a larger prompt would (see the README's curve)."""
# Brackets in a source would pose as our markers.
_BRACKETS = str.maketrans("[]【】", "()()")


def messages(question: str, evidence: Sequence[Evidence]) -> list[Message]:
    """The messages for one answer."""
    shown = "\n".join(f"[{one.id}] {plain(one.text)}" for one in evidence)
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{shown}\n\nQuestion: {plain(question)}"},
    ]


def plain(text: str) -> str:
    """A text on one line, without brackets that could pose as markers and without hidden signs."""
    visible = "".join(c for c in text if c.isprintable() or c.isspace())
    return re.sub(r"\s+", " ", visible).strip().translate(_BRACKETS)
