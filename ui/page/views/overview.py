"""The library seen from above as HTML: when its documents are from, what they are about. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from index.types import DocumentRecord
from rag.replies.library_map import MapTopic
from ui.language.catalogue import gettext
from ui.page.views.html import name_of, render

MONTHS = 36
"""Months from the first date to the last up to which a bar stands for a month, else for a year."""
BARS = 40
"""Bars drawn at most; of more years each stands for ten."""
TITLES = 3
"""Documents named for a topic."""


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time, and how many documents are from it."""

    label: str
    since: str
    """ISO date of its first day, as a question is limited by it."""
    until: str
    documents: int


def periods(records: Iterable[DocumentRecord]) -> list[Period]:
    """The stretches of time that documents are from, oldest first; empty ones between as well."""
    dates = sorted(record.date for record in records if record.date)
    if not dates:
        return []
    (first, last), months = (int(dates[0][:4]), int(dates[-1][:4])), [d for d in dates if d[4:7]]
    if (last - first) * 12 <= MONTHS - 12 and len(months) == len(dates):
        counted = Counter(date[:7] for date in dates)
        first_month, last_month = (12 * int(d[:4]) + int(d[5:7]) - 1 for d in (dates[0], dates[-1]))
        spans = [(m // 12, m % 12 + 1) for m in range(first_month, last_month + 1)]
        return [
            Period(label := f"{year:04}-{month:02}", f"{label}-01",
                   f"{label}-{monthrange(year, month)[1]}", counted[label])
            for year, month in spans
        ]  # fmt: skip
    step = 1 if last - first < BARS else 10
    years = Counter(int(date[:4]) // step * step for date in dates)
    found = []
    for year in range(first // step * step, last + 1, step):
        label = str(year) if step == 1 else f"{year}–{year + step - 1}"
        found.append(Period(label, f"{year}-01-01", f"{year + step - 1}-12-31", years[year]))
    return found[-BARS:]


def overview(
    records: Sequence[DocumentRecord], topics: Sequence[MapTopic], names: Mapping[str, str]
) -> str:
    """When the documents are from and what they are about, each as a picture and as a table.

    Args:
        records: the library's documents.
        topics: of all of them.
        names: what each document is called, by id.
    """
    times = periods(records)
    most = max((period.documents for period in times), default=1)
    return render(
        "library/overview.html",
        periods=[(period, f"{100 * period.documents / most:.0f}") for period in times],
        undated=sum(not record.date for record in records),
        topics=[_drawn(number, topic, names) for number, topic in enumerate(topics)],
    )


@dataclass(frozen=True, slots=True)
class _Topic:
    """A topic as it is drawn; `across` and `down` in percent."""

    number: int
    words: str
    documents: int
    titles: str
    across: str
    down: str


def _drawn(number: int, topic: MapTopic, names: Mapping[str, str]) -> _Topic:
    titles = [names[id_] for id_ in topic.documents if id_ in names][:TITLES]
    place = f"{100 * topic.across:.0f}", f"{100 * topic.down:.0f}"
    said = gettext(", ").join(topic.words)
    return _Topic(number, said, len(topic.documents), "; ".join(titles), *place)


def names_by_id(records: Iterable[DocumentRecord]) -> dict[str, str]:
    """What each document is called."""
    return {record.id: name_of(record) for record in records}
