"""Answers as HTML: everything hostile is inert, markers come from citations and nowhere else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes
from jinja2.exceptions import TemplateAssertionError

from index.formats.registry import KINDS
from index.types import (
    Document,
    DocumentRecord,
    FailedFile,
    Hit,
    ScoredSentence,
    Span,
    UpdateReport,
)
from rag.snapshots import DISAGREE
from rag.types import (
    Answer,
    CheckedDraft,
    Citation,
    Explanation,
    Group,
    HitScores,
    PassageRead,
    Progress,
    Statement,
)
from ui.page import export
from ui.page.conversations import Listed
from ui.page.views import answers, jobs, panes
from ui.page.views.html import TEMPLATES, environment, pieces, shorten

TAGS = {
    "abbr", "article", "aside", "h2", "h3", "h4", "p", "span", "a", "i", "b", "br", "q", "figure",
    "figcaption", "bdi", "blockquote", "section", "ol", "ul", "li", "button", "mark", "header",
    "div", "dl", "dt", "dd", "details", "summary", "svg", "path", "kbd", "code", "table", "thead",
    "tbody", "tr", "th", "td", "progress", "time", "input",
}  # fmt: skip
FORMS = ("prose", "bullets", "table", "columns", "conflict", "a new one")
NASTY = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("<>&\"'`${}[]1/=")), max_size=60
)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def look(markup: str) -> Seen:
    seen = Seen()
    seen.feed(markup)
    return seen


def answer(text: str) -> Answer:
    cited = Citation(1, text, text, text, 1, 0, len(text), text)
    return Answer(
        text, "answered", text, (Statement(text, "supported", (1,)),), (cited,),
        (PassageRead(text, 0, 1, text, 0.5, text, text),), complete=True, headline=cited,
        notes=(text,), model=text,
    )  # fmt: skip


def every_view(text: str) -> list[str]:
    """Everything the page draws, with a text wherever one can stand."""
    said, meta = answer(text), answers.TurnMeta(text, text, text, text, 3, "up")
    record = DocumentRecord(text, text, text, text, text, 1, 1, 1, 1, text, text, text)
    sentence = ScoredSentence(0, len(text), text, 0.5)
    hits = (HitScores(text, 1, 1, 0.5, 0.5, 0.5, 0.5),)
    explained = Explanation((text, text), hits=hits, drafts=(CheckedDraft((1,), text, text),))
    contexts = {1: answers.Context(text, text, text, "changed")}
    rows = (jobs.JobRow(text, text, text),)
    in_parts = replace(
        said, statements=(said.statements[0], Statement(text, "supported", (1,), True)) * 2,
        groups=(Group(text, (1, 2)), Group("2023-12-08", (3,))), missing=(text,),
    )  # fmt: skip
    claim = replace(said, task="yes_no", statements=(Statement(text, "supported", (1,), True),))
    hit = Hit(text, text, "", 0, len(text), text, 0.5, 1, sentences=(sentence,))
    reply = Answer(text, "partial", f"“{text}” (x)", complete=True, options=(text, text))
    return [
        answers.answer(said, 1, meta=meta),
        answers.answer(replace(said, statements=(), stage=text, short=text), 1, "running"),
        answers.answer(replace(said, state="not_found"), 1, meta=meta),
        *(answers.answer(replace(in_parts, form=form), 1) for form in FORMS),
        *(export.as_rich_text(replace(in_parts, form=form)) for form in FORMS),
        *(answers.answer(replace(claim, state=state), 1) for state in ("answered", "not_found")),
        answers.answer(reply, 1, documents={text: text}),
        answers.sources(said, 1, {}),
        answers.sources(said, 1, contexts, text),
        answers.failure(text, 1, text, meta),
        answers.waiting(text, 1, meta),
        jobs.draw(jobs.JobView(text, rows=rows, stage=text)),
        jobs.draw(jobs.JobView(text, running=False, rows=rows, summary=text)),
        jobs.draw(jobs.JobView(text, running=False, problem=text)),
        panes.welcome(0, 0, text, samples=True),
        panes.welcome(1, 1, f"pip install {text} pip install x"),
        panes.suggestions([text], text),
        panes.conversations([Listed(text, text, datetime.now(UTC))], date(2026, 1, 1)),
        panes.conversations([], date(2026, 1, 1), problem=text),
        panes.library([record], {text: "gone"}),
        panes.library([record], {text: "away"}, folders=[(text, 1)], inside=text),
        panes.in_text([hit], text),
        panes.reader(Document(text, text, text, text, text, text), [(0, len(text), 1)], 0),
        panes.why(replace(said, explain=explained), {text: text}, 0.5),
        panes.why(replace(said, state="not_found", missing=(text,), explain=explained), {}, 0.5),
    ]


@given(NASTY)
def test_no_text_becomes_markup(text: str) -> None:
    for drawn in every_view(text):
        seen = look(drawn)
        assert seen.tags <= TAGS
        assert seen.handlers == []
        assert all(link.startswith("#t1-") for link in seen.links)
        assert not set("$`{}") & set(drawn)


@given(NASTY)
def test_no_text_becomes_markup_of_an_exported_page(text: str) -> None:
    documents = [{"document_id": text, "sha256": text}]
    drawn = export.as_page(
        {"answer": answer(text).to_dict(), "documents": documents, "exported": text,
         "models": {"language": text}}
    )  # fmt: skip
    frame = {"html", "head", "meta", "title", "style", "body", "main", "h1", "sup", "small",
             "footer", "script"}  # fmt: skip
    seen = look(drawn)
    assert seen.tags <= TAGS | frame
    assert seen.handlers == []
    assert set(seen.links) == {"#s1"}
    assert drawn.count("<script") == drawn.count("</script>") == 1


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.stem)
def test_a_template_has_no_way_around_the_escaping(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    parts = environment().lex(source)
    own = "".join(value for _, kind, value in parts if kind == "data")
    assert path.stem == "export" or not set("$`{}") & set(own)
    # joined in a template, a text would be escaped by Jinja itself, which leaves more as it is
    joined = environment().parse(source).find(nodes.Concat)
    assert joined is None


@pytest.mark.parametrize("name", ["safe", "join", "replace", "forceescape", "tojson", "e"])
def test_no_filter_but_ours_is_known(name: str) -> None:
    with pytest.raises(TemplateAssertionError, match="No filter"):
        environment().from_string(f"{{{{ text|{name} }}}}")


def test_line_breaks_of_a_template_are_layout() -> None:
    source = """
        <p class="a"
         id="b">{{ text }}
          {% if text %} said
            in full{% endif %}
        </p>
        <p>
    """
    drawn = environment().from_string(source).render(text="\n <b> \n")
    assert drawn == '<p class="a" id="b">\n &lt;b&gt; \n said in full</p><p>'


def test_a_marker_in_a_text_is_only_text() -> None:
    drawn = answers.answer(answer("As said [2] before"), 1)
    assert 'data-n="2"' not in drawn
    assert 'data-n="1"' in drawn


def test_statements_without_a_source_are_drawn() -> None:
    said = (Statement("Round and", "unsupported", ()), Statement("round.", "unsupported", ()))
    drawn = answers.answer(Answer("q", "answered", "", said, (), complete=True), 1)
    assert "Round and" in drawn and "round." in drawn


def test_support_is_said_in_words() -> None:
    given_ = answer("x")
    loose = Statement("Loose.", "unsupported", (1,))
    shown = Answer("q", "answered", "", (loose,), given_.citations, complete=True)
    assert "not supported by its source" in answers.answer(shown, 1)


def test_the_headline_is_not_said_twice() -> None:
    cited = Citation(1, "a.txt", "A", "", 1, 0, 9, "Said so. ")
    said = Statement("Said so.", "supported", (1,), quoted=True)
    shown = Answer("q", "answered", "", (said,), (cited,), complete=True, headline=cited)
    assert answers.answer(shown, 1).count("Said so.") == 2  # the statement and its hover card


def test_not_found_shows_the_closest_passages_and_what_to_do() -> None:
    passage = PassageRead("a.txt", 0, 4, "Text", 0.5, "Title")
    drawn = answers.answer(Answer("q", "not_found", "", passages=(passage,), complete=True), 1)
    assert "Not in your documents" in drawn
    assert "Title" in drawn
    assert 'data-action="edit"' in drawn


def test_a_table_of_bars_is_drawn_as_a_table() -> None:
    rows = "| Item | Planned |\n|---|:--:|\n| <b> | 18 \\| 19 |"
    text = f"In crowns:\n{rows}\nIt was dear."
    assert pieces(text) == [
        "In crowns:\n", [["Item", "Planned"], ["<b>", "18 | 19"]], "\nIt was dear."
    ]  # fmt: skip
    assert pieces("a | b\nc") == ["a | b\nc"]
    cited = Citation(1, "a.md", "A", "", 1, 0, len(rows), rows)
    statement = Statement(rows, "supported", (1,), quoted=True)
    said = Answer("q", "answered", "", (statement,), (cited,), complete=True)
    for drawn in (answers.answer(said, 1), answers.sources(said, 1, {})):
        assert '<span role="columnheader">Planned</span>' in drawn
        assert '<span role="cell">&lt;b&gt;</span>' in drawn
    flat = replace(statement, text=" ".join(rows.split()))  # as an answer says it
    drawn = answers.answer(replace(said, statements=(flat,)), 1)
    assert '<span role="columnheader">Planned</span>' in drawn


def test_a_refusal_that_knows_of_nothing_missing_marks_what_may_answer() -> None:
    text = "It opened in May. The mayor of <Nishi> cut the ribbon. Guests cheered."
    start, end = 18, 54
    closest = Citation(0, "a.txt", "A", "", 1, start + 7, end + 7, text[start:end])
    passage = PassageRead("a.txt", 7, 7 + len(text), text, 0.5, "A")
    said = Answer("q", "not_found", "", passages=(passage,), complete=True, closest=closest)
    drawn = answers.answer(said, 1)
    assert "No clear answer in your documents" in drawn
    assert "Not in your documents" not in drawn
    assert "<mark>The mayor of &lt;Nishi&gt; cut the ribbon.</mark>" in drawn
    beside = answers.sources(said, 1, {})
    assert "May. <mark>The mayor of &lt;Nishi&gt; cut the ribbon.</mark> Guests" in beside
    elsewhere = replace(said, passages=(replace(passage, document_id="b.txt"),))
    assert "<mark>" not in answers.answer(elsewhere, 1)


def test_what_is_missing_and_whose_words_stand_where_are_said() -> None:
    missing = ("Your documents do not mention <b>.",)
    drawn = answers.answer(Answer("q", "not_found", "", missing=missing, complete=True), 1)
    assert "Your documents do not mention &lt;b&gt;." in drawn
    groups = (Group("Oslo <i>", (1,)), Group("Rome", (2,)))
    cited = tuple(Citation(n, "a.txt", "A", "", 1, 0, 9, "It rained.") for n in (1, 2))
    said = tuple(Statement("It rained.", "supported", (n,), True) for n in (1, 2))
    compared = Answer("q", "answered", "", said, cited, groups=groups, complete=True)
    drawn = answers.answer(compared, 1)
    assert drawn.count('<h3 class="group"') == 2
    assert "Oslo &lt;i&gt;" in drawn


def quoted(count: int, **more: Any) -> Answer:
    """An answer of so many quoted sentences, `Sentence 1.` and so on, of one document."""
    numbers = range(1, count + 1)
    cited = tuple(
        Citation(n, "a.txt", "A", "", n, 20 * n, 20 * n + 11, f"Sentence {n}.") for n in numbers
    )
    said = tuple(Statement(f"Sentence {n}.", "supported", (n,), True) for n in numbers)
    return Answer("q", "answered", "", said, cited, complete=True, **more)


def test_a_comparison_has_a_column_for_each_side() -> None:
    groups = (Group("Oslo", (1, 3)), Group("Rome", (2,)))
    drawn = answers.answer(quoted(3, groups=groups, form="columns"), 1)
    oslo, rome = drawn.split('<section class="column">')[1:]
    assert "Oslo" in oslo and "Sentence 1." in oslo and "Sentence 3." in oslo
    assert "Rome" in rome and "Sentence 2." in rome and "Sentence 3." not in rome


def test_a_timeline_is_an_ordered_list_with_dates_a_machine_can_read() -> None:
    groups = (Group("2023-12", (1,)), Group("2024-03-13", (2,)))
    drawn = answers.answer(quoted(2, groups=groups, form="bullets"), 1)
    assert drawn.count('<ol class="timeline"><li>') == 1
    assert '<time datetime="2023-12">December 2023</time>' in drawn
    assert '<time datetime="2024-03-13">13 March 2024</time>' in drawn


def test_documents_that_disagree_are_one_card_with_the_newest_first() -> None:
    groups = (Group("2024-03-13", (1,)), Group("A report <b>", (2,)))
    drawn = answers.answer(quoted(3, groups=groups, form="conflict", notes=(DISAGREE,)), 1)
    card, beside = drawn.split('<div class="conflict"')[1].split("</div>", 1)
    assert drawn.count(DISAGREE) == 1 and DISAGREE in card
    assert card.index("13 March 2024") < card.index(">newest<") < card.index("A report &lt;b&gt;")
    assert "Sentence 2." in card and "Sentence 3." in beside
    assert ">newest<" not in beside


def test_what_speaks_to_a_claim_is_a_form_of_its_own_without_a_verdict() -> None:
    drawn = answers.answer(quoted(2, task="yes_no"), 1)
    card = drawn.split('<div class="claim"')[1].split("</div>")[0]
    assert card.index("What your documents say about it") < card.index("no verdict")
    assert card.count("<li>") == 2 and "Sentence 1." in card and "Sentence 2." in card
    assert 'class="verdict"' not in drawn
    said = quoted(2, task="yes_no")
    near = replace(said, citations=tuple(replace(c, paragraph=4) for c in said.citations))
    assert answers.answer(near, 1).split('class="claim"')[1].count("<li>") == 1
    swapped = replace(near, citations=(replace(near.citations[0], start=90, end=101),
                                       near.citations[1]))  # fmt: skip
    assert answers.answer(swapped, 1).split('class="claim"')[1].count("<li>") == 2


def test_a_verdict_is_drawn_only_where_a_checked_statement_begins_with_it() -> None:
    claim = replace(quoted(1, task="yes_no"), statements=(
        Statement("Yes, it was signed.", "supported", (1,)),
    ))  # fmt: skip
    drawn = answers.answer(claim, 1)
    assert '<b class="verdict">Yes</b>, it was signed.' in drawn and "claim" not in drawn
    doubtful = replace(claim, statements=(Statement("No, it was not.", "unsupported", (1,)),))
    quote = replace(claim, statements=(Statement("No, said Ada.", "supported", (1,), True),))
    for other in (doubtful, quote):
        assert 'class="verdict"' not in answers.answer(other, 1)


def test_a_claim_that_no_document_speaks_of_is_not_stated() -> None:
    nothing = Answer("Is it?", "not_found", "", task="yes_no", complete=True)
    assert "Not stated in your documents" in answers.answer(nothing, 1)


def test_why_nothing_is_answered_is_said_in_plain_words() -> None:
    explained = Explanation(("q",), drafts=tuple(
        CheckedDraft((1,), "x", outcome) for outcome in ("kept", "replaced", "dropped", "dangling")
    ))  # fmt: skip
    asked = Answer("q", "not_found", "", complete=True, explain=explained)
    missing = replace(asked, missing=("Your documents do not mention “Oslo”.",))
    assert "no sentence is likely enough" in panes.why(asked, {}, 0.5)
    assert "do not mention “Oslo”" in panes.why(missing, {}, 0.5)
    assert "1 shown, 1 in the source’s words instead, 2 left out" in panes.why(asked, {}, 0.5)


def test_a_list_has_an_item_for_each_sentence() -> None:
    drawn = answers.answer(quoted(3, form="bullets"), 1)
    items = drawn.split('<ul class="items">')[1].split("</ul>")[0]
    assert items.count("<li>") == 3


def test_a_table_has_a_row_for_each_sentence() -> None:
    groups = (Group("Oslo", (1,)), Group("Rome", (2, 3)))
    drawn = answers.answer(quoted(3, groups=groups, form="table"), 1)
    assert drawn.count("<tr>") == 4
    assert drawn.count('<th scope="row" dir="auto">Rome</th>') == 2


def test_sentences_of_one_document_are_one_passage_each_with_its_number() -> None:
    drawn = answers.answer(quoted(3), 1)
    assert drawn.count("<blockquote") == 1
    assert [f'data-n="{n}"' in drawn for n in (1, 2, 3)] == [True, True, True]


def test_a_question_back_is_a_button_for_each_of_its_options() -> None:
    text = "What do you mean by “they”: “A <b>” or “B”?"
    asked = Answer("q", "partial", text, complete=True, options=("A <b>", "B"))
    drawn = answers.answer(asked, 1)
    assert "What do you mean by “they”?" in drawn
    assert drawn.count('data-action="mean"') == 2
    assert 'data-option="1" dir="auto">A &lt;b&gt;</button>' in drawn
    assert "Asked back" in drawn and "may not answer" not in drawn


def test_documents_that_a_reply_lists_can_be_opened() -> None:
    text = "There are 2: “Old <b>” (2020); “New” (2024). “Other” is no document."
    reply = Answer("q", "answered", text, complete=True)
    drawn = answers.answer(reply, 1, documents={"Old <b>": "old.txt", "New": "new.txt"})
    listed = drawn.split('<ul class="listed">')[1].split("</ul>")[0]
    assert listed.count("<li>") == 2
    assert 'data-document="old.txt" dir="auto">Old &lt;b&gt;</button>' in listed
    assert "“Other” is no document." in drawn.split("</ul>")[1]


def test_a_removed_source_keeps_its_quote_and_says_so() -> None:
    shown = answer("kept")
    drawn = answers.sources(shown, 1, {1: answers.Context("", "kept", "", "removed")})
    assert "<mark>kept</mark>" in drawn
    assert "Source removed" in drawn


def test_an_empty_library_says_what_to_do_first() -> None:
    assert 'data-action="add"' in panes.welcome(0, 0)
    assert "12 documents, 1 paragraph." in panes.welcome(12, 1)


def test_a_stopped_search_claims_nothing() -> None:
    cut_short = Answer("q", "not_found", "", stage="searching")
    assert "Not in your documents" not in answers.answer(cut_short, 1, "stopped")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (jobs.JobView("x", stage="embedding", done=12, total=48, rate=30.4, eta=1.2),
         "embedding 12/48 · 30/s · 1 s left"),
        (jobs.JobView("x", stage="embedding", done=1, total=900, rate=0.5, eta=1798),
         "embedding 1/900 · 0.5/s · 30 min left"),
        (jobs.JobView("x"), "starting"),
    ],
)  # fmt: skip
def test_progress_says_how_far_how_fast_and_how_long(view: jobs.JobView, words: str) -> None:
    assert jobs.pace(view) == words


def test_failures_elsewhere_are_not_reported_for_this_upload() -> None:
    report = UpdateReport(unchanged=("a",), failed=(FailedFile("/x/old.pdf", "damaged PDF"),))
    assert jobs.summary(report, 0, only=["new.txt"]) == "Nothing new; 1 document unchanged"


def test_the_library_is_listed_with_its_names_escaped() -> None:
    record = DocumentRecord("<i>.txt", "", "", "", "", 1, 1, 1, 1, "", "", "")
    drawn = panes.library([record], {})
    assert "<i>" not in drawn
    assert '1 <abbr title="paragraphs">' in drawn


def test_days_are_called_as_people_call_them() -> None:
    today = date(2026, 11, 22)
    named = [panes.day(today - timedelta(days=age), today) for age in (-1, 0, 1, 2, 6, 7, 400)]
    assert named == [
        "Today", "Today", "Yesterday", "Friday", "Monday", "15 November 2026", "18 October 2025",
    ]  # fmt: skip


@given(NASTY, st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70)), max_size=4))
def test_the_reader_shows_every_word_once_whatever_is_marked(
    text: str, spans: list[tuple[int, int]]
) -> None:
    ends, marks = 0, []
    for start, end in sorted(spans):
        if ends <= start < end:
            marks.append((start, end, 1))
            ends = end
    drawn = panes.reader(Document("a.txt", "T", text), marks, 0)
    body = drawn.split('<div class="text">')[1]
    words = Words()
    words.feed(body)
    assert "".join(words.said.split()) == "".join(text.split())
    assert look(drawn).handlers == []


def test_the_reader_draws_headings_without_their_signs() -> None:
    text = "# Light\n\n## The *lamp*\nIt burned.\n\nKeepers\n-------\n\n## Not one\n"
    aside = (Span(0, 7), Span(9, 22), Span(35, 50))
    drawn = panes.reader(Document("a.md", "T", text, boilerplate=aside), [(12, 15, 1)], 9)
    body = re.sub(r"\s+", " ", drawn.split('<div class="text">')[1])
    headings = [re.sub("<[^>]*>", "", said).split() for said in re.findall("<h3.*?</h3>", body)]
    assert headings == [["Light"], ["The", "*lamp*"], ["Keepers"]]
    assert 'data-at="12">The</mark>' in body
    assert re.search(r"<p dir=.auto.> ?It burned", body)
    assert "## Not one" in body  # the index knows of no heading there


@pytest.mark.parametrize(
    ("quote", "short", "drawn"),
    [
        ("More than 9,000 people came.", "9,000", "More than 9,000"),
        ("It cost about 12 crowns.", "12 crowns", "about 12 crowns"),
        ("It opened in 1871.", "1871", "1871"),
        ("Rund 40 Schiffe kamen.", "40 Schiffe", "Rund 40 Schiffe"),
        ("It opened in 1871.", "1870", None),
    ],
)
def test_a_short_answer_has_its_number_and_what_its_source_says_before_it(
    quote: str, short: str, drawn: str | None
) -> None:
    cited = Citation(1, "a.txt", "A", "", 1, 0, len(quote), quote)
    said = Statement(quote, "supported", (1,), quoted=True)
    page = answers.answer(
        Answer("q", "answered", quote, (said,), (cited,), short=short, complete=True), 1
    )
    found = re.search(
        r'<p class="short" dir="auto">([^<&]*)&nbsp;<a class="cite"[^>]*data-n="1"', page
    )
    assert (found and found[1]) == drawn


def test_the_best_sentence_is_not_drawn_above_the_same_words() -> None:
    best = Citation(1, "a.txt", "A", "", 1, 0, 23, "In May, 12 ships came.")
    said = Statement("In May 12 ships came.", "supported", (1,))
    shown = Answer("q", "answered", said.text, (said,), (best,), headline=best, complete=True)
    assert "Best sentence" not in answers.answer(shown, 1)
    other = replace(shown, statements=(replace(said, text="In June 12 ships came."),))
    assert "Best sentence" in answers.answer(other, 1)


@pytest.mark.parametrize(("count", "hidden"), [(8, 0), (9, 0), (17, 9)])
def test_a_long_list_says_how_many_there_are(count: int, hidden: int) -> None:
    drawn = answers.answer(quoted(count, form="bullets"), 1)
    assert drawn.count('<li class="beyond">') == hidden
    assert drawn.count("<li") >= count
    assert (f">Show all {count}</button>" in drawn) == bool(hidden)


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_is_copied_with_its_structure(form: str) -> None:
    said = quoted(3, groups=(Group("2023-10", (1, 3)),), form=form, missing=("No cost is given.",))
    said = replace(said, statements=(
        replace(said.statements[0], text="A *bold* | <b>claim</b>"), *said.statements[1:],
    ))  # fmt: skip
    markdown, rich = export.as_markdown(said), export.as_rich_text(said)
    assert "A \\*bold\\* \\| \\<b>claim\\</b> [1]" in markdown
    assert "A *bold* | &lt;b&gt;claim&lt;/b&gt; [1]" in rich
    for words in ("October 2023", "No cost is given."):
        assert words in markdown and words in rich
    starts = dict.fromkeys(("bullets", "conflict"), "\n- **October 2023**: ")
    starts |= {"table": "\n| October 2023 | "}
    assert starts.get(form, "\n### October 2023\n\n> ") in markdown


def test_a_long_question_can_be_unfolded() -> None:
    said = Answer("why " * 100, "answered", "", complete=True)
    assert 'data-action="unfold"' in answers.answer(said, 1)
    assert 'data-action="unfold"' not in answers.answer(replace(said, question="why?"), 1)


def test_documents_of_one_name_are_told_apart_by_their_paths() -> None:
    records = [
        DocumentRecord(id_, title, "", "", "", 1, 1, 1, 10, "h", id_, "2026")
        for id_, title in (("old/a.txt", "Report"), ("new/a.txt", "Report"), ("b.txt", "Notes"))
    ]
    drawn = panes.library(records, {})
    assert re.findall(r'<span class="path"[^>]*>([^<]*)<', drawn) == ["old/a.txt", "new/a.txt"]


def record(id_: str, title: str, date: str = "", characters: int = 10) -> DocumentRecord:
    return DocumentRecord(id_, title, "", "", date, 1, 1, 1, characters, "h", id_, "2026-11-29T10")


def test_folders_of_one_name_are_told_apart_by_what_they_lie_in() -> None:
    drawn = panes.places({Path("/a/old/papers"): "", Path("/a/new/papers"): None, Path("/b"): None})
    assert ">old/papers<" in drawn and ">new/papers<" in drawn and ">b<" in drawn


def test_every_document_can_be_reached_in_its_order() -> None:
    records = [record(f"{n}.txt", f"Title {n:05}") for n in range(2 * panes.LISTED + 50)]
    drawn = panes.library(panes.in_order(records[::-1], ""), {})
    reached = re.findall(r'<li data-document="(\d+)\.txt"', drawn)
    while button := re.search(r'data-action="more-documents"\s+data-first="(\d+)"', drawn):
        drawn = panes.library(records, {}, "", int(button[1]))
        assert drawn.startswith("<li")
        reached += re.findall(r'<li data-document="(\d+)\.txt"', drawn)
    assert reached == [str(n) for n in range(len(records))]


def test_documents_are_sorted_by_what_a_person_sees() -> None:
    records = [
        record("a.txt", "zebras", "2023-05"),
        record("b.txt", "Apes", "2024", 50),
        record("c.md", ""),
    ]  # fmt: skip
    orders = {
        "": ["b.txt", "c.md", "a.txt"], "date": ["b.txt", "a.txt", "c.md"],
        "length": ["b.txt", "c.md", "a.txt"], "nonsense": ["b.txt", "c.md", "a.txt"],
    }  # fmt: skip
    for order, ids in orders.items():
        assert [r.id for r in panes.in_order(records, order)] == ids
    drawn = panes.library(records, {})
    assert "<span>md</span>" in drawn and "added 2026-11-29" in drawn


def test_a_long_article_is_drawn_around_the_place_and_the_rest_as_it_is_scrolled_to() -> None:
    paragraphs = [f"Paragraph number {n}." for n in range(5 * panes.READ_AT_ONCE)]
    document = Document("a.txt", "T", "\n\n".join(paragraphs))
    at = document.text.index("number 150.")
    drawn = panes.reader(document, [(at, at + 11, 1)], at)
    assert drawn.count("<p ") <= panes.READ_AT_ONCE + 1
    assert f'<mark data-n="1" data-at="{at}">number 150.</mark>' in drawn
    shown = re.findall(r"Paragraph (?:<mark[^>]*>)?number \d+\.", drawn)
    shown = [re.sub("<.*>", "", paragraph) for paragraph in shown]
    for way in ("back", "on"):
        while button := re.search(rf'data-way="{way}"[^>]* data-first="(\d+)"', drawn):
            first, backwards = int(button[1]), way == "back"
            drawn = panes.more_paragraphs(document, [], first, backwards=backwards)
            more = re.findall(r"Paragraph number \d+\.", drawn)
            assert 0 < len(more) <= panes.READ_AT_ONCE
            shown = more + shown if backwards else shown + more
        drawn = panes.reader(document, [(at, at + 11, 1)], at)
    assert shown == paragraphs


class Words(HTMLParser):
    said = ""

    def handle_data(self, data: str) -> None:
        self.said += data


def test_a_long_job_draws_what_matters_first() -> None:
    rows = tuple(jobs.JobRow(f"{i}.txt", "waiting") for i in range(500))
    rows += (jobs.JobRow("bad.pdf", "failed", "damaged PDF"),)
    drawn = jobs.draw(jobs.JobView("x", rows=rows))
    assert drawn.count("<li") == jobs.ROWS + 1
    assert "bad.pdf" in drawn and "and 441 more files" in drawn


def test_a_summary_names_failures_with_their_reason() -> None:
    report = UpdateReport(added=("a",), failed=(FailedFile("/x/b.pdf", "damaged PDF"),))
    assert jobs.summary(report, 3) == "“a” added: +3 paragraphs; 1 failed: b.pdf: damaged PDF"


def test_a_quoted_sentence_says_whose_it_is_and_of_when() -> None:
    cited = Citation(1, "a.txt", "A <b>", "", 3, 0, 9, "Said so.", date="2024-06-03")
    said = Statement("Said so.", "supported", (1,), quoted=True)
    drawn = answers.answer(Answer("q", "answered", "", (said,), (cited,), complete=True), 1)
    where = drawn.split('class="from"')[1]
    assert where.index("A &lt;b&gt;") < where.index("2024-06-03") < where.index("paragraph 3")


def test_an_error_begins_with_a_capital_and_a_path_stays_as_it_is() -> None:
    said = [answers.failure("q", 1, text) for text in ("no such file", "'/home/me' is away")]
    assert ">No such file<" in said[0] and "&#x27;/home/me&#x27; is away" in said[1]
    assert "first-letter" not in (TEMPLATES.parents[1] / "assets/frame.css").read_text()


def test_of_several_failures_the_rows_say_which_and_why() -> None:
    failed = tuple(FailedFile(f"{name}.pdf", "damaged PDF") for name in "ab")
    summary = jobs.summary(UpdateReport(added=("c",), failed=failed), 3)
    assert summary == "“c” added: +3 paragraphs; 2 failed"
    rows = (jobs.JobRow("c.txt", "done"), jobs.JobRow("a.pdf", "failed", "damaged PDF"))
    drawn = jobs.draw(jobs.JobView("x", running=False, rows=rows))
    assert "<details open>" in drawn
    assert drawn.index("a.pdf") < drawn.index("c.txt")


def test_what_may_not_answer_says_so_before_it_is_read() -> None:
    partly = replace(answer("It met there."), state="partial")
    drawn = answers.answer(partly, 1)
    assert drawn.index("may not answer it") < drawn.index('class="statement')
    assert "may not answer it" not in answers.answer(replace(partly, complete=False), 1, "running")


@given(NASTY, st.integers(2, 40))
def test_a_cut_text_is_short_and_says_that_it_was_cut(text: str, limit: int) -> None:
    cut, flat = shorten(text, limit), " ".join(text.split())
    assert len(cut) <= limit
    assert cut == flat or (cut.endswith("…") and flat.startswith(cut[:-1]))


def test_a_cut_comes_after_a_word() -> None:
    assert shorten("They met under the glass roof", 20) == "They met under the…"
    assert shorten("x" * 30, 20) == "x" * 19 + "…"


def test_the_short_answer_stands_above_its_sentence() -> None:
    drawn = answers.answer(replace(answer("It is 310 km <b>."), short="310 km <b>"), 1)
    assert drawn.index("310 km &lt;b&gt;") < drawn.index('class="statement')


def test_what_the_library_says_of_itself_is_shown_though_no_document_says_it() -> None:
    said = Answer("What can you do?", "answered", "I answer <i>questions</i>.", complete=True)
    assert "I answer &lt;i&gt;questions&lt;/i&gt;." in answers.answer(said, 1)


def test_why_conversations_cannot_be_kept_stands_above_those_that_are() -> None:
    one, today = Listed("c1", "Cables", datetime.now(UTC)), date(2026, 1, 1)
    alone = panes.conversations([], today, problem="The disk is full.")
    assert alone == '<p class="pane-empty" dir="auto">The disk is full.</p>'
    listed = panes.conversations([one], today, problem="The disk is full.")
    assert listed == alone + panes.conversations([one], today)


def test_a_file_that_is_out_of_reach_says_so() -> None:
    record = DocumentRecord("a.txt", "", "", "", "", 1, 0, 0, 3, "h", "/x", "")
    assert "its file cannot be read now; the text is kept" in panes.library(
        [record], {"a.txt": "away"}
    )


def test_beside_the_drop_zone_stands_what_the_registry_reads() -> None:
    drawn = panes.folder(KINDS, by_path=False)
    assert f"txt, md, html, pdf, docx and {len(KINDS) - 5} more kinds, to 20 MB" in drawn
    assert all(suffix.removeprefix(".") in drawn for suffix in KINDS)


def test_a_job_says_how_many_files_can_be_asked_about() -> None:
    states = ("done", "done", "embedding", "waiting", "failed")
    rows = tuple(jobs.JobRow(f"{n}.txt", state) for n, state in enumerate(states))
    assert 'data-ready="2"' in jobs.draw(jobs.JobView("Adding", rows=rows))


def test_a_finished_job_takes_little_of_the_librarys_room() -> None:
    copy = jobs.JobRow("b", "unchanged", "already in the library as “a”")  # the summary says so
    drawn = jobs.draw(jobs.JobView("Finished", running=False, rows=(copy,), summary="Nothing new"))
    assert "<details>" in drawn and '<h2 class="sr-only">Finished</h2>' in drawn


def test_what_is_to_be_said_of_a_file_is_not_folded_away() -> None:
    quiet, told = jobs.JobRow("a", "done"), jobs.JobRow("b", "done", "another file is called “a”")
    assert "<details>" in jobs.draw(jobs.JobView("Done", running=False, rows=(quiet,)))
    assert "<details open>" in jobs.draw(jobs.JobView("Done", running=False, rows=(quiet, told)))


def test_how_a_long_document_is_read_is_told_with_the_time_left() -> None:
    reading = Answer("q", "answered", "", stage="reading", progress=Progress(0, 9))
    drawn = answers.answer(reading, 1, "running")
    assert "Reading part 1 of 9" in drawn and " left" not in drawn
    further = replace(reading, progress=Progress(3, 9))
    drawn = answers.answer(further, 1, "running", seconds=answers.Seconds(30.0))
    assert "Reading part 4 of 9, about 60 s left" in drawn
