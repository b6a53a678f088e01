"""Whatever is thrown at it: any bytes, any question, any model output, any length, many at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.formats.registry import Unreadable, parse
from index.languages.splitting import passages
from index.types import Document
from rag import Assistant, QuestionError
from rag.grounding.citations import StatementParser, number_citations, text_of
from rag.grounding.support import verify
from rag.llm.client import LlamaClient
from rag.llm.weights.model_files import find_model
from rag.query.question import LONGEST_QUESTION
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator
from tests.support.sentences import evidence


def words_of(text: str) -> int:
    return len(text.split())


def check_offsets(document: Document, most: int = 40) -> int:
    """How many passages a document has, all of them true slices of it within the budget."""
    made = passages(document, words_of, most)
    at = 0
    for passage in made:
        assert at <= passage.start < passage.end <= len(document.text)
        assert document.text[passage.start : passage.end] == passage.text
        assert words_of(passage.text) <= most
        for sentence in passage.sentences:
            assert passage.start <= sentence.start < sentence.end <= passage.end
            assert document.text[sentence.start : sentence.end] == sentence.text
        at = passage.end
    return len(made)


# ---------------------------------------------------------------- documents → passages → offsets

PROSE = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from(' \n\r\t.。!?"“”<>&;#*=-[]()\u202e\u200d\ufeff\U000e0041'),
        st.sampled_from("abcdefghijklmnopqrstuvwxyz 0123456789"),
    ),
    max_size=300,
)
TAGS = ("p", "div", "b", "h1", "h2", "li", "ul", "table", "td", "tr", "script", "style", "a", "br")


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """HTML that opens and closes what it likes, in whatever encoding it says."""
    parts = draw(
        st.lists(
            st.one_of(
                PROSE,
                st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
                st.sampled_from(["<!--", "-->", "<![CDATA[", "&amp;", "&#0;", "&no;", "<p a='"]),
            ),
            max_size=30,
        )
    )
    return "".join(parts).encode(draw(st.sampled_from(["utf-8", "utf-16"])), "replace")


@settings(max_examples=150)
@given(data=st.one_of(pages(), PROSE.map(str.encode), st.binary(max_size=300)),
       suffix=st.sampled_from([".txt", ".md", ".html"]))  # fmt: skip
def test_any_file_becomes_true_passages_or_a_reason(data: bytes, suffix: str) -> None:
    try:
        document = parse("x", data, suffix)
    except Unreadable as error:
        assert error.reason and "\n" not in error.reason
        return
    check_offsets(document)


LONG = {
    "one line": "The cable was cut. " * 20_000,
    "no spaces": "x" * 400_000,
    "many lines": "A line of it that goes on\n" * 20_000,
    "many paragraphs": "A short one. And two.\n\n" * 10_000,
    "dots": "a." * 150_000,
    "quotes": "said \"'(\u201c" * 50_000,
    "blanks": "word" + " \n" * 200_000 + "word",
    "abbreviations": "Dr. U.S. e.g. St. " * 20_000,
    "numbers": "[111 111 1.1.1 " * 25_000,
    "brackets": "word (((((" * 40_000,
    "a splitter's nightmare": ".. [" + "111 " * 80_000 + "]",
    "Chinese": "网络。" * 100_000,
    "Chinese without stops": "网络" * 100_000,
    "headings": "# A heading\n" * 20_000,
    "rules": "word\n" + "- " * 150_000,
    "underlines": "A\n=\n" * 60_000,
    "images": "![a](b)\n" * 30_000,
    "front matter": "---\n" + "key: value\n" * 20_000 + "word",
    "combining": "e" + "\u0301" * 200_000,
    "families": "word " + "👩\u200d" * 60_000,
}


@pytest.mark.fault("C6", "C12")
@pytest.mark.parametrize("suffix", [".txt", ".md"])
@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_long_and_hard_texts_are_split_in_bounded_time(text: str, suffix: str) -> None:
    """The limit is pytest's: what takes the square of its length would take hours here."""
    document = parse("x", text.encode(), suffix)
    assert document.text == text
    check_offsets(document)


@pytest.mark.fault("C6", "C11")
@pytest.mark.parametrize(
    "page",
    [
        f"<p>{'word ' * 100_000}</p>",
        "<p>A paragraph of words." * 5_000,
        "<table>" + "<tr><td>a<td>b" * 3_000,
        "<!--" * 50_000 + "<p>word",
        "<a href='" + "x" * 500_000 + "'>word</a>",
        "&" * 200_000 + " word",
        "<" * 200_000 + " word",
    ],
    ids=["long", "unclosed", "table", "comments", "attribute", "ampersands", "angles"],
)
def test_large_pages_are_read_or_refused_in_bounded_time(page: str) -> None:
    try:
        check_offsets(parse("x", page.encode(), ".html"))
    except Unreadable as error:
        assert error.reason


# ---------------------------------------------------------------- questions


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    shelf = tmp_path_factory.mktemp("articles")
    (shelf / "cable.txt").write_text("The ship lifted the cable. It was raining, as ever.\n")
    with Library.open(tmp_path_factory.mktemp("library"), encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
        yield library


QUESTIONS = st.text(
    st.one_of(
        st.characters(),  # lone surrogates included
        st.sampled_from("\"'*()^:-+{}[]\\%;,. \n\t\0"),
        st.sampled_from("cable ship AND OR NOT NEAR rowid words MATCH"),
    ),
    max_size=200,
)


@pytest.mark.fault("D3")
@settings(max_examples=200)
@given(question=QUESTIONS)
def test_any_question_is_searched_for_as_text(library: Library, question: str) -> None:
    if question.strip():
        assert len(library.search(question, 5)) == 1
    if any(char.isalnum() for char in question):
        generator = ScriptedGenerator(["[1] The ship lifted the cable.\n"])
        answer = Assistant(library, generator).answer(question)
        assert answer.complete
        assert answer.question == question.encode("utf-8", "replace").decode()


@pytest.mark.fault("D2")
@pytest.mark.parametrize("length", [LONGEST_QUESTION + 1, 100_000, 20_000_000])
def test_a_question_as_long_as_a_book_is_refused_with_the_limit(
    library: Library, length: int
) -> None:
    with pytest.raises(QuestionError, match=f"the limit is {LONGEST_QUESTION:,}"):
        Assistant(library, None).answer("x" * length)


@pytest.mark.fault("C16")
def test_a_library_smaller_than_what_is_asked_for_gives_what_it_has(library: Library) -> None:
    assert [hit.rank for hit in library.search("cable", 1_000)] == [1]


@pytest.mark.fault("D5")
@pytest.mark.parametrize("context", [130, 400, 600])
def test_a_small_context_gets_fewer_sentences_and_never_too_many(
    tmp_path: Path, context: int
) -> None:
    path = tmp_path / "cables.txt"
    lines = (f"Cable {n} under the sea was cut by an anchor near port {n}." for n in range(30))
    path.write_text("\n\n".join(lines))

    class Narrow(ScriptedGenerator):
        context_tokens = context

    generator = Narrow(["[1] No.\n"])
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([path])
        answer = Assistant(library, generator).answer("Which cable was cut near port 7?")
    assert "port 7" in answer.text
    assert bool(generator.asked) is (context > 130)  # where nothing fits quotes are enough
    for messages in generator.asked:
        assert "port 7" in messages[-1]["content"]
        assert generator.count(messages) <= context


@pytest.mark.model
@pytest.mark.fault("D5")
def test_a_question_that_fills_the_context_is_answered_with_quotes(library: Library) -> None:
    """Emoji are several tokens each: a question within its limit may still be too long a prompt."""
    question = "What did the ship lift? " + "\U0001f6a2\U0001faf5" * 980
    assert len(question) <= LONGEST_QUESTION
    generator = LlamaClient(find_model(), threads=1)
    answer = Assistant(library, generator).answer(question)
    assert answer.complete
    assert answer.text == "The ship lifted the cable. [1]"
    assert "tokens and the context of" in answer.notes[0]
    assert generator._process.pid is None


# ---------------------------------------------------------------- what models write

OUTPUT = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("[]【】［］()^,;、 \n"),
        st.sampled_from("0123456789"),
        st.sampled_from("The ship lifted the cable."),
    ),
    max_size=300,
)
EVIDENCE = evidence("The ship lifted the cable.", "It was raining [7].", "网络 was cut in 2024.")


@pytest.mark.fault("D9", "E4")
@settings(max_examples=300)
@given(output=OUTPUT, piece=st.integers(1, 50))
def test_whatever_a_model_writes_only_true_citations_come_out(output: str, piece: int) -> None:
    parser = StatementParser()
    drafts = [
        draft
        for at in range(0, len(output), piece)
        for draft in parser.feed(output[at : at + piece])
    ]
    drafts += parser.close()
    found = [one for draft in drafts if (one := verify(draft, EVIDENCE))]
    statements, citations = number_citations(found)
    shown = {(citation.document_id, citation.quote) for citation in citations}
    assert shown <= {(one.document_id, one.text) for one in EVIDENCE}
    assert [citation.number for citation in citations] == list(range(1, len(citations) + 1))
    assert all(statement.citations for statement in statements)
    assert text_of(statements).count("[") == sum(
        len(statement.citations) for statement in statements
    )


# ---------------------------------------------------------------- many at once


@pytest.mark.fault("E7")
def test_sixteen_threads_get_each_their_own_answer(library: Library) -> None:
    assistant = Assistant(library, None)
    questions = [f"What did the ship lift, asks number {number}?" for number in range(64)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(assistant.answer, questions))
    alone = [Assistant(library, None).answer(question) for question in questions]
    assert [(answer.question, answer.text) for answer in answers] == [
        (o.question, o.text) for o in alone
    ]


@pytest.mark.model
@pytest.mark.fault("E8")
def test_the_encoder_is_the_same_from_many_threads() -> None:
    encoder = SentenceTransformerEncoder(threads=1)
    texts = [
        f"Question {number} about cables {'and ships ' * (number % 9)}" for number in range(40)
    ]
    alone = [encoder.encode_query(text).vector for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = [one.vector for one in pool.map(encoder.encode_query, texts)]
        counted = list(pool.map(encoder.count, texts))
    assert np.allclose(alone, together, atol=1e-6)
    assert counted == [encoder.count(text) for text in texts]
