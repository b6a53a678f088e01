"""What the page asks for besides answers: lists, sources, the reader, files, small changes.

One function, `PageApi.ask`, takes the name of a request and what goes with it, and returns plain
values: `slots` (HTML by the place it belongs to), `toast` (what to say, and the request that undoes
it), or `problem` (why not, in one line). It is called by the page's script through Gradio, behind
the same password and the same origin check as everything else. What it is handed comes from a
browser.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from index import Library
from index.errors import InputError, PilcrowError
from index.formats.registry import Unreadable, read_bytes
from index.ingest.discovery import content_hash
from index.languages.detection import language
from index.sources import web
from index.sources.watching import FolderWatches
from index.system.roots import look
from index.types import CatalogueCard, Document, DocumentRecord, Receipt, SearchScope
from rag.grounding import bundle as grounding_bundle
from rag.grounding import sealing
from rag.reader import gate
from rag.replies.library_map import LIMITS as MAP_LIMITS
from rag.replies.library_map import MapTopic, topics_of
from rag.types import Answer
from ui.http.accounts.people import Person
from ui.language.catalogue import ENGLISH, gettext, gettext_noop, number, plural, spoken
from ui.page import chat, export, feedback, upload_copies
from ui.page.chat import Chat
from ui.page.conversations import Conversations, Turn, Verdict
from ui.page.export import bibliography, footnotes
from ui.page.jobs import JobRunner
from ui.page.middleware.uploads import bare
from ui.page.suggester import Suggester
from ui.page.views import answers, facets, overview, panes
from ui.page.views.html import name_of

log = logging.getLogger(__name__)

_CHOICES = 8
"""Documents offered after an `@`; the rest are counted."""
_FACET_CHOICES = 2
"""Tags, authors, sources, folders and types each, offered after an `@`."""
_SHORTEST = 3
"""Characters from which on words are looked for inside documents; one, where they are not Latin."""
_LOOKED_AT = 40
"""Passages that are looked through for them."""
_TURNS = 200
"""Turns of a conversation drawn at once; the others come when they are scrolled to."""
_SUGGESTED = 4
"""Questions in an empty conversation."""
_TO_BEGIN_WITH = 3
"""Questions under a reply that quotes nothing, such as a greeting."""

Reply = dict[str, Any]
Given = dict[str, Any]


class PageApi:
    """Serves the page's small requests."""

    def __init__(
        self,
        library: Library,
        conversations: Conversations,
        runner: JobRunner,
        suggester: Suggester,
        *,
        talk: Chat | None = None,
        notice: str = "",
        samples: bool = False,
        watches: FolderWatches | None = None,
        more: Mapping[str, Callable[[Given], Reply]] = MappingProxyType({}),
        person: Person | None = None,
        signs_out: bool = True,
    ) -> None:
        """Serve from these.

        Args:
            library: the documents.
            conversations: what was asked.
            runner: changes the library.
            suggester: knows what can be asked.
            talk: knows what is being answered.
            notice: for the welcome screen, as `samples`.
            samples: whether there are articles to try it with.
            watches: keep folders up to date; None where none may be named.
            more: what else may be asked for, by name.
            person: whose they are; None where there are no accounts.
            signs_out: whether they sign out here, and not where a proxy let them in.
        """
        self._person = person
        self._signs_out = signs_out
        self._watches = watches
        self._headings: tuple[int, Counter[str]] | None = None
        """The documents' headings, with the state of the library that has them."""
        self._map: tuple[int, list[MapTopic]] | None = None
        self._chat = talk
        self._library = library
        self._conversations = conversations
        self._jobs = runner
        self._suggester = suggester
        self._notice = notice
        self._samples = samples
        self._removed: Receipt | None = None
        """The last removal."""
        self._requests: dict[str, Callable[[Given], Reply]] = {
            "library": self._list_library, "more-documents": self._more_documents,
            "conversations": self._listed, "open": self._open,
            "earlier": self._earlier, "turn": self._one_turn, "stop": self._stop,
            "rename": self._rename, "delete": self._delete, "undelete": self._undelete,
            "sources": self._sources, "all-sources": self._all_sources,
            "read": self._read, "read-on": self._read_on,
            "find": self._find, "page": self._page, "why": self._why,
            "rate": self._rate, "copy": self._copy, "export": self._export,
            "remove": self._remove, "tag": self._tag, "collect": self._collect,
            "restore": self._restore, "taken": self._taken, "put-back": self._put_back,
            "suggest": self._suggest, "follow": self._follow, "names": self._names,
            "facets": self._facets, "overview": self._overview, "topic": self._topic,
            "keep": self._keep, "let-be": self._let_be,
            "folders": self._look_at_folders, "in-text": self._in_text, "all": self._all,
            **more,
        }  # fmt: skip

    def ask(self, request: object) -> Reply:
        """Answers `{"name": …, …}`; never raises: what goes wrong is said in `problem`."""
        try:
            if not isinstance(request, dict):
                raise InputError(gettext("the page asked for nothing"))
            wanted = self._requests.get(str(request.get("name")))
            if wanted is None:
                raise InputError(gettext("the page asked for something unknown; reload it"))
            return wanted(request)
        except PilcrowError as error:
            return {"problem": str(error)}
        except Exception:
            log.exception("a request of the page failed")
            problem = gettext("Something went wrong inside Pilcrow; the terminal says more.")
            return {"problem": problem}

    # --- the left pane ------------------------------------------------------------------------

    def _list_library(self, given: Given) -> Reply:
        """The library's list, which state of the library that is, and everything that counts it."""
        change = self._library.change  # before it is listed: what comes meanwhile is news later
        records = self._library.documents()
        paragraphs = sum(record.paragraphs for record in records)
        welcome = panes.welcome(
            len(records), paragraphs, self._notice, samples=self._samples,
            kept_on=self._library.elsewhere,
        )  # fmt: skip
        return {
            "documents": len(records),
            "change": change,
            "person": self._who(),
            "slots": {
                "library": self._rows(records, given),
                "collections": panes.collections(records, str(given.get("collection", ""))),
                "count": panes.count(len(records), paragraphs),
                "welcome": welcome,
                "suggestions": self._suggested(),
                "places": self._places(),
            },
        }

    def _who(self) -> dict[str, str] | None:
        """Whose page this is, for what it shows of its controls; None without accounts."""
        if (person := self._person) is None:
            return None
        part, way = "some" if person.collections else "all", "logout" if self._signs_out else ""
        return {"name": person.name, "role": person.role, "part": part, "out": way}

    def folders(self) -> list[Path]:
        """The folders that were added where they are."""
        ours = (upload_copies.folder_of(self._library), web.folder_of(self._library.path))
        places = (place for place in self._library.places() if place not in ours)
        return [place for place in places if look(place).kind in ("folder", "closed")]

    def _places(self) -> str:
        if self._watches is None:
            return ""
        states: dict[Path, str | None] = dict.fromkeys(self.folders())
        return panes.places(states | self._watches.states)

    def _look_at_folders(self, _: Given) -> Reply:
        """Whether folders are kept up to date, and which state of the library this is."""
        return {"change": self._library.change, "slots": {"places": self._places()}}

    def _keep(self, given: Given) -> Reply:
        """Keeps a folder up to date that was added before."""
        self._may_name_paths().begin(self._folder(given))
        return self._look_at_folders(given)

    def _let_be(self, given: Given) -> Reply:
        """Keeps it up to date no longer."""
        self._may_name_paths().end(self._folder(given))
        return self._look_at_folders(given)

    def _may_name_paths(self) -> FolderWatches:
        if self._watches is None:
            raise InputError(
                gettext("this page may name no folders; there is: pilcrow watch FOLDER")
            )
        return self._watches

    def _folder(self, given: Given) -> Path:
        watched: Iterable[Path] = self._watches.states if self._watches else ()
        for folder in (*self.folders(), *watched):
            if str(folder) == given.get("place"):
                return folder
        raise InputError(gettext("this folder is not in the library any more"))

    def _more_documents(self, given: Given) -> Reply:
        """More rows of the library's list or of a folder, from a number on."""
        first = max(0, _number(given.get("first")) or 0)
        return {"html": self._rows(self._library.documents(), given, first)}

    def _all(self, given: Given) -> Reply:
        """Every document that the list stands for, each with its id and name."""
        records = panes.collected(self._library.documents(), str(given.get("collection", "")))
        matching = panes.matching(records, str(given.get("words", "")))
        return {"names": [[r.id, name_of(r)] for r in matching]}

    def _in_text(self, given: Given) -> Reply:
        """Where in the documents some words stand, found as a question's passages are."""
        words = str(given.get("words", "")).strip()
        if len(words) < _SHORTEST and words.isascii():
            return {"html": ""}
        name = str(given.get("collection", ""))
        scope = SearchScope(collections=[name] if name else ())
        hits = self._library.search(words, _LOOKED_AT, scope=scope)
        return {"html": panes.in_text([hit for hit in hits if hit.lexical > 0], words)}

    def _rows(
        self, records: Sequence[DocumentRecord], given: Given, first: int | None = None
    ) -> str:
        words, order = str(given.get("words", "")), str(given.get("order", ""))
        inside_of = panes.collected(records, str(given.get("collection", "")))
        shown = panes.in_order(panes.matching(inside_of, words), order)
        folders: list[tuple[str, int]] = []
        inside = str(given.get("folder", ""))
        if order == "folder" and not words.strip():
            shown, folders = panes.level(shown, inside)
        begin = first or 0
        drawn = shown[begin : begin + panes.LISTED]
        home = upload_copies.folder_of(self._library)
        copies = {r.id for r in drawn if Path(r.path).parent == home}
        states = {r.id: _file_state(r, self._library.card) for r in drawn}
        return panes.library(shown, states, words, first, copies, [] if begin else folders, inside)

    def _names(self, given: Given) -> Reply:
        """Documents whose name holds some words, for choosing one with `@`, and how many more.

        Each with its id, its name and, where several are called the same, its path.
        """
        records = self._library.documents()
        matching = panes.matching(records, str(given.get("words", "")))
        twice = panes.shared_names(records)
        named = [(r, name_of(r)) for r in matching[:_CHOICES]]
        return {
            "names": [[r.id, name, r.id if name in twice else ""] for r, name in named],
            "more": max(0, len(matching) - _CHOICES),
            "facets": self._facets_named(records, str(given.get("words", ""))),
        }

    def _facets_named(self, records: Sequence[DocumentRecord], words: str) -> list[list[str]]:
        """What else documents may be chosen by that holds some words, each facet's most frequent.

        Each with the facet's name, the value, and what to say.
        """
        wanted = words.casefold().split()
        if not wanted:
            return []
        return [
            [name, value, f"{facets.facet_word(name)} {value}"]
            for name, counted in self._facet_values(records).items()
            for value, _ in [
                item
                for item in counted.most_common()
                if all(word in f"{facets.facet_word(name)} {item[0]}".casefold() for word in wanted)
            ][:_FACET_CHOICES]
        ]

    def _facet_values(self, records: Sequence[DocumentRecord]) -> dict[str, Counter[str]]:
        """What documents and their passages may be chosen by; headings are read once a change."""
        change = self._library.change
        if self._headings is None or self._headings[0] != change:
            self._headings = change, self._library.headings()
        return facets.facet_values(records, self._headings[1])

    def _facets(self, _: Given) -> Reply:
        """What a question may be limited to, drawn when it is wanted."""
        values = self._facet_values(self._library.documents())
        return {"slots": {"facets": facets.facets(values)}}

    def _overview(self, _: Given) -> Reply:
        """The library seen from above, drawn when it is wanted."""
        records, topics = self._library.documents(), self._topics()
        return {"html": overview.overview(records, topics, overview.names_by_id(records))}

    def _topic(self, given: Given) -> Reply:
        """The documents of one of its topics, each with its id and name."""
        topics, number = self._topics(), _number(given.get("topic"))
        if number is None or not 0 <= number < len(topics):
            raise InputError(gettext("the library has changed; open the overview again"))
        names = overview.names_by_id(self._library.documents())
        return {"names": [[id_, names[id_]] for id_ in topics[number].documents if id_ in names]}

    def _topics(self) -> list[MapTopic]:
        """The library's topics, found once for each of its states."""
        change = self._library.change
        if self._map is None or self._map[0] != change:
            self._map = change, topics_of(*self._library.document_vectors(), self._beginning_of)
        return self._map[1]

    def _beginning_of(self, document_id: str) -> str:
        """A document's title and the beginning of its text; empty when it is gone."""
        with suppress(PilcrowError):  # it may have been removed meanwhile
            document = self._library.document(document_id)
            text = document.text[: MAP_LIMITS.characters]
            for aside in reversed(document.boilerplate):  # "By …", "Published …" are no topics
                text = text[: aside.start] + text[aside.end :]
            return f"{document.title}\n{text}"
        return ""

    def _listed(self, given: Given) -> Reply:
        words = str(given.get("words", ""))
        today = datetime.now().astimezone().date()
        listed = self._conversations.listed(words)
        return {
            "slots": {
                "conversations": panes.conversations(
                    listed, today, words, self._conversations.problem
                )
            }
        }

    def _rename(self, given: Given) -> Reply:
        self._conversations.rename(str(given.get("id")), str(given.get("title", "")))
        return self._listed(given)

    def _delete(self, given: Given) -> Reply:
        self._conversations.delete(str(given.get("id")))
        return self._listed(given) | {"toast": {"text": gettext("Conversation deleted.")}}

    def _undelete(self, given: Given) -> Reply:
        if not self._conversations.restore(str(given.get("id"))):
            raise InputError(gettext("it is too late: the conversation has been overwritten"))
        return self._listed(given)

    def _remove(self, given: Given) -> Reply:
        """Takes documents out; says beforehand when that could not be undone."""
        records = self._chosen(given)
        there = {record.id: look(Path(record.path)).kind for record in records}
        lost = [record for record in records if there[record.id] != "file"]
        if lost and not given.get("sure"):
            return {"confirm": _confirmation(lost, closed=there[lost[0].id] == "closed")}
        self._removed = self._jobs.remove([record.id for record in records])
        undo = None if lost else {"name": "restore", "ids": given["ids"]}
        gone = plural(sum(record.paragraphs for record in records), "paragraph")
        one = len(records) == 1
        name = gettext("“{name}”", name=name_of(records[0]))
        what = name if one else plural(len(records), "document")
        words = gettext("{documents} removed: −{paragraphs}.", documents=what, paragraphs=gone)
        return {"toast": {"text": words, "undo": undo}}

    def _tag(self, given: Given) -> Reply:
        """Gives documents a tag; takes it off where all of them have it, or where it is undone."""
        ids = [record.id for record in self._chosen(given)]
        tag, off = str(given.get("tag", "")), bool(given.get("off"))
        changed = self._jobs.tag(ids, tag, remove=off)
        if not (changed or off):
            off, changed = True, self._jobs.tag(ids, tag, remove=True)
        again = {"ids": json.dumps(changed), "tag": tag, "off": not off}
        untagged = gettext("{documents} no longer tagged “{tag}”.")
        words = untagged if off else gettext("{documents} tagged “{tag}”.")
        text = words.format(documents=plural(len(changed), "document"), tag=tag.strip())
        return {"toast": {"text": text, "undo": {"name": "tag", **again}}}

    def _collect(self, given: Given) -> Reply:
        """Puts documents into a collection; undone where all were in the same one before."""
        records, name = self._chosen(given), str(given.get("collection", "")).strip()
        self._jobs.collect([record.id for record in records], name)
        taken, let_go = (
            gettext_noop("{documents} in the collection “{collection}” now."),
            gettext_noop("{documents} in no collection now."),
        )
        done = gettext(
            taken if name else let_go, documents=plural(len(records), "document"), collection=name
        )
        toast: dict[str, Any] = {"text": done}
        if len(before := {record.collection for record in records}) == 1:
            ids = json.dumps([record.id for record in records])
            toast["undo"] = {"name": "collect", "ids": ids, "collection": before.pop()}
        return {"toast": toast}

    def _restore(self, given: Given) -> Reply:
        """Takes the last removed documents back, and no others."""
        receipt = self._removed
        if receipt is None or sorted(receipt.documents) != sorted(_ids(given)):
            raise InputError(gettext("only what was removed last can be brought back"))
        report = self._jobs.restore(receipt)
        if report.failed:
            why = report.failed[0].reason
            raise InputError(gettext("it cannot be added again: {reason}", reason=why))
        back = len(receipt.documents)
        text = gettext("{documents} are back.", documents=plural(back, "document"))
        return {"toast": {"text": gettext("It is back in the library.") if back == 1 else text}}

    def _taken(self, given: Given) -> Reply:
        """Which of some file names, a line each, are uploaded documents already, with its title."""
        taken = self._jobs.taken_names
        asked = set(map(bare, str(given.get("names", "")).split("\n")))
        titles = {r.id: name_of(r) for r in self._library.documents()}
        both = sorted(asked.intersection(taken))
        return {"taken": [[name, titles.get(taken[name], name)] for name in both]}

    def _put_back(self, _: Given) -> Reply:
        """The files that were replaced last, as they were."""
        report = self._jobs.put_back()
        if report.failed:
            why = report.failed[0].reason
            raise InputError(gettext("it cannot be read again: {reason}", reason=why))
        back = plural(len(report.updated), "document")
        return {"toast": {"text": gettext("{documents} as before.", documents=back)}}

    # --- the conversation ---------------------------------------------------------------------

    def _open(self, given: Given) -> Reply:
        """A conversation as it was left; sources only of its last turn, the others on demand."""
        id_ = str(given.get("id"))
        turns = self._conversations.turns(id_)
        if not turns:
            raise InputError(gettext("this conversation is no longer there"))
        beside = self._drawn_sources(turns[-1], len(turns))
        return {"slots": {"past": self._drawn_before(len(turns), id_), "past-sources": beside}}

    def _earlier(self, given: Given) -> Reply:
        """The turns of a conversation before one that is drawn; its number counts from 1."""
        before = max(1, _number(given.get("before")) or 1)
        return {"html": self._drawn_before(before - 1, str(given.get("id")))}

    def _drawn_before(self, last: int, conversation: str) -> str:
        """Turns up to a number, as many as are drawn at once, and what stands for those before."""
        turns = self._conversations.turns(conversation)[:last]
        first = max(0, len(turns) - _TURNS)
        drawn = [
            self._drawn(turn, number, self._meta(turn, conversation))
            for number, turn in enumerate(turns[first:], start=first + 1)
        ]
        return "".join([panes.earlier(first), *drawn])

    def _one_turn(self, given: Given) -> Reply:
        """One turn and its sources; `running` while it is being answered, as far as it has come."""
        turn, number = self._turn(given), _number(given.get("number")) or 1
        meta = self._meta(turn, str(given.get("conversation")))
        underway = self._chat.look(turn.key, number, meta) if self._chat else None
        if underway:
            return {"running": True, "html": underway[0], "sources": underway[1]}
        turn = self._turn(given)  # it may have ended since it was read
        drawn = chat.drawn(turn, number, meta, self._library)
        return {"html": drawn, "sources": self._drawn_sources(turn, number)}

    def _stop(self, given: Given) -> Reply:
        """Stops an answer that was asked for before the page was reloaded."""
        if self._chat:
            self._chat.stop(str(given.get("key")))
        return {}

    def _drawn(self, turn: Turn, number: int, meta: answers.TurnMeta) -> str:
        underway = self._chat.look(turn.key, number, meta) if self._chat else None
        return underway[0] if underway else chat.drawn(turn, number, meta, self._library)

    def _meta(self, turn: Turn, conversation: str) -> answers.TurnMeta:
        where = chat.scope_in_words(turn.scope, self._library)
        return answers.TurnMeta(turn.key, conversation, "", where, turn.unread, turn.verdict)

    def _sources(self, given: Given) -> Reply:
        turn = self._turn(given)
        return {"html": self._drawn_sources(turn, _number(given.get("number")) or 1)}

    def _all_sources(self, given: Given) -> Reply:
        """The sources of every turn of a conversation, to be printed; its title as well."""
        id_ = str(given.get("id"))
        turns = enumerate(self._conversations.turns(id_), start=1)
        drawn = "".join(self._drawn_sources(turn, number) for number, turn in turns)
        return {"html": drawn, "title": self._conversations.title(id_)}

    def _drawn_sources(self, turn: Turn, number: int) -> str:
        if turn.answer is None:
            return ""
        return chat.sources(self._library, turn.answer, number, turn.key)

    def _read(self, given: Given) -> Reply:
        """An article around a place, what the turn cites of it marked where it still stands."""
        document, marks = self._article(given)
        self._library.expect_pages(document.id)
        return {"slots": {"reader": panes.reader(document, marks, _number(given.get("start")))}}

    def _read_on(self, given: Given) -> Reply:
        """More paragraphs of the article that is open."""
        document, marks = self._article(given)
        first, backwards = _number(given.get("first")) or 0, given.get("way") == "back"
        found = panes.places_of(document.text, str(given.get("words", "")))
        more = panes.more_paragraphs(document, marks, first, found, backwards=backwards)
        return {"html": more}

    def _find(self, given: Given) -> Reply:
        """The next or last place of some words in the article that is open; of its marks without.

        `count` of them there are, the one that comes is `number` and begins `at`; after the last
        one comes the first.
        """
        document, marks = self._article(given)
        words, origin = str(given.get("words", "")), _number(given.get("from"))
        found = panes.places_of(document.text, words)
        starts = [start for start, *_ in (found if words.strip() else marks)]
        if not starts:
            return {"count": 0, "html": panes.reading_at(document, marks, [], origin or 0)}
        if given.get("way") == "back":
            number = bisect_left(starts, origin or 0) or len(starts)
        else:
            number = bisect_right(starts, -1 if origin is None else origin) % len(starts) + 1
        at = starts[number - 1]
        html = panes.reading_at(document, marks, found, at)
        return {"count": len(starts), "number": number, "at": at, "html": html}

    def _article(self, given: Given) -> tuple[Document, list[tuple[int, int, int]]]:
        """A document, and what the turn cites of it."""
        document = self._library.document(str(given.get("document")))
        turn = self._conversations.turn(str(given.get("key")))
        at, until = _number(given.get("start")), _number(given.get("end"))
        marks = _marks(turn.answer, document) if turn and turn.answer else []
        if not marks and at is not None and until is not None:  # a program's citation
            whole = len(document.text)
            marks = [(at, until, 0)] if 0 <= at < until <= whole else []
        return document, marks

    def _page(self, given: Given) -> Reply:
        """A page of a PDF as it is printed, with a sentence boxed."""
        id_, number = str(given.get("document")), _number(given.get("page")) or 1
        start, end = _number(given.get("start")) or 0, _number(given.get("end")) or 0
        picture = self._library.page_picture(id_, number, start, end)
        return {"slots": {"paper": panes.paper(id_, picture, number, start, end)}}

    def _why(self, given: Given) -> Reply:
        answer = self._answer(given)
        names = {r.id: name_of(r) for r in self._library.documents()}
        return {"html": panes.why(answer, names, gate.NOT_FOUND_BELOW)}

    def _rate(self, given: Given) -> Reply:
        turn, way = self._turn(given), given.get("way")
        verdict: Verdict = "up" if way == "up" else "down" if way == "down" else ""
        why = str(given.get("why", ""))
        why = why if why in feedback.REASONS else ""
        if verdict == turn.verdict and not why:  # the same thumb again takes it back
            verdict = ""
        tables, path = self._conversations.tables, self._library.path
        owner = self._person.id if self._person else ""
        feedback.record(path, turn.key, self._answer(given), verdict, why, tables, owner)
        self._conversations.rate(turn.key, verdict)
        noted = gettext("Noted, with the library.")
        if tables is None:
            noted = gettext("Noted, on this computer only.")
        text = noted if verdict else gettext("Taken back.")
        return {"verdict": verdict, "toast": {"text": text}}

    def _copy(self, given: Given) -> Reply:
        answer = self._answer(given)
        return {"text": export.as_markdown(answer), "html": export.as_rich_text(answer)}

    def _export(self, given: Given) -> Reply:
        """The answer as a file: its name, type and content."""
        answer = replace(self._answer(given), explain=None)
        key = sealing.key_of(self._library, create=True)
        bundle = grounding_bundle.make_bundle(
            answer,
            self._library,
            self._library.stats().encoder,
            key,
            language="" if spoken() == ENGLISH else spoken(),
        )
        return {"file": _as_file(answer, bundle, str(given.get("kind")))}

    # --- what to ask --------------------------------------------------------------------------

    def _suggest(self, _: Given) -> Reply:
        return {"ready": self._suggester.ready, "slots": {"suggestions": self._suggested()}}

    def _suggested(self) -> str:
        return panes.suggestions(self._to_begin_with(_SUGGESTED), gettext("For example"))

    def _to_begin_with(self, wanted: int) -> list[str]:
        """Questions to begin with; where none is in the page's language, summaries in it first."""
        questions = self._suggester.opening()
        if any(language(question) == spoken() for question in questions):
            return sorted(questions, key=lambda question: language(question) != spoken())[:wanted]
        summaries = self._suggester.summaries(wanted // 2 if questions else wanted)
        return [*summaries, *questions][:wanted]

    def _follow(self, given: Given) -> Reply:
        """What to ask next: to begin with after a reply that quotes nothing, else going on."""
        turn = self._turn(given)
        answer = turn.answer
        if answer is None or turn.phase != "done" or answer.state == "not_found":
            return {"html": ""}
        if not answer.citations and not answer.options:
            beginning = self._to_begin_with(_TO_BEGIN_WITH)
            return {"html": panes.suggestions(beginning, gettext("Things to ask"))}
        if not answer.citations:
            return {"html": ""}
        asked = {t.question for t in self._conversations.turns(str(given.get("conversation")))}
        following = self._suggester.following(answer, asked | {turn.question})
        return {"html": panes.suggestions(following, gettext("Ask next"))}

    # --- small things -------------------------------------------------------------------------

    def _turn(self, given: Given) -> Turn:
        turn = self._conversations.turn(str(given.get("key")))
        if turn is None:
            raise InputError(gettext("this answer is no longer kept"))
        return turn

    def _answer(self, given: Given) -> Answer:
        answer = self._turn(given).answer
        if answer is None:
            raise InputError(gettext("there is no answer here"))
        return answer

    def _chosen(self, given: Given) -> list[DocumentRecord]:
        """The documents that a request names, at least one."""
        wanted = set(_ids(given))
        records = [record for record in self._library.documents() if record.id in wanted]
        if not records or len(records) < len(wanted):
            raise InputError(gettext("this document is no longer in the library"))
        return records


def _confirmation(lost: Sequence[DocumentRecord], *, closed: bool) -> str:
    """What is asked before documents are removed whose files are gone; `closed`: away, perhaps."""
    name = gettext("“{name}”", name=name_of(lost[0]))
    if len(lost) > 1:
        return gettext(
            "The files of {name} and {n} more are gone or cannot be read now, so removing them "
            "cannot be undone. Remove all the same?",
            name=name,
            n=number(len(lost) - 1),
        )
    if closed:
        words = gettext(
            "The file of {name} cannot be read now, so removing it cannot be undone. Remove all "
            "the same?"
        )
    else:
        words = gettext(
            "The file of {name} is gone, so removing it cannot be undone. Remove all the same?"
        )
    return words.format(name=name)


def _as_file(answer: Answer, bundle: dict[str, Any], kind: str) -> list[str]:
    """An answer as a file: its name, type and content; what is no text is written in base64."""
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64"
    kinds: dict[str, tuple[str, str, Callable[[], str]]] = {
        "json": ("json", "application/json", lambda: export.as_json(bundle)),
        "word": ("docx", word, lambda: b64encode(footnotes.as_word(bundle)).decode()),
        "markdown": ("md", "text/markdown", lambda: footnotes.as_markdown(bundle)),
        "ris": ("ris", "application/x-research-info-systems", lambda: bibliography.ris(answer)),
        "bibtex": ("bib", "application/x-bibtex", lambda: bibliography.bibtex(answer)),
        "csl": ("csl.json", "application/json", lambda: bibliography.csl_json(answer)),
    }
    page = ("html", "text/html", lambda: export.as_page(bundle))
    suffix, type_, content = kinds.get(kind, page)
    return [export.file_name(answer, suffix), type_, content()]


def _ids(given: Given) -> list[str]:
    """The documents that a request names: a list in JSON, for requests hold plain values only."""
    with suppress(ValueError, RecursionError):
        ids = json.loads(str(given.get("ids")))
        return [str(id_) for id_ in ids] if isinstance(ids, list) else []
    return []


def _number(value: object) -> int | None:
    """A whole number from a browser; None when it is none."""
    with suppress(TypeError, ValueError):
        return int(value) if value is not None else None  # type: ignore[call-overload]
    return None


def _marks(answer: Answer, document: Document) -> list[tuple[int, int, int]]:
    """Start, end and number of what an answer cites where it still stands; none overlap."""
    best = answer.headline or answer.closest
    cited = answer.citations or ((best,) if best else ())
    marks: list[tuple[int, int, int]] = []
    for citation in sorted(cited, key=lambda c: (c.start, c.end)):
        start, end = citation.start, citation.end
        stands = citation.document_id == document.id
        stands = stands and document.text[start:end] == citation.quote
        if stands and (not marks or start >= marks[-1][1]):
            marks.append((start, end, citation.number))
    return marks


def _file_state(record: DocumentRecord, card_of: Callable[[str], CatalogueCard]) -> panes.FileState:
    """How a document's file stands to what is stored of it."""
    path = Path(record.path)
    try:
        touched = path.stat().st_mtime
        added = datetime.fromisoformat(record.added_at)
    except OSError:
        return "away" if look(path).kind == "closed" else "gone"
    except ValueError:
        return "ready"
    added = added if added.tzinfo else added.replace(tzinfo=UTC)
    if int(touched) <= added.timestamp():  # the library notes whole seconds
        return "ready"
    try:  # it may have been copied, or saved as it was
        data, card = read_bytes(path), card_of(record.id)
        same = content_hash(data, path.suffix, card) == record.content_hash
    except (Unreadable, InputError):  # or it was removed just now
        return "away"
    return "ready" if same else "changed"
