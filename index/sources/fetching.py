"""One address of the web → its bytes, as far as a stranger's server is to be trusted: not at all.

The address of every connection is looked at after its name was resolved, and is the one that is
connected to: what the name means a moment later, or where the server sends us on, changes nothing.
Time, size, redirects and kind of what comes are limited. What was fetched is only handed on; it is
read where every document is, in the sandbox.
"""

from __future__ import annotations

import codecs
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from index.formats import registry

if TYPE_CHECKING:
    import httpcore
    import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Iterable[str]]
"""The numeric addresses of a host."""
_KINDS = {
    "text/html": ".html", "application/xhtml+xml": ".xhtml", "application/pdf": ".pdf",
    "application/x-pdf": ".pdf", "text/markdown": ".md", "application/rss+xml": ".feed",
    "application/atom+xml": ".feed", "application/rdf+xml": ".feed",
}  # fmt: skip
FEED = ".feed"
"""The ending that stands for an RSS or Atom feed."""
_FEED_TAG = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]")
_PAGE_TAG = re.compile(rb"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_AGENT = "Pilcrow (reads this page once, for the person who asked for it)"
_ACCEPTED = "text/html, application/xhtml+xml, application/pdf, application/rss+xml, \
application/atom+xml, text/markdown, text/plain;q=0.9, application/xml;q=0.8, text/xml;q=0.8"
# Prefixes of IPv6 in which an IPv4 address is wrapped: translated (NAT64), tunnelled (6to4).
_TRANSLATED, _TUNNELLED = ip_network("64:ff9b::/96"), ip_network("2002::/16")
_CHUNK = 65_536


class FetchFailed(Exception):
    """An address gave nothing that can be read; the reason is one line."""

    def __init__(self, reason: str, status: int = 0) -> None:
        """Say why, with the server's answer where there was one."""
        super().__init__(reason)
        self.reason, self.status = reason, status

    @property
    def is_gone(self) -> bool:
        """Whether the server says that there is no such page any more."""
        return self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one address may take."""

    size: int = registry.SIZE_LIMIT
    """Bytes, packed and unpacked."""
    seconds: float = 60.0
    """From the first name that is resolved to the last byte, redirects included."""
    silence: float = 15.0
    """Seconds that a server may take for its next word."""
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an address gave."""

    address: str
    """The last one, after redirects."""
    suffix: str
    """As a file's name would end: how the data is to be read; `FEED` for a feed."""
    data: bytes
    etag: str = ""
    modified: str = ""
    """As the server says them, for asking again whether anything has changed."""


class Fetcher:
    """Fetches what persons asked for. Keeps nothing between two addresses; safe from threads."""

    def __init__(
        self,
        allowed: Iterable[Network] = (),
        limits: FetchLimits = FetchLimits(),
        resolve: Resolve | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare; nothing is asked of the network.

        Args:
            allowed: networks that may be asked though they are not public: a person's own.
            limits: for each address.
            resolve: tells a host's addresses; the system's way when None.
            trusted: whose word is taken for who a site is (https); when None that of the system's
                authorities, or of SSL_CERT_FILE, and of certifi's.
        """
        self._allowed, self._limits = tuple(allowed), limits
        self._resolve = resolve or _resolved
        self._trusted = trusted

    def fetch(self, address: str, etag: str = "", modified: str = "") -> Fetched | None:
        """What an address gives; None when the server says that nothing has changed.

        Args:
            address: as `web_address` has it.
            etag: what the server said last time, and `modified` with it.
            modified: the same.

        Raises:
            FetchFailed: with the reason, when it gives nothing that can be read.
        """
        import httpcore
        import httpx

        asked = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {name: value for name, value in asked.items() if value}
        line = _Line(self._resolve, self._allowed, self._limits)
        url = httpx.URL(address)
        try:
            with httpcore.ConnectionPool(
                self._trusted, max_keepalive_connections=0, network_backend=line.backend()
            ) as pool:
                for _ in range(self._limits.redirects + 1):
                    answer = self._asked(pool, url, headers)
                    if not isinstance(answer, str):
                        return answer
                    url = _next(url, answer)
        except httpcore.TimeoutException:
            raise FetchFailed("it does not answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise FetchFailed(_not_reached(error)) from error
        raise FetchFailed(f"it sends us on more than {self._limits.redirects} times")

    def _asked(
        self, pool: httpcore.ConnectionPool, url: httpx.URL, headers: Mapping[str, str]
    ) -> Fetched | str | None:
        """What a server answers: a page, where to go instead, or None for nothing new."""
        import httpcore

        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        sent = {"Host": url.netloc.decode("ascii"), "User-Agent": _AGENT, "Accept": _ACCEPTED,
                "Accept-Encoding": "gzip", "Connection": "close", **headers}  # fmt: skip
        silence = self._limits.silence
        patience = {"timeout": {"connect": silence, "read": silence, "write": silence}}
        # what a server said comes back to it byte for byte, whatever alphabet it is in
        lines = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        with pool.stream("GET", target, headers=lines, extensions=patience) as response:
            told = {
                name.decode("latin-1").lower(): value.decode("latin-1").strip()
                for name, value in response.headers
            }
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            if response.status in (301, 302, 303, 307, 308) and told.get("location"):
                return told["location"]
            if response.status != HTTPStatus.OK:
                raise FetchFailed(_said(response.status), response.status)
            kind, charset = _kind_of(told.get("content-type", ""))
            if not _may_be_read(kind):
                raise FetchFailed(f"{kind!r:.80} is no page, PDF, text or feed")
            if told.get("content-length", "").isdigit():
                self._require_size(int(told["content-length"]))
            unpacked = _unpacked(response.iter_stream(), told.get("content-encoding", ""))
            data = self._whole(unpacked)
        suffix = _suffix(kind, data, url.path)
        if suffix not in (".pdf", FEED):
            data = _in_unicode(data, charset)
        return Fetched(str(url), suffix, data, told.get("etag", ""), told.get("last-modified", ""))

    def _whole(self, parts: Iterable[bytes]) -> bytes:
        data = bytearray()
        for part in parts:
            data += part
            self._require_size(len(data))
        return bytes(data)

    def _require_size(self, size: int) -> None:
        if size > self._limits.size:
            raise FetchFailed(f"too big: more than {self._limits.size / 1e6:.0f} MB")


def web_address(typed: str) -> str:
    """An address of the web as it is asked for: without a fragment, its host in ASCII.

    Raises:
        InputError: when it is none, or holds a password, which would be kept.
    """
    import httpx

    try:
        url = httpx.URL(typed.strip())
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise InputError(f"{typed!r:.200} is no address of the web: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"{typed!r:.200} is no address of the web, like https://example.org/page")
    if url.userinfo:
        raise InputError("an address with a password in it would be kept: save the page as a file")
    return str(url.copy_with(fragment=None, raw_path=url.raw_path))  # with a path, if only `/`


def is_address(typed: object) -> bool:
    """Whether somebody means an address of the web, right or wrong, and no file."""
    return isinstance(typed, str) and typed.strip().lower().startswith(("http:/", "https:/"))


# --- where may be connected to ------------------------------------------------------------


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, and no machine beside us."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        elif address in _TUNNELLED:
            inner = IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _resolved(host: str, port: int) -> Iterable[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return dict.fromkeys(str(entry[4][0]) for entry in found)


class _Line:
    """The way to the network for one address: whom it may lead to, and for how long."""

    def __init__(self, resolve: Resolve, allowed: tuple[Network, ...], limits: FetchLimits) -> None:
        self._resolve, self._allowed = resolve, allowed
        self._end = time.monotonic() + limits.seconds

    def left(self, timeout: float | None) -> float:
        """Seconds that the next step may take.

        Raises:
            FetchFailed: when there are none left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise FetchFailed("it does not come to an end in time")
        return left if timeout is None else min(timeout, left)

    def backend(self) -> httpcore.NetworkBackend:
        """What opens connections, to these addresses alone."""
        import httpcore

        line, plain = self, httpcore.SyncBackend()

        class Guarded(httpcore.NetworkBackend):
            def connect_tcp(
                self,
                host: str,
                port: int,
                timeout: float | None = None,
                local_address: str | None = None,
                socket_options: Any = None,
            ) -> httpcore.NetworkStream:
                last: Exception | None = None
                for numeric in line.addresses(host, port):
                    try:
                        made = plain.connect_tcp(
                            numeric, port, line.left(timeout), local_address, socket_options
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        last = error
                        continue
                    return Timed(made)
                raise last or httpcore.ConnectError("no such host")

        class Timed(httpcore.NetworkStream):
            def __init__(self, stream: httpcore.NetworkStream) -> None:
                self._stream = stream

            def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
                return self._stream.read(max_bytes, line.left(timeout))

            def write(self, buffer: bytes, timeout: float | None = None) -> None:
                self._stream.write(buffer, line.left(timeout))

            def close(self) -> None:
                self._stream.close()

            def start_tls(self, *given: Any, timeout: float | None = None, **named: Any) -> Timed:
                named["timeout"] = line.left(timeout)
                return Timed(self._stream.start_tls(*given, **named))

            def get_extra_info(self, info: str) -> Any:
                return self._stream.get_extra_info(info)

        return Guarded()

    def addresses(self, host: str, port: int) -> list[str]:
        """The numeric addresses of a host, every one of which may be connected to.

        Raises:
            FetchFailed: when there are none, or one of them may not.
        """
        try:
            found = [numeric.partition("%")[0] for numeric in self._resolve(host, port)]
        except (OSError, UnicodeError) as error:
            raise FetchFailed("it cannot be reached: no such host, or no network") from error
        for numeric in found:
            address = ip_address(numeric)
            if not (is_public(address) or any(address in network for network in self._allowed)):
                named = f"{host} is" if host == numeric else f"{host:.80} is {address},"
                raise FetchFailed(f"{named} a private address: only public ones are asked")
        return found


def _next(url: httpx.URL, location: str) -> httpx.URL:
    """Where a server sends us on to."""
    import httpx

    try:
        return httpx.URL(web_address(str(url.join(location))))
    except (InputError, httpx.InvalidURL) as error:
        raise FetchFailed(f"it sends us on to {location!r:.80}, which is no page") from error


def _not_reached(error: Exception) -> str:
    """Why there is no connection, in words."""
    for inner in error.args:  # httpcore's errors hold those that they are made of
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"it may be another site than it says: {inner.verify_message:.200}"
    detail = next(iter(str(error).splitlines()), "") or type(error).__name__
    return f"it cannot be reached: {detail:.200}"


def _said(status: int) -> str:
    """A server's refusal in words."""
    try:
        words = HTTPStatus(status).phrase.lower()
    except ValueError:
        words = "no answer that we know"
    return f"the server says {status} ({words})"


# --- what may come ------------------------------------------------------------------------


def _kind_of(content_type: str) -> tuple[str, str]:
    """The media type and the character set that a server states, empty when it does not."""
    kind, *parameters = content_type.split(";")
    charset = next((p.partition("=")[2] for p in parameters if "charset" in p.lower()), "")
    return kind.strip().lower(), charset.strip("\"' ")


def _may_be_read(kind: str) -> bool:
    """Whether something of this media type may be what is read."""
    return kind in ("", "application/octet-stream", "text/plain", "text/xml", "application/xml",
                    *_KINDS)  # fmt: skip


def _suffix(kind: str, data: bytes, path: str) -> str:
    """How the data is to be read.

    Raises:
        FetchFailed: when nobody can tell.
    """
    head = data[:4_000]
    if head.startswith(b"%PDF-"):
        return ".pdf"
    known = _KINDS.get(kind, "")
    if known == FEED or (kind.endswith("xml") and known != ".xhtml") or kind == "":
        if _FEED_TAG.search(head):
            return FEED
        if known == FEED or kind.endswith("xml"):
            raise FetchFailed("it is neither a page nor a feed")
    if known:
        return known
    named = PurePosixPath(path).suffix.lower()
    if kind == "text/plain":
        return named if named in (".md", ".rst", ".org", ".adoc", ".tex", ".csv") else ".txt"
    if _PAGE_TAG.search(head):
        return ".html"
    raise FetchFailed("it does not say what it is, and it is no page, PDF or feed")


def _unpacked(parts: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The bytes that were meant, in pieces of bounded size: whoever counts them can stop."""
    encoding = encoding.lower().strip()
    if encoding in ("", "identity"):
        yield from parts
        return
    if encoding not in ("gzip", "x-gzip"):
        raise FetchFailed(f"it is packed by {encoding!r:.40}, which was not asked for")
    unpacking = zlib.decompressobj(16 + zlib.MAX_WBITS)  # 16 + …: with the head of gzip
    try:
        for part in parts:
            waiting = part
            while waiting:
                yield unpacking.decompress(waiting, _CHUNK)
                waiting = unpacking.unconsumed_tail
        yield unpacking.flush()
    except zlib.error as error:
        raise FetchFailed("what came is damaged") from error
    if not unpacking.eof:
        raise FetchFailed("what came is cut off")


# Character sets of web pages, as Python names them; decoding with these takes linear time.
_CHARSET = re.compile(r"iso8859-|cp\d|koi8-|shift_jis|euc_|gb|big5|utf-16|mac-|iso2022_jp")


def _in_unicode(data: bytes, charset: str) -> bytes:
    """Text as UTF-8 with its mark, where a server names another character set: no file says it."""
    try:
        name = codecs.lookup(charset).name if charset else ""
        if _CHARSET.match(name) and not _is_utf8(data):
            name = "cp1252" if name == "iso8859-1" else name  # as every browser has it
            return codecs.BOM_UTF8 + data.decode(name).encode()
    except (LookupError, ValueError):  # an unknown or a wrong one: the bytes decide
        pass
    return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
