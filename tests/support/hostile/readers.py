"""A sandbox's process whose readers do the worst: Sandbox(worker="tests.support.hostile.readers").

What a reader does is named by the first word of the file; the second is its argument.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from index.formats.parse_worker import serve
from index.formats.sandbox import Limits
from index.types import Document


def main(arguments: Sequence[str]) -> None:
    serve(read, Limits(**json.loads(arguments[0])))


def read(document_id: str, data: bytes, suffix: str) -> Document:
    deed, *rest = data.decode().split()
    match deed:
        case "hang":
            signal.pause()
        case "deaf":  # stuck in C code that never lets another thread of Python run
            ctypes.PyDLL(None).pause()
        case "spin":
            while True:
                pass
        case "eat":
            print(len([bytearray(10_000_000) for _ in range(1_000)]))  # noqa: T201
        case "recurse":
            read(document_id, data, suffix)
        case "abort":
            os.abort()
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "leave":
            sys.exit(3)
        case "write":
            Path(rest[0]).write_text("A parser has no business writing files.")
        case "shout":
            return Document(document_id, "", "x" * 5_000_001)
        case "babble":
            os.write(int(rest[0]), b"no message\n")
        case "open":
            return Document(document_id, "", Path(rest[0]).read_text())
        case "list":
            return Document(document_id, "", " ".join(os.listdir(rest[0])))  # noqa: PTH208
        case "connect":
            socket.create_connection(("127.0.0.1", int(rest[0])))
        case "datagram":
            socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(rest[0])))
        case "start":
            os.execv(sys.executable, [sys.executable, "-c", "pass"])
        case "environment":
            return Document(document_id, "", json.dumps(dict(os.environ)))
        case "unbind":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
        case "print":
            print("A library that prints does not disturb the protocol.", flush=True)  # noqa: T201
    return Document(document_id, "", f"{os.getpid()}")
