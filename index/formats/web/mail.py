"""Mail (EML, MBOX) as documents: messages, and the attachments that can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import PurePath

from index.formats.base import UNTITLED, Block, Unreadable, joined, paged, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import sniff
from index.formats.web.html import all_blocks
from index.types import Document

_FROM = re.compile(rb"^From [^\n]*\n", re.MULTILINE)
_DEEPEST = 3
"""Messages attached to messages."""


def eml(document_id: str, data: bytes, depth: int = 0) -> Document:
    """One message: its subject is the title, its sender the author."""
    message = _message(data)
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


def _message(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    if not isinstance(message, EmailMessage) or not message.keys():
        raise Unreadable("not a mail: it has no header")
    return message


def _sender(message: EmailMessage) -> str:
    return clean(re.sub(r"\s*<[^<>]*>|\"", "", message.get("from", "")))


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
    from index.formats.registry import read_here, readable

    name = clean(part.get_filename("") or "")
    if part.get_content_type() == "message/rfc822" and depth < _DEEPEST:
        inner = part.get_payload(0)
        document = eml("", inner.as_bytes(), depth + 1) if isinstance(inner, EmailMessage) else None
        name = name or (document.title if document else "")
    else:
        suffix = PurePath(name).suffix.lower()
        payload = part.get_payload(decode=True)
        if suffix in (".eml", ".mbox") or not readable(suffix) or not isinstance(payload, bytes):
            return
        try:
            document = read_here("", payload, suffix)
        except Unreadable:
            return
    if document is not None:
        yield f"Attachment: {name}", 1
        for text in document.text.split("\n\n"):
            yield text, 0
