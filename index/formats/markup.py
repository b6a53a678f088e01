"""Headings and other marks in plain text: Markdown, YAML front matter, ` = wiki headings = `.

Pure. The marks stay in the text, so that offsets equal the file's; they are furniture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from yaml import BaseLoader, YAMLError
from yaml import load as load_yaml

from index.formats.bylines import clean, ends_sentence
from index.formats.dates import parse_date
from index.types import Span

_WIKI = re.compile(r"^[^\S\n]*(=(?: ?=){0,5}) ([^=\n]{1,200}) \1[^\S\n]*$", re.MULTILINE)


def wiki(text: str) -> tuple[str, list[Span]]:
    """The title and the heading lines of a text with ` = Heading = ` lines.

    The title is the one heading of the first level; a file with several is a collection of
    articles and has none.
    """
    found = list(_WIKI.finditer(text))
    first = [match for match in found if match[1] == "="]
    alone = len(first) == 1 and not text[: first[0].start()].strip()
    return first[0][2] if alone else "", [trimmed(text, *match.span()) for match in found]


_MARKS = re.compile(
    r"""^(?:[ ]{0,3}(?P<fence>`{3,}|~{3,})[^\n]*
    |[ ]{0,3}\#{1,6}[^\S\n]+(?P<heading>[^\s\#][^\n]*)
    |(?P<over>[ ]{0,3}\S[^\n]{0,120})\n[ ]{0,3}(?:=+|-{2,})[^\S\n]*
    |[^\S\n]*\[?!\[[^\]\n]*\]\([^)\n]*\)(?:\]\([^)\n]*\))?[^\S\n]*
    |[^\S\n]*<!--[^\n]*-->[^\S\n]*
    |[ ]{0,3}(?:(?:-[ ]*){3,}|(?:\*[ ]*){3,}|(?:_[ ]*){3,}))$""",
    re.MULTILINE | re.VERBOSE,
)


def markdown(text: str, start: int) -> tuple[str, list[Span]]:
    """The title and the marks of Markdown from `start` on.

    Marks are headings, lines that hold only an image, rules, comments and fences. The title is
    the first heading, if no prose stands above it.
    """
    title, spans = "", []
    fence, end, above = "", start, False
    for match in _MARKS.finditer(text, start):
        mark = match["fence"] or ""
        if fence and not mark.startswith(fence):
            continue  # inside a code block a `#` is no heading
        fence = "" if fence else mark
        if match["over"] and not _is_underlined(text, start, match):
            continue
        above = above or bool(text[end : match.start()].strip())
        heading = match["heading"] or match["over"] or ""
        if heading and not title and not above:
            title = re.sub(r"\s+#+\s*$", "", heading).strip(" *_")
        spans.append(trimmed(text, *match.span()))
        end = match.end()
    return title, spans


def _is_underlined(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a line above `---` is a heading, not the end of a paragraph above a rule."""
    before = text[max(start, match.start() - 2) : match.start()]
    return not ends_sentence(match["over"]) and (not before.strip("\n ") and before != " \n")


_YAML = re.compile(r"---[^\S\n]*\n((?:[^\n]*\n){0,200}?)(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)")
_YAML_LINE = re.compile(r"[\w-]+\s*:(?:\s.*)?|\s+\S.*|-\s.*|#.*|\s*")
_YAML_LIMIT = 8_000
"""Characters of a block that is handed to the YAML parser."""
_MOST_VALUES, _DEEPEST = 50, 3
_NOTHING = ("null", "~")
"""YAML for a value that is left empty."""
_KEYS = {
    "title": {"title", "headline"},
    "author": {"author", "authors", "byline"},
    "date": {"date", "published", "pubdate", "publishdate"},
    "source": {"source", "publisher", "publication", "outlet"},
    "tags": {"tags", "tag", "keywords"},
    "aliases": {"aliases", "alias"},
    "description": {"description", "summary", "abstract"},
}
_DESCRIPTION_LIMIT = 2_000


@dataclass(frozen=True, slots=True)
class YamlBlock:
    """What a YAML block in the first line states, and where it ends."""

    facts: Mapping[str, str]
    """Title, author, date and source, as far as stated."""
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str = ""
    end: int = 0


NO_YAML = YamlBlock({})


def yaml(text: str) -> YamlBlock:
    """What a YAML block in the first line states; `NO_YAML` without one.

    What no YAML parser takes, such as a colon in a title, is read line by line: `key: value` and
    simple lists.
    """
    block = _YAML.match(text)
    lines = block[1].split("\n") if block else []
    if block is None or not all(_YAML_LINE.fullmatch(line) for line in lines):
        return NO_YAML
    stated = _loaded(block[1])
    if stated is None:
        stated = _by_lines(lines)
    tags = (tag.strip().lstrip("#") for value in stated.pop("tags", ()) for tag in value.split(","))
    aliases = stated.pop("aliases", ())
    description = " ".join(stated.pop("description", ()))
    facts = {key: clean(", ".join(values)) for key, values in stated.items() if values}
    facts["date"] = parse_date(facts.get("date", ""))
    return YamlBlock(
        {key: value for key, value in facts.items() if value},
        _distinct(tags),
        _distinct(aliases),
        clean(description, _DESCRIPTION_LIMIT),
        block.end(),
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    """Cleaned values, each once, at most `_MOST_VALUES` of them."""
    return tuple(islice(dict.fromkeys(filter(None, map(clean, values))), _MOST_VALUES))


def _loaded(block: str) -> dict[str, list[str]] | None:
    """The values of each of `_KEYS` in a YAML mapping; None when it is none that can be read.

    `BaseLoader` makes nothing but text, lists and mappings: a title of 1984 or No stays as it is.
    """
    if len(block) > _YAML_LIMIT or block.count("[") + block.count("{") > _MOST_VALUES:
        return None
    try:
        mapping = load_yaml(block, BaseLoader)
    except (YAMLError, RecursionError, ValueError):
        return None
    if not isinstance(mapping, dict):
        return None
    found: dict[str, list[str]] = {}
    for name, value in mapping.items():
        if key := _key_of(str(name)):
            texts = (text for text in _texts(value) if key == "title" or text not in _NOTHING)
            found.setdefault(key, []).extend(islice(texts, _MOST_VALUES))
    return found


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """The texts in a value: itself, the items of a list, the `name` of a mapping."""
    if isinstance(value, str):
        if text := value.strip():
            yield text
    elif depth < _DEEPEST:  # a few lines of aliases may stand for millions of values
        inner = [value.get("name", "")] if isinstance(value, dict) else value
        if isinstance(inner, list):
            for item in inner[:_MOST_VALUES]:
                yield from _texts(item, depth + 1)


def _key_of(name: str) -> str:
    """Which of `_KEYS` a name in front matter means; empty when none."""
    wanted = name.strip().lower()
    return next((key for key, names in _KEYS.items() if wanted in names), "")


def _by_lines(lines: Sequence[str]) -> dict[str, list[str]]:
    """The values of each of `_KEYS` in `key: value` lines and lists with one item a line."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and re.match(r"[\w-]", line) and not line.startswith("- "):
            key = _key_of(name)
            items = value.strip()
            listed = items.startswith("[") and items.endswith("]")
            values = items[1:-1].split(",") if listed else [items]
            found.setdefault(key, []).extend(filter(None, map(_unquoted, values)))
        elif line.strip().startswith("- "):
            found.setdefault(key, []).append(_unquoted(line.strip()[2:].removeprefix("name:")))
    return {key: values for key, values in found.items() if key}


def _unquoted(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without the white space at its ends."""
    part = text[start:end]
    return Span(start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip())))
