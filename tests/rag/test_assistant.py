"""The whole way from a question to a checked answer, with real neighbours and a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from index import InputError, Library
from rag import Assistant, ModelMissing, QuestionError
from rag.llm.current import ModelChoice
from rag.llm.generator import Message
from rag.query.question import LONGEST_QUESTION
from rag.snapshots import NOT_FOUND
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator

FORUM = """Forum Meets in Kyoto
By A. Writer
Published: Oct 13, 2023

The Internet Governance Forum opened in Kyoto on October 8. Prime Minister Fumio Kishida gave the \
opening speech. More than 8,000 people from 175 countries took part in Kyoto.

Delegates also spoke about submarine cables. He said repairs take weeks.
"""
CABLES = """Cables Cut in the Red Sea

Three submarine cables were cut in the Red Sea in February 2024. A quarter of the traffic between \
Asia and Europe was affected.
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "forum.txt").write_text(FORUM)
    (folder / "cables.txt").write_text(CABLES)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    return library


class GivenUpMeanwhile(ScriptedGenerator):
    """Counts a prompt, and while it does so another question finds that its file is gone."""

    meanwhile: Callable[[], object] | None = None
    gone = False

    def count(self, messages: Sequence[Message]) -> int:
        if self.gone:
            raise ModelMissing("the file is gone")
        if self.meanwhile is not None:
            another, self.meanwhile, self.gone = self.meanwhile, None, True
            another()
            self.gone = False
        return super().count(messages)


class Named(ScriptedGenerator):
    """A scripted model with a name of its own."""

    def __init__(self, name: str, replies: Sequence[str]) -> None:
        super().__init__(replies)
        self.name = name


def ask(library: Library, question: str, replies: Sequence[str] = (), **options: object) -> Answer:
    return Assistant(library, ScriptedGenerator(replies)).answer(question, **options)  # type: ignore[arg-type]


def check_pointers(library: Library, answer: Answer) -> None:
    for citation in answer.citations:
        text = library.document(citation.document_id).text
        assert text[citation.start : citation.end] == citation.quote
    numbers = {citation.number for citation in answer.citations}
    assert {n for s in answer.statements for n in s.citations} == numbers
    assert all(f"[{n}]" in answer.text for n in numbers)


def test_a_supported_statement_is_shown_with_its_source(library: Library) -> None:
    answer = ask(
        library,
        "Who gave the opening speech of the forum in Kyoto?",
        ["[1] Prime Minister Fumio Kishida gave the opening speech.\n"],
    )
    assert answer.state == "answered"
    assert "Kishida" in answer.text
    assert answer.complete
    check_pointers(library, answer)


@pytest.mark.fault("D9")
def test_an_unsupported_statement_never_reaches_the_reader(library: Library) -> None:
    answer = ask(
        library,
        "Who gave the opening speech of the forum in Kyoto?",
        ["[1] President Emmanuel Macron gave the speech in Paris in 1789.\n"],
    )
    assert "Macron" not in answer.text
    assert "Kishida" in answer.text
    assert all(s.support == "supported" for s in answer.statements)
    check_pointers(library, answer)


@pytest.mark.fault("D9", "E4")
@pytest.mark.parametrize("reply", ["", "\n\n", "[99] Nonsense.\n", "no idea", "[1]", "[1] [2] [3]"])
def test_whatever_the_model_says_the_best_sentence_is_there(library: Library, reply: str) -> None:
    answer = ask(library, "How many submarine cables were cut in the Red Sea?", [reply])
    assert "Three submarine cables" in answer.text
    check_pointers(library, answer)


def test_without_a_model_the_answer_is_quotes(library: Library) -> None:
    answer = Assistant(library, None).answer("How many submarine cables were cut in the Red Sea?")
    assert answer.model == "none"
    assert answer.state == "answered"
    assert answer.statements[0].text.startswith("Three submarine cables")
    check_pointers(library, answer)


def test_evidence_comes_before_the_model_speaks(library: Library) -> None:
    generator = ScriptedGenerator(["[1] Three submarine cables were cut in the Red Sea.\n"])
    stream = Assistant(library, generator).stream("How many cables were cut in the Red Sea?")
    stages = []
    for snapshot in stream:
        stages.append(snapshot.stage)
        if snapshot.stage == "reading":
            assert snapshot.headline is not None
            assert generator.asked == []
    assert stages[0] == "searching"
    assert stages[1] == "reading"
    assert stages[-1] == "done"


@pytest.mark.fault("D10")
def test_what_is_not_in_the_documents_is_not_answered_and_costs_no_model_call(
    library: Library,
) -> None:
    generator = ScriptedGenerator(["[1] Lula.\n"])
    answer = Assistant(library, generator).answer("Which team won the football championship?")
    assert answer.state == "not_found"
    assert answer.text == " ".join([NOT_FOUND, *answer.missing])
    assert answer.citations == ()
    assert answer.statements == ()
    assert generator.asked == []


@pytest.mark.fault("C16")
def test_an_empty_library_finds_nothing(tmp_path: Path) -> None:
    empty = Library.open(tmp_path / "empty", encoder=BagOfWordsEncoder())
    answer = Assistant(empty, None).answer("Anything?")
    assert answer.state == "not_found"
    assert answer.passages == ()


@pytest.mark.fault("D1", "D2", "D4")
@pytest.mark.parametrize("question", ["", "   ", "?!", "x" * (LONGEST_QUESTION + 1), None, 5, b"a"])
def test_a_bad_question_is_refused_before_any_work(library: Library, question: object) -> None:
    generator = ScriptedGenerator([])
    with pytest.raises(QuestionError):
        Assistant(library, generator).stream(question)  # type: ignore[arg-type]
    assert generator.asked == []


@pytest.mark.fault("D4")
@pytest.mark.fault("G44")
@pytest.mark.parametrize("asked", ["", " ", "?", "\ud800"])
def test_an_empty_question_in_the_history_is_named(library: Library, asked: str) -> None:
    with pytest.raises(QuestionError, match=r"history holds an empty question: \('") as caught:
        Assistant(library, None).stream("Who?", [("Why?", "So."), (asked, "")])
    assert "\n" not in str(caught.value)


@pytest.mark.fault("G44")
@pytest.mark.parametrize(
    "where",
    [{"dates": ("2020",)}, {"dates": "2020"}, {"dates": (2020, 2021)}, {"dates": ("2020", "x")},
     {"documents": "a.txt"}, {"documents": [3]}, {"documents": 3}],
)  # fmt: skip
def test_a_bad_choice_of_where_to_look_is_named(library: Library, where: dict[str, Any]) -> None:
    value = repr(next(iter(where.values())))
    for ask in (Assistant(library, None).stream, library.search):
        with pytest.raises(InputError) as caught:
            ask("Who met in Kyoto?", **where)
        assert value in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("history", ["abc", [("only one",)], [("a", 3)], 7])
def test_a_bad_history_is_refused(library: Library, history: object) -> None:
    with pytest.raises(QuestionError):
        Assistant(library, None).stream("Who?", history)  # type: ignore[arg-type]


def test_a_follow_up_is_understood_from_the_question_before_it(library: Library) -> None:
    first = "Where did the Internet Governance Forum open?"
    assistant = Assistant(library, None)
    alone = assistant.answer(first)
    assert "Kyoto" in alone.text
    follow = assistant.answer("And how many people took part in it?", [(first, alone.text)])
    assert "8,000" in follow.text


def test_a_restricted_question_looks_nowhere_else(library: Library) -> None:
    answer = ask(library, "How many cables were cut in the Red Sea?", documents={"forum.txt"})
    assert all(p.document_id == "forum.txt" for p in answer.passages)
    assert ask(library, "How many cables were cut?", documents=set()).state == "not_found"


def test_stopping_leaves_a_whole_answer(library: Library) -> None:
    generator = ScriptedGenerator(["[1] Three submarine cables were cut in the Red Sea.\n"])
    answer = Assistant(library, generator).answer("How many cables were cut?", stop=lambda: True)
    assert answer.complete
    check_pointers(library, answer)


def test_the_dictionary_has_the_agreed_shape(library: Library) -> None:
    shown = ask(library, "How many submarine cables were cut in the Red Sea?").to_dict()
    assert set(shown) >= {
        "question", "state", "text", "short", "statements", "citations", "passages", "timings",
        "model",
    }  # fmt: skip
    assert set(shown["citations"][0]) >= {
        "number", "document_id", "title", "source", "paragraph", "start", "end", "quote",
    }  # fmt: skip
    assert set(shown["timings"]) == {"evidence_ms", "first_token_ms", "total_ms"}
    assert "explain" not in shown
    explained = ask(library, "How many cables were cut?", explain=True)
    assert {"form", "hits", "evidence", "answerable"} <= set(explained.to_dict()["explain"])


def test_an_explanation_says_how_much_of_the_prompt_was_remembered(library: Library) -> None:
    assistant = Assistant(library, ScriptedGenerator([]))
    first, again = (
        assistant.answer("How many submarine cables were cut in the Red Sea?", explain=True).explain
        for _ in range(2)
    )
    assert first is not None and again is not None
    assert first.prefix_reused == 0
    assert again.prefix_reused == again.prompt_tokens == first.prompt_tokens
    assert first.prompt_tokens


def test_a_snapshot_goes_on_explaining_what_it_explained(library: Library) -> None:
    generator = ScriptedGenerator(["[1] Three submarine cables were cut in the Red Sea.\n"])
    question = "How many submarine cables were cut in the Red Sea?"
    seen = [(one, json.dumps(one.to_dict()))
            for one in Assistant(library, generator).stream(question, explain=True)]  # fmt: skip
    assert '"drafts"' in seen[-1][1]
    for snapshot, then in seen:
        assert json.dumps(snapshot.to_dict()) == then


def test_a_model_that_another_question_gives_up_serves_this_one_to_its_end(
    library: Library,
) -> None:
    reply = "[1] Three submarine cables were cut in the Red Sea in February 2024.\n"
    generator = GivenUpMeanwhile([reply], small=True)
    assistant = Assistant(library, generator)
    generator.meanwhile = lambda: assistant.answer("Who gave the opening speech in Kyoto?")
    answer = assistant.answer("How many submarine cables were cut in the Red Sea?")
    assert (answer.model, answer.complete) == ("scripted", True)
    assert "Three submarine cables" in answer.text
    assert assistant.missing == "the file is gone"


class OwnModels(Assistant):
    """Has models by name, as others have files."""

    models: dict[str | None, ModelChoice]

    def _default_choice(self, model: str | None) -> ModelChoice:
        if model not in self.models:
            raise ModelMissing(f"no language model file at {model!r}")
        return self.models[model]


def test_another_model_answers_from_the_next_question_on(library: Library) -> None:
    gone: list[str] = []
    reply = "Three submarine cables were cut in the Red Sea in February 2024."
    OwnModels.models = {
        name: ModelChoice(Named(name, [reply] * 3), named=True, let_go=partial(gone.append, name))
        for name in ("old", "new")
    }
    assistant = OwnModels(library, model="old")
    question = "How many submarine cables were cut in the Red Sea?"
    stream = assistant.stream(question)
    first = next(stream)
    assistant.use_model("new")
    assert not gone, "it is still written with"
    *_, last = stream
    assert (first.complete, last.complete, last.model) == (False, True, "old")
    assert gone == ["old"]
    assert assistant.answer(question).model == "new"
    with pytest.raises(ModelMissing, match="no language model file"):
        assistant.use_model("nowhere")
    assert assistant.answer(question).model == "new"
    assert gone == ["old"]


def test_an_answer_that_nobody_reads_to_its_end_holds_no_model(library: Library) -> None:
    gone: list[str] = []
    OwnModels.models = {
        name: ModelChoice(Named(name, []), named=True, let_go=partial(gone.append, name))
        for name in ("old", "new")
    }
    assistant = OwnModels(library, model="old")
    never_begun = assistant.stream("Who gave the opening speech in Kyoto?")
    left = assistant.stream("Who gave the opening speech in Kyoto?")
    next(left)
    assistant.use_model("new")
    assert not gone
    left.close()  # type: ignore[attr-defined]
    assert gone == ["old"]
    *_, last = never_begun
    assert last.complete and gone == ["old"]


def shown_to(generator: ScriptedGenerator) -> str:
    """The sentences of the last prompt."""
    return generator.asked[-1][-1]["content"].partition("\n\nQuestion:")[0]


def test_a_follow_up_goes_on_with_the_prompt_before_it(library: Library) -> None:
    generator = ScriptedGenerator(["", "", "", ""], small=True)
    assistant = Assistant(library, generator)
    first, second = "Who gave the opening speech in Kyoto?", "How many people took part in Kyoto?"
    answer = assistant.answer(first)
    before = shown_to(generator)
    assistant.answer(second, [(first, answer.text)])
    assert shown_to(generator).startswith(before)
    fresh = ScriptedGenerator([""], small=True)
    Assistant(library, fresh).answer(second, [(first, answer.text)])
    assert not shown_to(fresh).startswith(before)  # another assistant's model has read nothing


@pytest.mark.parametrize("meanwhile", ["another question", "another library"])
def test_a_prompt_that_is_no_longer_in_the_cache_is_not_gone_on_with(
    library: Library, tmp_path: Path, meanwhile: str
) -> None:
    generator = ScriptedGenerator(["", "", "", ""], small=True)
    assistant = Assistant(library, generator)
    first, second = "Who gave the opening speech in Kyoto?", "How many people took part in Kyoto?"
    answer = assistant.answer(first)
    before = shown_to(generator)
    if meanwhile == "another question":
        assistant.answer("How many cables were cut in the Red Sea?")
    else:
        library.remove(["cables.txt"])
    assistant.answer(second, [(first, answer.text)])
    assert not shown_to(generator).startswith(before)


def test_warming_up_loads_the_model_and_says_nothing_of_an_unusable_library(
    library: Library, tmp_path: Path
) -> None:
    generator = ScriptedGenerator()
    Assistant(library, generator).warm_up()
    assert generator.loaded and not generator.asked
    other = BagOfWordsEncoder().with_identity(revision="2")
    with Library.open(library.path, encoder=other) as mismatched:
        Assistant(mismatched, None).warm_up()
    with Library.open(tmp_path / "empty", encoder=other) as empty:
        Assistant(empty, None).warm_up()


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("[1] Three submarine cables were cut in the Red Sea in February 2024.\n", True),
        ("[1] Three cables were cut in February 2024.\n", True),  # shorter, nothing lost
        ("[1] Pirates cut three cables in February 2024.\n", False),  # a word of its own
        ("[1] Submarine cables were cut in the Red Sea.\n", False),  # the number is lost
    ],
)
def test_a_small_model_may_shorten_a_sentence_and_nothing_else(
    library: Library, reply: str, shown: bool
) -> None:
    generator = ScriptedGenerator([reply], small=True)
    question = "How many submarine cables were cut in the Red Sea?"
    answer = Assistant(library, generator).answer(question)
    assert (reply[4:].strip() == answer.statements[0].text) is shown
    assert "Three" in answer.statements[0].text
    check_pointers(library, answer)


def test_what_one_said_is_not_taken_for_what_another_said(tmp_path: Path) -> None:
    folder = tmp_path / "quotes"
    folder.mkdir()
    (folder / "quote.txt").write_text(
        '"The world now counts 5.3 billion netizens in every country," Li Junru noted. '
        "The seminar took place in Beijing.\n\nEmmanuel Macron spoke about music.\n"
    )
    library = Library.open(tmp_path / "quoted", encoder=BagOfWordsEncoder())
    library.update([folder])
    right = ask(library, "How many netizens does the world count, according to Li Junru?")
    assert "5.3 billion" in right.text
    wrong = ask(library, "How many netizens does the world count, according to Emmanuel Macron?")
    assert "Li Junru" in wrong.text or wrong.state == "not_found"


def test_chinese_is_answered_by_its_words_and_silence_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "zh"
    folder.mkdir()
    (folder / "forum.txt").write_text(
        "互联网治理论坛于2023年10月8日在京都开幕。岸田文雄首相在开幕式上致辞。共有8000多人参加了会议。\n\n"
        "海底电缆承载着各大洲之间的大部分数据。维修一条电缆需要数周时间。\n"
    )
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([folder])
    answer = ask(library, "谁在开幕式上致辞？")
    assert answer.state == "answered"
    assert "岸田文雄首相在开幕式上致辞。" in answer.citations[0].quote
    check_pointers(library, answer)
    assert ask(library, "哪支球队赢得了足球冠军？").state == "not_found"


def test_a_name_that_the_library_has_short_is_found_by_its_full_form(tmp_path: Path) -> None:
    text = "The LTO counts plastic bottles. In 2023 the LTO counted 900 plastic bottles in Vintrop."
    (tmp_path / "lto.txt").write_text(text, encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "lto.txt"])
    answer = ask(library, "How many bottles has the League for Tidy Oceans counted?")
    assert answer.state != "not_found"
    assert "900" in answer.text
    assert "Searched for “LTO” for “League for Tidy Oceans”." in answer.notes


def test_a_name_that_the_library_has_in_full_is_found_by_its_short_form(tmp_path: Path) -> None:
    text = "The League for Tidy Oceans counted 900 plastic bottles in Vintrop in 2023."
    (tmp_path / "league.txt").write_text(text, encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "league.txt"])
    answer = ask(library, "How many plastic bottles has the LTO counted?")
    assert answer.state != "not_found"
    assert "Searched for “League for Tidy Oceans” for “LTO”." in answer.notes


def test_a_name_that_is_nowhere_is_named_as_missing(library: Library) -> None:
    answer = ask(library, "What did Quentin Marlowe say about the cables in the Red Sea?")
    assert answer.state == "not_found"
    assert answer.missing == ("Your documents do not mention “Quentin Marlowe”.",)


def test_words_whose_letters_happen_to_be_a_word_stay(tmp_path: Path) -> None:
    text = "The cats sit on the wall in Vintrop. Settlers imported nine cats in 1871."
    (tmp_path / "cats.txt").write_text(text, encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "cats.txt"])
    answer = ask(library, "How many cats came with settlers importing tabbies?")
    assert not any("SIT" in note for note in answer.notes)
