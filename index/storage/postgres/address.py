"""Where a library on a server is: its address, which may hold a password that nobody is shown."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from index.errors import InputError

SCHEMES = ("postgresql", "postgres")
DEFAULT_SCHEMA = "pilcrow"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PORT = re.compile(r"(?<=[^:]):\d*$")
_HERE = re.compile(r"|localhost|127\.[\d.]+|::1|(?:[/@]|%2f).*", re.IGNORECASE)
"""This computer's own names; a folder is that of a socket."""


@dataclass(frozen=True, slots=True)
class Address:
    """One library on one server."""

    url: str = field(repr=False)
    """As the driver takes it, with the password if one was given."""
    schema: str
    """The schema of the database that its tables lie in."""
    shown: str
    """As it may be printed and logged."""

    elsewhere: str = ""
    """The other computers it is on, by their names; empty where the server runs on this one."""

    def __str__(self) -> str:
        return self.shown

    @property
    def folder(self) -> Path:
        """Where files of this machine's own lie that belong to it: copies of uploads, talks."""
        import platformdirs

        name = hashlib.sha256(self.shown.encode()).hexdigest()[:16]
        return platformdirs.user_data_path("pilcrow", appauthor=False) / "servers" / name


def is_address(place: object) -> bool:
    """Whether a library's place is a server's address and not a folder."""
    return isinstance(place, str) and place.partition("://")[0] in SCHEMES and "://" in place


def parse_address(place: str) -> Address:
    """The address in `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME`.

    Raises:
        InputError: when it is none; what it says holds no password.
    """
    try:
        parts = urlsplit(place)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise InputError("--store postgresql://… is no address that can be read") from None
    schema = dict(options).get("schema", DEFAULT_SCHEMA)
    if not _NAME.fullmatch(schema):
        raise InputError(f"a schema's name has small letters, digits and _, not {schema!r:.80}")
    given = urlencode([(key, value) for key, value in options if key != "schema"])
    who, at, where = parts.netloc.rpartition("@")
    public = [(key, value) for key, value in options if key in ("host", "port", "schema")]
    netloc = f"{who.partition(':')[0]}{at}{where}"
    return Address(
        urlunsplit((parts.scheme, parts.netloc, parts.path, given, "")),
        schema,
        urlunsplit(("postgresql", netloc, parts.path, urlencode(public, safe="/"), "")),
        _elsewhere(dict(options).get("host") or where or os.environ.get("PGHOST", "")),
    )


def _elsewhere(hosts: str) -> str:
    """Those of some hosts, with their ports or without, that are not this computer."""
    names = [_PORT.sub("", host).strip("[]") for host in hosts.split(",")]
    return ", ".join(name for name in names if not _HERE.fullmatch(name))


Place = Path | Address
"""Where a library lives: a folder, or on a server. As text it holds no password."""
