"""What `pilcrow chat --get` does: which larger model is fetched meanwhile, and what is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from index.errors import InputError, ModelMissing
from ui.commands.model import folder_of, look_at_memory
from ui.commands.session import say

if TYPE_CHECKING:
    from rag.llm.catalogue.choice import Room
    from rag.llm.catalogue.entries import CatalogueEntry
    from rag.llm.catalogue.folder import ModelFolder
    from rag.settings import Settings

AUTO = "auto"
_MEASURING = "measuring how fast this machine is, a few seconds"


def model_to_get(
    get: str,
    settings: Settings,
    named: bool,
    at_terminal: Callable[[], bool],
    room_for: Callable[[ModelFolder], Room] | None = None,
) -> str:
    """The name of the model to fetch while the chat goes on, announced; empty for none.

    One that is here already becomes the default, before the assistant is made.

    Args:
        get: `auto`, or a name of the catalogue.
        settings: the person's.
        named: whether a model, or none, was named besides.
        at_terminal: whether a person sees what is said.
        room_for: what is free on this machine, looked up unless it is given.

    Raises:
        InputError: when no model has that name, or this machine can never run it.
    """
    from rag.llm.catalogue.entries import BUNDLED, known_entry

    folder = folder_of(settings)
    if get == AUTO:
        wanted = not named and at_terminal()
        entry = _worth_taking(settings, folder, room_for) if wanted else None
    elif get == BUNDLED or named:
        raise InputError("--get fetches a larger model by its name, and needs no other one named")
    else:
        entry = known_entry(get)
        look_at_memory(entry)
    if entry is None or _taken_from_here(entry, folder):
        return ""
    if get != AUTO:
        say(f"fetching {entry.title}, {entry.gigabytes}, {entry.licence}, while you chat")
    return entry.name


def _taken_from_here(entry: CatalogueEntry, folder: ModelFolder) -> bool:
    """Whether the model is here; it is the default then."""
    from rag.llm.weights.model_files import find_model

    try:
        find_model(entry.name, folder)
    except ModelMissing:
        return False  # not here, or damaged since
    if folder.default != entry.name:
        folder.set_default(entry)
        say(f"{entry.title} is here and words some answers from now on")
    return True


def _worth_taking(
    settings: Settings, folder: ModelFolder, room_for: Callable[[ModelFolder], Room] | None
) -> CatalogueEntry | None:
    """The recommended model, where nobody chose another and this machine can carry it."""
    from rag.llm.catalogue import choice
    from rag.llm.catalogue.entries import known_entry

    if os.environ.get("CI") or folder.chosen or not choice.can_run():
        return None
    entry = known_entry(choice.RECOMMENDED)
    threads = max(1, settings.threads - 1)
    wait = choice.foretold(entry, folder, threads, lambda: say(_MEASURING))
    room = (room_for or choice.room_for)(folder)
    reason = choice.obstacle(entry, wait, room, folder.fetched(entry))
    if reason or wait is None:
        say(
            f"answers are your articles' own words: a larger model would word some, but {reason} "
            f"just now (all the same: pilcrow model get {entry.name})"
        )
        return None
    if not folder.has(entry):
        say(
            f"a {entry.size} model, {entry.title}, is fetched while you chat: {entry.gigabytes}, "
            f"{entry.licence}, first words after about {wait.seconds:.0f} s on this machine; "
            "MODEL=bundled, or pilcrow model use bundled, declines"
        )
    return entry
