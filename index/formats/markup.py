"""Headings and other marks in plain text: Markdown, YAML front matter, ` = wiki headings = `.

Pure. The marks stay in the text, so that offsets equal the file's; they are furniture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from index.formats.bylines import clean, ends_sentence
from index.formats.dates import parse_date
from index.types import Heading, Span

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_WIKI = re.compile(r"^[^\S\n]*(=(?: ?=){0,5}) ([^=\n]{1,200}) \1[^\S\n]*$", re.MULTILINE)


def wiki(text: str) -> tuple[str, list[Span], list[Heading]]:
    """The title and the heading lines of a text with ` = Heading = ` lines, and the headings.

    The title is the one heading of the first level; a file with several is a collection of
    articles and has none.
    """
    found = list(_WIKI.finditer(text)) if "= " in text else []
    first = [match for match in found if match[1] == "="]
    alone = len(first) == 1 and not text[: first[0].start()].strip()
    spans = [trimmed(text, *match.span()) for match in found]
    headings = [
        Heading(span.start, match[1].count("="), clean(match[2]))
        for span, match in zip(spans, found, strict=True)
    ]
    return first[0][2] if alone else "", spans, headings


# CommonMark alone; a block's inner text is not looked at, so a heading keeps its `*emphasis*`.
_BLOCKS = ("blockquote", "code", "fence", "heading", "hr", "html_block", "lheading", "list")
_MAY_MARK = re.compile(r"^(?:[^\S\n]|>)*[-#`~<!\[*_=+\d]", re.MULTILINE)
"""Where a mark may begin. Without one nothing is parsed: 27 microseconds a block add up."""
_IMAGE_LINE = re.compile(r"[>\s]*\[?!\[[^\]\n]*\]\([^)\n]*\)(?:\]\([^)\n]*\))?\s*")
_EMPHASIS = re.compile(r"[*`]+")
_COMMENT = re.compile(r"[>\s]*<!--.*-->\s*", re.DOTALL)
_UNDERLINED = 120
"""Characters of a line that `---` below makes a heading; below a paragraph it is a separator."""


def markdown(text: str, start: int) -> tuple[str, list[Span], list[Heading]]:
    """The title, the marks and the headings of Markdown from `start` on.

    Marks are headings, lines that hold only an image, rules, comments and fences. The title is
    the first heading, if no prose stands above it.
    """
    title, spans, headings = "", list[Span](), list[Heading]()
    end, above = start, False
    for span, heading, level in _marks(text, start):
        above = above or bool(text[end : span.start].strip("> \t\n"))
        if heading and not title and not above:
            title = heading.strip(" *_")
        spans.append(span)
        if level:
            headings.append(
                Heading(span.start, level, clean(_EMPHASIS.sub("", heading).strip(" _")))
            )
        end = span.end
    return title, spans, headings


_Mark = tuple[Span, str, int]


def _marks(text: str, start: int) -> Iterator[_Mark]:
    """Each mark in order, with the text and the level of a heading."""
    if not _MAY_MARK.search(text, start):
        return
    lines = text[start:].split("\n")
    begins = list(accumulate((len(line) + 1 for line in lines), initial=start))

    def mark(first: int, after: int, heading: str = "", level: int = 0) -> _Mark:
        return trimmed(text, begins[first], begins[after] - 1), heading, level

    def images(first: int, after: int) -> Iterator[_Mark]:
        return (mark(n, n + 1) for n in range(first, after) if _IMAGE_LINE.fullmatch(lines[n]))

    tokens = _block_parser().parse(text[start:])
    for token, inner in zip(tokens, [*tokens[1:], *tokens[-1:]], strict=True):
        if token.map is None:
            continue
        first, after = token.map
        if token.type == "paragraph_open":
            yield from images(first, after)
        elif token.type == "heading_open":
            if token.markup.startswith("#") or _is_headline(inner.content):
                yield mark(first, after, inner.content, int(token.tag[1:]))
            else:
                yield from images(first, after - 1)
                yield mark(after - 1, after)
        elif token.type == "fence":
            yield mark(first, first + 1)
            if first < after - 1 and lines[after - 1].lstrip("> \t").startswith(token.markup):
                yield mark(after - 1, after)
        elif token.type == "hr" or (
            token.type == "html_block" and _COMMENT.fullmatch("\n".join(lines[first:after]))
        ):
            yield mark(first, after)


def _is_headline(above: str) -> bool:
    """Whether what stands above `---` or `===` is a headline: a short line, and no sentence."""
    short = len(above) <= _UNDERLINED and "\n" not in above
    return short and not ends_sentence(above) and not _IMAGE_LINE.fullmatch(above)


@cache
def _block_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero", {"html": True}).enable(_BLOCKS)
    parser.core.ruler.enableOnly(["block"])
    return parser


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
    from yaml import BaseLoader, YAMLError  # a question needs neither
    from yaml import load as load_yaml

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
