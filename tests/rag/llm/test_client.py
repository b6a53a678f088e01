"""The model's process crashes, hangs and babbles; that costs one answer, and says so."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from index import Library
from index.errors import ModelFailed, ModelMissing
from rag import Assistant
from rag.llm.client import LlamaClient
from rag.llm.generator import Message, Piece, PrefixReuse
from rag.llm.weights.model_files import ModelFile, find_model
from tests.support.fakes import BagOfWordsEncoder
from tests.support.gguf_files import vocabulary, write_gguf
from tests.support.programs import PATIENCE
from tests.support.scripted_models import script

ROOT = Path(__file__).resolve().parents[3]
ASKED: list[Message] = [{"role": "user", "content": "[1] It met in Kyoto.\n\nQuestion: Where?"}]
MARKERS = {"<|im_start|>": 3, "<|im_end|>": 3}
GOOD = "say [1] It met in Kyoto.\n"

Make = Callable[..., LlamaClient]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "model.gguf", vocabulary(["h e"], extra=MARKERS))


@pytest.fixture
def make(model: Path) -> Iterator[Make]:
    made: list[LlamaClient] = []

    def generator(
        deed: str = GOOD, *, deadline: float = 120.0, counting: float = 60.0
    ) -> LlamaClient:
        script(model, deed)
        file = ModelFile(model, "scripted", "file")
        worker = "tests.support.scripted_models"
        made.append(
            LlamaClient(file, threads=1, deadline=deadline, counting=counting, worker=worker)
        )
        return made[-1]

    yield generator
    for one in made:
        one.close()


def written(generator: LlamaClient, stop: Callable[[], bool] | None = None) -> str:
    return "".join(texts(generator.stream(ASKED, ids=[1], max_tokens=30, stop=stop)))


def texts(pieces: Iterator[Piece]) -> Iterator[str]:
    return (piece for piece in pieces if isinstance(piece, str))


def test_what_the_model_writes_arrives(make: Make) -> None:
    generator = make()
    first = written(generator)
    assert first == GOOD[4:]
    pid = generator._process.pid
    assert written(generator) == first
    assert generator._process.pid == pid


def test_how_much_of_the_prompt_was_remembered_arrives(make: Make) -> None:
    generator = make()
    first = [next(generator.stream(ASKED, ids=[1], max_tokens=30)) for _ in range(2)]
    assert first == [PrefixReuse(0), PrefixReuse(generator.count(ASKED))]


CRASHES = [
    ("abort [1] It met", r"SIGABRT: GGML_ASSERT\(n_tokens > 0\) failed"),
    ("leave [1] It met", r"exit status 3"),
    ("killed [1] It met", r"SIGKILL: out of memory\? its file has .* GB and .* GB are free"),
    ("babble [1] It met", r"what is no message"),
    ("endless [1] It met", r"it wrote more than it was asked for"),
    ("fail [1] It met", r"RuntimeError: llama.cpp could not compute 32 tokens"),
    ("die at once", r"SIGABRT"),
]


@pytest.mark.fault("E2", "E4", "E5")
@pytest.mark.parametrize(("deed", "reason"), CRASHES)
def test_a_crash_costs_one_answer(make: Make, model: Path, deed: str, reason: str) -> None:
    generator = make(deed)
    pieces: list[str] = []
    with pytest.raises(ModelFailed, match=reason) as caught:
        for piece in texts(generator.stream(ASKED, ids=[1], max_tokens=30)):
            pieces.append(piece)
    assert "\n" not in str(caught.value)
    assert "".join(pieces).startswith(deed.partition(" ")[2] if "[1]" in deed else "")
    script(model, GOOD)
    assert written(generator) == GOOD[4:]


@pytest.mark.fault("E3")
def test_a_model_that_hangs_is_ended_after_its_time(make: Make, model: Path) -> None:
    generator = make("hang [1] It met", deadline=5)
    with pytest.raises(ModelFailed, match="it did not answer within 5 s"):
        written(generator)
    script(model, GOOD)
    assert written(generator) == GOOD[4:]


@pytest.mark.fault("E3")
def test_a_prompt_that_was_not_read_in_time_tells_how_fast_it_is_at_most(make: Make) -> None:
    generator = make("hang ", deadline=3)
    generator.small = False
    long: list[Message] = [{"role": "user", "content": "word " * 120}]
    unknown = generator.prompt_tokens
    with pytest.raises(ModelFailed, match="it did not answer within 3 s"):
        list(generator.stream(long, ids=(), max_tokens=30))
    assert generator.prompt_tokens != unknown  # worked out from what it did not do


def test_a_model_that_is_slow_is_stopped_and_not_ended(make: Make, model: Path) -> None:
    generator = make("polite [1] It met", deadline=3)
    generator.load()
    pid = generator._process.pid
    for _ in range(4):  # slow is not broken: it is not given up
        with pytest.raises(ModelFailed, match="not done after 3 s and was stopped"):
            written(generator)
    assert generator._process.pid == pid


@pytest.mark.fault("E2")
def test_three_crashes_in_a_row_are_enough(make: Make, model: Path) -> None:
    generator = make("abort")
    for _ in range(2):
        with pytest.raises(ModelFailed):
            written(generator)
    script(model, GOOD)
    assert written(generator)  # a good answer begins the count anew
    script(model, "abort")
    for _ in range(2):
        with pytest.raises(ModelFailed):
            written(generator)
    with pytest.raises(ModelMissing, match=r"failed 3 times in a row .* stays off") as caught:
        written(generator)
    assert "--model" in str(caught.value)
    script(model, GOOD)
    with pytest.raises(ModelMissing, match="stays off"):
        written(generator)
    assert generator._process.pid is None


def test_a_file_that_is_no_model_says_so(make: Make) -> None:
    with pytest.raises(ModelMissing, match="it is a poem"):
        written(make("no model"))


@pytest.mark.parametrize("deed", ["polite [1] It", "hang [1] It"])
def test_stop_leaves_the_model_free_whether_it_listens_or_not(
    make: Make, model: Path, deed: str
) -> None:
    generator = make(deed)
    pieces: list[str] = []
    stream = generator.stream(ASKED, ids=[1], max_tokens=30, stop=lambda: bool(pieces))
    pieces.extend(texts(stream))
    script(model, GOOD)
    assert written(generator) == GOOD[4:]  # waits for nobody
    script(model, "abort")
    with pytest.raises(ModelFailed):  # and the stop was not counted as a crash
        for _ in range(2):
            written(generator)


@pytest.mark.fault("E7")
def test_many_ask_at_once_and_each_may_leave_the_queue(make: Make, model: Path) -> None:
    generator = make("polite [1] It")
    enough, begun = Event(), Event()

    def first() -> str:
        pieces = []
        for piece in texts(generator.stream(ASKED, ids=[1], max_tokens=30, stop=enough.is_set)):
            pieces.append(piece)
            begun.set()
        return "".join(pieces)

    with ThreadPoolExecutor(4) as pool:
        writing = pool.submit(first)
        assert begun.wait(PATIENCE)
        leaving = pool.submit(written, generator, lambda: True)
        assert leaving.result(PATIENCE) == ""
        script(model, GOOD)
        waiting = [pool.submit(written, generator) for _ in range(2)]
        enough.set()
        assert writing.result(PATIENCE).startswith("[1] I")
        assert [one.result(PATIENCE) for one in waiting] == [GOOD[4:]] * 2


def test_a_model_with_a_foreign_vocabulary_counts_in_its_process(
    make: Make, model: Path, tmp_path: Path
) -> None:
    write_gguf(model, vocabulary(["h e"], pre="unknown"))
    generator = make()
    assert generator.count_text("one two three") == 3
    assert generator.count(ASKED) == 7
    assert written(generator) == GOOD[4:]
    os.kill(generator._process.pid or 0, signal.SIGKILL)
    script(model, "die at once")
    assert generator.count_text("one two three") >= 3  # an estimate, not an error


@pytest.mark.fault("G27")
def test_a_chat_template_that_never_ends_is_given_up_for_good(
    make: Make, model: Path, tmp_path: Path
) -> None:
    write_gguf(model, vocabulary(["h e"], pre="unknown"))
    generator = make("loop", counting=1.0)
    with pytest.raises(ModelMissing, match="does not come to an end: choose another") as caught:
        generator.count(ASKED)
    assert "\n" not in str(caught.value)
    assert generator._process.pid is None
    script(model, GOOD)
    with pytest.raises(ModelMissing, match="does not come to an end"):
        written(generator)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_killed_parent_leaves_no_model_behind(tmp_path: Path, model: Path) -> None:
    script(model, "hang [1] It met")
    program = (
        "import os, sys; from pathlib import Path\n"
        "from rag.llm.weights.model_files import ModelFile\n"
        "from rag.llm.client import LlamaClient\n"
        f"model = ModelFile(Path({str(model)!r}), 'x', 'file')\n"
        "one = LlamaClient(model, threads=1, worker='tests.support.scripted_models')\n"
        f"for piece in one.stream({ASKED!r}, ids=[1], max_tokens=9):\n"
        "    print(one._process.pid, flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    watched = os.pidfd_open(child)  # readable when the process has ended
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert select.select([watched], [], [], PATIENCE)[0]
    os.close(watched)


# ---------------------------------------------------------------- the whole answer


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    shelf = tmp_path / "articles"
    shelf.mkdir()
    (shelf / "cables.txt").write_text(
        "Cables Cut\n\nThree submarine cables were cut in the Red Sea in February 2024. A quarter "
        "of the traffic between Asia and Europe was affected.\n"
    )
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
        yield library


QUESTION = "How many submarine cables were cut in the Red Sea?"
SAID = "Three submarine cables were cut in the Red Sea in February 2024."


@pytest.mark.fault("E2", "E5")
@pytest.mark.parametrize("deed", ["abort", "killed [1] Three", f"leave [1] {SAID}\n"])
def test_an_answer_falls_back_to_quotes_and_says_so(
    library: Library, make: Make, model: Path, deed: str
) -> None:
    assistant = Assistant(library, make(deed))
    answer = assistant.answer(QUESTION)
    assert answer.complete and answer.state == "answered"
    assert SAID in answer.text
    assert [note for note in answer.notes if "with quotes only: the language model" in note]
    script(model, f"say [1] {SAID}\n")
    again = assistant.answer(QUESTION)
    assert again.text == f"{SAID} [1]"
    assert again.notes == ()
    assert again.model == "scripted"


def test_a_model_given_up_is_named_once_and_for_all(library: Library, make: Make) -> None:
    assistant = Assistant(library, make("abort"))
    answers = [assistant.answer(QUESTION) for _ in range(4)]
    assert all(SAID in answer.text for answer in answers)
    assert "is started again" in answers[1].notes[0]
    assert all("stays off" in answer.notes[0] for answer in answers[2:])
    assert answers[3].model == "none"


# ---------------------------------------------------------------- the real model


@pytest.mark.fault("E5")
@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="needs limits on memory")
def test_without_memory_for_the_model_answers_are_quotes(library: Library) -> None:
    generator = LlamaClient(find_model(), threads=1, worker="tests.support.narrow_model")
    answer = Assistant(library, generator).answer(QUESTION)
    assert answer.complete and SAID in answer.text
    assert "quotes only" in answer.notes[0]
    print(answer.notes[0])  # noqa: T201


def test_how_much_likelier_a_yes_is_arrives(make: Make) -> None:
    assert make("judge 1.5").log_odds(ASKED) == 1.5
    assert make("judge 1.5").log_odds(ASKED, lambda: True) is None


def test_a_crash_while_judging_costs_that_judgement(make: Make, model: Path) -> None:
    generator = make("abort")
    with pytest.raises(ModelFailed):
        generator.log_odds(ASKED)
    script(model, "judge -2")
    assert generator.log_odds(ASKED) == -2.0


def test_prose_is_written_where_no_ids_are_given(make: Make) -> None:
    generator = make("say It met in Kyoto.")
    assert "".join(texts(generator.stream(ASKED, ids=(), max_tokens=30))) == "It met in Kyoto."
