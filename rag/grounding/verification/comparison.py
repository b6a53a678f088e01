"""A statement beside the sentences it may rest on: what differs, as numbers.

Every feature is bounded. Names and order are part of the fitted coefficients (`judgement.json`),
which are refused when they differ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors
from index.tokenization import STOP_WORDS, words
from rag.grounding.verification.contradiction import (
    find_antonym,
    find_swapped_numbers,
    has_loop,
    has_other_modality,
    has_reordered_words,
)
from rag.query.text_features import content_stems, names, negations, number_of, numbers, stem
from rag.query.word_lists import NUMBER, ORDINALS

NAMES = (
    "novel", "soft", "weakest", "novel_soft", "same", "same_least", "cosine", "sources", "numbers",
    "names", "denies", "denied", "negated", "antonym", "swapped", "modality", "reordered", "loop",
    "beside_numbers", "beside_names", "scope", "hedges", "order", "length", "passive", "units",
    "ordinals", "follows", "turned", "replaced", "swaps", "absent", "moved_numbers",
)  # fmt: skip
"""The features, in their order."""
_WORD = re.compile(rf"{NUMBER}|[^\W_]+(?:['’][^\W_]+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot)\b|n[’']t\b", re.IGNORECASE
)
_BY = re.compile(r"\b(?:was|were|is|are|been|being)\b[^.]{0,40}\bby\b", re.IGNORECASE)
_SCOPE = frozenset(
    "only all every each always never first last most entirely completely both many few several "
    "largest smallest sole alone exclusively fully immediately already finally permanently before "
    "after since until because despite therefore everyone everybody whole total still yet any "
    "more fewer less least half third quarter twice double exactly".split()
)
_HEDGES = frozenset(
    "likely probably possibly perhaps reportedly allegedly alleged suspected believed estimated "
    "estimates about almost nearly around roughly some partly mostly may might could should seems "
    "apparently supposedly proposed planned expected hoped wants wanted".split()
)
_ADJECTIVE = 4
"""Letters that a name and its adjective share: China, Chinese; Portugal, Portuguese."""
CHANGING = _HEDGES | frozenset("if unless except only whether would false wrong".split())
"""Words that change what the rest of a sentence says."""
_UNITS = frozenset(
    "seconds minutes hours hour days day weeks week months month years year decades centuries "
    "percent million billion thousand trillion kilometres kilometers miles metres meters tonnes "
    "euros dollars pounds".split()
)
_MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)
_DAYS = re.compile(
    rf"(?P<month>{'|'.join(sorted(_MONTHS))}) \d{{1,2}}(?:(?: and | to |[–-])\d{{1,2}})?,? "
    r"(?P<year>\d{4})",
    re.IGNORECASE,
)
"""A date with its days, which stand no nearer to anything than its year does."""
_BESIDE_NUMBERS = _UNITS | _MONTHS
"""Words that stand beside any number, so that they tell nothing of where it belongs."""
_CLAUSES = re.compile(rf"{_WORD.pattern}|[,;:()–—]")
_JOINING = frozenset(", ; : ( ) – — and but while whereas compared against".split())
_APART = 3
"""Places by which a clause moves on."""
_ORDINALS = ORDINALS | {"last", "next"}
_TURNING = frozenset("but although though however except instead unless only even without".split())
_NEAR_NUMBER, _NEAR_NAME, _WIDE, _FAR = 3, 4, 8, 99
"""Words to either side of a number or a name in a statement, and in its source."""


@dataclass(frozen=True, slots=True)
class Side:
    """A text with its vectors."""

    text: str
    vectors: QuestionVectors

    @property
    def pieces(self) -> list[tuple[str, int]]:
        """Each whole word of a name or thing, with the first of its word pieces."""
        return [
            (stem(piece), at)
            for at, piece in enumerate(self.vectors.pieces)
            if piece[:1].isalnum() and piece not in STOP_WORDS
        ]


def compare(statement: Side, sources: Sequence[Side], around: str) -> NDArray[np.float64]:
    """How a statement differs from its sources together, in the order of `NAMES`.

    Args:
        statement: with at least one word.
        sources: the sentences it may rest on, at least one, in their order.
        around: the title of their document and what stands around them, which may name what they
            only point at.
    """
    text, source = statement.text, " ".join(side.text for side in sources)
    held = {stem(word) for word in words(f"{source} {around}")}
    stems = list(dict.fromkeys(content_stems(text)))
    novel = [stem for stem in stems if stem not in held]
    tokens = np.concatenate([np.asarray(side.vectors.tokens, np.float64) for side in sources])
    likeness = np.asarray(statement.vectors.tokens, np.float64) @ tokens.T
    best = likeness.max(axis=1) if likeness.size else np.zeros(len(statement.vectors.pieces))
    content = np.array([best[at] for _, at in statement.pieces] or [0.0])
    fresh = [best[at] for one, at in statement.pieces if one not in held]
    same = _same_words(statement, sources, likeness)
    texts = [side.text for side in sources]
    return np.array([
        len(novel) / max(len(stems), 1),
        content.mean(),
        np.sort(content)[:2].mean(),
        float(np.mean(fresh)) if fresh else 1.0,
        float(np.mean(same)) if same else 0.0,
        min(same, default=0.0),
        max(float(statement.vectors.vector @ side.vectors.vector) for side in sources),
        (len(sources) - 1) / 2,
        min(len(_large(text) - numbers(source)), 2) / 2,
        min(len(_unnamed(text, f"{source} {around}")), 2) / 2,
        float(negations(text) > 0 and negations(source) == 0),
        float(negations(text) == 0 and negations(source) > 0),
        _negated_apart(text, source),
        float(find_antonym(text, source) is not None),
        float(find_swapped_numbers(text, texts) is not None),
        float(any(has_other_modality(text, one) for one in texts)),
        float(has_reordered_words(text, texts)),
        float(has_loop(text) and not any(map(has_loop, texts))),
        _beside(text, source, [n for n in map(number_of, _WORD.findall(text)) if n], _NEAR_NUMBER),
        _beside(text, source, sorted(names(text)), _NEAR_NAME),
        min(len(_of(text, _SCOPE) - _of(source, _SCOPE)), 2) / 2,
        min(len(_of(source, _HEDGES) - _of(text, _HEDGES)), 2) / 2,
        _inversions(text, source),
        min(len(stems), 30) / 30,
        float(bool(_BY.search(text)) != bool(_BY.search(source))),
        float(bool(_of(text, _UNITS) - _of(source, _UNITS)) and bool(_of(source, _UNITS))),
        float(bool(_of(text, _ORDINALS) - _of(source, _ORDINALS))),
        _misfollowed(text, source),
        min(len(_of(text, _TURNING) ^ _of(source, _TURNING) & frozenset(words(text))), 1),
        _replaced(statement, sources, likeness, held),
        _swaps(text, source),
        min(len(_unnamed(text, source)), 2) / 2,
        float(moved_number(text, source)),
    ], np.float64)  # fmt: skip


def _same_words(
    statement: Side, sources: Sequence[Side], likeness: NDArray[np.float64]
) -> list[float]:
    """For each word that is in both, how alike it is meant: its own cosine in the two contexts."""
    found: list[float] = []
    places: dict[str, list[int]] = {}
    offset = 0
    for side in sources:
        for one, at in side.pieces:
            places.setdefault(one, []).append(offset + at)
        offset += len(side.vectors.pieces)
    for one, at in statement.pieces:
        if one in places:
            found.append(float(max(likeness[at, other] for other in places[one])))
    return found


def _large(text: str) -> frozenset[str]:
    """The numbers of a text in digits, and those in words that nobody uses for a pronoun."""
    small = {number_of(word) for word in _WORD.findall(text) if word[:1].isalpha()}
    return numbers(text) - {number for number in small if number}


def _unnamed(text: str, held: str) -> list[str]:
    """The names in a text that another one has not, in full, as initials or as an adjective."""
    there = re.findall(r"\w+", held)
    known = {stem(word.lower()) for word in there}
    capitals = "".join(word[0] for word in there if word[0].isupper() and word[1:].islower())
    long = {word.lower()[:_ADJECTIVE] for word in there if word[0].isupper()}

    def is_known(part: str) -> bool:
        if stem(part) in known or (len(part) > 1 and part.upper() in capitals):
            return True
        return len(part) >= _ADJECTIVE and part[:_ADJECTIVE] in long

    return [n for n in names(text) if not all(map(is_known, re.findall(r"\w+", n)))]


def _of(text: str, wanted: frozenset[str]) -> frozenset[str]:
    return wanted & frozenset(words(text))


def _negated(text: str) -> set[str]:
    """The stems that stand just after a word of denial."""
    found: set[str] = set()
    for match in _NEGATION.finditer(text):
        found |= set(content_stems(" ".join(_WORD.findall(text[match.end() :])[:4])))
    return found


def _negated_apart(text: str, source: str) -> float:
    """Whether what one of them denies is said without denial in the other."""
    said, denied = _negated(text), _negated(source)
    stated, sourced = set(content_stems(text)), set(content_stems(source))
    apart = ((denied - said) & stated) if not said else set()
    invented = ((said - denied) & sourced) if not denied else set()
    return float(bool(apart or invented))


def _windows(text: str, wanted: str, width: int) -> list[set[str]]:
    """The content stems around each place where a number or a name stands."""
    tokens = _WORD.findall(text)
    parts = [stem(p) for p in re.findall(r"\w+", wanted.lower())]
    found = []
    for at, token in enumerate(tokens):
        if number_of(token) == wanted or (parts and stem(token.lower()) == parts[0]):
            near = tokens[max(0, at - width) : at] + tokens[at + 1 : at + 1 + width]
            found.append(set(content_stems(" ".join(near))) - set(parts))
    return found


def _beside(text: str, source: str, wanted: Sequence[str], width: int) -> float:
    """The least share of what stands beside a number or a name that stands beside it there too."""
    least = 1.0
    for wanted_stem in dict.fromkeys(wanted):
        there = _windows(source, wanted_stem, _WIDE)
        shared = set(content_stems(source))
        for near in _windows(text, wanted_stem, width):
            known = near & shared  # what is said in other words is not judged here
            if there and known:
                least = min(least, max(len(known & other) / len(known) for other in there))
    return least


def moved_number(text: str, source: str) -> bool:
    """Whether a number stands beside a word that stands nearer another number in the source.

    "70 percent of women" of "70 percent of men and 65 percent of women". Of the words around a
    number those count that are nearest to it, and not at all what both numbers are counts of.
    """
    stated, sourced = _numbered(text), _numbered(source)
    for number in stated.keys() & sourced.keys():
        others = [n for n in sourced if n != number]
        for word, distance in stated[number].items():
            own = sourced[number].get(word)
            best = min((sourced[n].get(word, _FAR) for n in others), default=_FAR)
            if distance <= _NEAR_NUMBER and best < _FAR and best < (own or _FAR) - 1:
                closest = min(stated[n].get(word, _FAR) for n in stated)
                if closest == distance and best <= _NEAR_NUMBER:
                    return True
    return False


def _numbered(text: str) -> dict[str, dict[str, int]]:
    """For each number, how many words away each content stem is at least, clauses apart."""
    tokens = _placed(text)
    found: dict[str, dict[str, int]] = {}
    for at, token in tokens:
        if (number := number_of(token)) is None or not token[0].isdigit():
            continue
        near = found.setdefault(number, {})
        for other, word in tokens:
            if number_of(word) is None and word.lower() not in _BESIDE_NUMBERS:
                for content_stem in content_stems(word):
                    near[content_stem] = min(near.get(content_stem, _FAR), abs(other - at))
    return found


def _placed(text: str) -> list[tuple[int, str]]:
    """The words of a text with their places; a new clause begins some places further on."""
    placed, at = [], 0
    for token in _CLAUSES.findall(_DAYS.sub(r"\g<month> \g<year>", text)):
        if _WORD.fullmatch(token):
            placed.append((at, token))
        at += _APART if token.lower() in _JOINING else 1
    return placed


def _misfollowed(text: str, source: str) -> float:
    """The share of names whose next words stand only before them in the source."""
    stated, sourced = content_stems(text), content_stems(source)
    wanted = {stem(part) for name in names(text) for part in re.findall(r"\w+", name)}
    judged = wrong = 0
    for at, word in enumerate(stated):
        if word not in wanted or word not in sourced or at + 1 == len(stated):
            continue
        after = stated[at + 1]
        places = [i for i, other in enumerate(sourced) if other == word]
        there = [i for i, other in enumerate(sourced) if other == after]
        if there:
            judged += 1
            wrong += not any(0 < j - i <= _WIDE for i in places for j in there)
    return wrong / judged if judged else 0.0


def _replaced(
    statement: Side, sources: Sequence[Side], likeness: NDArray[np.float64], held: set[str]
) -> float:
    """How like the word of the source that it stands for the most alike new word is, 0 if none.

    A word that is not in the source, most like one that the statement has not: a synonym, or the
    very thing that was changed.
    """
    stated = {one for one, _ in statement.pieces}
    places: list[str] = []
    for side in sources:
        known = dict((at, one) for one, at in side.pieces)
        places += [known.get(at, "") for at in range(len(side.vectors.pieces))]
    found = 0.0
    for one, at in statement.pieces:
        if one not in held and likeness.shape[1]:
            nearest = int(likeness[at].argmax())
            if places[nearest] and places[nearest] not in stated:
                found = max(found, float(likeness[at, nearest]))
    return found


def _swaps(text: str, source: str) -> float:
    """The share of neighbours in the statement that are far apart in the source."""
    stated, sourced = content_stems(text), content_stems(source)
    both = [w for w in stated if w in sourced]
    far = 0
    for a, b in pairwise(both):
        near = min(
            abs(i - j)
            for i, x in enumerate(sourced)
            if x == a
            for j, y in enumerate(sourced)
            if y == b
        )
        far += near > _NEAR_NAME
    return far / (len(both) - 1) if len(both) > 1 else 0.0


def _inversions(text: str, source: str) -> float:
    """The share of pairs of words, once in both, that stand the other way round."""
    stated, sourced = content_stems(text), content_stems(source)
    both = [w for w in stated if stated.count(w) == sourced.count(w) == 1]
    place = {word: at for at, word in enumerate(sourced)}
    pairs = list(combinations(both, 2))
    return sum(place[a] > place[b] for a, b in pairs) / len(pairs) if pairs else 0.0
