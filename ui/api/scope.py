"""Where a question may look, as a person says it: documents, people, outlets, tags, folders, times.

What names nothing that there is, is refused with what there is that is near.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NoReturn

from index.errors import InputError
from index.library import Library
from index.types import EVERYWHERE, DocumentRecord, SearchScope, title_from_id, upwards

_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_NEAR = 3
"""Names shown beside one that is not there."""
_ALIKE = 60
"""Likeness (rapidfuzz, 0 to 100) from which on a name is near."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person chose to look in; of one kind any counts, of two kinds both."""

    documents: tuple[str, ...] = ()
    """Ids, titles or file names."""
    authors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: str = ""
    """The first day that counts: `2024-09-04`, `2024-09` or `2024`."""
    until: str = ""
    """The last one."""
    folders: tuple[str, ...] = ()
    """As documents' ids have them, with all below: `news/2024`."""
    kinds: tuple[str, ...] = ()
    """Endings of files: `pdf`, `.md`."""
    sections: tuple[str, ...] = ()
    """Parts of headings that stand above a passage."""
    collections: tuple[str, ...] = ()


def scope_of(library: Library, filters: Filters) -> SearchScope:
    """The part of the library that the filters choose.

    Raises:
        InputError: when a filter names nothing there is, or a date that is none.
    """
    if filters == Filters():
        return EVERYWHERE
    dates = _dates(filters.since, filters.until)
    if filters.sections:
        known = library.headings()
        for name in filters.sections:
            if not any(name.strip().casefold() in heading.casefold() for heading in known):
                _refuse("section", name, list(known))
    sections = tuple(name.strip() for name in filters.sections)
    chosen = replace(filters, since="", until="", sections=())
    if chosen == Filters():
        return SearchScope(None, dates, sections=sections)
    records = library.documents()
    kinds: Sequence[tuple[str, tuple[str, ...], Callable[[DocumentRecord], Collection[str]]]] = (
        ("document", filters.documents, _names),
        ("author", filters.authors, lambda record: [record.author]),
        ("source", filters.sources, lambda record: [record.source]),
        ("tag", filters.tags, lambda record: upwards(record.tags)),
        ("folder", filters.folders, lambda record: record.folders),
        ("type", filters.kinds, lambda record: record.kinds),
        ("collection", filters.collections, lambda record: [record.collection]),
    )
    ids = {record.id for record in records}
    for kind, wanted, values_of in kinds:
        if wanted:
            ids &= set().union(*(_matching(kind, name, records, values_of) for name in wanted))
    return SearchScope(tuple(sorted(ids)), dates, sections=sections)


def _matching(
    kind: str,
    name: str,
    records: Iterable[DocumentRecord],
    values_of: Callable[[DocumentRecord], Collection[str]],
) -> set[str]:
    """Ids of the documents that have this name for a value; a part of it does where none has."""
    wanted = _bare(kind, name.strip().casefold())
    values = {record.id: [v.casefold() for v in values_of(record) if v] for record in records}
    same = {id_ for id_, held in values.items() if wanted in held}
    if not same and wanted and kind in ("author", "source"):
        # “Ada Byron and others”, “The Link, Kyoto”
        same = {id_ for id_, held in values.items() if any(wanted in value for value in held)}
    known = dict.fromkeys(value for record in records for value in values_of(record) if value)
    if not same:
        _refuse(kind, name, list(known))
    return same


def _refuse(kind: str, name: str, known: Sequence[str]) -> NoReturn:
    from rapidfuzz import fuzz, process, utils

    if not known:
        raise InputError(f"no document in the library has the {kind} {name!r:.80}; none has any")
    near = process.extract(
        name, known, scorer=fuzz.WRatio, processor=utils.default_process, limit=_NEAR,
        score_cutoff=_ALIKE,
    )  # fmt: skip
    shown = [match[0] for match in near] or list(known[:_NEAR])
    words = ", ".join(f"{value!r:.80}" for value in shown)
    more = "near it is" if near else "there is, for example,"
    there = "no such document" if kind == "document" else f"no document has the {kind}"
    raise InputError(f"{there}: {name!r:.80}; {more} {words}")


def _bare(kind: str, wanted: str) -> str:
    """A name as documents have it: a tag without its `#`, a folder without a slash at its end."""
    return wanted.strip({"tag": "#/", "folder": "/", "type": "."}.get(kind, ""))


def _names(record: DocumentRecord) -> list[str]:
    """What a person may call a document."""
    file = record.id.rsplit("/", 1)[-1]
    names = [record.id, record.title or title_from_id(record.id), file, *record.aliases]
    return list(dict.fromkeys(names))


def _dates(since: str, until: str) -> tuple[str, str] | None:
    if not since and not until:
        return None
    first, last = checked_date(since) or "0000", checked_date(until) or "9999"
    if first[: len(last)] > last[: len(first)]:
        raise InputError(f"nothing is since {since} and until {until}: the first is later")
    return first, last


def checked_date(given: str) -> str:
    """A date as the library compares it; empty stays empty.

    Raises:
        InputError: when it is none.
    """
    given = given.strip()
    if not given:
        return ""
    if match := _DATE.fullmatch(given):
        year, month, day = (int(part) if part else 1 for part in match.groups())
        try:
            date(year, month, day)
        except ValueError:
            pass
        else:
            return given
    raise InputError(f"{given!r:.40} is no date: write 2024, 2024-09 or 2024-09-04")
