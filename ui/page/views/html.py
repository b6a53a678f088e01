"""Small pieces of HTML and of words that everything drawn is made of. Pure."""

from __future__ import annotations

import html

# Gradio compiles HTML templates through JavaScript template strings. Our values never become
# templates, but these four characters are what such a string is made of, so they go as well.
_TEMPLATE_CHARACTERS = str.maketrans({"$": "&#36;", "{": "&#123;", "}": "&#125;", "`": "&#96;"})

_SHAPES = {
    "copy": "M6 6V3.5h7.5V11H11 M2.5 6H10v7.5H2.5z",
    "again": "M13 8a5 5 0 1 1-1.6-3.7 M13 2.5v3h-3",
    "edit": "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3z M9 4.7 11.3 7",
    "export": "M8 2.5v7.5 M5 7.2 8 10.2l3-3 M3 13.5h10",
    "up": "M5 7.5v6H2.8v-6z M5 7.5 7.8 2.6c1.2 0 1.8.8 1.5 2l-.5 2h3.4c.9 0 1.5.7 1.3 1.6l-.9 4"
    "c-.2.8-.8 1.3-1.6 1.3H5",
    "down": "M11 8.5v-6h2.2v6z M11 8.5 8.2 13.4c-1.2 0-1.8-.8-1.5-2l.5-2H3.8c-.9 0-1.5-.7-1.3-1.6"
    "l.9-4c.2-.8.8-1.3 1.6-1.3H11",
    "bin": "M3 4.5h10 M6.3 4.5v-2h3.4v2 M4.3 4.5l.6 9h6.2l.6-9",
    "only": "M8 2.7a5.3 5.3 0 1 1 0 10.6A5.3 5.3 0 0 1 8 2.7z M8 6.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0"
    " 0 1 0-2.8z",
    "panel": "M2.5 3h11v10h-11z M10 3v10",
    "menu": "M2.5 4.5h11 M2.5 8h11 M2.5 11.5h11",
    "back": "M9.5 3.5 5 8l4.5 4.5",
    "close": "M4 4l8 8 M12 4l-8 8",
    "read": "M8 4C6.5 3 4.6 2.8 2.5 3v9.3c2.1-.2 4 0 5.5 1 1.5-1 3.4-1.2 5.5-1V3"
    "C11.4 2.8 9.5 3 8 4z M8 4v9.3",
}


def escape(text: object) -> str:
    """`text` as inert HTML: safe in elements, in double-quoted attributes and in JS templates."""
    return html.escape(str(text), quote=True).translate(_TEMPLATE_CHARACTERS)


def icon(name: str) -> str:
    """A small drawing beside or instead of words; silent for screen readers."""
    return (
        '<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
        f'<path d="{_SHAPES[name]}"/></svg>'
    )


def tool(action: str, label: str, shape: str, data: str = "") -> str:
    """A button that is an icon; `data` is ready-made attributes."""
    return (
        f'<button type="button" class="tool" data-action="{action}" aria-label="{escape(label)}" '
        f'title="{escape(label)}"{data}>{icon(shape)}</button>'
    )


def button(action: str, label: str, data: str = "") -> str:
    """A button with words."""
    return (
        f'<button type="button" class="quiet-button" data-action="{action}"{data}>'
        f"{escape(label)}</button>"
    )


def plural(count: int, noun: str) -> str:
    """`1 document`, `12 documents`, `1,200 documents`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shorten(text: str, limit: int) -> str:
    """`text` on one line; longer than `limit` characters it ends after a word, with an ellipsis."""
    flat = " ".join(text.split())
    if len(flat) <= limit:
        return flat
    cut = flat[:limit]
    # a script without blanks, or one endless word, is cut where it is
    whole = cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut[:-1]
    return whole.rstrip(" ,;:") + "…"


def milliseconds(value: float) -> str:
    """`38 ms`, `1.4 s`."""
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def duration(seconds: float) -> str:
    """`12 s`, `3 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"
