"""Larger language models by name: `pilcrow model list | get | use | remove | bench`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.session import JsonOption, print_json, print_text, say, session_of
from ui.terminal import download_bar, open_console

if TYPE_CHECKING:
    from index.system.memory import Memory
    from rag.llm.catalogue.entries import CatalogueEntry
    from rag.llm.catalogue.folder import ModelFolder
    from rag.settings import Settings

app = typer.Typer(
    help="Larger language models: which there are, fetch one, use it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    name: str
    title: str
    used: bool
    state: str
    """`here`, `to fetch`, or how much of it has come."""
    bytes: int
    memory: int
    licence: str
    context: int
    first_word_seconds: float | None
    """None while nothing was measured on this machine."""
    measured: bool


def folder_of(settings: Settings) -> ModelFolder:
    """The folder of fetched models."""
    from rag.llm.catalogue.folder import ModelFolder, models_folder

    return ModelFolder(settings.models or models_folder())


def larger_model_hint(settings: Settings) -> str:
    """How to get a larger model, in one line; empty when the person has chosen one, any one."""
    from rag.llm.catalogue.choice import RECOMMENDED
    from rag.llm.catalogue.entries import known_entry
    from rag.llm.catalogue.speed import first_word

    folder, entry = folder_of(settings), known_entry(RECOMMENDED)
    if settings.model or folder.default:
        return ""
    begin = "answers are your articles' own words; "
    use = f"pilcrow model use {entry.name}"
    if folder.has(entry):
        return f"{begin}to have some worded, {entry.name} is here: {use}"
    wait = first_word(entry, folder.speeds())
    words = f", first word after about {wait.seconds:.0f} s here" if wait else ""
    return (
        f"{begin}a model of {entry.size} words some of them: pilcrow model get {entry.name} "
        f"({entry.gigabytes}{words}), then {use}"
    )


@app.command("list")
def list_models(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Which models there are: `*` is used, then whether it is here, its size and its speed."""
    from rag.llm.catalogue.encoders import encoder_entries, is_fetched

    session = session_of(ctx, None, as_json)
    folder = folder_of(session.settings)
    rows = rows_of(folder, session.settings.model)
    if session.json:
        encoders = [
            {"name": entry.name, "title": entry.title, "here": is_fetched(entry, folder)}
            for entry in encoder_entries()
        ]
        models = [asdict(row) for row in rows]
        print_json({"folder": str(folder.path), "models": models, "encoders": encoders})
        return
    print_text("\n".join([*_table(rows), *_encoders(folder)]))
    say(f"fetched models are in {folder.path}; pilcrow model get NAME fetches one")
    if session.settings.model and not any(row.used for row in rows):
        say(f"used is {session.settings.model} (PILCROW_MODEL)")


def rows_of(folder: ModelFolder, chosen: str | None) -> list[Row]:
    """What the list shows; `chosen` is the person's PILCROW_MODEL."""
    from rag.llm.catalogue.entries import BUNDLED, entries
    from rag.llm.catalogue.speed import first_word

    used, speeds = chosen or folder.default or BUNDLED, folder.speeds()
    rows = []
    for entry in entries():
        wait = first_word(entry, speeds)
        share = folder.fetched(entry) / entry.bytes
        state = f"{share:.0%} fetched" if 0 < share < 1 else "here" if share else "to fetch"
        rows.append(
            Row(
                entry.name,
                entry.title,
                entry.name == used,
                "here" if entry.name == BUNDLED else state,
                entry.bytes,
                entry.memory,
                entry.licence,
                entry.context,
                round(wait.seconds, 1) if wait else None,
                wait is not None and wait.measured,
            )
        )
    return rows


def _encoders(folder: ModelFolder) -> list[str]:
    """A line for each encoder: what reads articles, beside what words answers."""
    from rag.llm.catalogue.encoders import encoder_entries, is_fetched

    form = "  {:<15} {:<28} {:<12} {:>7} {:>8}  {:<11} {}"
    return [
        form.format(
            entry.name, entry.title, "here" if is_fetched(entry, folder) else "to fetch",
            f"{entry.packed.bytes / 1e9:.1f} GB", f"{entry.memory / 1e9:.1f} GB", entry.licence,
            f"embeds {entry.languages} languages: pilcrow rebuild --encoder {entry.name}",
        )
        for entry in encoder_entries()
    ]  # fmt: skip


def _table(rows: list[Row]) -> list[str]:
    form = "{} {:<15} {:<28} {:<12} {:>7} {:>8}  {:<11} {}"
    lines = [form.format(" ", "name", "", "", "size", "memory", "licence", "first word after")]
    for row in rows:
        wait = "not known: pilcrow model bench"
        if row.first_word_seconds is not None:
            wait = f"{max(row.first_word_seconds, 1):.0f} s{'' if row.measured else ' (estimated)'}"
        size, memory = f"{row.bytes / 1e9:.1f} GB", f"{row.memory / 1e9:.1f} GB"
        mark = "*" if row.used else " "
        line = form.format(mark, row.name, row.title, row.state, size, memory, row.licence, wait)
        lines.append(line)
    return lines


@app.command()
def get(
    ctx: typer.Context,
    name: NameArgument,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="URL|FILE", help="Another place that has the file; it is checked."
        ),
    ] = None,
) -> None:
    """Fetch a model, from where it was cut off before; its size and SHA-256 are checked."""
    from rag.llm.catalogue.download import fetch
    from rag.llm.catalogue.entries import BUNDLED, known_entry
    from rag.llm.catalogue.mirrors import mirror_of

    session = session_of(ctx, None, False)
    if _get_encoder(name, source, folder_of(session.settings)):
        return
    entry, folder = known_entry(name), folder_of(session.settings)
    if name == BUNDLED:
        say(f"{entry.title} comes with Pilcrow; there is nothing to fetch")
        return
    mirror = mirror_of(entry, source, folder.path)
    if folder.has(entry):
        say(f"{name} is here; looking whether it is whole")
    else:
        look_at_memory(entry)
        say(f"fetching {entry.title}, {entry.gigabytes}, {entry.licence}, to {folder.path}")
    try:
        with download_bar(open_console(stderr=True)) as draw:
            fetch(entry, mirror, folder, progress=draw, waiting=lambda: say(_BUSY))
    except KeyboardInterrupt:
        say(f"what came is kept; go on with: pilcrow model get {name}")
        raise
    say(f"{name} is here and has its SHA-256. Use it from now on: pilcrow model use {name}")


_OWN_WORDS = "answers are your articles' own words from now on"


def _get_encoder(name: str, source: str | None, folder: ModelFolder) -> bool:
    """Whether that is the name of an encoder; then it is fetched."""
    from rag.llm.catalogue.encoders import encoder_entry, entry_folder, fetch_encoder, is_fetched

    entry = encoder_entry(name)
    if entry is None:
        return False
    if is_fetched(entry, folder):
        say(f"{name} is here, in {entry_folder(entry, folder)}")
    else:
        say(f"fetching {entry.title}, {entry.licence}, to {folder.path}")
        try:
            with download_bar(open_console(stderr=True)) as draw:
                fetch_encoder(
                    entry, folder, source, progress=draw, waiting=lambda: say(_BUSY), said=say
                )
        except KeyboardInterrupt:
            say(f"what came is kept; go on with: pilcrow model get {name}")
            raise
        say(f"{name} is here and had its SHA-256")
    say(
        f"It reads {entry.languages} languages. For your articles: pilcrow rebuild --encoder {name}"
    )
    return True


_BUSY = "another pilcrow is just fetching it; waiting for that one"


def look_at_memory(entry: CatalogueEntry) -> None:
    """Say so when the model will not fit, before a gigabyte is fetched.

    Raises:
        InputError: when this machine could never run it.
    """
    from index.errors import InputError
    from index.system.memory import memory

    here: Memory | None = memory()
    if here is None:
        return
    if here.total < entry.memory:
        raise InputError(
            f"{entry.name} takes about {entry.memory / 1e9:.1f} GB of memory and this machine has "
            f"{here.total / 1e9:.1f} GB: choose a smaller one (pilcrow model list)"
        )
    if here.free < entry.memory:
        say(
            f"note: {entry.name} takes about {entry.memory / 1e9:.1f} GB of memory while it "
            f"answers, and just now {here.free / 1e9:.1f} GB are free"
        )


@app.command()
def use(ctx: typer.Context, name: NameArgument) -> None:
    """Answer with this model from now on; --model and PILCROW_MODEL still win."""
    from index.errors import InputError
    from rag.llm.catalogue.encoders import encoder_entry
    from rag.llm.catalogue.entries import BUNDLED, known_entry
    from rag.llm.weights.model_files import find_model

    session = session_of(ctx, None, False)
    if encoder_entry(name):
        raise InputError(f"{name} embeds and words nothing: pilcrow rebuild --encoder {name}")
    entry, folder = known_entry(name), folder_of(session.settings)
    find_model(name, folder)
    folder.set_default(None if name == BUNDLED else entry)
    say(_OWN_WORDS if name == BUNDLED else f"answers are worded by {entry.title} from now on")
    if session.settings.model:
        say(f"but PILCROW_MODEL is set and wins: {session.settings.model}")


@app.command()
def remove(ctx: typer.Context, name: NameArgument) -> None:
    """Delete a fetched model, and what has come of one."""
    from index.errors import InputError
    from rag.llm.catalogue.encoders import encoder_entry, remove_encoder
    from rag.llm.catalogue.entries import BUNDLED, known_entry

    folder = folder_of(session_of(ctx, None, False).settings)
    if encoder := encoder_entry(name):
        freed = remove_encoder(encoder, folder)
        say(f"{name} is gone, {freed / 1e9:.1f} GB are free; libraries made with it need it")
        return
    entry = known_entry(name)
    if name == BUNDLED:
        raise InputError(f"{name} comes with Pilcrow as a package and stays")
    was_default = folder.default == name
    freed = folder.remove(entry)
    say(f"{name} is gone, {freed / 1e9:.1f} GB are free")
    if was_default:
        say(_OWN_WORDS)


@app.command()
def bench(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Else the one that is used.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how fast a model reads and writes here, and remember it for the list."""
    from rag.llm.catalogue.entries import BUNDLED, entry_named, known_entry
    from rag.llm.catalogue.speed import measured
    from rag.llm.weights.model_files import find_model

    session = session_of(ctx, None, as_json)
    settings, folder = session.settings, folder_of(session.settings)
    chosen = name or settings.model or folder.default or BUNDLED
    if name:
        known_entry(name)
    file = find_model(chosen, folder)
    say(f"measuring {file.name}, a few seconds; whatever else runs makes it slower")
    speed = measured(file.path, max(1, settings.threads - 1), file.sha256)
    if entry_named(chosen):
        folder.remember(chosen, speed)
    if session.json:
        print_json({"name": chosen, **asdict(speed)})
    else:
        print_text(
            f"{file.name}: reads {speed.reading:.0f} and writes {speed.writing:.0f} tokens a "
            f"second on {speed.threads} threads"
        )
