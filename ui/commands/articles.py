"""Articles in, articles out: `add`, `import`, `remove`, `rebuild`, `forget`, `list`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import InputError
from index.formats.registry import SUFFIXES_IN_WORDS
from ui.commands.session import (
    EncoderOption,
    JsonOption,
    Session,
    StoreOption,
    print_json,
    print_line,
    say,
    session_of,
)
from ui.terminal import (
    open_console,
    progress_bar,
    show_documents,
    unreachable_line,
    update_summary,
)

if TYPE_CHECKING:
    from index.embedding.encoder import Encoder
    from index.library import Library
    from index.types import Progress, Receipt, UpdateReport

SOME_FILES_FAILED = 4
ADD_HELP = (
    "Add or update articles.\n\n"
    f"Files or whole folders: {SUFFIXES_IN_WORDS}. Other files in a folder are skipped, and so is "
    "what a .pilcrowignore in it names, as a .gitignore would. What you removed stays out of its "
    "folder until you add the file itself.\n\n"
    "An address (https://…) is fetched now and looked at again by `rebuild`: a page, a PDF, or a "
    "feed with its pages. `zotero:` (or zotero:FOLDER) adds the PDFs of Zotero on this computer "
    "with their titles, authors, dates and tags."
)
SkippedOption = Annotated[bool, typer.Option("--skipped", help="List the files that are skipped.")]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="Skip what matches in these folders, as in .gitignore, from now on; may be repeated.",
    ),
]

CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="NAME",
        help="Put these, and what comes below them later, into this collection; '' for none.",
    ),
]


def add(
    ctx: typer.Context,
    paths: Annotated[list[str], typer.Argument(metavar="PATH|ADDRESS...", show_default=False)],
    exclude: ExcludeOption = None,
    collection: CollectionOption = None,
    skipped: SkippedOption = False,
    encoder: EncoderOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add or update articles."""
    session = replace(session_of(ctx, store, as_json), encoder=encoder)
    with (
        session.library(create=True) as library,
        progress_bar(open_console(stderr=True)) as progress,
    ):
        reports = list(_added(session, library, paths, exclude or None, collection, progress))
    _finish_update(session, reduce(_joined, reports), list_skipped=skipped)


def import_(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FOLDER|MANIFEST", show_default=False)],
    ray: Annotated[
        str,
        typer.Option(
            "--ray",
            metavar="ADDRESS|local",
            help="A running cluster, or one of this machine's own for as long as it takes.",
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Encoders at once; a core each here when not given."),
    ] = None,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Cores that each encoder uses.")
    ] = 1,
    exclude: ExcludeOption = None,
    collection: CollectionOption = None,
    skipped: SkippedOption = False,
    encoder: EncoderOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add very many articles with Ray, on this machine or on a cluster.

    What comes of it is what `add` would have made. A manifest is a text file with a path on each
    line. Interrupted, or when workers die, run the same again: what is done is kept. On a cluster
    the library is on a server, and files lie at the same paths on every machine.
    """
    from index.ingest.parcels import LOCAL, Workers
    from index.system.cpu import usable_cores

    session = replace(session_of(ctx, store, as_json), encoder=encoder)
    count = workers or (max(1, usable_cores() // threads) if ray == LOCAL else 1)
    paths = [source] if source.is_dir() else _manifest(source)
    with (
        session.library(create=True) as library,
        progress_bar(open_console(stderr=True)) as progress,
    ):
        report = library.update(
            paths, exclude=exclude or None, collection=collection, progress=progress,
            workers=Workers(ray, count, threads),
        )  # fmt: skip
    _finish_update(session, report, list_skipped=skipped)


def _manifest(file: Path) -> list[Path]:
    """The paths that a file names, one on each line, relative ones from the folder it lies in.

    Raises:
        InputError: when it cannot be read, or names none.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(
            f"{str(file)!r} cannot be read ({reason}). Name a folder, or a file with a path on "
            "each line"
        ) from None
    if not (paths := [file.parent / line for line in lines if line.strip()]):
        raise InputError(f"{str(file)!r} names no file: a manifest has a path on each line")
    return paths


def _added(
    session: Session,
    library: Library,
    wanted: Sequence[str],
    exclude: Sequence[str] | None,
    collection: str | None,
    progress: Callable[[Progress], None] | None,
) -> Iterator[UpdateReport]:
    """What became of files and folders, then of addresses of the web and Zotero libraries."""
    from index.sources import web, zotero
    from index.sources.fetching import is_address

    addresses = [path for path in wanted if is_address(path)]
    zoteros = [path for path in wanted if zotero.is_zotero(path)]
    if paths := [path for path in wanted if path not in (*addresses, *zoteros)]:
        yield library.update(paths, exclude=exclude, collection=collection, progress=progress)
    for place in zoteros:
        yield zotero.add(library, place, collection=collection, progress=progress)
    if addresses:
        yield web.add(library, addresses, session.fetcher, collection=collection, progress=progress)


def watch(
    ctx: typer.Context,
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep folders up to date until Ctrl-C.

    They are added first; then what is added, changed, moved or deleted in them is taken in within
    seconds of the last write. With --json every report is one line.
    """
    from index.sources.watching import watch as watched

    session = session_of(ctx, store, as_json)
    stop = threading.Event()
    with session.library(create=True) as library:
        try:
            for report in watched(library, folders, stop, lambda: say("watching; Ctrl-C ends it")):
                if session.json:
                    print_line(asdict(report))
                for line in update_summary(report, dry_run=False):
                    say(line)
        except KeyboardInterrupt:
            say("no longer watching")


def remove(
    ctx: typer.Context,
    documents: Annotated[
        list[str],
        typer.Argument(
            metavar="DOC...", help="Documents as `list` names them.", show_default=False
        ),
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove documents; your files stay where they are, what you uploaded is deleted."""
    from ui.page import upload_copies

    session = session_of(ctx, store, as_json)
    with session.library() as library:
        receipt = library.remove(documents)
        upload_copies.discard(library, [origin.path for origin in receipt.origins])
    _finish_removal(session, receipt)


def rebuild(
    ctx: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Embed everything again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; change nothing.")
    ] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Let go of what went missing in great numbers, unasked."),
    ] = False,
    skipped: SkippedOption = False,
    encoder: EncoderOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every added place again.

    Unchanged articles cost nothing; with --full everything is embedded anew, and with --encoder
    where another one was used before; questions are answered from the old state meanwhile. Where
    more than half of a place is missing at once, or a folder is empty, you are asked before it is
    forgotten.
    """
    from index.sources import again, web

    session = session_of(ctx, store, as_json)
    with session.library() as library:
        chosen = session.find_encoder(encoder) if encoder else None
        if chosen is not None:
            _say_cost(library, chosen)
        with progress_bar(open_console(stderr=True)) as progress:
            if dry_run or chosen is not None:
                report = library.rebuild(
                    full=full, forget=forget, encoder=chosen, progress=progress, dry_run=dry_run
                )
            else:
                report = again.rebuild(
                    library, session.fetcher, full=full, forget=forget, progress=progress
                )
        lost = [place for place in report.unreachable if place.lost]
        if lost and not dry_run and not session.json:
            for place in lost:
                say(f"{place.path}: {place.reason}")
            count = sum(len(place.documents) for place in lost)
            if session.parts.confirm(f"Forget these {count} documents? A disk may be away."):
                then = library.rebuild(forget=True)
                removed = (*report.removed, *then.removed, *web.let_go(library))
                kept = (*then.unreachable, *web.unreachable(library))
                report = replace(
                    report, removed=removed, unreachable=kept, failed=then.failed,
                    change=library.change,
                )  # fmt: skip
    _finish_update(session, report, dry_run=dry_run, list_skipped=skipped)


def _say_cost(library: Library, encoder: Encoder) -> None:
    """Say what is to be embedded anew, where the library was made with another encoder."""
    stats, ours = library.stats(), encoder.identity
    if library.made_with not in (None, ours):
        say(
            f"{stats.documents} documents with {stats.passages} passages are embedded anew with "
            f"{ours.name}; until that is done questions are answered as before"
        )


def forget(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="PLACE", show_default=False)],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a folder, file or address that was added, and its documents.

    It need not be there any more; your files stay where they are, what you uploaded is deleted.
    """
    from index.sources import web
    from index.sources.fetching import is_address
    from ui.page import upload_copies

    session = session_of(ctx, store, as_json)
    with session.library() as library:
        receipt = web.forget(library, place) if is_address(place) else library.forget(place)
        upload_copies.discard(library, [origin.path for origin in receipt.origins])
    _finish_removal(session, receipt)
    if not session.json:
        say(f"forgot {place}; rebuild does not look there any more")


def list_documents(
    ctx: typer.Context, store: StoreOption = None, as_json: JsonOption = False
) -> None:
    """List the documents in the library."""
    from index.sources import web

    session = session_of(ctx, store, as_json)
    with session.library() as library:
        records, stats = library.documents(), library.stats()
        away = (*library.unreachable(), *web.unreachable(library))
    if session.json:
        print_json(
            {
                "documents": [asdict(r) for r in records],
                "unreachable": [asdict(place) for place in away],
                "stats": asdict(stats),
            }
        )
        return
    show_documents(records, open_console())
    for place in away:
        say(unreachable_line(place))
    say(
        f"{stats.documents} documents, {stats.passages} passages, "
        f"{stats.sentences} sentences in {session.path}"
    )


def _finish_update(
    session: Session, report: UpdateReport, *, dry_run: bool = False, list_skipped: bool = False
) -> None:
    """Says what an update did; exit code 4 when some files failed or could not be seen."""
    if session.json:
        print_json(asdict(report))
    for line in update_summary(report, dry_run=dry_run, list_skipped=list_skipped):
        say(line)
    if report.failed or report.unreachable:
        raise typer.Exit(SOME_FILES_FAILED)


def _joined(first: UpdateReport, then: UpdateReport) -> UpdateReport:
    """What two updates did, one right after the other."""
    return replace(
        then, added=(*first.added, *then.added), updated=(*first.updated, *then.updated),
        unchanged=(*first.unchanged, *then.unchanged), removed=(*first.removed, *then.removed),
        failed=(*first.failed, *then.failed), skipped=(*first.skipped, *then.skipped),
        left_out=(*first.left_out, *then.left_out), embedded=first.embedded + then.embedded,
        reused=first.reused + then.reused,
        unreachable=(*first.unreachable, *then.unreachable),
    )  # fmt: skip


def _finish_removal(session: Session, receipt: Receipt) -> None:
    """Says what a removal took out."""
    if session.json:
        print_json(asdict(receipt))
        return
    for document in receipt.documents:
        say(f"removed {document}")
    say(
        f"with {receipt.passages} passages, {receipt.sentences} sentences and "
        f"{receipt.vectors} vectors; {receipt.left} of them are left"
    )
