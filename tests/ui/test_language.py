"""The page in its reader's language: no text beside the catalogue, none missing in any language."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest
from babel import Locale
from babel.messages.extract import extract
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes
from starlette.testclient import TestClient

from rag.query.question import analyze
from rag.query.task import Request
from rag.replies import fixed
from rag.replies.suggestions import SUMMARISE
from rag.snapshots import DISAGREE, NOT_FOUND
from rag.types import Answer
from tests.support.browsers import Tab, served
from tests.support.page_fakes import HeldLibrary, ScriptedAssistant, make_library
from tests.support.programs import PATIENCE
from ui import page as page_package
from ui.language.catalogue import (
    ENGLISH,
    LANGUAGES,
    TEXTS,
    date_in_words,
    decimal,
    gettext,
    language_of,
    language_of_terminal,
    plural,
    short_date,
    speaking,
    spoken,
    steps_in,
)
from ui.language.places import other_language
from ui.language.replies import _HELD, SENTENCES, retold
from ui.page import app
from ui.page.views import answers, html

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGE = Path(page_package.__file__).parent
SCRIPTS = sorted((PAGE / "assets").glob("*.js"))
TEMPLATES = sorted(html.TEMPLATES.rglob("*.html"))
TERMINAL = [PAGE.parent / name for name in ("terminal_answer.py", "commands/questions.py",
                                            "commands/serving.py")]  # fmt: skip
"""What a person at a terminal is told in the language too; errors and options are English."""
CODE = sorted(p for p in PAGE.parent.rglob("*.py") if PAGE in p.parents or p.parent == TEXTS.parent)
TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]
_ONE, _SECOND = None, (2,)


# --- what the page says ---------------------------------------------------------------------------


def _extracted(method: str, path: Path, **keywords: Any) -> Iterator[str]:
    with path.open("rb") as file:
        for _, text, *_ in extract(method, file, keywords=keywords):
            yield text if isinstance(text, str) else text[0]


@cache
def said_by_the_server() -> tuple[set[str], set[str]]:
    """The texts of the code and the templates; the nouns that are counted in them."""
    texts, nouns = {DISAGREE, NOT_FOUND, *fixed.SAID}, set[str]()
    # what an account may not is said on the page, to programs and to agents
    refusals = PAGE.parent / "http" / "accounts" / "permitted.py"
    for path in (*CODE, *TERMINAL, refusals):
        texts.update(_extracted("python", path, gettext=_ONE, gettext_noop=_ONE))
        nouns.update(_extracted("python", path, plural=_SECOND))
    for path in TEMPLATES:
        tree = html.environment().parse(path.read_text(encoding="utf-8"))
        for call in tree.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "_":
                texts.update(a.value for a in call.args if isinstance(a, nodes.Const))
        for used in tree.find_all(nodes.Filter):
            if used.name == "plural":
                nouns.update(a.value for a in used.args if isinstance(a, nodes.Const))
    return texts, nouns


@cache
def said_by_the_scripts() -> tuple[set[str], set[str]]:
    """The same of what runs in the browser."""
    texts, nouns = set[str](), set[str]()
    for path in SCRIPTS:
        texts.update(_extracted("javascript", path, gettext=_ONE))
        nouns.update(_extracted("javascript", path, plural=_SECOND))
    return texts, nouns


def read(language: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    return parsed


def places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


# --- the catalogue --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_is_missing_in_any_language_and_none_is_left_over(language: str) -> None:
    texts, nouns = said_by_the_server()
    in_scripts, counted_there = said_by_the_scripts()
    catalogue = read(language)
    assert set(catalogue["texts"]) == texts
    assert set(catalogue["scripts"]) == in_scripts
    assert set(catalogue["plurals"]) == nouns | counted_there
    assert all(text.strip() for part in ("texts", "scripts") for text in catalogue[part].values())


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_places_of_a_text_are_the_same_in_all_languages(language: str) -> None:
    catalogue = read(language)
    for part in ("texts", "scripts"):
        for english, text in catalogue[part].items():
            assert places(text) == places(english), text
    for noun, forms in catalogue["plurals"].items():
        # "many" of French and Spanish begins with a million
        wanted = {Locale.parse(language).plural_form(n) for n in range(1_000)}
        assert set(forms) == wanted | {"other"}, noun
        assert places(forms["other"]) == ["count"], noun


def test_each_language_has_its_file_and_each_file_its_language() -> None:
    assert {path.stem for path in TEXTS.glob("*.json")} == set(TRANSLATED)


# --- nothing is said beside it --------------------------------------------------------------------

_TAG = re.compile(r"<[^<>]*>")
_WORD = re.compile(r"[A-Za-z]{2,}")
_SEEN = re.compile(r"\b(?:aria-label|title|placeholder|alt)=\"([^\"]*)")
_KEYS = re.compile(
    r"(?s)<style>.*?</style>|<code>.*?</code>|<kbd>.*?</kbd>|<title>.*?</title>|&nbsp;|Pilcrow|/home/me/articles"
)
# a sentence, or a word as it stands on a button
_SENTENCE = re.compile(r"[A-Z][a-z]+(?:[ ’][A-Za-z]|$)|[a-z]{2,} [a-z]{2,}")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_says_nothing_beside_the_catalogue(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    data = "".join(
        value if kind == "data" else "\0"
        for _, kind, value in html.environment().lex(source)
        if kind == "data" or kind.endswith("_begin")
    )
    data = _KEYS.sub("", data)
    for attribute in _SEEN.findall(data):
        assert not _WORD.search(attribute), attribute
    assert not _WORD.search(_TAG.sub("", data)), path
    tree = html.environment().parse(source)
    known = {
        id(constant)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "_"
        for constant in call.find_all(nodes.Const)
    }
    for constant in tree.find_all(nodes.Const):
        if isinstance(constant.value, str) and id(constant) not in known:
            assert not re.match(r"[A-Z][a-z]", constant.value), constant.value


_COMMENT = re.compile(r"(?m)(?:^|\s)//[^\n]*$|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"([^"\n]*)"|`([^`]*)`')
KEYS = {"Escape", "Enter", "Tab", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Files"}
GRADIOS = {"Connection to the server was lost"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_nothing_beside_the_catalogue(path: Path) -> None:
    texts, _ = said_by_the_scripts()
    code = _COMMENT.sub("", path.read_text(encoding="utf-8"))
    for said in {a or b for a, b in _STRING.findall(code)} - texts - KEYS - GRADIOS:
        assert not re.match(r"[A-Z][a-z]", said), said
        assert not re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", said), said


SILENT = {"execute", "_rows", "compile", "gettext", "gettext_noop", "plural", "say"}
"""Calls whose texts nobody reads on the page, or that look them up in the catalogue."""
FOR_PROGRAMS = {"call_gate.py", "file_data.py", "security.py", "page_language.py", "server.py"}
"""Answers to requests that the page never makes, headers, and what the terminal says."""
NAMES = {
    "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "Pilcrow", "English", "Deutsch", "yMd",
    "_Step", "Retry-After", "not done", "llama-cpp-python is not installed", "no articles yet",
    "amount of money", "simpler words", *_HELD.values(),
}  # fmt: skip


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.stem)
def test_the_code_says_nothing_beside_the_catalogue(path: Path) -> None:
    if path.name in FOR_PROGRAMS or path.parent.name == "export":
        return  # of what is exported most is XML; `test_footnotes.py` reads it in German
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = (n.value for n in _outside_docstrings(tree) if isinstance(n, ast.Constant))
    said = [text for text in constants if isinstance(text, str) and _SENTENCE.search(text)]
    assert set(said) <= NAMES


def _outside_docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """What is said: without docstrings and what is logged, matched, or asked of a database."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Call):
            called = ast.unparse(child.func)
            if called.split(".")[-1] in SILENT or called.startswith("log."):
                continue
        yield child
        yield from _outside_docstrings(child)


# --- which language -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "cookie", "language"),
    [
        ("", "", "en"),
        ("de-CH,de;q=0.9,en;q=0.8", "", "de"),
        ("nl,fr;q=0.7,es;q=0.9", "", "es"),
        ("de;q=0,ja", "", "ja"),
        ("zh-Hant-TW", "", "zh"),
        ("*", "", "en"),
        ("de", "a=b; pilcrow-language=ar; c=d", "ar"),
        ("de", "pilcrow-language=xx", "de"),
        ("de", "no-pilcrow-language=ar", "de"),
    ],
)
def test_the_chosen_language_comes_before_the_browsers(
    accepted: str, cookie: str, language: str
) -> None:
    assert language_of({"accept-language": accepted, "cookie": cookie}) == language


@pytest.mark.parametrize(
    ("speaks", "quote", "told"),
    [
        ("ar", "The convention entered into force on June 8, 2023.", "الإنجليزية"),
        ("de", "The convention entered into force on June 8, 2023.", "Englisch"),
        ("en", "The convention entered into force on June 8, 2023.", ""),
        ("en", "Die Brücke wurde im Mai von der Stadt eröffnet.", "German"),
        ("de", "Die Brücke wurde im Mai von der Stadt eröffnet.", ""),
        ("de", "公约于2023年6月8日生效。", "Chinesisch"),
        ("de", "Oslo 2023: 12", ""),
        ("fr", "", ""),
    ],
)
def test_a_quote_says_its_language_where_it_is_another(speaks: str, quote: str, told: str) -> None:
    with speaking(speaks):
        assert other_language(quote) == told


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "fr_FR"}, "fr"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "", "LC_MESSAGES": "ar"}, "ar"),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "nl_NL.UTF-8"}, "en"),
        ({"LANG": "zh-Hant@x"}, "zh"),
    ],
)
def test_a_terminal_says_its_language(environment: dict[str, str], language: str) -> None:
    assert language_of_terminal(environment) == language


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_summary_that_the_page_offers_is_understood(language: str) -> None:
    with speaking(language):
        offered = gettext(SUMMARISE, title="Of wind and wires")
    request = analyze(offered).request
    assert (request.task, request.topic) == ("summarise", "Of wind and wires")


@given(st.text(), st.text())
def test_whatever_a_browser_sends_the_page_has_a_language(accepted: str, cookie: str) -> None:
    assert language_of({"accept-language": accepted, "cookie": cookie}) in LANGUAGES


def test_each_step_of_a_generator_is_in_its_language_in_whatever_thread() -> None:
    def steps() -> Generator[str, None, None]:
        yield spoken()
        yield plural(1200, "document")

    drawn = steps_in("de", steps())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(next, drawn).result() == "de"
    assert spoken() == ENGLISH
    assert list(drawn) == ["1.200 Dokumente"]


# --- how it says numbers and dates ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "documents", "day", "month", "score"),
    [
        ("en", "1,200 documents", "8 December 2023", "December 2023", "0.71"),
        ("de", "1.200 Dokumente", "8. Dezember 2023", "Dezember 2023", "0,71"),
        ("es", "1.200 documentos", "8 de diciembre de 2023", "diciembre de 2023", "0,71"),
        ("zh", "1,200 篇文档", "2023年12月8日", "2023年12月", "0.71"),
        ("ja", "文書 1,200 件", "2023年12月8日", "2023年12月", "0.71"),
    ],
)
def test_numbers_and_dates_are_said_as_the_language_says_them(
    language: str, documents: str, day: str, month: str, score: str
) -> None:
    with speaking(language):
        assert plural(1200, "document") == documents
        assert (date_in_words("2023-12-08"), date_in_words("2023-12")) == (day, month)
        assert decimal(0.71, 2) == score
        assert date_in_words("8th of December") == ""
        assert short_date("some day") == "some day"


def test_arabic_counts_in_six_forms() -> None:
    with speaking("ar"):
        said = [plural(n, "document") for n in (0, 1, 2, 3, 11, 100)]
    assert len(set(said)) == 6
    assert said[1:4] == ["وثيقة واحدة", "وثيقتان", "3 وثائق"]


# --- the page -------------------------------------------------------------------------------------


def test_what_an_answer_lacks_is_told_in_the_language_too() -> None:
    sentence = "Your documents do not mention “Quentin <b>{n}</b>”."
    assert retold(sentence) == sentence
    with speaking("de"):
        assert retold(sentence) == "Ihre Dokumente erwähnen „Quentin <b>{n}</b>“ nicht."
        unread = "The question is in French and the closest documents are in English, and this "
        unread += "library is read with English alone. To ask across languages: pilcrow get x"
        assert retold(unread).startswith("Sprache der Frage: Französisch;")
        assert retold("Nobody knows this sentence.") == "Nobody knows this sentence."


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("Not in your documents.", "Nicht in Ihren Dokumenten."),
        (
            "Searched for “treaty” for “traety”, “Kyoto” for “Kyotto”.",
            "Gesucht wurde „treaty“ statt „traety“, „Kyoto“ statt „Kyotto“.",
        ),
        ("What do you mean by “the vote”?", "Was meinen Sie mit „the vote“?"),
        (
            "1,200 more sentences belong to this list. Ask for a part of it to read on.",
            "1.200 weitere Sätze gehören zu dieser Liste. Fragen Sie nach einem Teil davon, um "
            "weiterzulesen.",
        ),
        (
            "The library holds 1 document with 12 paragraphs, dated 2023-01-05 to 2024-02. The "
            "newest first: “A (b)” (2024-02); “C”; and 3 more.",
            "In der Bibliothek: 1 Dokument, 12 Absätze, datiert 5.1.2023 bis 2/2024. Das "
            "neueste zuerst: “A (b)” (2024-02); “C”; (und 3 weitere).",
        ),
    ],
)
def test_what_rag_says_is_told_in_german(sentence: str, told: str) -> None:
    with speaking("de"):
        assert retold(sentence) == told


@pytest.mark.parametrize("language", TRANSLATED)
def test_all_that_the_library_says_of_itself_is_told_in_the_language(
    language: str, library: HeldLibrary
) -> None:
    kinds = [("small_talk", intent) for intent in ("greeting", "thanks", "goodbye", "reaction")]
    about = ("newest", "oldest", "count", "documents", "privacy", "adding", "removing", "checking",
             "abilities")  # fmt: skip
    kinds += [("library", intent) for intent in about]
    for task, intent in kinds:
        for topic in ("", "the forum", "nothing of the sort", "2023", "1850"):
            request = Request(task, topic, f"articles on {topic}", intent=intent)  # type: ignore[arg-type]
            said = fixed.small_talk(request, library) or fixed.about_library(request, library)
            assert said
            with speaking(language):
                told = retold(said)
            assert told != said
            assert not re.search(r"\b(?:your|library|newest|mentions)\b", _NAMED.sub("", told))


_NAMED = re.compile(r"“[^”]*”|`[^`]*`|«[^»]*»|„[^“]*“|「[^」]*」")


def test_a_greeting_and_a_question_back_are_drawn_in_the_language() -> None:
    asked = Answer("?", "partial", "Which do you mean: “A” or “B”?", complete=True,
                   options=("A", "B"))  # fmt: skip
    with speaking("fr"):
        assert "Lequel voulez-vous dire ?" in answers.answer(asked, 1)
        thanks = Answer("!", "answered", "You're welcome. Ask on whenever you like.", complete=True)
        assert "Je vous en prie." in answers.answer(thanks, 1)


_NAMES = {"name", "title", "number", "subject", "reason", "command", "host", "kinds", "pointer",
          "asked_for", "year"}  # fmt: skip
_VERBATIM = [sentence for sentence in SENTENCES if set(places(sentence)) <= _NAMES]


@given(st.text(max_size=300), st.sampled_from(_VERBATIM))
def test_no_name_in_a_known_sentence_is_lost(name: str, english: str) -> None:
    sentence = re.sub(r"\{\w+\}", lambda _: name, english)
    with speaking("ja"):
        told = retold(sentence)
    assert "{" in name or "\n" in name or not name or name in told or "{" not in english


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_library(tmp_path_factory.mktemp("languages")) as made:
        yield made


def test_the_page_goes_out_in_the_visitors_language_and_may_run(library: HeldLibrary) -> None:
    built = app.build_app(ScriptedAssistant(library), library)
    client = TestClient(built, base_url="http://127.0.0.1:7860")
    english = client.get("/", headers={"Accept-Language": "en-GB"})
    assert english.text == client.get("/").text
    assert '<html\n\tlang="en"' in english.text
    assert 'id="texts"' not in english.text
    arabic = client.get("/", headers={"Accept-Language": "ar"})
    assert '<html\n\tlang="ar" dir="rtl"' in arabic.text
    config = re.search(r"<script>(window\.gradio_config = (\{.*?\});)</script>", arabic.text)
    assert config
    digest = base64.b64encode(hashlib.sha256(config[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in arabic.headers["content-security-policy"]
    shown = {c["props"].get("elem_id"): c["props"] for c in json.loads(config[2])["components"]}
    assert shown["ask"]["value"] == read("ar")["texts"]["Ask"]
    assert read("ar")["texts"]["Overview"] in shown["library"]["value"]


@pytest.mark.browser
def test_a_person_reads_the_page_in_the_browsers_language_or_another(
    browser: Browser, library: HeldLibrary
) -> None:
    with served(ScriptedAssistant(library), library) as address:
        context = browser.new_context(locale="de-DE", viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE * 1000)
        opened = Tab(page := context.new_page())
        page.goto(address)
        opened.wait_until_ready()
        assert page.inner_text("#new-chat") == "Neues Gespräch"
        assert page.get_attribute("html", "lang") == "de"
        opened.ask("How many participants registered in Kyoto?")
        assert "Beantwortet in" in opened.finish()
        opened.show("library")
        page.click("#rebuild")  # through Gradio's queue, apart from its request
        page.wait_for_selector("#job .job:not([data-running]) .summary:has-text('neu gelesen')")
        page.click("details.machine summary")
        page.wait_for_selector("#language")
        with page.expect_navigation():
            page.select_option("#language", "ar")
        opened.wait_until_ready()
        assert page.evaluate("getComputedStyle(document.querySelector('.masthead')).direction") == (
            "rtl"
        )
        left, sources = (page.locator(id_).bounding_box() for id_ in ("#left", "#sources"))
        assert left and sources and left["x"] > sources["x"]
        assert page.inner_text("#new-chat") == "محادثة جديدة"
        assert page.input_value("#language") == "ar"
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not opened.inaccessible()
        context.close()
