"""Places → what to read: the files that stand for documents, and what became of the others.

A document whose file is not found is *gone* when its folder can be read and shows other things;
else it is *unreachable* and stays. So does what goes missing in great numbers at once, until a
person agrees: a disk that is not mounted looks like a folder somebody emptied.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from index.formats import registry
from index.storage.records import DocumentLocation
from index.storage.store import Snapshot
from index.system import files, roots
from index.system.ignoring import FILE as IGNORE_FILE
from index.system.ignoring import IgnoreRules
from index.types import NO_CARD, CatalogueCard, FailedFile, SkippedFile, Unreachable


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that stands for a document."""

    id: str
    root: str
    path: Path
    replaces: str = ""
    """The path of the file whose document had this id and gives way; empty where nobody's did."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies at some roots now, compared with what the library holds of them."""

    files: tuple[SourceFile, ...] = ()
    vanished: tuple[str, ...] = ()
    """Ids of documents to let go of."""
    unreachable: tuple[Unreachable, ...] = ()
    failed: tuple[FailedFile, ...] = ()
    left_out: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    """Where to look again next time."""
    dropped: tuple[str, ...] = ()
    """Where not to: files that are gone and of which nothing is held."""
    skipped: tuple[SkippedFile, ...] = ()
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Globs to remember with roots, in the place of those before."""


@dataclass(frozen=True, slots=True)
class _Sighted:
    """A file that was seen, and the document it stands for already."""

    name: str
    root: str
    path: Path
    known: DocumentLocation | None


def survey(
    reader: Snapshot,
    wanted: Sequence[Path],
    *,
    implied: bool = False,
    forget: bool = False,
    folder: Path | None = None,
    lister: registry.Lister = Path.iterdir,
    exclude: Sequence[str] | None = None,
) -> Survey:
    """What lies at some roots now.

    Args:
        reader: a state of the library.
        wanted: files and folders, from `roots.settled`.
        implied: nobody named these roots just now.
        forget: whether to let go of what went missing in great numbers, too.
        folder: what the files lie in that are wanted; it is remembered in their stead.
        lister: lists a folder.
        exclude: globs of what is ignored in these folders; those remembered with them when None.
    """
    walk = _Walk(reader, implied, folder, lister, exclude)
    for root in wanted:
        walk.visit(root)
    vanished, unreachable = walk.missing(forget)
    names = DocumentIds(walk.held, vanished)
    found = tuple(
        names.identify(file.name, Path(file.root), file.path) for file in walk.sighted.values()
    )
    hung = {cause.path for cause in unreachable}
    failed = [
        FailedFile(str(path), reason)
        for path, reason in walk.closed.items()
        if str(path) not in hung
    ]
    return Survey(
        files=found,
        vanished=tuple(id_ for id_ in vanished if id_ not in names.given),
        unreachable=unreachable,
        failed=(*walk.failed, *failed),
        left_out=tuple(walk.left_out),
        roots=tuple(walk.roots),
        dropped=tuple(walk.dropped),
        skipped=tuple(walk.skipped),
        excludes={} if exclude is None else {root: walk.globs(root) for root in walk.roots},
    )


def changed_of(reader: Snapshot, paths: Iterable[Path]) -> list[Path]:
    """What to look at for paths that something has changed at, each once.

    Files stand for themselves; where one is gone, or is a folder of a place, the place is looked at
    whole: what became of it only its other files tell. What is no article, hidden or ignored is
    left out.
    """
    known = {roots.real(Path(root)): Path(root) for root in reader.roots()}
    excludes = reader.excludes()
    found: dict[Path, None] = {}
    for path in paths:
        real = roots.real(path)
        home = next((up for up in (real, *real.parents) if up in known), None)
        if home is None:
            found[path] = None
            continue
        between = real.relative_to(home).parts
        if any(registry.is_hidden(Path(part)) for part in between) and path.name != IGNORE_FILE:
            continue
        rules = IgnoreRules(home, excludes.get(str(known[home]), ()))
        there = roots.look(real).kind
        if there == "file" and path.name != IGNORE_FILE:
            if registry.is_article(real) and not rules.ignores_within(real):
                found[real] = None
        else:
            found[known[home]] = None
    wholes = [path for path in found if path in known.values()]
    return [p for p in found if p in wholes or not any(p.is_relative_to(up) for up in wholes)]


def unreachable(held: Iterable[DocumentLocation]) -> tuple[Unreachable, ...]:
    """The documents whose files cannot be seen now and were not deleted, by what they hang on."""
    causes, kept = roots.Causes(), _Kept()
    for location in held:
        if cause := causes.of(Path(location.path), Path(location.root)):
            kept.add(cause.path, cause.reason, location.id, cause.empty)
    return kept.all()


def names_of(known: Iterable[str], path: Path) -> tuple[Path, ...]:
    """A path as it was given and as roots that are known lead to it."""
    real = roots.real(path)
    links = ((Path(root), roots.real(Path(root))) for root in known)
    inside = ((link, at) for link, at in links if real.is_relative_to(at))
    return (path, real, *(link / real.relative_to(at) for link, at in inside))


def is_under(path: str, folders: Iterable[Path]) -> bool:
    """Whether a path is one of these or below one."""
    return any(Path(path).is_relative_to(folder) for folder in folders)


class _Walk:
    """One look at some roots."""

    def __init__(
        self,
        reader: Snapshot,
        implied: bool,
        folder: Path | None,
        lister: registry.Lister,
        exclude: Sequence[str] | None,
    ) -> None:
        self.held = {location.path: location for location in reader.locations()}
        self.sighted: dict[str, _Sighted] = {}
        """Files by the path they are held under, else by their real one."""
        self.closed: dict[Path, str] = {}
        """What could not be looked into, and why."""
        self.failed: list[FailedFile] = []
        self.left_out: dict[str, None] = {}
        self.roots: dict[str, None] = {}
        self.dropped: list[str] = []
        self.skipped: list[SkippedFile] = []
        self._ignored = set[str]()
        """What is ignored, by its path without links: of files and of whole folders."""
        self._rules_of: dict[str, IgnoreRules] = {}
        self._visited: dict[str, None] = {}
        self._of_root: dict[str, list[DocumentLocation]] = {}
        self._singly = Counter[Path]()
        """How many files of a folder were added one by one."""
        for location in self.held.values():
            self._of_root.setdefault(location.root, []).append(location)
            self._singly[Path(location.path).parent] += location.root == location.path
        self._implied, self._folder, self._lister = implied, folder, lister
        self._excluded = reader.excluded()
        self._exclude, self._excludes = exclude, reader.excludes()
        self._known = dict.fromkeys(reader.roots())
        self._real = {roots.real(Path(root)): Path(root) for root in reversed(self._known)}
        self._links = [(real, path) for real, path in self._real.items() if real != path]
        self._causes = roots.Causes()

    # --- looking --------------------------------------------------------------------------

    def visit(self, root: Path) -> None:
        """Look at one root, under the name by which the library knows it."""
        if str(root) not in self._known:
            root = self._real.get(roots.real(root), root)
        self._visited[str(root)] = None
        there = roots.look(root)
        if there.kind == "folder":
            self._look_into(root)
        elif there.kind == "file":
            self._look_at(root)
        elif there.kind == "closed":
            if str(root) not in self.held:
                self.closed[root] = there.reason
        elif str(root) not in self._of_root:
            self._nothing(root)

    def _look_into(self, folder: Path) -> None:
        if files.is_library(folder):
            self._fail(folder, "this is a library's own folder, not one of articles")
            return
        real, closed, empty = roots.real(folder), len(self.closed), True
        home = folder if str(folder) in self._known else self._home(real) or folder
        at_home = roots.real(home)
        self.roots[str(home)] = None
        rules = self._rules(home)

        def ignored(path: Path, is_folder: bool) -> bool:
            seen = real / path.relative_to(folder)
            if not rules.ignores(home / seen.relative_to(at_home), is_folder):
                return False
            self._ignored.add(str(seen))
            self._skip(path, "ignored")
            return True

        for path in registry.visible(
            folder, onerror=self._close, lister=self._lister, ignored=ignored
        ):
            if not registry.is_article(path):
                self._skip(path, registry.no_article(path.suffix))
                continue
            empty, seen = False, real / path.relative_to(folder)
            self._sight(home, seen.relative_to(at_home), seen, named=False)
        if (
            empty
            and not self._implied
            and str(folder) not in self._of_root
            and len(self.closed) == closed
        ):
            self._fail(folder, "no articles in this folder")

    def _look_at(self, file: Path) -> None:
        if not registry.is_article(file):
            self._fail(file, registry.no_article(file.suffix))
            return
        given = self._folder if self._folder and file.is_relative_to(self._folder) else None
        home = given or self._home(file)
        inside = file.relative_to(roots.real(home)) if home else None
        known = self._sight(home or file, inside, roots.real(file), named=not self._implied)
        if known is None or known.root == str(home or file):  # else it is found with its root
            self.roots[str(home or file)] = None

    def _home(self, file: Path) -> Path | None:
        """The known folder in which a path is seen, so that it is called as if found there."""
        path = file
        for folder in path.parents:
            if registry.is_hidden(path) or files.is_library(path):
                return None
            if folder in self._real:
                home = self._real[folder]
                rules = self._rules(home)
                return None if rules.ignores_within(home / file.relative_to(folder)) else home
            path = folder
        return None

    def _nothing(self, root: Path) -> None:
        """A root that is not there, of which nothing is held."""
        if self._implied and not self._causes.of(root, root) and registry.is_article(root):
            self.dropped.append(str(root))
        elif self._implied:
            self._fail(root, f"it is gone or away. For good? pilcrow forget {root}")
        else:
            self._fail(root, "no such file or folder")

    def _sight(
        self, root: Path, inside: Path | None, real: Path, *, named: bool
    ) -> DocumentLocation | None:
        """What a file is held as, if it is; it is noted, unless a person removed its document.

        Args:
            root: what it is found with.
            inside: where in that folder; None when it is the file itself.
            real: its path without links.
            named: whether a person asked for this very file.
        """
        path = root / inside if inside else root
        known_as = dict.fromkeys(map(str, (path, real, *self._otherwise(real))))
        removed = next((alias for alias in known_as if alias in self._excluded), None)
        known = next((self.held[alias] for alias in known_as if alias in self.held), None)
        if known is not None:
            self.sighted[known.path] = _Sighted(known.id, known.root, Path(known.path), known)
        elif removed is not None and not named:
            self.left_out[removed] = None
        else:
            name = registry.safe_name(inside.as_posix() if inside else path.name)
            self.sighted.setdefault(str(real), _Sighted(name, str(root), path, None))
        return known

    def _otherwise(self, path: Path) -> Iterable[Path]:
        """What a file is called by way of roots that are links."""
        for real, link in self._links:
            if path.is_relative_to(real):
                yield link / path.relative_to(real)

    def _rules(self, home: Path) -> IgnoreRules:
        """What is ignored in a folder that was added."""
        if str(home) not in self._rules_of:
            self._rules_of[str(home)] = IgnoreRules(home, self.globs(str(home)), self._fail)
        return self._rules_of[str(home)]

    def globs(self, root: str) -> tuple[str, ...]:
        """The globs of what is ignored there, as given now or else before."""
        before = self._excludes.get(root, ())
        if self._exclude is None:
            return before
        return tuple(self._exclude if root in self._visited else (*before, *self._exclude))

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(SkippedFile(str(path), reason))

    def _close(self, path: Path, reason: str) -> None:
        self.closed[path] = reason

    def _fail(self, path: Path, reason: str) -> None:
        self.failed.append(FailedFile(str(path), reason))

    # --- what was not seen ----------------------------------------------------------------

    def missing(self, forget: bool) -> tuple[list[str], tuple[Unreachable, ...]]:
        """Ids of documents to let go of, and what is kept unseen."""
        kept, losses = _Kept(), dict[_Group, _Loss]()
        vanished: list[str] = []
        for location in self._unseen():
            path, root = Path(location.path), Path(location.root)
            if path != root and self._is_ignored(path):
                vanished.append(location.id)  # a person said so
                continue
            if closed := next((up for up in (path, *path.parents) if up in self.closed), None):
                kept.add(closed, self.closed[closed], location.id)
                continue
            cause = self._causes.of(path, root)
            if cause and not cause.empty:
                kept.add(cause.path, cause.reason, location.id)
                continue
            group = _Group(path.parent, True) if path == root else _Group(root, False)
            loss = losses.setdefault(group, _Loss())
            if cause:
                loss.emptied.append((location, cause))
            else:
                loss.gone.append(location)
        for group, loss in losses.items():
            vanished += self._let_go(group, loss, kept, forget)
        return vanished, kept.all()

    def _is_ignored(self, path: Path) -> bool:
        real = roots.real(path)
        return bool(self._ignored) and any(str(at) in self._ignored for at in (real, *real.parents))

    def _unseen(self) -> Iterable[DocumentLocation]:
        for root in self._visited:
            for location in self._of_root.get(root, ()):
                if location.path not in self.sighted:
                    yield location

    def _let_go(self, group: _Group, loss: _Loss, kept: _Kept, forget: bool) -> Iterable[str]:
        """Ids of the documents that go, of those whose files are not there."""
        lost = [*loss.gone, *(location for location, _ in loss.emptied)]
        if forget or not (loss.emptied or self._at_once(group, len(lost))):
            return [location.id for location in lost]
        moved = self._moved_to  # what stands elsewhere now is not lost
        at_once = self._at_once(group, sum(location.hash not in moved for location in lost))
        for location, cause in loss.emptied:
            if location.hash not in moved:
                kept.add(cause.path, cause.reason, location.id, lost=True)
        staying = [location.id for location in loss.gone if at_once and location.hash not in moved]
        total = self._held_in(group)
        for document_id in staying:
            reason = f"{len(staying)} of {total} documents are gone at once"
            kept.add(group.folder, reason, document_id, lost=True)
        held = {
            *staying,
            *(location.id for location, _ in loss.emptied if location.hash not in moved),
        }
        return [location.id for location in lost if location.id not in held]

    def _at_once(self, group: _Group, lost: int) -> bool:
        """Whether so many go that a person should say so first: more than half of a place."""
        total = self._held_in(group)
        return 2 * lost > total and not (group.singly and total == 1)

    def _held_in(self, group: _Group) -> int:
        if group.singly:
            return self._singly[group.folder]
        return len(self._of_root[str(group.folder)])

    @cached_property
    def _moved_to(self) -> set[str]:
        """The hashes of files that no document stands for yet: articles that have moved."""
        new = (hash_of(file.path) for file in self.sighted.values() if file.known is None)
        return {hash_ for hash_ in new if hash_}


@dataclass(frozen=True, slots=True)
class _Group:
    """Documents that would be lost together: a place's, or those added one by one from a folder."""

    folder: Path
    singly: bool


@dataclass(frozen=True, slots=True)
class _Loss:
    """What is missing of a group."""

    gone: list[DocumentLocation] = field(default_factory=list)
    emptied: list[tuple[DocumentLocation, roots.Cause]] = field(default_factory=list)
    """What was in folders that are empty now."""


class _Kept:
    """Unreachable documents, gathered by what they hang on."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[Path, str, bool], list[str]] = defaultdict(list)

    def add(self, path: Path, reason: str, document_id: str, lost: bool = False) -> None:
        self._by_path[path, reason, lost].append(document_id)

    def all(self) -> tuple[Unreachable, ...]:
        return tuple(
            Unreachable(str(path), reason, tuple(ids), lost)
            for (path, reason, lost), ids in self._by_path.items()
        )


class DocumentIds:
    """Ids for files: the path relative to the root, made longer when that is taken."""

    def __init__(
        self, held: Mapping[str, DocumentLocation], vanished: Collection[str] = ()
    ) -> None:
        """Name files beside the documents that are held, by path; vanished ones give way."""
        self._held = held
        self._by_id = {location.id: location for location in held.values()}
        self._vanished = set(vanished)
        self.given: dict[str, str] = {}
        """Paths by the ids given so far."""

    def identify(self, name: str, root: Path, path: Path) -> SourceFile:
        """The id of a file: the one it has, else a new one."""
        known = self._held.get(str(path))
        if known is not None:
            self.given[known.id] = str(path)
            return SourceFile(known.id, known.root, path)
        wanted, number = name, 1
        while not self._free(wanted, path):
            wanted = f"{root.name}/{name}" if number == 1 else f"{root.name}~{number}/{name}"
            number += 1
        self.given[wanted] = str(path)
        holder = self._by_id.get(wanted)
        return SourceFile(wanted, str(root), path, holder.path if holder else "")

    def _free(self, document_id: str, path: Path) -> bool:
        if document_id in self.given:
            return False
        holder = self._by_id.get(document_id)
        return holder is None or document_id in self._vanished or _is_moved(holder, path)


def _is_moved(location: DocumentLocation, path: Path) -> bool:
    """Whether a new file is an old one that is no longer where it was, since it says the same."""
    return roots.look(Path(location.path)).kind == "missing" and hash_of(path) == location.hash


def hash_of(path: Path) -> str:
    """What the content of a file depends on; empty when it cannot be read."""
    try:
        return content_hash(registry.read_bytes(path), path.suffix)
    except registry.Unreadable:
        return ""


def content_hash(data: bytes, suffix: str, card: CatalogueCard = NO_CARD) -> str:
    """What a document's content depends on: its bytes, how they are read, what is known of it."""
    digest = hashlib.sha256(suffix.lower().encode() + b"\0" + data)
    if card != NO_CARD:
        told = {name: value for name, value in asdict(card).items() if value}
        digest.update(b"\0" + json.dumps(told, sort_keys=True).encode())
    return digest.hexdigest()
