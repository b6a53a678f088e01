"""Mail (EML, MBOX, Outlook's MSG) as documents: messages, and attachments that can be read."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from typing import Any

from index.formats.base import UNTITLED, Block, Unreadable, damaged, joined, paged, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import decode, sniff
from index.formats.office import rtf
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


def eml(document_id: str, data: bytes, depth: int = 0) -> Document:
    """One message: its subject is the title, its sender the author."""
    message = _message(data)
    if message.get_content_type() in _ENCRYPTED:
        raise Unreadable(_LOCKED)
    text, headings = joined(_blocks(message, depth))
    return rebuilt(
        document_id, text, headings, title=clean(message.get("subject", "")) or UNTITLED,
        author=_sender(message), date=_day(message),
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
        blocks += [(len(names), block) for block in [(told, 1), *_blocks(message, 0)]]
    text, headings, pages = paged(blocks, "message", names)
    return rebuilt(document_id, text, headings, title=UNTITLED, pages=pages)


def msg(document_id: str, data: bytes) -> Document:
    """One message as Outlook saves it, read like any other."""
    from oxmsg import Message

    if sniff(data) != "an old office file":  # the same container
        raise Unreadable(f"not an Outlook message ({sniff(data) or 'damaged, or another format'})")
    try:
        message = Message.load(io.BytesIO(data))
        if message.message_class.startswith("IPM.Note.SMIME"):
            raise Unreadable(_LOCKED)
        blocks = [*_outlook_body(message)]
        for part in message.attachments:
            blocks += _named(clean(part.file_name or ""), part.file_bytes)
        title, sender, sent = clean(message.subject), message.sender, message.sent_date
    except Unreadable:
        raise
    except Exception as error:  # it has errors of every kind for what is damaged
        raise damaged("Outlook message", error) from error
    text, headings = joined(blocks)
    return rebuilt(
        document_id, text, headings, title=title or UNTITLED, author=_name(sender or ""),
        date=sent.date().isoformat() if sent else "",
    )  # fmt: skip


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


def _blocks(message: EmailMessage, depth: int) -> Iterator[Block]:
    body = message.get_body(("plain", "html"))
    if body is not None:
        content = _content(body)
        if body.get_content_subtype() == "html":
            yield from all_blocks(content)
        else:
            yield from ((part, 0) for part in re.split(r"\n\s*\n", content))
    for part in message.iter_attachments():
        yield from _attached(part, depth)


def _content(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, KeyError, ValueError):  # an encoding that nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _attached(part: MIMEPart, depth: int) -> Iterator[Block]:
    """An attachment under its name, when it can be read."""
    name = clean(part.get_filename("") or "")
    if part.get_content_type() == "message/rfc822" and depth < _DEEPEST:
        inner = part.get_payload(0)
        if isinstance(inner, EmailMessage):
            document = eml("", inner.as_bytes(), depth + 1)
            yield from _under(name or document.title, document)
    else:
        yield from _named(name, part.get_payload(decode=True))


def _named(name: str, data: object) -> Iterator[Block]:
    """A file that is attached, when it can be read."""
    from index.formats.registry import read_here, readable

    suffix = PurePath(name).suffix.lower()
    if suffix in _MAILS or not readable(suffix) or not isinstance(data, bytes):
        return
    try:
        document = read_here("", data, suffix)
    except Unreadable:
        return
    yield from _under(name, document)


def _under(name: str, document: Document) -> Iterator[Block]:
    yield f"Attachment: {name}", 1
    for text in document.text.split("\n\n"):
        yield text, 0
