"""What documents can be chosen by besides their names: tags, authors, sources, folders, types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from index.types import DocumentRecord, upwards
from ui.language.catalogue import gettext, gettext_noop
from ui.page.views.html import render_macro

FACETS = {
    "collections": gettext_noop("collection"),
    "tags": gettext_noop("tag"), "authors": gettext_noop("author"),
    "sources": gettext_noop("source"), "folders": gettext_noop("folder"),
    "kinds": gettext_noop("type"), "sections": gettext_noop("section"),
}  # fmt: skip
"""What documents are chosen by, and what one of it is called."""
FACET_VALUES = 100
"""Values of each that are offered at once, the most frequent; `@` finds the others."""


def facet_values(
    records: Iterable[DocumentRecord], headings: Mapping[str, int] = {}
) -> dict[str, Counter[str]]:
    """The values that documents can be chosen by, with how many have each, by name of the facet."""
    values: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for record in records:
        values["collections"].update(filter(None, [record.collection]))
        values["tags"].update(upwards(record.tags))
        values["authors"].update(filter(None, [record.author]))
        values["sources"].update(filter(None, [record.source]))
        values["folders"].update(record.folders)
        values["kinds"].update(record.kinds)
    values["sections"].update(headings)
    return values


def facet_word(name: str) -> str:
    """What one value of a facet is called."""
    return gettext(FACETS[name])


def facets(values: Mapping[str, Counter[str]]) -> str:
    """What a question may be limited to; a facet of which there is nothing to choose is left out.

    Args:
        values: as `facet_values` gives them.
    """
    shown = [
        (name, facet_word(name).capitalize(), facet_word(name), _most_frequent(counted))
        for name, counted in values.items()
        if len(counted) > (name == "kinds")  # of one kind of file there is nothing to choose
    ]
    return render_macro("frame.html", "facets", shown)


def _most_frequent(counted: Counter[str]) -> list[tuple[str, int]]:
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0].casefold()))[:FACET_VALUES]
    return sorted(most, key=lambda item: item[0].casefold())
