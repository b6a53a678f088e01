"""What a web page hides is not read from it; what it shows is, whatever the page does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.formats.registry import Unreadable, parse
from index.formats.web import hidden

SEEN = "The harbour of Velmora was dredged in the spring of last year, at some cost."
SECRET = "Xanthippe ordered the quinquereme."
# `¶` stands for the text, `ZZZ` for very much of nothing.
WAYS = {
    "attribute": "<p hidden>¶</p>",
    "attribute with a value": "<p hidden='x'>¶</p>",
    "template": "<template><p>¶</p></template>",
    "dialog": "<dialog>¶</dialog>",
    "aria": "<p aria-hidden='true'>¶</p>",
    "display": "<p style='display:none'>¶</p>",
    "display, loud": "<p style='DISPLAY : None !important; color:red'>¶</p>",
    "display, escaped": "<p style='d\\69splay:none'>¶</p>",
    "display, commented": "<p style='display/**/:/* */none'>¶</p>",
    "visibility": "<p style='visibility:hidden'>¶</p>",
    "opacity": "<p style='opacity:0.0'>¶</p>",
    "font size": "<p style='font-size:0'>¶</p>",
    "tiny font": "<p style='font-size:1px'>¶</p>",
    "font shorthand": "<p style='font:0px/1 serif'>¶</p>",
    "size relative to nothing": "<p style='font-size:0'><b style='font-size:2em'>¶</b></p>",
    "around what is shown": "<p style='font-size:0'>¶<b style='font-size:16px'>x</b></p>",
    "off-screen": "<p style='position:absolute;left:-9999px'>¶</p>",
    "off-screen, upwards": "<p style='position:fixed; top:-100em'>¶</p>",
    "margin": "<p style='margin-left:-9999px'>¶</p>",
    "indent": "<p style='text-indent:-9999px'>¶</p>",
    "transform": "<p style='transform:translateX(-9999px)'>¶</p>",
    "scale": "<p style='transform: scale(0)'>¶</p>",
    "clip": "<p style='position:absolute;clip:rect(0 0 0 0)'>¶</p>",
    "clip path": "<p style='clip-path: inset(100%)'>¶</p>",
    "no height": "<div style='height:0;overflow:hidden'><p>¶</p></div>",
    "screen readers only": "<p style='width:1px;height:1px;overflow:hidden'>¶</p>",
    "transparent": "<p style='color:transparent'>¶</p>",
    "transparent by numbers": "<p style='color:rgba(0, 0, 0, 0)'>¶</p>",
    "white on white": "<p style='color:#fff;background:white'>¶</p>",
    "class": "<style>.x{display:none}</style><p class='a x'>¶</p>",
    "id, media, comment": (
        "<style>/* } */ @media screen{ #y, i {visibility:hidden} }</style><p id=y>¶</p>"),
    "class, open to the end": "<style>.x{opacity:0</style><p class=x>¶</p>",
    "nested rules": "<style>.x{display:none; & b{color:red}}</style><p class=x>¶</p>",
    "rule in a rule": "<style>.o{ .x{display:none} }</style><i class=o><b class=x>¶</b></i>",
    "important in a sheet": (
        "<style>.x{display:none!important}</style><p class=x style='display:block'>¶</p>"),
    "deep": "<div>" * 400 + "<p hidden>¶</p>" + "</div>" * 400,
    "behind a long attribute": "<p data-a='ZZZ' hidden>¶</p>",
    "a long attribute of its own": "<p hidden title='ZZZ'>¶</p>",
}  # fmt: skip
SHOWN = {
    "found by searching": "<p hidden=until-found>¶</p>",
    "shown again": "<style>[hidden]{display:block}</style><p hidden>¶</p>",
    "later rule": "<style>.x{display:none} .x.on{display:block}</style><p class='x on'>¶</p>",
    "in print": "<style>@media print{.x{display:none}}</style><p class=x>¶</p>",
    "sheet for print": "<style media=print>.x{display:none}</style><p class=x>¶</p>",
    "narrow": "<style>@media (max-width:9em){.x{display:none}}</style><p class=x>¶</p>",
    "keyframes": "<style>@keyframes a{from{opacity:0}}</style><p>¶</p>",
    "pseudo-element": "<style>p::before{display:none} p:hover{opacity:0}</style><p>¶</p>",
    "body": "<style>body{opacity:0}</style><p>¶</p>",
    "sized again": "<div style='font-size:0'><p style='font-size:14px'>¶</p></div>",
    "visible again": "<div style='visibility:hidden'><p style='visibility:visible'>¶</p></div>",
    "down the page": "<p style='position:absolute;top:123456px;left:90px'>¶</p>",
    "half moved": "<p style='position:absolute;left:50%;transform:translate(-50%)'>¶</p>",
    "dimmed": "<p style='opacity:.6;color:#0000ff;background:none'>¶</p>",
    "inherited colours": "<p style='color:inherit;background:inherit'>¶</p>",
    "clipped but with room": "<div style='overflow:hidden;height:90px'><p>¶</p></div>",
    "a picture in the tag": "<p style='background:url(data:ZZZ)'>¶</p>",
    "a broken sheet": "<style>}} { p{{ </style><p>¶</p>",
    "an open dialog": "<dialog open>¶</dialog>",
}  # fmt: skip


def text_of(body: str) -> str:
    page = f"<!doctype html><html><head><title>T</title></head><body>{body}</body></html>"
    return " ".join(parse("a.html", page.encode(), ".html").text.split())


@pytest.mark.fault("G47")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_what_is_hidden_is_not_read(way: str) -> None:
    way = way.replace("¶", SECRET).replace("ZZZ", "x " * 10_000)
    text = text_of(f"<p>{SEEN}</p>{way}<p>{SEEN[::-1]}</p>")
    assert SEEN in text and SEEN[::-1] in text
    assert "quinquereme" not in text


@pytest.mark.fault("G47")
@pytest.mark.parametrize("way", SHOWN.values(), ids=SHOWN.keys())
def test_what_is_shown_is_read(way: str) -> None:
    way = way.replace("¶", SEEN).replace("ZZZ", "x" * 20_000)
    assert SEEN in text_of(f"{way}<p>{SEEN[::-1]}</p>")


def test_a_page_too_deep_to_be_looked_at_is_read_when_nothing_can_be_hidden_in_it() -> None:
    deep = "<div>" * 6_000
    assert SEEN in text_of(f"{deep}<p>{SEEN}</p>")
    with pytest.raises(Unreadable, match=r"nest 6,00\d deep"):
        text_of(f"{deep}<p>{SEEN}</p><p hidden>{SECRET}</p>")


PIECES = st.sampled_from(
    ["<p>", "</p>", "<p hidden>", "<div style='", "display:none", "'>", "</div>", "<style>",
     "</style>", ".a{", "}", "{", "@media screen{", "/*", "*/", "<b class=a>", "</b>", "&", ";",
     "opacity:0", "<template>", "</template>", "words", "\\", "\"", "::", ":is(", "color:#"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(" ".join))
def test_no_page_is_too_broken_and_nothing_comes_in(page: str) -> None:
    drawn = hidden.without_hidden(page)
    assert drawn == page or len(drawn) <= len(page) + len("<html><head></head><body></body>") * 9
    assert drawn.count("words") <= page.count("words")
    assert hidden.without_hidden(drawn).count("words") <= drawn.count("words")


def test_a_page_that_hides_nothing_stays_as_it_is() -> None:
    page = f"<p class=a>{SEEN}<style>.b{{display:none}}</style>"
    assert hidden.without_hidden(page) is page
