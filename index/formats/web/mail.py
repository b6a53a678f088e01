"""Mail (EML, MBOX, Outlook's MSG) as documents: messages, and attachments that can be read."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from typing import Any

from index.formats.base import (
    UNTITLED,
    Block,
    Unreadable,
    damaged,
    paged,
    rebuilt,
    recognised_in_part,
)
from index.formats.bylines import clean
from index.formats.decoding import decode, sniff
from index.formats.office import rtf
from index.formats.pictures.recognition import NOTHING, Recognised, Scanned
from index.formats.web.html import all_blocks
from index.types import Document

_FROM = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
_MAILS = (".eml", ".mbox", ".msg")
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_LOCKED = "encrypted: save it as text from the program that can read it"
_HTML, _RTF = 0x1013, 0x1009
"""Outlook's numbers for a message's HTML and its packed RTF."""
_DEEPEST = 3
"""Messages attached to messages."""
_Told = tuple[float, Block]
"""How sure recognition was, to 1, or 0 where there was none to do; and the paragraph."""


def eml(document_id: str, data: bytes, recognised: Recognised | None = NOTHING) -> Document:
    """One message: its subject is the title, its sender the author.

    Args:
        document_id: what the document will be called.
        data: the whole file.
        recognised: the lines of attached scans, numbered one after the other; None when they are
            yet to be recognised.

    Raises:
        Scanned: then, if there are any.
        Unreadable: with the reason.
    """
    scans = _Scans(recognised)
    document = _letter(document_id, _message(data), scans, 0)
    scans.ask()
    return document


def _letter(document_id: str, message: EmailMessage, scans: _Scans, depth: int) -> Document:
    if message.get_content_type() in _ENCRYPTED:
        raise Unreadable(_LOCKED)
    text, headings, sure = recognised_in_part(_blocks(message, scans, depth))
    return rebuilt(
        document_id, text, headings, title=clean(message.get("subject", "")) or UNTITLED,
        author=_sender(message), date=_day(message), pages=sure,
    )  # fmt: skip


def mbox(document_id: str, data: bytes) -> Document:
    """A folder of messages, each with its subject as its heading."""
    if not data.startswith(b"From "):
        raise Unreadable(f"not a folder of mail ({sniff(data) or 'damaged, or another format'})")
    blocks: list[tuple[int, Block]] = []
    names: list[str] = []
    for part in filter(None, _FROM.split(data)):
        message = _message(part.replace(b"\n>From ", b"\nFrom "))
        subject = clean(message.get("subject", ""))
        names.append(subject or str(len(names) + 1))
        told = ", ".join(filter(None, (subject, _sender(message), _day(message))))
        inside = (block for _, block in _blocks(message, _Scans(NOTHING), 0))
        blocks += [(len(names), block) for block in [(told, 1), *inside]]
    text, headings, pages = paged(blocks, "message", names)
    return rebuilt(document_id, text, headings, title=UNTITLED, pages=pages)


def msg(document_id: str, data: bytes, recognised: Recognised | None = NOTHING) -> Document:
    """One message as Outlook saves it, read as `eml` reads others."""
    from oxmsg import Message

    if sniff(data) != "an old office file":  # the same container
        raise Unreadable(f"not an Outlook message ({sniff(data) or 'damaged, or another format'})")
    scans = _Scans(recognised)
    try:
        message = Message.load(io.BytesIO(data))
        if message.message_class.startswith("IPM.Note.SMIME"):
            raise Unreadable(_LOCKED)
        blocks = [(0.0, block) for block in _outlook_body(message)]
        for part in message.attachments:
            blocks += _named(clean(part.file_name or ""), part.file_bytes, scans)
        title, sender, sent = clean(message.subject), message.sender, message.sent_date
    except Unreadable:
        raise
    except Exception as error:  # it has errors of every kind for what is damaged
        raise damaged("Outlook message", error) from error
    scans.ask()
    text, headings, sure = recognised_in_part(blocks)
    return rebuilt(
        document_id, text, headings, title=title or UNTITLED, author=_name(sender or ""),
        date=sent.date().isoformat() if sent else "", pages=sure,
    )  # fmt: skip


def scan(data: bytes, suffix: str, number: int) -> tuple[bytes, str, int]:
    """The file that holds an attached scan, how its name ends, and the number of its page in it.

    Args:
        data: the whole message.
        suffix: `.eml` or `.msg`.
        number: of the scan, as `Scanned` has it.
    """
    try:
        (msg if suffix == ".msg" else eml)("", data, None)
    except _Attached as attached:
        return attached.found[number - 1]
    raise Unreadable("nothing in it is to be recognised")


class _Attached(Scanned):
    """`found`: the file that holds each scan, how its name ends, and the number of its page."""

    def __init__(self, found: Sequence[tuple[bytes, str, int]]) -> None:
        self.found = found
        super().__init__(range(1, len(found) + 1))


class _Scans:
    """The pages of attached files that are pictures of text, one after the other."""

    def __init__(self, recognised: Recognised | None) -> None:
        """Those of a message, as far as they are `recognised`; None when they are to be found."""
        self._recognised = recognised
        self.found: list[tuple[bytes, str, int]] = []

    def read(self, data: bytes, suffix: str) -> Document:
        """The document in an attached file.

        Raises:
            Unreadable: with the reason.
        """
        from index.formats.registry import read_here

        if self._recognised == NOTHING:
            return read_here("", data, suffix)
        try:
            return read_here("", data, suffix, None)
        except Scanned as scanned:
            before = len(self.found)
            self.found += [(data, suffix, page) for page in scanned.pages]
            known = self._recognised or NOTHING
            lines = {
                page: known.get(number, ())
                for number, page in enumerate(scanned.pages, start=before + 1)
            }
            return read_here("", data, suffix, lines)

    def ask(self) -> None:
        """Ends reading where scans are to be recognised first.

        Raises:
            Scanned: then.
        """
        if self._recognised is None and self.found:
            raise _Attached(self.found)


def _outlook_body(message: Any) -> Iterator[Block]:
    if body := message.body:
        yield from ((part, 0) for part in re.split(r"\n\s*\n", body.replace("\r\n", "\n")))
    elif html := message.properties.binary_prop_value(_HTML):
        yield from all_blocks(decode(html))
    elif packed := message.properties.binary_prop_value(_RTF):
        yield from ((part, 0) for part in rtf.paragraphs(rtf.unpacked(packed)))


def _message(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise Unreadable("not a mail: it has no header")
    return message


def _sender(message: EmailMessage) -> str:
    return _name(message.get("from", ""))


def _name(sender: str) -> str:
    """Who wrote, without the address."""
    return clean(re.sub(r"\s*<[^<>]*>|\"", "", sender))


def _day(message: EmailMessage) -> str:
    try:
        return parsedate_to_datetime(message["date"]).date().isoformat()
    except (TypeError, ValueError):
        return ""


def _blocks(message: EmailMessage, scans: _Scans, depth: int) -> Iterator[_Told]:
    body = message.get_body(("plain", "html"))
    if body is not None:
        content = _content(body)
        if body.get_content_subtype() == "html":
            yield from ((0.0, block) for block in all_blocks(content))
        else:
            yield from ((0.0, (part, 0)) for part in re.split(r"\n\s*\n", content))
    for part in message.iter_attachments():
        yield from _attached(part, scans, depth)


def _content(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, KeyError, ValueError):  # an encoding that nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _attached(part: MIMEPart, scans: _Scans, depth: int) -> Iterator[_Told]:
    """An attachment under its name, when it can be read."""
    name = clean(part.get_filename("") or "")
    if part.get_content_type() == "message/rfc822" and depth < _DEEPEST:
        inner = part.get_payload(0)
        if isinstance(inner, EmailMessage):
            with suppress(Unreadable):
                document = _letter("", _message(inner.as_bytes()), scans, depth + 1)
                yield from _under(name or document.title, document)
    else:
        yield from _named(name, part.get_payload(decode=True), scans)


def _named(name: str, data: object, scans: _Scans) -> Iterator[_Told]:
    """A file that is attached, when it can be read."""
    from index.formats.registry import readable

    suffix = PurePath(name).suffix.lower()
    if suffix in _MAILS or not readable(suffix) or not isinstance(data, bytes):
        return
    try:
        document = scans.read(data, suffix)
    except Unreadable:
        return
    yield from _under(name, document)


def _under(name: str, document: Document) -> Iterator[_Told]:
    yield 0.0, (f"Attachment: {name}", 1)
    at = 0
    for text in document.text.split("\n\n"):
        yield document.location(at, at + len(text)).recognised, (text, 0)
        at += len(text) + 2
