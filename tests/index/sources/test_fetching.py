"""One address of the web: what is taken of it, and what a hostile server can do: nothing."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from index import InputError
from index.sources.fetching import FEED, Fetcher, FetchFailed, FetchLimits, is_public, web_address
from tests.support.made import web_site
from tests.support.made.web_site import OWN, Site, article, fetcher, raw, redirect, rss

PAGE = article("New hours", "The ferry sails at nine.")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with web_site.site() as made:
        yield made


def reason(address: str, by: Fetcher | None = None) -> str:
    with pytest.raises(FetchFailed) as failed:
        (by or fetcher()).fetch(address)
    assert "\n" not in failed.value.reason
    return failed.value.reason


def test_a_page_comes_with_its_address_and_what_to_ask_again_with(site: Site) -> None:
    address = site.put("/page", PAGE)
    site.answers["/moved"] = redirect("/page", 301)
    found = fetcher().fetch(site.at("/moved"))
    assert found is not None
    assert (found.address, found.suffix, found.data) == (address, ".html", PAGE.encode())
    assert fetcher().fetch(address, found.etag, found.modified) is None
    site.put("/page", PAGE.replace("nine", "ten"))
    assert fetcher().fetch(address, found.etag, found.modified) is not None


@pytest.mark.fault("C19")
def test_a_server_is_asked_again_in_its_own_words_whatever_they_are(site: Site) -> None:
    address = site.put("/odd", PAGE, Last_Modified="mañana", ETag='"é\u0085"')
    found = fetcher().fetch(address)
    assert found is not None and found.modified == "mañana"
    assert fetcher().fetch(address, '"é\xff\'"', found.modified) is not None


@pytest.mark.parametrize(
    ("kind", "body", "suffix"),
    [
        ("text/html", "<p>Hello", ".html"),
        ("application/xhtml+xml", '<?xml version="1.0"?><html><body/></html>', ".xhtml"),
        ("application/pdf", b"%PDF-1.7", ".pdf"),
        ("application/octet-stream", b"%PDF-1.7", ".pdf"),
        ("text/plain", "Hello", ".txt"),
        ("text/markdown; charset=utf-8", "# Hello", ".md"),
        ("application/rss+xml", rss("http://x/"), FEED),
        ("text/xml", rss("http://x/"), FEED),
        ("application/xml", '<?xml version="1.0"?>\n<feed xmlns="x"></feed>', FEED),
        ("", "<!DOCTYPE html><html>", ".html"),
    ],
)
def test_what_it_is_is_told_by_the_server_and_by_its_beginning(
    site: Site, kind: str, body: str | bytes, suffix: str
) -> None:
    if kind:
        address = site.put("/kind", body, kind)
    else:
        site.answers["/untold"] = raw(b"HTTP/1.1 200 OK\r\n\r\n" + str(body).encode())
        address = site.at("/untold")
    found = fetcher().fetch(address)
    assert found is not None and found.suffix == suffix


def test_a_character_set_that_only_the_server_states_is_not_lost(site: Site) -> None:
    text = "<p>Паром отходит в девять</p>"
    found = fetcher().fetch(site.put("/ru", text.encode("cp1251"), "text/html; charset=cp1251"))
    assert found is not None and found.data.decode("utf-8-sig") == text
    wrong = fetcher().fetch(site.put("/u", "Zürich".encode(), "text/html; charset=iso-8859-1"))
    assert wrong is not None and wrong.data == "Zürich".encode()
    odd = fetcher().fetch(site.put("/odd", b"\xff", "text/html; charset=punycode"))
    assert odd is not None and odd.data == b"\xff"


def test_packed_pages_are_unpacked(site: Site) -> None:
    data = gzip.compress(PAGE.encode())
    found = fetcher().fetch(site.put("/gz", data, Content_Encoding="gzip"))
    assert found is not None and found.data == PAGE.encode()
    assert "cut off" in reason(site.put("/cut", data[:-20], Content_Encoding="gzip"))
    assert "damaged" in reason(site.put("/bad", b"no gzip at all", Content_Encoding="gzip"))
    assert "not asked for" in reason(site.put("/br", b"x", Content_Encoding="br"))


@pytest.mark.fault("C19")
@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("image/png", b"\x89PNG", "'image/png' is no page, PDF, text or feed"),
        ("video/mp4", b"", "no page"),
        ("application/zip", b"PK\3\4", "no page"),
        ("application/octet-stream", b"\0\1\2", "it does not say what it is"),
        ("application/xml", "<svg></svg>", "neither a page nor a feed"),
    ],
)
def test_what_nobody_reads_is_refused_before_it_is_fetched(
    site: Site, kind: str, body: str | bytes, why: str
) -> None:
    assert why in reason(site.put("/other", body, kind))


@pytest.mark.fault("C19")
def test_what_is_too_big_is_not_fetched_to_its_end(site: Site) -> None:
    small = fetcher(size=1_000_000)
    site.answers |= {"/endless": web_site.endless, "/bomb": web_site.bomb}
    site.answers["/says"] = raw(HEAD + b"Content-Length: 99999999999\r\n\r\n")
    for path in ("/endless", "/bomb", "/says"):
        assert "too big: more than 1 MB" in reason(site.at(path), small)


@pytest.mark.fault("C19")
@pytest.mark.parametrize("begin", [HEAD + b"\r\n<p>", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_trickle_is_cut_off_in_its_head_and_in_its_body(site: Site, begin: bytes) -> None:
    released = threading.Event()
    site.answers["/slow"] = web_site.trickle(released, begin)
    try:
        assert "in time" in reason(site.at("/slow"), fetcher(seconds=0.5))
    finally:
        released.set()


@pytest.mark.fault("C19")
def test_a_server_that_says_nothing_or_nonsense_costs_little(site: Site) -> None:
    released = threading.Event()
    site.answers["/silent"] = web_site.silent(released)
    try:
        assert "in time" in reason(site.at("/silent"), fetcher(silence=0.3))
    finally:
        released.set()
    site.answers["/babble"] = raw(b"\0\1\2 babble\r\n\r\n")
    assert "cannot be reached" in reason(site.at("/babble"))
    site.answers["/short"] = raw(HEAD + b"Content-Length: 10\r\n\r\n123")
    assert "cannot be reached" in reason(site.at("/short"))
    assert "cannot be reached" in reason("http://127.0.0.1:1/")


@pytest.mark.fault("C19")
def test_redirects_that_do_not_end_do(site: Site) -> None:
    site.answers["/loop"] = redirect("/loop")
    assert "sends us on more than 5 times" in reason(site.at("/loop"))
    assert [path for path, _ in site.asked].count("/loop") == 6
    for nowhere in ("file:///etc/passwd", "ftp://example.org/", "javascript:alert(1)"):
        site.answers["/off"] = redirect(nowhere)
        assert "which is no page" in reason(site.at("/off"))


# --- whom nobody is led to ----------------------------------------------------------------


@pytest.mark.fault("C20")
@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]",
    ],
)  # fmt: skip
def test_this_machine_is_asked_for_nothing(site: Site, target: str) -> None:
    site.put("/secret", "<p>secret</p>")
    before = len(site.asked)
    said = reason(site.at("/secret", target), Fetcher())
    assert "a private address" in said or "no such host" in said
    assert len(site.asked) == before


@pytest.mark.fault("C20")
@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[fe80::1]/"]
)
def test_a_redirect_leads_to_no_private_address(site: Site, target: str) -> None:
    """The site itself is allowed here; where it leads is not."""
    site.answers["/away"] = redirect(target)
    assert "a private address" in reason(site.at("/away"))


@pytest.mark.fault("C20")
def test_a_public_site_leads_to_no_private_one(site: Site) -> None:
    """A name that is public at first, and means this machine a moment later."""
    site.put("/page", PAGE)
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return {"harbour.example": ["127.0.0.1"], "inside.example": ["192.168.0.9"],
                "both.example": ["93.184.216.34", "10.0.0.8"]}[host]  # fmt: skip

    by = Fetcher([OWN], FetchLimits(), resolve)
    site.answers["/in"] = redirect(site.at("/page", "inside.example"))
    assert by.fetch(site.at("/page", "harbour.example")) is not None
    assert "inside.example is 192.168.0.9" in reason(site.at("/in", "harbour.example"), by)
    assert "both.example is 10.0.0.8" in reason("http://both.example/", by)
    assert asked == ["harbour.example", "harbour.example", "inside.example", "both.example"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:93.184.216.34", True), ("64:ff9b::5db8:d822", True),
        ("10.1.2.3", False), ("172.16.0.1", False), ("192.168.1.1", False), ("127.0.0.53", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("255.255.255.255", False), ("240.0.0.1", False), ("::1", False),
        ("::", False), ("fe80::1", False), ("fc00::1", False), ("fec0::1", False),
        ("ff02::1", False), ("::ffff:10.0.0.1", False), ("::127.0.0.1", False),
        ("2002:7f00:1::", False), ("64:ff9b::a00:1", False), ("64:ff9b:1::1", False),
        ("2001:db8::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" https://Example.org/a b#part ", "https://example.org/a%20b"),
        ("http://example.org:80", "http://example.org/"),
        ("https://bücher.example/ö", "https://xn--bcher-kva.example/%C3%B6"),
    ],
)
def test_an_address_is_written_in_one_way(typed: str, meant: str) -> None:
    assert web_address(typed) == meant == web_address(meant)


@pytest.mark.parametrize(
    "typed",
    [
        "https:/example.org", "http://", "ftp://example.org", "https://a:b@example.org/",
        "file:///etc/passwd", "http://a\nb/", "http://" + "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_told(typed: str) -> None:
    with pytest.raises(InputError):
        web_address(typed)
