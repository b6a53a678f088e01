"""What a browser would not draw of a web page, taken out of it before it is read.

Nobody sees such text, so it must not be cited: menus and templates, but also orders to a language
model. Judged as a browser without script would, from attributes and from styles in the page
itself; sheets that lie elsewhere are not fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 5_000
"""Nested tags up to which a page is looked at: the parser takes the square of the depth."""
# A page without any of these hides nothing.
_HINTS = ("hidden", "<template", "<dialog")
_STYLE = re.compile(r"\bstyle\b")
# A page that hides itself as a whole is shown by its script; what is never drawn is not read.
_NEVER_HIDDEN = ("html", "body", "head", "title", "style", "script", "meta", "link")
_UNDRAWN = "template, dialog:not([open]), [aria-hidden=true]"
_MOST_RULES = 1_000

Declared = dict[str, str]
"""Values by property, both in lower case."""


@dataclass(slots=True)
class _Look:
    """What is declared of an element."""

    declared: Declared = field(default_factory=dict)
    undrawn: bool = False


def may_hide(page: str) -> bool:
    """Whether anything in the page can be hidden."""
    lower = page.lower()
    return any(hint in lower for hint in _HINTS) or (
        "style" in lower and _STYLE.search(lower) is not None
    )


def without_hidden(page: str) -> str:
    """The page without what is not drawn; the very same page when everything is.

    Args:
        page: HTML whose tags nest no deeper than `DEEPEST`.
    """
    if not may_hide(page):
        return page
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    looks = _looks(tree)
    gone = list(_hidden(tree.root, looks)) if looks else []
    for node in gone:  # none of them is inside another
        node.decompose()
    return str(tree.html) if gone else page


def _hidden(root: Any, looks: dict[int, _Look]) -> Iterator[Any]:
    """The elements and pieces of text that are not drawn, outermost only."""
    waiting: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]
    while waiting:
        parent, inherited = waiting.pop()
        for node in parent.iter(include_text=True):
            if node.tag == "-text":
                if inherited:
                    yield node
                continue
            look = looks.get(node.mem_id)
            if look is None:
                waiting.append((node, inherited))
            elif look.undrawn or _undrawn(look.declared):
                yield node
            else:
                waiting.append((node, _handed_on(inherited, look.declared)))


# ---------------------------------------------------------------- what is declared


def _looks(tree: Any) -> dict[int, _Look]:
    """Every element that is styled or marked, by the parser's number for it."""
    found: dict[int, _Look] = {}
    firm: list[tuple[Any, Declared]] = []

    def declare(node: Any, declared: Declared) -> None:
        if node.tag not in _NEVER_HIDDEN:
            found.setdefault(node.mem_id, _Look()).declared.update(declared)

    for selector, declared, important in _rules(tree):
        for node in _chosen(tree, selector):
            declare(node, declared)
            firm.append((node, important))
    for node in tree.css("[style]"):
        declared, important = _declarations(node.attributes.get("style") or "")
        declare(node, declared)
        firm.append((node, important))
    for node, important in firm:
        declare(node, important)
    for node in tree.css("[hidden]"):
        if node.attributes["hidden"] != "until-found":  # the browser's own search opens that
            display = found.get(node.mem_id, _Look()).declared.get("display", "none")
            declare(node, {"display": display})
    for node in tree.css(_UNDRAWN):
        if node.tag not in _NEVER_HIDDEN:
            found.setdefault(node.mem_id, _Look()).undrawn = True
    return found


def _chosen(tree: Any, selector: str) -> list[Any]:
    from selectolax.lexbor import SelectolaxError

    try:
        return list(tree.css(selector))
    except SelectolaxError:  # one that the parser does not know, or of no element (`::before`)
        return []


_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
_BRACED_STRING = re.compile(r"\"[^\"\n]*[{};][^\"\n]*\"|'[^'\n]*[{};][^'\n]*'")
_BLOCK = re.compile(r"([^{}]*)([{}]|\Z)")
# Blocks of rules that hold for the screen of a desk.
_SCREEN = r"(?:(?:only\s+)?(?:all|screen)|\(\s*min-width\s*:\s*(?:\d{1,2}r?em|\d{1,3}px)\s*\))"
_ALWAYS = re.compile(
    rf"@media\s*{_SCREEN}(?:\s+and\s+{_SCREEN})*|@(?:layer|supports)\b.*", re.S | re.I
)


def _rules(tree: Any) -> Iterator[tuple[str, Declared, Declared]]:
    """The rules of the page's own sheets that may hide: selector, declarations, important ones."""
    number = 0
    for sheet in tree.css("style"):
        if (sheet.attributes.get("media") or "all").strip().lower() not in ("all", "screen"):
            continue
        for selector, text in _blocks(_BRACED_STRING.sub('""', _COMMENT.sub(" ", sheet.text()))):
            declared, important = _declarations(text)
            if declared and number < _MOST_RULES:
                number += 1
                yield selector, declared, important


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    """Selectors with what is declared for them; what is never closed ends with the sheet."""
    inside: list[tuple[str, list[str]]] = []
    for block in _BLOCK.finditer(sheet):
        if block[2] == "{":
            declared, _, head = block[1].rpartition(";")
            if inside:
                inside[-1][1].append(declared)
            inside.append((head.strip(), []))
            continue
        if inside:
            inside[-1][1].append(block[1])
        while inside:
            heads = [head for head, _ in inside]
            _, declared_here = inside.pop()
            if all(not head.startswith("@") or _ALWAYS.fullmatch(head) for head in heads):
                yield _nested([h for h in heads if not h.startswith("@")]), ";".join(declared_here)
            if block[2]:
                break


def _nested(heads: list[str]) -> str:
    """One selector for rules that stand inside each other."""
    found = ""
    for head in heads:
        outer = f":is({found})"
        found = head.replace("&", outer) if "&" in head else f"{outer} {head}" if found else head
    return found


_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)")
_OF_INTEREST = re.compile(
    r"display|visibility|content-visibility|opacity|position|left|right|top|bottom|inset|margin(?:-.*)?"
    r"|transform|translate|scale|clip|clip-path|overflow|(?:max-)?(?:width|height)|font-size|font"
    r"|color|background(?:-color)?|text-indent"
)


def _declarations(text: str) -> tuple[Declared, Declared]:
    """What a style declares, as far as it may hide; and of that what is important."""
    found: Declared = {}
    important: Declared = {}
    for part in _COMMENT.sub(" ", text).split(";"):
        name, colon, value = _ESCAPE.sub(_unescaped, part).partition(":")
        name, value = name.strip().lower(), " ".join(value.lower().split())
        if colon and _OF_INTEREST.fullmatch(name):
            plain, mark, _ = value.partition("!")
            found[name] = plain.strip()
            if mark:
                important[name] = plain.strip()
    return found, important


def _unescaped(found: re.Match[str]) -> str:
    code = int(found[1], 16) if found[1] else 0
    return chr(code) if 0 < code < 0xD800 else found[2] or ""


# ---------------------------------------------------------------- what is not drawn

_LENGTH = re.compile(r"(-?(?:\d+\.?\d*|\.\d+))\s*([a-z%]*)")
# Pixels of one unit, roughly: whether something is far outside or next to nothing needs no more.
_PIXELS = {"px": 1.0, "pt": 1.3, "em": 16.0, "rem": 16.0, "ch": 8.0, "ex": 8.0, "vw": 10.0,
           "vh": 8.0, "%": 5.0, "cm": 38.0, "in": 96.0, "": 1.0}  # fmt: skip
_FAR = 900.0
_TOO_SMALL = 2.0
_ZERO = 0.02


def _undrawn(declared: Declared) -> bool:
    """Whether an element is not drawn, with all that is in it."""
    return (
        declared.get("display") == "none"
        or declared.get("content-visibility") == "hidden"
        or _number(declared.get("opacity", "1")) <= _ZERO
        or _elsewhere(declared)
        or _cut_away(declared)
    )


def _elsewhere(declared: Declared) -> bool:
    """Whether it is moved far out of the page."""
    up = [value for name, value in declared.items() if name.startswith("margin")]
    if declared.get("position") in ("absolute", "fixed", "relative"):
        up += [declared.get(name, "") for name in ("left", "top", "inset")]
        if any(abs(length) >= _FAR for length in _lengths(declared.get("right", ""))):
            return True
    up += [declared.get("transform", ""), declared.get("translate", "")]
    # down and to the right one can scroll: pages made from PDF have all their text there
    if any(length <= -_FAR for value in up for length in _lengths(value)):
        return True
    flat = declared.get("transform", "").replace(" ", "")
    nothing = re.search(r"scale(?:[xy]|3d)?\(0(?:\.0*)?[,)]", flat) is not None
    nothing |= re.fullmatch(r"0(?:\.0*)?(?: .*)?", declared.get("scale", "1")) is not None
    return nothing


def _cut_away(declared: Declared) -> bool:
    """Whether it is clipped to nothing."""
    positioned = declared.get("position") in ("absolute", "fixed")
    clip, path = declared.get("clip", ""), declared.get("clip-path", "")
    if positioned and clip.startswith("rect(") and all(abs(n) <= 1 for n in _lengths(clip)):
        return True
    if path.startswith("inset(") and max((abs(n) for n in _lengths(path)), default=0) >= 250:
        return True
    if path.startswith("circle(") and _number(path[7:]) <= 1:
        return True
    if declared.get("overflow", "").split(" ")[0] not in ("hidden", "clip"):
        return False
    sizes = [declared.get(n, "") for n in ("width", "height", "max-width", "max-height")]
    return any(size and _number(size) <= 1 for size in sizes)


def _handed_on(inherited: frozenset[str], declared: Declared) -> frozenset[str]:
    """The ways in which text inside an element is hidden, unless it is shown again in there."""
    now = set(inherited)
    for name, (hides, shows) in _INHERITED.items():
        if hides(declared):
            now.add(name)
        elif shows(declared):
            now.discard(name)
    return frozenset(now)


def _too_small(declared: Declared) -> bool:
    size = _font_size(declared)
    return bool(size) and _LENGTH.match(size) is not None and _number(size) < _TOO_SMALL


def _readable(declared: Declared) -> bool:
    """A size of its own; one relative to nothing is nothing."""
    size = _font_size(declared)
    found = _LENGTH.match(size)
    relative = size in ("inherit", "smaller", "larger") or bool(found and found[2] in ("em", "%"))
    return bool(size) and not relative and not _too_small(declared)


def _font_size(declared: Declared) -> str:
    short = re.search(r"(?<![\w.-])(-?[\d.]+(?:px|pt|r?em|%))", declared.get("font", ""))
    return declared.get("font-size", short[1] if short else "")


def _invisible(declared: Declared) -> bool:
    color = declared.get("color", "").replace(" ", "")
    ground = declared.get("background-color", declared.get("background", "")).replace(" ", "")
    same = color not in ("", "inherit", "initial", "unset") and _named(color) == _named(ground)
    return same or _CLEAR.fullmatch(color) is not None


_CLEAR = re.compile(
    r"transparent|#[0-9a-f]{3}0|#[0-9a-f]{6}00"
    r"|(?:rgb|hsl)a?\((?:(?:[^,)]*,){3}|[^)/]*/)0*\.?0*%?\)"
)


def _named(color: str) -> str:
    """A colour under one of its names."""
    white = ("#fff", "#ffffff", "rgb(255,255,255)")
    black = ("#000", "#000000", "rgb(0,0,0)")
    return "white" if color in white else "black" if color in black else color


def _coloured(declared: Declared) -> bool:
    return declared.get("color", "inherit") != "inherit"


_INHERITED: dict[str, tuple[Callable[[Declared], bool], Callable[[Declared], bool]]] = {
    "visibility": (
        lambda d: d.get("visibility") in ("hidden", "collapse"),
        lambda d: d.get("visibility") == "visible",
    ),
    "font-size": (_too_small, _readable),
    "color": (_invisible, _coloured),
    "text-indent": (
        lambda d: any(abs(length) >= _FAR for length in _lengths(d.get("text-indent", ""))),
        lambda d: "text-indent" in d,
    ),
}


def _lengths(value: str) -> list[float]:
    """The lengths in a value, in pixels or nearly."""
    return [float(n) * _PIXELS.get(unit, 1.0) for n, unit in _LENGTH.findall(value)]


def _number(value: str) -> float:
    """The first length or number of a value; a large one when there is none."""
    return next(iter(_lengths(value)), 1e9)
