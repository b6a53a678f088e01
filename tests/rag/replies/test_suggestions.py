"""Suggested questions: made from sentences, kept only when they lead back to them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest

from index.types import Passage, Sentence
from rag.replies import suggestions
from rag.replies.question_forms import question_in
from rag.types import Answer, Citation, State

ARTICLES = {
    "panel.txt": "Vint Cerf, one of the designers, chaired the Leadership Panel in Kyoto. "
    "It was long.\n\nMaria Ressa welcomed the new Kyoto Declaration of 2023.",
    "pact.txt": "The Global Digital Compact was adopted in New York on September 22, 2024.",
    "quiet.txt": "he said so and nothing else of note happened there at all.",
}


def passages_of(text: str) -> list[Passage]:
    """One passage per paragraph, one sentence per full stop; offsets into `text`."""
    found = []
    for number, block in enumerate(re.finditer(r"[^\n]+(?:\n[^\n]+)*", text), start=1):
        sentences = tuple(
            Sentence(block.start() + m.start(), block.start() + m.end(), m.group())
            for m in re.finditer(r"\S.*?(?:[.?!](?=\s|$)|$)", block.group(), re.DOTALL)
        )
        found.append(Passage(number, block.start(), block.end(), block.group(), sentences))
    return found


@dataclass
class Corpus:
    texts: dict[str, str]

    def passages(
        self, document_id: str, paragraphs: Collection[int] | None = None, /
    ) -> list[Passage]:
        passages = passages_of(self.texts[document_id])
        return [p for p in passages if paragraphs is None or p.paragraph in paragraphs]


@dataclass
class Ask:
    """Answers with the sentence that shares most words; counts how often it was asked."""

    texts: dict[str, str]
    refused: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def __call__(self, question: str) -> Answer:
        self.asked.append(question)
        words = set(question.lower().rstrip("?").split())
        found = [
            (len(words & set(s.text.lower().rstrip(".").split())),
             Citation(1, name, "", "", p.paragraph, s.start, s.end, s.text))
            for name, text in self.texts.items()
            for p in passages_of(text)
            for s in p.sentences
        ]  # fmt: skip
        _, best = max(found, key=lambda pair: pair[0])
        state: State = "not_found" if question in self.refused else "answered"
        return Answer(question, state, best.quote, citations=(best,), complete=True)


@pytest.mark.parametrize(
    ("sentence", "question"),
    [
        ("Vint Cerf, one of its designers, chaired the panel in Kyoto, as before.",
         "Who chaired the panel in Kyoto?"),
        ("More than 300 sessions were spread over eight sub-themes.",
         "How many sessions were spread over eight sub-themes?"),
        ("The Global Digital Compact was adopted in New York on September 22, 2024.",
         "When was the Global Digital Compact adopted?"),
        ("The AI Act entered into force on August 1.", "When did the AI Act enter into force?"),
        ("The Hiroshima Process is a code of conduct.", "What is the Hiroshima Process?"),
        ("He chaired the panel.", None),
        ("Maria Ressa praised them.", None),
        ("Three weeks later the states dropped the case.", None),
        ("它于一九九八年成立。", None),
        ("", None),
    ],
)  # fmt: skip
def test_questions_are_made_from_sentences(sentence: str, question: str | None) -> None:
    made = suggestions.question_from(sentence)
    assert (made and made[1]) == question


@pytest.mark.parametrize(
    ("code", "sentence", "question"),
    [
        ("de", "Die Brücke am Hafen wurde 1921 von der Stadt gebaut.",
         "Wann wurde die Brücke am Hafen gebaut?"),
        ("de", "Anna Meier leitete die Sitzung in Bonn, die lange dauerte.",
         "Wer leitete die Sitzung in Bonn?"),
        ("de", "Mehr als 300 Teilnehmer kamen nach Bonn.", "Wie viele Teilnehmer kamen nach Bonn?"),
        ("de", "Mehr als 300 Teilnehmer kamen dort an.", None),  # where?
        ("fr", "Le pont du port a été construit en 1921 par la ville.",
         "Quand est-ce que le pont du port a été construit ?"),
        ("es", "La convención de Malabo fue adoptada en 2014.",
         "¿Cuándo fue adoptada la convención de Malabo?"),
        ("es", "Ana Pérez presidió la sesión de Madrid.", "¿Quién presidió la sesión de Madrid?"),
        ("zh", "公约于1998年6月正式生效。", "公约是什么时候生效的？"),
        ("ja", "この条約の草案は2014年6月に採択された。", "この条約の草案はいつ採択されましたか？"),
        ("ar", "تأسست المنظمة الدولية في جنيف عام 1947.", "متى تأسست المنظمة الدولية؟"),
        ("ru", "Мост построен в 1921 году.", None),
        ("de", "", None),
    ],
)  # fmt: skip
def test_questions_are_made_in_other_languages(
    code: str, sentence: str, question: str | None
) -> None:
    made = question_in(code, sentence)
    assert (made and made[1]) == question


def test_german_documents_are_asked_in_german_and_summed_up_in_the_readers_words() -> None:
    texts = {
        "hafen.txt": "Die Brücke am Hafen wurde 1921 von der Stadt gebaut.\n\n"
        "Anna Meier leitete die Sitzung in Bonn, die sich mit der Brücke und dem Hafen befasste.",
        "eis.txt": "Jään paksuus oli suurin talvella.",
    }
    ask = Ask(texts)
    found = suggestions.opening(Corpus(texts).passages, ask, list(texts))
    assert found == ("Wer leitete die Sitzung in Bonn?",)
    answer = ask("Wer leitete die Sitzung in Bonn?")
    titled = replace(answer, citations=(replace(answer.citations[0], title="Am Hafen"),))
    following = suggestions.following(
        Corpus(texts).passages, ask, titled, summarise="Fassen Sie „{title}“ zusammen"
    )
    assert following == (
        "Wann wurde die Brücke am Hafen gebaut?", "Fassen Sie „Am Hafen“ zusammen",
    )  # fmt: skip


def test_the_first_questions_come_from_different_documents_and_are_answerable() -> None:
    ask = Ask(ARTICLES)
    found = suggestions.opening(Corpus(ARTICLES).passages, ask, list(ARTICLES))
    assert found == (
        "Who chaired the Leadership Panel in Kyoto?",
        "When was the Global Digital Compact adopted?",
    )
    assert len(ask.asked) <= 4


def test_what_cannot_be_answered_is_not_suggested() -> None:
    ask = Ask(ARTICLES, refused=("Who chaired the Leadership Panel in Kyoto?",))
    found = suggestions.opening(Corpus(ARTICLES).passages, ask, ["panel.txt"])
    assert found == ("Who welcomed the new Kyoto Declaration of 2023?",)


def test_an_interrupted_search_asks_nothing_more() -> None:
    ask = Ask(ARTICLES)
    assert (
        suggestions.opening(Corpus(ARTICLES).passages, ask, list(ARTICLES), stop=lambda: True) == ()
    )
    assert ask.asked == []


def test_follow_ups_lead_on_and_never_back() -> None:
    ask = Ask(ARTICLES)
    answer = ask("Who chaired the Leadership Panel in Kyoto?")
    found = suggestions.following(Corpus(ARTICLES).passages, ask, answer)
    assert found[0] == "Who welcomed the new Kyoto Declaration of 2023?"
    assert answer.question not in found


NEAR, FAR = 2, 40


def test_what_to_ask_next_stands_near_what_was_read_and_is_not_asked_twice() -> None:
    paragraphs = [f"he went on with chapter {n} then." for n in range(60)]
    paragraphs[0] = "Vint Cerf chaired the Leadership Panel in Kyoto."
    paragraphs[NEAR] = (
        "Maria Ressa welcomed the Kyoto Declaration. "
        "Tomas Lamanauskas proposed the law on April 21."
    )
    paragraphs[FAR] = "Audrey Tang praised the Leadership Panel in Kyoto."
    texts = {
        "panel.txt": "\n\n".join(paragraphs),
        "other.txt": "Doreen Bogdan founded the Leadership Panel in Kyoto.",
    }
    ask = Ask(texts)
    answer = ask("Who chaired the Leadership Panel in Kyoto?")
    # neither another document, nor far away, nor a question that names nothing
    found = suggestions.following(Corpus(texts).passages, ask, answer)
    assert found == (
        "Who welcomed the Kyoto Declaration?", "What do the articles say about Vint Cerf?",
    )  # fmt: skip
    asked = ["who did welcome the Kyoto Declaration"]
    assert suggestions.following(Corpus(texts).passages, ask, answer, asked=asked) == found[1:]


@pytest.mark.parametrize(
    ("passage", "name"),
    [
        ("In September the African Union met.", "the African Union"),
        ("It was said by Secretary-General Kofi Annan.", "Secretary-General Kofi Annan"),
        ("In the strait HGC Global Communications counted four.", "HGC Global Communications"),
        ("They met in Malabo in June and in Paris on February 3.", ""),
        ("NEW YORK, May 3 - It rained.", ""),
        ("West Africa's coast is long.", ""),
        ("The Leadership Panel met.", ""),  # it was asked about
    ],
)
def test_names_around_what_was_read_can_be_asked_about(passage: str, name: str) -> None:
    texts = {"a.txt": f"Who was on the Leadership Panel is known.\n\n{passage}"}
    ask = Ask(texts)
    answer = ask("Who was on the Leadership Panel?")
    found = suggestions.following(Corpus(texts).passages, ask, answer)
    assert found == ((f"What do the articles say about {name}?",) if name else ())


def test_a_question_to_begin_with_names_what_it_is_about() -> None:
    texts = {"law.txt": "Tomas Lamanauskas proposed the law on April 21."}
    assert suggestions.opening(Corpus(texts).passages, Ask(texts), ["law.txt"]) == ()
