"""Request and passages → the messages by which a capable model writes an answer for its task.

The passages stand before what is asked, so that a question about the same ones shares its beginning
with the prompt before. Whatever comes from a document or a person is put on one line, without
brackets that could pose as markers; what the model makes of it is checked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.llm.generator import Message
from rag.llm.prompt import plain
from rag.query.task import Request

SYSTEM = (
    "You answer questions about a person's own articles. Use only what the passages say and add "
    "nothing to it. Keep names, numbers and dates exactly as they stand there. Write plain, short "
    "sentences of your own, each of which can be understood alone. Do not mention the passages."
)
_JUDGE = "You check whether a text says what a statement says. Answer Yes or No."
_TRANSLATOR = "You translate. Write the translation and nothing else. Keep names and numbers."


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring text of one document, as the model reads it."""

    title: str
    date: str
    text: str

    def __str__(self) -> str:
        dated = f" ({self.date})" if self.date else ""
        return f"From “{plain(self.title)}”{dated}: {plain(self.text)}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """How the answer to a task is to be written."""

    text: str
    tokens: int
    """Of the answer, at most."""


_PARTS = Instruction("Answer every part of the question, in one or two sentences each.", 160)
_BULLETS = "Write each on a line of its own that begins with “- ”."
_INSTRUCTIONS = {
    "fact": Instruction("Answer in one or two sentences.", 90),
    "yes_no": Instruction("Begin with Yes or No, then say in one sentence what it rests on.", 80),
    "explain": Instruction("Answer in two to five sentences.", 200),
    "keyword": Instruction("Say in three to five sentences what is told of it.", 200),
    "more": Instruction("Tell more of it, in three to five sentences.", 200),
    "overview": Instruction("Say in five to eight sentences what is told of it.", 260),
    "summarise": Instruction("Sum it up in five to eight sentences.", 260),
    "list": Instruction(f"Name all that is asked for. {_BULLETS}", 200),
    "rephrase": Instruction("Say the same in simpler words and short sentences.", 200),
}


def instruction(request: Request) -> Instruction:
    """What the model is told to write for a request."""
    wanted = _INSTRUCTIONS.get(request.task, _INSTRUCTIONS["explain"])
    if request.subjects:
        sides = ", then ".join(f"“{plain(subject)}: …”" for subject in request.subjects)
        return Instruction(f"Write of each what tells it from the other: {sides}.", 240)
    if len(request.parts) > 1:
        return _PARTS
    if request.form == "bullets":
        points = f"exactly {request.count}" if request.count else "three to five"
        return Instruction(f"Answer in {points} points. {_BULLETS}", wanted.tokens)
    if request.count:
        sentences = "one sentence" if request.count == 1 else f"exactly {request.count} sentences"
        return Instruction(f"Answer in {sentences}.", 50 * request.count + 20)
    return wanted


def answer_messages(
    request: Request, question: str, blocks: Sequence[Block], before: str = ""
) -> list[Message]:
    """The messages for one answer.

    Args:
        request: what is asked to be done.
        question: as it was understood.
        blocks: what may be told.
        before: the question that a follow-up goes on with.
    """
    talk = f"Earlier question: {plain(before)}\n" if before else ""
    asked = f"{talk}Question: {plain(question)}\n{instruction(request).text}"
    read = "\n\n".join(map(str, blocks))
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{read}\n\n{asked}"},
    ]


def support_messages(statement: str, sources: Sequence[str]) -> list[Message]:
    """The messages that ask whether sentences say what a statement says: yes or no."""
    text = plain(" ".join(sources))
    asked = f"Text: {text}\n\nStatement: {plain(statement)}\n\nDoes the text say exactly this?"
    return [
        {"role": "system", "content": _JUDGE},
        {"role": "user", "content": f"{asked} Answer Yes or No."},
    ]


def translation_messages(text: str, language: str) -> list[Message]:
    """The messages for a translation into a language, in English words."""
    return [
        {"role": "system", "content": _TRANSLATOR},
        {"role": "user", "content": f"Translate into {language}:\n{plain(text)}"},
    ]
