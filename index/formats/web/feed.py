"""RSS and Atom feeds: the pages that they list. No document of their own; read in the sandbox."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from index.formats.base import Unreadable
from index.formats.office.archive import local, value

MOST_PAGES = 100
"""Pages of a feed that are looked at: the first, which are the newest."""
_LONGEST = 2_000


def pages(data: bytes, address: str) -> list[str]:
    """The addresses of the pages that a feed lists, in its order, each once.

    Args:
        data: the feed, RSS 0.9 to 2.0 or Atom.
        address: where it was fetched from.

    Raises:
        Unreadable: when it is none, or lists no page.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=True, huge_tree=False
    )
    root = etree.fromstring(data, parser)
    if root is None or local(root).lower() not in ("rss", "feed", "rdf"):
        raise Unreadable("neither RSS nor Atom")
    entries = (element for element in root.iter() if local(element) in ("item", "entry"))
    links = (_link(entry) for entry in entries)
    found = dict.fromkeys(_whole(address, link) for link in links if link)
    wanted = [link for link in found if link.startswith(("http://", "https://"))]
    if not wanted:
        raise Unreadable("this feed lists no page")
    return wanted[:MOST_PAGES]


def _link(entry: Any) -> str:
    """The page of an entry: Atom's alternate link, RSS's link, or its number where that is one."""
    guid = ""
    for element in entry:
        if local(element) == "link":
            if value(element, "rel") not in ("", "alternate"):
                continue
            if link := (value(element, "href") or element.text or "").strip():
                return link
        elif local(element) == "guid" and value(element, "isPermaLink").lower() != "false":
            guid = (element.text or "").strip()
    return guid


def _whole(address: str, link: str) -> str:
    try:
        return urljoin(address, link) if len(link) <= _LONGEST else ""
    except ValueError:
        return ""
