"""The default models, really run: MiniLM from its package, SmolLM2 through llama.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

import seeds
from index import Library
from index.embedding.encoder import Embeddable, SentenceTransformerEncoder, default_folder
from index.embedding.torch_backend import TorchNetwork
from index.types import Span
from rag import Assistant
from rag.evaluation import evaluate, load_questions
from rag.snapshots import NOT_FOUND
from rag.types import Answer
from tests.support.seeded import seeded_copy

pytestmark = pytest.mark.model

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="session")
def encoder() -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder()


@pytest.fixture(scope="session")
def library(
    tmp_path_factory: pytest.TempPathFactory, encoder: SentenceTransformerEncoder
) -> Library:
    return Library.open(seeded_copy(tmp_path_factory), encoder=encoder)


@pytest.fixture(scope="session")
def assistant(library: Library) -> Assistant:
    return Assistant(library, model="bundled")


def check_pointers(library: Library, answer: Answer) -> None:
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    assert {n for s in answer.statements for n in s.citations} == {
        c.number for c in answer.citations
    }


def test_vectors_equal_those_of_sentence_transformers(encoder: SentenceTransformerEncoder) -> None:
    texts = ["The forum met in Kyoto.", "Cables carry most of the traffic between continents."]
    ours = np.stack([v.passage for v in encoder.encode([Embeddable("", t, ()) for t in texts])])
    theirs = TorchNetwork(default_folder(), threads=1).model.encode(
        texts, normalize_embeddings=True
    )
    assert np.abs((ours * theirs).sum(axis=1) - 1).max() < 1e-5
    assert abs(float(encoder.encode_query(texts[0]).vector @ theirs[0]) - 1) < 1e-5


def test_batching_does_not_change_vectors(encoder: SentenceTransformerEncoder) -> None:
    texts = [f"Sentence number {i} " + "goes on " * (i % 7) + "and ends." for i in range(20)]
    whole = [Embeddable("Title", t, (Span(0, len(t)),)) for t in texts]
    together = encoder.encode(whole)
    for one, vectors in zip(whole, together, strict=True):
        (alone,) = encoder.encode([one])
        assert float(alone.passage @ vectors.passage) > 0.9999
        assert alone.counts == vectors.counts


def test_nothing_is_cut_silently(library: Library, encoder: SentenceTransformerEncoder) -> None:
    for record in library.documents():
        title = library.document(record.id).title
        for passage in library.passages(record.id):
            whole = encoder.count(f"{title}\n{passage.text}") + 2
            assert whole <= encoder.identity.max_pieces


def test_an_answerable_question_is_answered_with_a_true_citation(assistant: Assistant) -> None:
    answer = assistant.answer("How many people took part in the Kyoto forum?")
    assert answer.state == "answered"
    assert answer.model.startswith("SmolLM2")
    assert answer.citations
    check_pointers(assistant.library, answer)


def test_the_packaged_model_words_nothing_unless_it_is_named(library: Library) -> None:
    answer = Assistant(library).answer("How many people took part in the Kyoto forum?")
    assert (answer.model, answer.complete) == ("none", True)
    assert all(statement.quoted for statement in answer.statements)


@pytest.mark.fault("D10")
@pytest.mark.parametrize(
    "question",
    [
        "Who painted the Mona Lisa?",
        "How do I bake sourdough bread?",
        "Who won the Super Bowl?",
    ],
)
def test_what_is_not_there_is_not_answered(assistant: Assistant, question: str) -> None:
    answer = assistant.answer(question)
    assert answer.state == "not_found"
    assert answer.citations == ()
    assert answer.passages


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("why do critics say the IGF is easy to ignore", "a conference without decisions"),
        ("what's a general-purpose model with systemic risk?", "10^25"),
        ("how much do mobile data cost africans compared to europeans", "14 times"),
    ],
)
def test_what_stands_in_the_closest_passage_is_not_refused(
    library: Library, question: str, told: str
) -> None:
    answer = Assistant(library, None).answer(question)
    assert answer.state != "not_found"
    assert told in answer.text


def test_an_empty_library_is_made_ready_as_well(
    tmp_path: Path, encoder: SentenceTransformerEncoder
) -> None:
    with Library.open(tmp_path / "library", encoder=encoder) as empty:
        Assistant(empty, None).warm_up()
        assert Assistant(empty, None).answer("Who signed the treaty?").state == "not_found"


def test_of_two_statements_the_one_that_is_asked_about_comes_first(library: Library) -> None:
    answer = Assistant(library, None).answer(
        "Did the United States sign the Paris AI summit statement?"
    )
    assert "The United States and Britain did not." in answer.statements[0].text


def test_a_document_called_by_its_name_is_the_one_summed_up(library: Library) -> None:
    answer = Assistant(library, None).answer("Summarise the article about the digital divide")
    assert {citation.document_id for citation in answer.citations} == {"digital-divide.txt"}


def test_figures_of_two_years_that_are_both_asked_for_contradict_nothing(library: Library) -> None:
    asked = "how many people were offline in 2023 and how many in 2025?"
    answer = Assistant(library, None).answer(asked)
    assert answer.form != "conflict"
    assert "2.6 billion people were offline in 2023" in answer.text
    assert "2.2 billion remained offline" in answer.text


def test_a_story_is_told_by_the_dates_of_its_own_passages(library: Library) -> None:
    answer = Assistant(library, None).answer("timeline of the malabo convention")
    assert [group.label for group in answer.groups] == ["2014-06", "2023-05"]


def test_the_seed_questions_are_answered_well_enough(library: Library) -> None:
    report = evaluate(library, Assistant(library, None), load_questions(seeds.questions()))
    shown = report.to_dict()
    assert shown["citations"]["validity"] == 1.0
    assert shown["headline"] >= 0.6


@pytest.mark.shared
def test_the_two_shared_articles(tmp_path: Path, encoder: SentenceTransformerEncoder) -> None:
    if not (SHARED / "seeds").is_dir():
        pytest.skip("needs ../shared/seeds, which is not beside this checkout")
    library = Library.open(tmp_path, encoder=encoder)
    library.update([SHARED / "seeds"])
    assistant = Assistant(library)
    answer = assistant.answer("How many netizens are there, according to Li Junru?")
    assert answer.state == "answered"
    assert any("5.3 billion" in citation.quote for citation in answer.citations)
    check_pointers(library, answer)
    assert assistant.answer("Who is the president of Brazil?").state == "not_found"


BRIDGE = """Die neue Brücke

Die Stadt hat im Mai 2021 die neue Brücke über den Fluss eröffnet. Der Bau kostete 48 Millionen \
Euro und dauerte vier Jahre. Die Bürgermeisterin Anna Keller zerschnitt am Morgen das Band.
"""
LIBRARY_HOURS = """Bibliothek schließt früher

Die städtische Bibliothek schließt ab Herbst schon um achtzehn Uhr. Der Leiter Jonas Weber nennt \
die hohen Heizkosten als Grund. Die Zweigstelle am Hafen bleibt samstags geöffnet.

Der Kai ist 120 Meter lang.
"""


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Wie viel kostete der Bau der Brücke?", "48 Millionen"),
        ("Wann wurde die neue Brücke eröffnet?", "Mai 2021"),
        ("Wer zerschnitt das Band?", "Anna Keller"),
        ("Wie lang ist der Kai?", "120 Meter"),
        ("Wer hat die Mona Lisa gemalt?", NOT_FOUND),
        ("Wie hoch ist der Eiffelturm?", NOT_FOUND),
    ],
)
def test_german_is_answered_and_silence_is_kept(
    tmp_path: Path, encoder: SentenceTransformerEncoder, question: str, wanted: str
) -> None:
    (tmp_path / "a.txt").write_text(BRIDGE)
    (tmp_path / "b.txt").write_text(LIBRARY_HOURS)
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        library.update([tmp_path / "a.txt", tmp_path / "b.txt"])
        assert wanted in Assistant(library, None).answer(question).text


@pytest.mark.fault("G43")
def test_halves_of_characters_are_searched_for_as_text(
    library: Library, encoder: SentenceTransformerEncoder
) -> None:
    torn, sound = "caf\udce9 under the \ud800sea?", "caf? under the ?sea?"
    found = [(hit.passage_id, hit.score) for hit in library.search(torn)]
    assert found == [(hit.passage_id, hit.score) for hit in library.search(sound)]
    assert encoder.count(torn) == encoder.count(sound)
    assert len(encoder.encode([Embeddable(torn, torn, (Span(0, len(torn)),))])) == 1
    history = [("What is a caf\udce9?", "A caf\ud800.")]
    answer = Assistant(library, None).answer(torn, history)
    assert answer.complete and answer.question == sound


@pytest.mark.fault("E6", "E8")
def test_thirty_two_who_ask_at_once_get_the_answers_they_get_alone(
    library: Library, encoder: SentenceTransformerEncoder
) -> None:
    questions = [question.question for question in load_questions(seeds.questions())][:32]
    alone = [told(Assistant(library, None, reader=None), question) for question in questions]
    rows: list[int] = []
    passes, forward = encoder._passes, encoder._passes._forward

    def counted(batch: Sequence[Sequence[int]]) -> object:
        rows.append(len(batch))
        return forward(batch)

    passes._forward = counted
    library._encoding._questions.clear()
    together = Assistant(library, None, reader=None)
    began = Barrier(len(questions))

    def ask(question: str) -> dict[str, object]:
        began.wait()
        return told(together, question)

    try:
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = list(pool.map(ask, questions))
    finally:
        passes._forward = forward
    assert answers == alone
    assert sum(rows) >= len(questions) > len(rows), "some were read together"


def told(assistant: Assistant, question: str) -> dict[str, object]:
    """An answer as programs get it, but for how long it took."""
    return {**assistant.answer(question).to_dict(), "timings": None}
