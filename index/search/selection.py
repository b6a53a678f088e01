"""The part of a library that a question may look at, worked out once for each state of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from index.storage.store import Snapshot
from index.types import Ids, SearchScope

_KEPT = 8
"""Scopes that are remembered; each costs up to ten megabytes at 100,000 passages."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Documents that were chosen, and their passages."""

    documents: frozenset[str]
    ids: Ids
    """Of the passages, ascending."""
    members: frozenset[int]
    """The same, to ask whether one belongs to them."""


class Selections:
    """What scopes stand for in a library. May be shared between threads."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[object, ...], Selection] = OrderedDict()

    def of(self, reader: Snapshot, scope: SearchScope) -> Selection | None:
        """What a scope stands for in a state of the library; None for all of it."""
        chosen_by = scope.is_filtered or scope.sections
        if scope.documents is None and scope.dates is None and not chosen_by:
            return None
        key = (reader.library, reader.generation_id, *_key(scope))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        chosen = reader.documents_in(scope)
        ids = reader.passage_ids(set(chosen.values()))
        if scope.sections:
            kept = reader.in_sections(ids, scope)
            ids = np.array(sorted(kept), np.int64)
            held = set(kept.values())
            chosen = {id_: content for id_, content in chosen.items() if content in held}
        made = Selection(frozenset(chosen), ids, frozenset(ids.tolist()))
        with self._lock:
            self._known[key] = made
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return made


def _key(scope: SearchScope) -> tuple[object, ...]:
    documents = None if scope.documents is None else frozenset(scope.documents)
    dates = None if scope.dates is None else tuple(scope.dates)
    filters = (
        scope.tags, scope.authors, scope.sources, scope.folders, scope.kinds, scope.sections,
        scope.collections,
    )  # fmt: skip
    return documents, dates, *map(frozenset, filters)
