"""The models of the page: which they are, and another one fetched and put in its place.

One words answers, the other one, the encoder, reads articles and questions.

A model is fetched when a person asks for it, here or as Pilcrow is started; nothing else fetches.
Only whoever sits at this computer may change anything; where there are accounts, an admin.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from index import Library
from index.embedding.encoder import Encoder
from index.errors import InputError, LibraryUnwritable
from index.system.cpu import usable_cores
from index.system.memory import memory
from rag import Assistant
from rag.llm.catalogue.background import BackgroundFetch, FetchState, package_index
from rag.llm.catalogue.choice import RECOMMENDED, can_run, obstacle, room_for
from rag.llm.catalogue.download import Report
from rag.llm.catalogue.encoders import (
    encoder_entries,
    encoder_entry,
    entry_folder,
    fetch_encoder,
    find_encoder,
    is_fetched,
)
from rag.llm.catalogue.entries import BUNDLED, CatalogueEntry, entries, entry_named, known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.catalogue.mirrors import Mirror
from rag.llm.catalogue.speed import PROMPT_TOKENS, FirstWord, first_word
from ui.http.accounts.people import asking
from ui.language.catalogue import decimal, gettext, gettext_noop
from ui.page.jobs import JobRunner
from ui.page.views import machine
from ui.page.views.jobs import JobView

Reply = dict[str, Any]
Given = dict[str, Any]

_QUOTES = gettext_noop(
    "Answers are your articles’ own sentences, complete at once; no language model is waited for."
)
_WORDED = gettext_noop(
    "Your articles’ own sentences come first. {name} then puts some answers in its own words; each "
    "of its statements is checked, and where one does not stand your articles’ sentences stay."
)
_NAMED = gettext_noop(
    "The language model was chosen as Pilcrow was started, and is changed there (--model)."
)
_ENCODER_NAMED = gettext_noop(
    "The encoder was chosen as Pilcrow was started, and is changed there (PILCROW_ENCODER)."
)
_PASSAGES_A_SECOND = 10
"""That another encoder embeds, about, on two cores."""
_ELSEWHERE = gettext_noop("Another language model is chosen at the computer that Pilcrow runs on.")

_ADMINS = gettext_noop("Models are chosen by who administers the accounts.")


def _silent(_: str) -> None:
    """Nobody is told."""


def fetched_encoder(name: str, folder: ModelFolder, progress: Report) -> Encoder:
    """The encoder of a name of the catalogue, fetched where it is not here."""
    if entry := encoder_entry(name):
        fetch_encoder(entry, folder, progress=progress)
    return find_encoder(name, folder, usable_cores())


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the page may do about the language model."""

    folder: ModelFolder
    """Where fetched models are."""
    used: str = ""
    """The name of the larger model of the catalogue that is used at first; empty for none."""
    named: bool = False
    """Whether a model, or none, was named as Pilcrow was started: then it stays."""
    get: str = ""
    """The name of a model that is fetched from the start, and used once it is here."""
    say: Callable[[str], None] = _silent
    """Tells whoever started Pilcrow what became of that."""
    mirror: Callable[[CatalogueEntry, ModelFolder], Mirror] = package_index
    """Where a model's bytes come from."""
    encoder_named: bool = False
    """Whether an encoder was named as Pilcrow was started: then it stays."""
    find_encoder: Callable[[str, ModelFolder, Report], Encoder] = fetched_encoder
    """The encoder of a name, fetched where it is not here."""


def _speed(wait: FirstWord) -> str:
    """How fast a model is here."""
    seconds = f"{max(wait.seconds, 1):.0f}"
    if not wait.measured:
        return gettext("first word after about {n} s (estimated)", n=seconds)
    return gettext(
        "first word after about {n} s; reads {tokens} tokens a second",
        n=seconds,
        tokens=decimal(PROMPT_TOKENS / wait.seconds),
    )


class Models:
    """Says what answers are made with, and changes it. Usable from many threads."""

    def __init__(
        self,
        assistant: Assistant,
        library: Library,
        options: ModelOptions | None,
        *,
        here: bool,
        jobs: JobRunner | None = None,
        people: bool = False,
    ) -> None:
        """Look after the model of `assistant`; nothing is fetched before it is asked for.

        Args:
            assistant: whose model it is.
            library: whose encoder is named.
            options: None where nothing can be changed.
            here: whether whoever sees the page sits at this computer.
            jobs: who embeds articles anew; without one the encoder stays.
            people: whether there are accounts: then admins may change it, wherever they are.
        """
        self._assistant = assistant
        self._library = library
        self._options = options
        self._here = here
        self._people = people
        self._jobs = jobs
        self._embedding = 0
        """The number of the job that embeds anew, or did last."""
        self._used = options.used if options else ""
        """The larger model of the catalogue that is used, by name."""
        self._fetch = (
            BackgroundFetch(options.folder, self._arrived, options.mirror, self._failed)
            if options
            else None
        )
        self.requests: Mapping[str, Callable[[Given], Reply]] = {
            "machine": self._panel, "machine-progress": self._progress, "get-model": self._get,
            "stop-model": self._stop, "use-model": self._use, "own-words": self._own_words,
            "use-encoder": self._use_encoder, "stop-encoder": self._stop_encoder,
        }  # fmt: skip
        """What the page may ask for, by name."""

    def begin(self) -> None:
        """Fetch what was asked for as Pilcrow was started."""
        if self._options and self._fetch and self._options.get:
            self._fetch.start(known_entry(self._options.get))

    def close(self) -> None:
        """Leave what is being fetched where it is; it is gone on with the next time."""
        self._remember()
        if self._fetch:
            self._fetch.close()

    # --- what the page asks for ---------------------------------------------------------------

    def _panel(self, _: Given) -> Reply:
        """All of the panel."""
        return self._news({"machine": machine.draw(self._view())})

    def _progress(self, _: Given) -> Reply:
        """How far a model is that is being fetched."""
        return self._news({})

    def _get(self, given: Given) -> Reply:
        """Fetch a model in the background, then use it."""
        self._changeable()[1].start(self._entry(given))
        return self._panel(given)

    def _stop(self, given: Given) -> Reply:
        """Stop fetching; nothing is fetched by itself at the next start either."""
        options, fetch = self._changeable()
        fetch.stop()
        if options.folder.default is None:
            options.folder.set_default(None)
        return self._panel(given)

    def _use(self, given: Given) -> Reply:
        """Answer with a model that is here, from the next question on."""
        self._changeable()
        self._switch(entry := self._entry(given))
        return self._panel(given) | {
            "toast": {"text": gettext("{title} words some answers now.", title=entry.title)}
        }

    def _own_words(self, given: Given) -> Reply:
        """Answer with the articles' own sentences again."""
        options, _ = self._changeable()
        self._remember()
        options.folder.set_default(None)
        self._assistant.use_model(None)
        self._used = ""
        said = gettext("Answers are your articles’ sentences now.")
        return self._panel(given) | {"toast": {"text": said}}

    def _use_encoder(self, given: Given) -> Reply:
        """Embed every article with another encoder, which is fetched where it is not here."""
        if reason := self._encoder_fixed():
            raise InputError(reason)
        name = str(given.get("model"))
        offered = {encoder.name: encoder for encoder in self._encoders()}
        if name not in offered:
            raise InputError(
                gettext("the page named an encoder that it was not offered; reload it")
            )
        assert self._options and self._jobs
        find, folder = self._options.find_encoder, self._options.folder
        self._embedding = self._jobs.embed_anew(
            offered[name].title, lambda progress: find(name, folder, progress)
        )
        return self._panel(given)

    def _stop_encoder(self, given: Given) -> Reply:
        """Go on with the encoder as it is."""
        if reason := self._encoder_fixed():
            raise InputError(reason)
        if self._jobs and self._embedded_anew():
            self._jobs.cancel()
        return self._panel(given)

    # --- how it is done -----------------------------------------------------------------------

    def _changeable(self) -> tuple[ModelOptions, BackgroundFetch]:
        if reason := self._fixed():
            raise InputError(reason)
        assert self._options and self._fetch
        return self._options, self._fetch

    def _fixed(self) -> str:
        """Why nothing can be changed here; empty when it can."""
        if self._options is None or self._options.named:
            return gettext(_NAMED)
        if reason := self._refused():
            return reason
        return "" if can_run() else self._assistant.missing or "llama-cpp-python is not installed"

    def _encoder_fixed(self) -> str:
        """Why the encoder cannot be changed here; empty when it can."""
        if self._options is None or self._options.encoder_named or self._jobs is None:
            return gettext(_ENCODER_NAMED)
        return self._refused()

    def _refused(self) -> str:
        """Why whoever asks may change nothing; empty when they may."""
        if not self._people:
            return "" if self._here else gettext(_ELSEWHERE)
        person = asking()
        is_admin = person is not None and person.may_be("admin") and not person.collections
        return "" if is_admin else gettext(_ADMINS)

    def _encoders(self) -> list[machine.OtherEncoder]:
        """The encoders that can take the place of the one that is used."""
        used, folder = self._library.encoder, self._options.folder if self._options else None
        if self._encoder_fixed() or folder is None:
            return []
        stats = self._library.stats()
        cost = machine.EmbeddingCost(
            stats.documents, stats.passages, stats.passages / _PASSAGES_A_SECOND
        )
        others = [
            machine.OtherEncoder.of(entry, is_fetched(entry, folder), cost)
            for entry in encoder_entries()
            if used.folder != entry_folder(entry, folder)
        ]
        return others if used.is_english else [machine.OtherEncoder.english(cost), *others]

    def _embedded_anew(self) -> JobView | None:
        """How far the articles are that are embedded anew, or how that ended."""
        view = self._jobs.view if self._jobs else None
        return view if view and self._embedding and view.number == self._embedding else None

    def _entry(self, given: Given) -> CatalogueEntry:
        """The larger model that the page names: one of those it was shown."""
        name = str(given.get("model"))
        if entry_named(name) not in self._offered():
            raise InputError(gettext("the page named a model that it was not offered; reload it"))
        return known_entry(name)

    def _arrived(self, entry: CatalogueEntry) -> None:
        """Called when a model is here, whole and checked."""
        self._switch(entry)
        assert self._options
        self._options.say(
            f"{entry.title} is here and words some answers from the next question on "
            f"(pilcrow model use {BUNDLED} goes back)"
        )

    def _failed(self, state: FetchState) -> None:
        """Called when one could not be fetched, or not be used."""
        assert self._options
        self._options.say(f"{machine.ended(state)} Answers go on as before; the page can try again")

    def _switch(self, entry: CatalogueEntry) -> None:
        """Answer with this one from the next question on, and after the next start."""
        self._assistant.use_model(entry.name)
        self._used = entry.name
        threading.Thread(target=self._assistant.warm_up, daemon=True).start()
        assert self._options
        self._options.folder.set_default(entry)

    # --- what is shown ------------------------------------------------------------------------

    def _news(self, slots: dict[str, str]) -> Reply:
        state, embedding = self._fetch.state if self._fetch else None, self._embedded_anew()
        slots |= {"machine-news": machine.news(state), "machine-progress": machine.progress(state)}
        running = state is not None and state.running
        if embedding and not running:
            slots |= {"machine-news": machine.embedding_news(embedding),
                      "machine-progress": machine.embedding_progress(embedding)}  # fmt: skip
            ended = machine.embedding_ended(embedding)
            return {"fetching": embedding.running, "ended": ended, "slots": slots}
        return {"fetching": running, "ended": machine.ended(state), "slots": slots}

    def _view(self) -> machine.MachineView:
        writer, fixed = self._assistant.writer, self._fixed()
        words = gettext(_WORDED, name=self._title()) if writer else gettext(_QUOTES)
        return machine.MachineView(
            words=words,
            facts=self._facts(),
            models=() if fixed else tuple(map(self._larger, self._offered())),
            fetching=self._fetch.state if self._fetch else None,
            fixed=fixed,
            encoders=tuple(self._encoders()),
            embedding=self._embedded_anew(),
        )

    def _current(self) -> CatalogueEntry | None:
        """The larger model of the catalogue that words answers."""
        return entry_named(self._used) if self._assistant.writer else None

    def _title(self) -> str:
        """What the model that words answers is called; empty where there is none."""
        writer, entry = self._assistant.writer, self._current()
        return entry.title if entry else writer.name if writer else ""

    def _facts(self) -> dict[str, str]:
        """What is worth knowing, under short names; what is not known is left out."""
        entry, here = self._current(), memory()
        model = self._title() or self._assistant.missing or gettext("none is used")
        facts = {gettext("Language model"): model}
        if wait := self._wait(entry) if entry else None:
            facts[gettext("Speed here")] = _speed(wait)
        if here:
            free = gettext(
                "{free} of {total} GB free",
                free=decimal(here.free / 1e9, 1),
                total=decimal(here.total / 1e9, 1),
            )
            if entry:
                takes = gettext_noop("{n} GB for the model while it answers")
                free = f"{gettext(takes, n=decimal(entry.memory / 1e9, 1))}; {free}"
            facts[gettext("Memory")] = free
        facts[gettext("Searches with")] = self._library.encoder.identity.name
        facts[gettext("Network")] = self._network()
        return facts

    def _network(self) -> str:
        """What leaves this computer."""
        if self._assistant.sends_to:
            place = self._assistant.sends_to
            return gettext("questions and passages are sent to {place}", place=place)
        state = self._fetch.state if self._fetch else None
        if state and state.running:
            return gettext("the model comes from the package index; nothing of yours is sent")
        if (view := self._embedded_anew()) and view.running and view.stage == "fetching":
            return gettext(
                "the encoder comes from its makers or the package index; nothing of yours is sent"
            )
        if self._library.elsewhere:
            kept = gettext_noop("for the library on {place}; nothing is sent anywhere else")
            return gettext(kept, place=self._library.elsewhere)
        return gettext("not used: works offline, nothing is sent or fetched")

    def _offered(self) -> list[CatalogueEntry]:
        """The larger models that are here, and the one to begin with."""
        folder = self._options.folder if self._options else None
        return [
            entry
            for entry in entries()
            if entry.name != BUNDLED and folder and (entry.name == RECOMMENDED or folder.has(entry))
        ]

    def _larger(self, entry: CatalogueEntry) -> machine.LargerModel:
        assert self._options
        folder, wait = self._options.folder, self._wait(entry)
        seconds = wait.seconds if wait else None
        if entry == self._current():
            return machine.LargerModel(entry, "used", seconds)
        come = folder.fetched(entry)
        doubt = obstacle(entry, wait, room_for(folder), come) if wait else ""
        if folder.has(entry):
            return machine.LargerModel(entry, "here", seconds, doubt)
        return machine.LargerModel(entry, "part" if come else "away", seconds, doubt)

    def _wait(self, entry: CatalogueEntry) -> FirstWord | None:
        """How long a model takes to its first word: as when last asked, else as was measured."""
        assert self._options
        speeds = self._options.folder.speeds()
        if entry == self._current() and (live := self._live()):
            speeds |= {entry.name: live}
        return first_word(entry, speeds)

    def _live(self) -> Speed | None:
        """How fast the model that words answers was when it was last asked."""
        return getattr(self._assistant.writer, "speed", None)  # a server's is not ours to know

    def _remember(self) -> None:
        """Keep how fast the model was, for the next start."""
        entry, live = self._current(), self._live()
        if self._options and entry and live:
            with suppress(LibraryUnwritable):
                self._options.folder.remember(entry.name, live)
