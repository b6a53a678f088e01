"""Shuts this process out from what it has no business with, for good: other files and the network.

Linux only, and without any rights: Landlock leaves of the file system only what is named, a seccomp
filter refuses the system calls that reach other machines, other programs and other processes'
memory. Neither can be taken back, and every thread and process started afterwards has both.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2  # prctl
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
# How many of the kinds of access to files, of access to the network (TCP) and of reach beyond the
# process (abstract sockets, signals) each version of Landlock knows.
_KINDS = {1: (13, 0, 0), 2: (14, 0, 0), 3: (15, 0, 0), 4: (15, 2, 0), 5: (16, 2, 0), 6: (16, 2, 2)}

_REFUSED = (
    "socket", "connect", "sendto", "sendmsg", "sendmmsg", "io_uring_setup",
    "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
)  # fmt: skip
_ABROAD = ("connect", "sendmsg", "sendmmsg", "io_uring_setup")
_X86 = {
    "socket": 41, "connect": 42, "sendto": 44, "sendmsg": 46, "sendmmsg": 307, "execve": 59,
    "execveat": 322, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
    "io_uring_setup": 425, "pidfd_getfd": 438,
}  # fmt: skip
_ARM = {
    "socket": 198, "connect": 203, "sendto": 206, "sendmsg": 211, "sendmmsg": 269, "execve": 221,
    "execveat": 281, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
    "io_uring_setup": 425, "pidfd_getfd": 438,
}  # fmt: skip
_MACHINES = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EACCES = 13
_X32 = 0x40000000  # x86-64 has every call a second time from here on
_LOAD, _JUMP_EQUAL, _JUMP_FROM, _RETURN = 0x20, 0x15, 0x35, 0x06


@dataclass(frozen=True, slots=True)
class Confinement:
    """What this process is shut out from."""

    files: bool
    """All but those that were named."""
    network: bool
    """And other programs and other processes' memory."""


def confine(readable: Iterable[Path]) -> Confinement:
    """Leave this process only these files and folders, for reading, and no network.

    Call it before any thread is started: those that run already would stay free.
    """
    return Confinement(_only(readable), _filter(_REFUSED, _ERRNO | _EACCES))


def end_at_calling_out() -> bool:
    """Have the kernel end this process when it reaches for an address; False where it cannot."""
    return _filter(_ABROAD, _KILL)


def _only(readable: Iterable[Path]) -> bool:
    """Landlock: whether nothing else can be read or written any more."""
    if not sys.platform.startswith("linux"):
        return False
    call = ctypes.CDLL(None, use_errno=True).syscall
    version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))
    if version < 1 or not _no_new_privileges():
        return False
    kinds = _KINDS[min(version, max(_KINDS))]
    handled = struct.pack("=QQQ", *((1 << number) - 1 for number in kinds))
    size = 8 * (3 if version >= 6 else 2 if version >= 4 else 1)
    rules = call(_CREATE_RULESET, handled, ctypes.c_size_t(size), ctypes.c_uint(0))
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(call, rules, path)
        return bool(call(_RESTRICT_SELF, rules, ctypes.c_uint(0)) == 0)
    finally:
        os.close(rules)


def _allow(call: ctypes._NamedFuncPointer, rules: int, path: Path) -> None:
    """Let a file or what is in a folder be read; what is not there cannot be."""
    with suppress(OSError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            access = _READ_FILE | (_READ_FOLDER if path.is_dir() else 0)
            rule = struct.pack("=Qi", access, opened)
            call(_ADD_RULE, rules, ctypes.c_int(_PATH_BENEATH), rule, ctypes.c_uint(0))
        finally:
            os.close(opened)


def _filter(calls: Sequence[str], verdict: int) -> bool:
    """Seccomp: whether these system calls get this verdict from now on."""
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES:
        return False
    program = _program(*_MACHINES[platform.machine()], calls, verdict)
    held = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    if not _no_new_privileges():
        return False
    control = ctypes.CDLL(None, use_errno=True).prctl
    return bool(control(_SECCOMP, ctypes.c_ulong(_FILTER), described, 0, 0) == 0)


def _program(
    architecture: int, numbers: dict[str, int], calls: Sequence[str], verdict: int
) -> bytes:
    """The filter: another architecture's calls and those named get the verdict, others pass."""
    tests = [numbers[name] for name in calls]
    last = len(tests)
    return b"".join(
        [
            _step(_LOAD, 4),
            _step(_JUMP_EQUAL, architecture, 0, last + 3),
            _step(_LOAD, 0),
            _step(_JUMP_FROM, _X32, last + 1, 0),
            *(_step(_JUMP_EQUAL, one, last - at, 0) for at, one in enumerate(tests)),
            _step(_RETURN, _ALLOW),
            _step(_RETURN, verdict),
        ]
    )


def _step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _no_new_privileges() -> bool:
    control = ctypes.CDLL(None, use_errno=True).prctl
    one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
    return bool(control(_NO_NEW_PRIVILEGES, one, none, none, none) == 0)
