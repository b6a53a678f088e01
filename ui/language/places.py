"""Where in a document something stands, in the language that is spoken."""

from __future__ import annotations

from functools import lru_cache

from index.languages.detection import NAMES, language
from index.types import Location
from rag.query.text_features import in_english
from rag.types import Citation, PassageRead
from ui.language.catalogue import ENGLISH, gettext, gettext_noop, language_name, spoken

_PAGES = {
    "page": gettext_noop("page {n}"),
    "slide": gettext_noop("slide {n}"),
    "sheet": gettext_noop("sheet {n}"),
}


def page_name(at: Location | Citation | PassageRead) -> str:
    """How to say the page: `page xii`, `slide 3`, `sheet Costs`; empty without one."""
    where = at if isinstance(at, Location) else at.location
    words = _PAGES.get(where.page_kind or "page")
    if not where.page or words is None:
        return where.page_name
    return gettext(words, n=where.page_label or where.page)


def recognition(at: Citation | PassageRead) -> str:
    """How to say that text was recognised: `recognised text, 97 % sure`; else empty."""
    share = at.location.recognised
    return gettext("recognised text, {n} % sure", n=f"{100 * share:.0f}") if share else ""


def other_language(quote: str) -> str:
    """What the language of a quote is called where it is another than the one that is spoken.

    Empty too where nothing tells the language, as of names and numbers.
    """
    code = _language_of(quote)
    return language_name(code) if code and code != spoken() else ""


@lru_cache(maxsize=1024)
def _language_of(quote: str) -> str:
    """The code of a quote's language; empty where nothing tells."""
    if not any(map(str.isalpha, quote)):
        return ""
    code = language(quote)
    return code if code in NAMES and (code != ENGLISH or in_english(quote)) else ""
