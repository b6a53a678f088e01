"""Is a text English? By its letters, and by the small words of the most written languages.

What an encoder made for English says of other languages is worth little (`search.ranking`), so it
has to be known what they are. A text that shows nothing either way, such as a table of numbers and
names, counts as English: then everything stays as it is.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Literal

from index.tokenization import STOP_WORDS, words_once

LanguageGroup = Literal["english", "latin", "other"]

BEGINNING = 4_000
"""Characters of a text that are looked at."""
_LEAST = 0.05
"""Share of a text's words that are small words of one language, at least, in running text of it;
the 29 articles of XQuAD-de have .20 and more."""
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")


def language_group(text: str) -> LanguageGroup:
    """`english`, or `latin` and `other` for what is surely in another language, by its letters."""
    text = text[:BEGINNING]
    letters = len(_LETTER.findall(text))
    if 2 * len(_LATIN.findall(text)) < letters:
        return "other"
    every = words_once(text)
    english = sum(word in STOP_WORDS for word in every)
    foreign = max(sum(word in small for word in every) for small in _small_words().values())
    return "latin" if foreign > english and foreign >= _LEAST * len(every) else "english"


@cache
def _small_words() -> dict[str, frozenset[str]]:
    """Words that only join others, by the code of their language; none that English has too."""
    stored = json.loads(files("index.search").joinpath("small_words.json").read_text("utf-8"))
    return {code: frozenset(text.split()) - STOP_WORDS for code, text in stored.items()}
