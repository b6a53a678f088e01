"""RTF as documents, by striprtf; as Outlook packs it, by compressed_rtf."""

from __future__ import annotations

import re

from index.formats.base import Unreadable, completed, damaged, joined, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import sniff
from index.types import Document


def read(document_id: str, data: bytes) -> Document:
    """A text with its title and author; what a paragraph looks like is not known."""
    if not data.lstrip().startswith(b"{\\rtf"):
        raise Unreadable(f"not RTF ({sniff(data) or 'damaged, or another format'})")
    from striprtf.striprtf import rtf_to_text

    source = data.decode("latin-1")
    text, headings = joined((part, 0) for part in paragraphs(data))
    title, author = (
        clean(rtf_to_text("{\\rtf1 " + match[1] + "}", errors="replace"))
        if (match := re.search(rf"\{{\\{name} ([^{{}}]*)\}}", source[:20_000]))
        else ""
        for name in ("title", "author")
    )
    return completed(rebuilt(document_id, text, headings, title=title), author=author, date="")


def paragraphs(data: bytes) -> list[str]:
    """The lines of a text, as they stand.

    Raises:
        Unreadable: when it is damaged.
    """
    from striprtf.striprtf import rtf_to_text

    try:
        return str(rtf_to_text(data.decode("latin-1"), errors="replace")).split("\n")
    except Exception as error:
        raise damaged("RTF file", error) from error


def unpacked(data: bytes) -> bytes:
    """The RTF in what Outlook keeps of a message (MS-OXRTFCP), whose checksum it has to fit.

    Raises:
        Unreadable: when it is damaged.
    """
    from compressed_rtf import decompress

    try:
        return bytes(decompress(data))
    except Exception as error:  # it raises bare ones
        raise damaged("RTF of a message", error) from error
