"""The grammar of a model's answer, and when it has said enough."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LINES = 3
"""Of an answer, at most."""
_LONGEST_STATEMENT = 300
"""Characters."""
_LOOP_TOKENS = 12
"""Written in a loop of the same few before the writing is stopped."""
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_LONGEST_REFRAIN = 20
"""Characters up to which a sentence or a line may be said twice: "Yes." """


def pointer_grammar(ids: Sequence[int], lines: int = _LINES) -> str:
    r"""The GBNF grammar of one to `lines` lines `[id] statement\n` with ids from `ids` only.

    A statement has 2 to 300 characters, does not begin with a blank, and holds no square bracket
    (it could pose as a pointer), line break or other ASCII control character. Rule names have no
    underscore: llama.cpp's own derived names do.
    """
    if not ids or lines < 1:
        raise ValueError(f"a grammar needs ids and lines, not {list(ids)!r} and {lines!r}")
    # ASCII alone is forbidden: were U+2028 too, llama.cpp would refuse the first byte of every
    # sign from U+2000 to U+2FFF, and with it the dashes and quotes a model spells in bytes.
    never = r"\x7f\[\]"
    pointers = " | ".join(f'"{int(i)}"' for i in dict.fromkeys(ids))
    return "\n".join(
        [
            f"root ::= line{{1,{lines}}}",
            r'line ::= "[" pointer "] " statement "\n"',
            f"pointer ::= {pointers}",
            rf"statement ::= [^\x00-\x20{never}] [^\x00-\x1f{never}]"
            f"{{1,{_LONGEST_STATEMENT - 1}}}",
            "",
        ]
    )


def is_complete(text: str) -> bool:
    """Whether all lines are written, or one of them says what another has said."""
    statements = [line.partition("] ")[2] for line in text.split("\n")[:-1]]
    return len(statements) >= _LINES or len(set(statements)) < len(statements)


def says_again(text: str) -> bool:
    """Whether the last whole sentence or line of free prose was said before, word for word."""
    *told, _ = _SENTENCE_END.split(text)
    return bool(told) and len(told[-1]) > _LONGEST_REFRAIN and told[-1] in told[:-1]


def repeats(tokens: Sequence[int]) -> bool:
    """Whether the last twelve tokens or more are the same few, at least three times over."""
    for period in range(1, len(tokens) // 3 + 1):
        span = max(3 * period, _LOOP_TOKENS)
        if span > len(tokens):
            return False
        if tokens[-span:-period] == tokens[period - span :]:
            return True
    return False
