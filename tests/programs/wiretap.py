"""Which addresses a program and all it starts reach for: `strace` writes down what the kernel sees.

Python's own hooks do not see what native code does; system calls are what any code has to make.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

STRACE = shutil.which("strace")
_CALLS = "connect,sendto,sendmsg,sendmmsg,io_uring_setup"
_ADDRESS = re.compile(
    r'sin6?_port=htons\((?P<port>\d+)\).*?"(?P<address>[0-9a-fA-F.:]+)"'
    r'|sun_path="(?P<path>[^"]*)"|(?P<ring>io_uring_setup)'
)
_HERE = ("127.", "::1", "::ffff:127.")
_NAMES = 53  # a question for a name goes out even when the one who asks on is this machine


def tapped(command: Sequence[str], log: Path) -> list[str]:
    """The command that runs another one and writes its calls to a file."""
    assert STRACE is not None
    tap = [STRACE, "-f", "--seccomp-bpf", "-qq", "-s", "200", "-e", f"trace={_CALLS}"]
    return [*tap, "-o", str(log), "--", *command]


def calls_out(log: Path, *, loopback: bool = False) -> list[str]:
    """The calls that reach for another machine, or could.

    Args:
        log: what `tapped` wrote.
        loopback: whether to count those to this machine too.
    """
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if _leaves(line, loopback)]


def _leaves(line: str, loopback: bool) -> bool:
    found = _ADDRESS.search(line)
    if found is None:
        return False
    if found["ring"]:  # what goes through a ring, no call shows
        return True
    if found["path"] is not None:
        return "resolve" in found["path"]
    here = found["address"].startswith(_HERE) and int(found["port"]) != _NAMES
    return loopback or not here
