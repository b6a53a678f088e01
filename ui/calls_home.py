"""Whether what we are built on calls home, found out by loading it where that cannot stay unseen.

`heard` starts a process with our switches and an empty home folder, which the kernel ends as soon
as it reaches for an address (Linux); there the libraries that have reports are loaded. onnxruntime
prepares its reports in the home folder as soon as it is loaded. What the libraries do once they
work is not tried here: `tests/test_offline.py` watches whole programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from index.system.confinement import end_at_calling_out
from index.system.subprocesses import (
    LOCALE_AND_LOADER,
    Empty,
    WorkerChannel,
    WorkerExited,
    WorkerProcess,
)

REPORTERS = ("onnxruntime", "huggingface_hub", "gradio")
"""What would report, by the names that they are imported by."""
_LONGEST = 120.0  # seconds for loading one of them, on a busy machine


@dataclass(frozen=True, slots=True)
class Heard:
    """What was noticed while they were loaded."""

    loaded: tuple[str, ...]
    watched: bool
    """Whether a call to another machine would have been noticed."""
    wrong: str
    """What should not have happened; empty when nothing did."""


def heard(parts: Sequence[str] = REPORTERS, environment: Mapping[str, str] | None = None) -> Heard:
    """What loading these modules does.

    Args:
        parts: modules.
        environment: variables beside our switches.
    """
    with TemporaryDirectory(prefix="pilcrow-", ignore_cleanup_errors=True) as home:
        names = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME")
        variables = {**dict.fromkeys(names, home), **(environment or {})}
        # not all of ours: under a CI's variables onnxruntime is silent, which would prove nothing
        child = WorkerProcess(
            __name__, parts, environment=variables, inherited=("PATH", *LOCALE_AND_LOADER)
        )
        try:
            outcome = _listen(child, parts)
        finally:
            child.end()
        if any(Path(home).rglob("Microsoft*")):
            return replace(outcome, wrong="onnxruntime prepares reports to its maker")
        return outcome


def _listen(child: WorkerProcess, parts: Sequence[str]) -> Heard:
    loaded: list[str] = []
    watched = False
    try:
        watched = bool(child.receive(_LONGEST)["watched"])
        for name in parts:
            child.receive(_LONGEST)
            loaded.append(name)
    except (Empty, WorkerExited) as error:
        what = parts[len(loaded)]
        how = "it takes too long" if isinstance(error, Empty) else str(error)
        wrong = f"{what} cannot be loaded ({how})"
        if how.endswith("SIGSYS"):
            wrong = f"another machine is called while {what} is loaded"
        return Heard(tuple(loaded), watched, wrong)
    return Heard(tuple(loaded), watched, "")


def main(arguments: Sequence[str]) -> None:
    """Load modules one after the other, saying so after each."""
    parent = WorkerChannel()
    parent.send({"watched": end_at_calling_out()})
    for name in arguments:
        import_module(name)
        parent.send({"loaded": name})
    parent.inbox().get()  # until we are ended
