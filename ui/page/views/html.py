"""How everything is drawn: templates whose every value is escaped, and small words. Pure.

The HTML is in `templates/`. A template is handed plain values; there is no way to hand it, or to
make in it, a text that is not escaped, for the environment knows no filter but ours.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import TOKEN_DATA, Token, TokenStream
from markupsafe import Markup

from index.types import DocumentRecord, title_from_id
from rag.types import Citation, PassageRead
from ui.language.catalogue import (
    date_in_words,
    decimal,
    gettext,
    number,
    plural,
    short_date,
)
from ui.language.places import other_language, page_name, recognition
from ui.language.replies import retold

TEMPLATES = Path(__file__).parent / "templates"

# Gradio compiles HTML templates through JavaScript template strings. Our values never become
# templates, but these four characters are what such a string is made of, so they go as well.
_TEMPLATE_CHARACTERS = str.maketrans({"$": "&#36;", "{": "&#123;", "}": "&#125;", "`": "&#96;"})

# `}` ends a rule of a style sheet, as `>` ends a tag
_BESIDE_A_TAG = re.compile(r"\A\s*\n\s*|(?<=[>}])\s*\n\s*|\s*\n\s*(?=<)|\s*\n\s*\Z")
_LONG, _LONG_LINES = 280, 5
"""Characters and lines of a question from which on it is folded."""
_TABLE = re.compile(r"(?m)^[^\S\n]*\|[^\n]*\|[^\S\n]*$(?:\n[^\S\n]*\|[^\n]*\|[^\S\n]*$)+")
_CELL, _BAR = re.compile(r"(?<!\\)\|"), re.compile(r"\\\|")
_RULE = re.compile(r"[|:\-\s]+")
_LINE_BREAK = re.compile(r"\s*\n\s*")


def render(template: str, **values: object) -> str:
    """The HTML of one template file, filled with `values`."""
    return environment().get_template(template).render(values)


def render_macro(template: str, macro: str, *arguments: object) -> str:
    """The HTML of one macro of a template file that is a collection of them."""
    return str(getattr(environment().get_template(template).module, macro)(*arguments))


def escape(value: object) -> Markup:
    """`value` as inert HTML: safe in elements, in double-quoted attributes and in JS templates.

    What a template has made of escaped values stays as it is.
    """
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(str(value), quote=True).translate(_TEMPLATE_CHARACTERS))


class _Layout(Extension):
    """Takes a template's own line breaks and indentation for layout, as JSX does.

    Beside a tag or a `{%` they are nothing, inside a sentence or a tag they are one blank. So no
    gap opens between two buttons, and an answer that is sent fifteen times a second stays small.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        for token in stream:
            if token.type == TOKEN_DATA:
                text = _LINE_BREAK.sub(" ", _BESIDE_A_TAG.sub("", token.value))
                yield Token(token.lineno, token.type, text)
            else:
                yield token


@cache
def environment() -> Environment:
    """The environment of all templates, made once; `escape` has the last word on every value."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=escape,
        undefined=StrictUndefined,
        extensions=[_Layout],
        auto_reload=False,
    )
    # instead of Jinja's own, among which are `safe` and some that escape less than we do
    made.filters = {
        "date_in_words": date_in_words,
        "day": day,
        "decimal": decimal,
        "is_long": is_long,
        "kind": kind,
        "length": len,
        "name": name_of,
        "number": number,
        "other_language": other_language,
        "page_name": page_name,
        "pieces": pieces,
        "plural": plural,
        "recognition": recognition,
        "sentence": sentence,
        "retold": retold,
        "short_date": short_date,
        "shorten": shorten,
    }
    made.globals["_"] = gettext
    return made


# --- small words ----------------------------------------------------------------------------------


def name_of(document: DocumentRecord | Citation | PassageRead) -> str:
    """What to call a document on screen: its title, else its file name without the suffix."""
    id_ = document.id if isinstance(document, DocumentRecord) else document.document_id
    return document.title or title_from_id(id_)


def shorten(text: str, limit: int) -> str:
    """`text` on one line; longer than `limit` characters it ends after a word, with an ellipsis."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    cut = flat[:limit]
    # a script without blanks, or one endless word, is cut where it is
    whole = cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut[:-1]
    return whole.rstrip(" ,;:") + "…"


def pieces(text: str) -> list[str | list[list[str]]]:
    """A text in order: prose, and the rows of Markdown tables in it, each a list of cells."""
    found: list[str | list[list[str]]] = []
    end = 0
    for table in _TABLE.finditer(text):
        rows = [line.strip() for line in table[0].splitlines()]
        cells = [[_BAR.sub("|", c).strip() for c in _CELL.split(row[1:-1])] for row in rows
                 if not _RULE.fullmatch(row)]  # fmt: skip
        found += [text[end : table.start()], cells]
        end = table.end()
    return [piece for piece in [*found, text[end:]] if piece]


def sentence(text: str) -> str:
    """A text with a capital at its start, if that is a letter; a colon precedes it elsewhere."""
    return text[:1].upper() + text[1:]


def day(added_at: str) -> str:
    """The day of an ISO 8601 time, `2026-11-29`."""
    return short_date(added_at[:10])


def kind(document_id: str) -> str:
    """What kind of file a document is: `pdf`, `md`."""
    return Path(document_id).suffix.removeprefix(".").lower()


def is_long(text: str) -> bool:
    """Whether a text of this length is folded where it heads something."""
    return len(text) > _LONG or text.count("\n") >= _LONG_LINES
