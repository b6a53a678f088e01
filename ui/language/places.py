"""Where in a document something stands, in the language that is spoken."""

from __future__ import annotations

from index.types import Location
from rag.types import Citation, PassageRead
from ui.language.catalogue import gettext, gettext_noop

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
