"""Pages that come over TLS: from a site that proves who it is to somebody whom we believe."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from index.sources.fetching import Fetcher, FetchFailed, FetchLimits
from tests.support.made import web_site
from tests.support.made.web_site import OWN, Site, article, redirect

NAME = "harbour.example"
PAGE = article("New hours", "The ferry sails at nine.")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def secure_site(
    authority: trustme.CA, name: str = NAME, ends: datetime | None = None
) -> Iterator[Site]:
    """A site of this name, which the authority vouches for."""
    proof = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=ends).configure_cert(proof)
    with web_site.site(proof) as made:
        yield made


def fetcher(authority: trustme.CA | None, **limits: float) -> Fetcher:
    """One that believes this authority, and to whom every name means this machine."""
    trusted = None
    if authority is not None:
        trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(trusted)
    given = FetchLimits(**{"seconds": 20.0, "silence": 20.0, **limits})  # type: ignore[arg-type]
    return Fetcher([OWN], given, lambda host, port: ["127.0.0.1"], trusted)


def reason(address: str, by: Fetcher) -> str:
    with pytest.raises(FetchFailed) as failed:
        by.fetch(address)
    assert "\n" not in failed.value.reason
    return failed.value.reason


def test_a_page_comes_from_a_site_that_is_who_it_says(authority: trustme.CA) -> None:
    with secure_site(authority) as site:
        site.put("/page", PAGE)
        site.answers["/moved"] = redirect(site.at("/page", NAME), 301)
        found = fetcher(authority).fetch(site.at("/moved", NAME))
        assert found is not None
        assert (found.address, found.data) == (site.at("/page", NAME), PAGE.encode())
        assert found.address.startswith("https://")
        assert fetcher(authority).fetch(found.address, found.etag) is None, "nothing new"


@pytest.mark.fault("C23")
def test_nothing_is_asked_of_a_site_that_may_be_another(authority: trustme.CA) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with (
        secure_site(authority, "other.example") as other,
        secure_site(authority, ends=yesterday) as expired,
        secure_site(trustme.CA()) as unknown,
    ):
        for site, by, why in (
            (other, fetcher(authority), "Hostname mismatch"),
            (expired, fetcher(authority), "expired"),
            (unknown, fetcher(authority), "unable to get local issuer certificate"),
            (expired, fetcher(None), "certificate"),
        ):
            site.put("/secret", PAGE)
            said = reason(site.at("/secret", NAME), by)
            assert said.startswith("it may be another site than it says: ") and why in said
            assert site.asked == []


@pytest.mark.fault("C23")
def test_a_redirect_to_a_site_that_may_be_another_ends_there(authority: trustme.CA) -> None:
    with secure_site(trustme.CA()) as other, secure_site(authority) as site:
        site.answers["/away"] = redirect(other.at("/page", NAME))
        other.put("/page", PAGE)
        assert "another site" in reason(site.at("/away", NAME), fetcher(authority))
        assert other.asked == []


@pytest.mark.fault("C19", "C23")
def test_who_does_not_shake_hands_costs_little(authority: trustme.CA) -> None:
    with web_site.site() as plain:
        address = plain.at("/", NAME).replace("http:", "https:")
        assert "cannot be reached" in reason(address, fetcher(authority))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://{NAME}:{silent.getsockname()[1]}/"
        assert "in time" in reason(address, fetcher(authority, silence=0.3))
    released = threading.Event()
    with secure_site(authority) as site:
        site.answers["/slow"] = web_site.trickle(released, b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            slow = fetcher(authority, seconds=0.5)
            assert "in time" in reason(site.at("/slow", NAME), slow)
        finally:
            released.set()


def test_the_command_line_adds_a_page_by_its_secure_address(
    authority: trustme.CA, tmp_path: Path
) -> None:
    """As a person would, whose machine believes an authority of its own."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with secure_site(authority, "127.0.0.1") as site:
        address = site.put("/page", PAGE)
        told = {"SSL_CERT_FILE": str(tmp_path / "authority.pem"), "PILCROW_OWN_NETWORK": str(OWN)}
        done = subprocess.run(
            [sys.executable, "-m", "tests.programs.pilcrow_by_words", "--store",
             str(tmp_path / "library"), "add", address],
            capture_output=True, text=True, check=False, env=os.environ | told,
            cwd=Path(__file__).parents[3],
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert [path for path, _ in site.asked] == ["/page"]
