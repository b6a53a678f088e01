"""The library as people use it: add, change, move, remove, ask; with neighbours that are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import InputError, Library, LibraryBusy, LibraryMismatch, LibraryMissing, UpdateReport
from index.errors import ModelMissing
from index.types import Progress
from tests.programs.other_process import PAIR, write_pair
from tests.support.fakes import BagOfWordsEncoder

ROOT = Path(__file__).resolve().parents[2]

KYOTO = """Forum Meets in Kyoto

The forum opened in Kyoto on Sunday. More than 8,000 people came to the conference halls.

Delegates spoke about cables under the sea. A cable carries most of the traffic between continents.
"""
BRUSSELS = """Parliament Votes

The parliament in Brussels voted on the artificial intelligence act. Fines reach 35 million euros.
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    (folder / "news").mkdir(parents=True)
    (folder / "kyoto.txt").write_text(KYOTO)
    (folder / "news" / "brussels.txt").write_text(BRUSSELS)
    return folder


@pytest.fixture
def encoder() -> BagOfWordsEncoder:
    return BagOfWordsEncoder()


@pytest.fixture
def library(tmp_path: Path, encoder: BagOfWordsEncoder) -> Library:
    return Library.open(tmp_path / "library", encoder=encoder)


def found(library: Library, question: str) -> list[str]:
    return list(dict.fromkeys(hit.document_id for hit in library.search(question, 5)))


def test_the_place_of_a_dateline_is_no_text_and_is_found(library: Library, tmp_path: Path) -> None:
    article = tmp_path / "ferry.txt"
    article.write_text("A Ferry Sinks\n\nOSTERBY, Oct 12 - The ferry sank. Nobody was hurt.\n")
    library.update([article])
    (hit, *_) = library.search("Osterby", 5)
    assert (hit.document_id, hit.text) == ("ferry.txt", "The ferry sank. Nobody was hurt.")
    assert hit.written_in == "Osterby" and hit.lexical > 0
    library.check(repair=True)
    assert library.search("Osterby", 5)[0].lexical == hit.lexical


def test_what_was_added_is_found_with_true_offsets(library: Library, shelf: Path) -> None:
    report = library.update([shelf])
    assert report.added == ("kyoto.txt", "news/brussels.txt")
    hits = library.search("How many people came to Kyoto?", 3)
    assert hits[0].document_id == "kyoto.txt"
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    for hit in hits:
        text = library.document(hit.document_id).text
        assert text[hit.start : hit.end] == hit.text
        for sentence in hit.sentences:
            assert text[sentence.start : sentence.end] == sentence.text


def test_the_title_is_found_though_it_is_no_paragraph(library: Library, shelf: Path) -> None:
    library.update([shelf])
    assert all("Forum Meets" not in p.text for p in library.passages("kyoto.txt"))
    assert library.document("kyoto.txt").title == "Forum Meets in Kyoto"


LABELLED = """---
title: Cables of the Deep
tags: [cables, sea]
aliases:
  - Telegraphy
description: Who laid them, and why.
---

The first of them was laid in summer by two ships.
"""


@pytest.mark.parametrize("length", [1, 2_000], ids=["read here", "read in the sandbox"])
def test_tags_aliases_and_description_are_kept_and_an_alias_finds_its_document(
    library: Library, shelf: Path, length: int
) -> None:
    (shelf / "deep.md").write_text(
        LABELLED + "It rained and rained on both of the ships.\n" * length
    )
    library.update([shelf])
    with Library.open(library.path, encoder=library.encoder) as again:
        record, plain = (r for r in again.documents() if r.id != "news/brussels.txt")
        document = again.document("deep.md")
        for labelled in (record, document):
            assert labelled.tags == ("cables", "sea")
            assert labelled.aliases == ("Telegraphy",)
            assert labelled.description == "Who laid them, and why."
        assert (plain.tags, plain.aliases, plain.description) == ((), (), "")
        hit = again.search("telegraphy", 1)[0]
        assert hit.document_id == "deep.md"
        assert hit.lexical > 0
        with again._store.writing() as writer:
            writer.rebuild_words()
        assert again.search("telegraphy", 1)[0].lexical == hit.lexical
        again.remove(["deep.md"])
        assert all(hit.lexical == 0 for hit in again.search("telegraphy", 5))


def test_an_alias_finds_a_document_called_after_its_file(library: Library, shelf: Path) -> None:
    text = LABELLED.replace("title: Cables of the Deep\n", "")
    (shelf / "deep.md").write_text(text)
    library.update([shelf])
    (shelf / "deep.md").rename(shelf / "abyss.md")
    library.rebuild()
    for word in ("telegraphy", "abyss"):
        assert [hit.document_id for hit in library.search(word, 9) if hit.lexical] == ["abyss.md"]
    assert not any(hit.lexical for hit in library.search("deep", 9))


def test_unchanged_files_are_not_embedded_again(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = encoder.encoded
    report = library.rebuild()
    assert report.unchanged == ("kyoto.txt", "news/brussels.txt")
    assert (report.added, report.updated, report.removed) == ((), (), ())
    assert encoder.encoded == before


def test_a_changed_file_embeds_only_the_changed_paragraph(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = encoder.encoded
    (shelf / "kyoto.txt").write_text(KYOTO.replace("cables under the sea", "towers of ice"))
    report = library.rebuild()
    assert report.updated == ("kyoto.txt",)
    assert encoder.encoded - before == 1
    assert "towers of ice" in library.search("towers of ice", 1)[0].text
    assert not any("cables under" in hit.text for hit in library.search("cables under the sea", 9))


def test_a_moved_file_embeds_nothing_and_is_found_at_its_new_place(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = encoder.encoded
    (shelf / "kyoto.txt").rename(shelf / "news" / "forum.txt")
    report = library.rebuild()
    assert (report.added, report.removed) == (("news/forum.txt",), ("kyoto.txt",))
    assert encoder.encoded == before
    assert found(library, "people in Kyoto")[0] == "news/forum.txt"


def test_the_same_content_at_two_paths_is_one_set_of_vectors_and_both_are_named(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    (shelf / "copy.txt").write_text(KYOTO)
    library.update([shelf])
    assert encoder.encoded == 3
    hit = library.search("people in Kyoto", 1)[0]
    assert {hit.document_id, *hit.also} == {"copy.txt", "kyoto.txt"}
    only = library.search("people in Kyoto", 1, documents={"kyoto.txt"})[0]
    assert only.document_id == "kyoto.txt"


def test_a_vanished_file_leaves_the_library(library: Library, shelf: Path) -> None:
    library.update([shelf])
    (shelf / "kyoto.txt").unlink()
    assert library.rebuild().removed == ("kyoto.txt",)
    assert found(library, "people in Kyoto") == ["news/brussels.txt"]


def test_removed_means_gone_and_a_rebuild_does_not_bring_it_back(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    receipt = library.remove(["kyoto.txt"])
    assert (receipt.passages, receipt.sentences, receipt.left) == (2, 4, 0)
    assert found(library, "people in Kyoto") == ["news/brussels.txt"]
    library.rebuild()
    assert found(library, "people in Kyoto") == ["news/brussels.txt"]
    report = library.update([shelf])  # nor does its folder, named again
    assert (report.added, report.left_out) == ((), (str(shelf / "kyoto.txt"),))
    assert library.update([shelf / "kyoto.txt"]).added == ("kyoto.txt",)  # itself: welcome back


def test_what_was_removed_comes_back_as_it_was(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    alone = shelf.parent / "alone.txt"
    alone.write_text(KYOTO.replace("Kyoto", "Lima"))
    library.update([shelf, alone])
    names = [record.id for record in library.documents()]
    receipt = library.remove(["news/brussels.txt", "alone.txt"])
    assert library.restore(receipt).added == ("news/brussels.txt", "alone.txt")
    assert [record.id for record in library.documents()] == names
    embedded = encoder.encoded
    report = library.rebuild()
    assert report.unchanged == ("alone.txt", "kyoto.txt", "news/brussels.txt")
    assert encoder.encoded == embedded
    alone.unlink()
    assert library.rebuild().removed == ("alone.txt",)  # as a file that was added by itself


def test_what_cannot_come_back_says_why_and_takes_nobodys_name(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    gone, renamed = library.remove(["kyoto.txt"]), library.remove(["news/brussels.txt"])
    (shelf / "kyoto.txt").unlink()
    (failed,) = library.restore(gone).failed
    assert failed.path == str(shelf / "kyoto.txt")
    other = shelf.parent / "other" / "news"
    other.mkdir(parents=True)
    (other / "brussels.txt").write_text(KYOTO)
    library.update([other.parent])
    assert library.restore(renamed).added == ("articles/news/brussels.txt",)
    assert "Kyoto" in library.document("news/brussels.txt").text


PARAGRAPHS = st.lists(st.integers(0, 40), min_size=1, max_size=90)


@given(st.lists(PARAGRAPHS, min_size=1, max_size=4))
@settings(max_examples=25)
def test_each_file_is_told_how_many_of_its_own_passages_are_embedded(
    tmp_path_factory: pytest.TempPathFactory, articles: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("p")
    (folder / "in").mkdir()
    for number, numbers in enumerate(articles):  # the same paragraph may stand in many of them
        text = "\n\n".join(f"Paragraph {n} says {n} words of its own here." for n in numbers)
        (folder / "in" / f"{number}.txt").write_text(text)
    news: dict[str, list[Progress]] = {}
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as library:
        library.update(
            [folder / "in"],
            progress=lambda one: news.setdefault(one.document_id, []).append(one),
        )
        passages = {record.id: record.passages for record in library.documents()}
    for name, total in passages.items():
        counted = [new.detail for new in news[name] if new.state == "embedding"]
        done = [int(one.split("/")[0]) for one in counted]
        assert all(one.endswith(f"/{total}") for one in counted)
        assert done == sorted(done) and all(n < total for n in done)
        states = [new.state for new in news[name] if new.state not in ("", "embedding")]
        assert states in (["embedded", "done"], ["done"])  # or others had its passages already


def test_removing_an_unknown_document_removes_nothing(library: Library, shelf: Path) -> None:
    library.update([shelf])
    with pytest.raises(InputError, match=r"nowhere\.txt"):
        library.remove(["kyoto.txt", "nowhere.txt"])
    assert len(library.documents()) == 2


def test_a_file_that_cannot_be_read_any_more_keeps_what_was_stored(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    (shelf / "kyoto.txt").write_bytes(b"\0\1\2\3" * 100)
    report = library.rebuild()
    assert [failed.path for failed in report.failed] == [str(shelf / "kyoto.txt")]
    assert report.removed == ()
    assert "kyoto.txt" in found(library, "people in Kyoto")


def test_each_bad_input_has_its_line_and_the_rest_is_indexed(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    (shelf / "empty.txt").write_text("")
    (shelf / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (shelf / "letter.xyz").write_text("hello")
    (shelf / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that follows")
    (tmp_path / "void").mkdir()
    report = library.update([shelf, tmp_path / "void", tmp_path / "missing"])
    assert set(report.added) == {"kyoto.txt", "news/brussels.txt"}
    reasons = {Path(failed.path).name: failed.reason for failed in report.failed}
    assert set(reasons) == {"empty.txt", "binary.txt", "broken.pdf", "void", "missing"}
    assert [Path(skipped.path).name for skipped in report.skipped] == ["letter.xyz"]
    assert all(reason and "\n" not in reason for reason in reasons.values())


def test_two_folders_with_equal_names_do_not_share_an_id(library: Library, tmp_path: Path) -> None:
    for name, text in (("a", KYOTO), ("b", BRUSSELS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.txt").write_text(text)
    report = library.update([tmp_path / "a", tmp_path / "b"])
    assert report.added == ("same.txt", "b/same.txt")
    assert library.document("same.txt").title == "Forum Meets in Kyoto"


def test_a_single_file_is_named_by_its_name(library: Library, shelf: Path) -> None:
    assert library.update([shelf / "kyoto.txt"]).added == ("kyoto.txt",)
    assert library.update([shelf]).unchanged == ("kyoto.txt",)


def test_full_rebuild_embeds_everything_and_changes_nothing_that_is_asked(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = library.search("people in Kyoto", 3)
    done = encoder.encoded
    report = library.rebuild(full=True)
    assert encoder.encoded == 2 * done
    assert set(report.updated) == {"kyoto.txt", "news/brussels.txt"}
    after = library.search("people in Kyoto", 3)
    assert [(h.document_id, h.start, h.text) for h in after] == [
        (h.document_id, h.start, h.text) for h in before
    ]


def test_another_encoder_is_refused_with_both_names_until_rebuilt(
    library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    other = Library.open(tmp_path / "library", encoder=encoder.with_identity(revision="2"))
    for ask in (lambda: other.search("Kyoto"), lambda: other.update([shelf])):
        with pytest.raises(LibraryMismatch, match=r"'?1'?.*'?2'?.*pilcrow rebuild --full"):
            ask()
    other.rebuild(full=True)
    assert found(other, "people in Kyoto")[0] == "kyoto.txt"


def test_a_rebuild_with_another_encoder_makes_the_library_its_own(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    library.update([shelf])
    reader = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    other = BagOfWordsEncoder(128, name="other")

    def ask(progress: Progress) -> None:
        if progress.state == "embedding":  # the old state answers meanwhile
            assert found(reader, "people in Kyoto")[0] == "kyoto.txt"

    library.rebuild(encoder=other, progress=ask)
    assert library.made_with == other.identity
    assert found(library, "people in Kyoto")[0] == "kyoto.txt"
    with pytest.raises(LibraryMismatch, match=r"rebuild --full; or go on with other: without"):
        reader.search("Kyoto")
    done = other.encoded
    library.rebuild(encoder=other)
    assert other.encoded == done  # it is the library's own now


def test_a_library_remembers_where_its_encoder_lies_and_says_when_it_is_gone(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    away = BagOfWordsEncoder(128, name="away")
    away.folder = tmp_path / "away"
    library.update([shelf])
    library.rebuild(encoder=away)
    library.use_encoder(away)
    assert found(library, "people in Kyoto")[0] == "kyoto.txt"
    again = Library.open(tmp_path / "library")
    with pytest.raises(ModelMissing, match=r"made with away, .*pilcrow rebuild --encoder english"):
        again.search("Kyoto")


def test_a_dry_run_tells_and_does_nothing(library: Library, shelf: Path) -> None:
    told = library.update([shelf], dry_run=True)
    assert told.added == ("kyoto.txt", "news/brussels.txt")
    assert library.documents() == []


def test_a_cancelled_update_goes_on_where_it_stopped(
    library: Library, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(100):
        (folder / f"{i:03}.txt").write_text(f"This is article number {i}. It says word{i} twice.")
    seen: list[Progress] = []
    report = library.update([folder], progress=seen.append, cancelled=lambda: encoder.encoded >= 64)
    assert report.cancelled
    assert encoder.encoded == 64
    again = library.update([folder])
    assert not again.cancelled
    assert len(library.documents()) == 100
    assert encoder.encoded == 100
    assert {one.stage for one in seen} == {"reading", "embedding", "file"}


def test_readers_see_a_change_at_the_next_question(
    library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf / "kyoto.txt"])
    reader = Library.open(tmp_path / "library", encoder=encoder)
    assert found(reader, "parliament vote") == ["kyoto.txt"]
    library.update([shelf])
    assert found(reader, "parliament vote")[0] == "news/brussels.txt"
    library.remove(["news/brussels.txt"])
    assert found(reader, "parliament vote") == ["kyoto.txt"]


def test_questions_during_updates_are_all_answered(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    library.update([shelf])
    stop = threading.Event()
    wrong: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            hits = library.search("people in Kyoto", 5)
            if not hits or hits[0].document_id != "kyoto.txt":
                wrong.append(hits)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(10):
        (shelf / f"extra{i}.txt").write_text(f"An extra article about topic{i} and nothing else.")
        library.update([shelf])
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.fault("S4")
def test_a_second_writer_is_told_who_is_writing(
    library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    other = Library.open(tmp_path / "library", encoder=encoder)
    told: list[LibraryBusy] = []

    def meddle(_: Progress) -> None:
        if not told:
            with pytest.raises(LibraryBusy, match="process") as caught:
                other.update([shelf])
            told.append(caught.value)

    library.update([shelf], progress=meddle)
    assert told[0].exit_code == 75
    assert len(other.update([shelf]).unchanged) == 2, "nothing is lost, and the next try goes on"


@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "flipped", "foreign"])
def test_a_damaged_vector_cache_is_made_again_without_embedding(
    harm: str, library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = library.search("people in Kyoto", 3)
    done = encoder.encoded
    cache = tmp_path / "library" / "vectors.cache"
    data = bytearray(cache.read_bytes())
    if harm == "missing":
        cache.unlink()
    elif harm == "flipped":
        data[-5] ^= 1
        cache.write_bytes(data)
    elif harm == "foreign":
        other = Library.open(tmp_path / "other", encoder=encoder)
        other.update([shelf / "news"])
        other.search("anything", 1)
        done = encoder.encoded
        cache.write_bytes((tmp_path / "other" / "vectors.cache").read_bytes())
    else:
        cache.write_bytes(data[: 0 if harm == "empty" else len(data) // 2])
    again = Library.open(tmp_path / "library", encoder=encoder)
    assert again.search("people in Kyoto", 3) == before
    assert encoder.encoded == done
    assert again.check().ok


def test_check_passes_on_a_sound_library_and_repair_mends_the_text_index(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    import sqlite3

    library.update([shelf])
    assert library.check().ok
    with sqlite3.connect(tmp_path / "library" / "library.sqlite") as connection:
        connection.execute("DELETE FROM words WHERE rowid = 1")
    assert [line.name for line in library.check().lines if not line.ok] == ["text index"]
    assert library.check(repair=True).ok


@pytest.mark.fault("C16")
def test_an_empty_library_answers_with_nothing(library: Library) -> None:
    assert library.search("anything") == []
    assert library.documents() == []
    assert library.rebuild() == UpdateReport()
    assert library.check().ok


def test_a_missing_library_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match=r"pilcrow --store .* add ARTICLES"):
        Library.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("query", ["", "   ", "\n"])
def test_an_empty_query_is_refused(library: Library, query: str) -> None:
    with pytest.raises(InputError, match="empty"):
        library.search(query)


@pytest.mark.fault("D3")
@pytest.mark.parametrize("query", ['"', "NEAR(a b)", "* OR -", "'; DROP TABLE words;--", "a:b ^c"])
def test_search_operators_are_just_words(library: Library, shelf: Path, query: str) -> None:
    library.update([shelf])
    library.search(query)
    assert library.check().ok


def test_dates_and_documents_narrow_a_search(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "dated"
    folder.mkdir()
    for year in (2022, 2023, 2024):
        (folder / f"{year}.txt").write_text(
            f"People Online in {year}\nBy A Writer\nPublished: Mar 05, {year}\n\n"
            f"Some {year - 1800} million people were online that year.\n"
        )
    library.update([folder])
    assert {d.date for d in library.documents()} == {"2022-03-05", "2023-03-05", "2024-03-05"}
    hits = library.search("people online", dates=("2023-01-01", "2023-12-31"))
    assert [hit.document_id for hit in hits] == ["2023.txt"]
    assert library.search("people online", documents=set()) == []


# --- many at once ---------------------------------------------------------------------------------


def start(*arguments: object) -> subprocess.Popen[str]:
    """Another process at work on a library."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.programs.other_process", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> object:
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out)


def test_a_thousand_questions_during_rebuilds_are_each_answered_from_one_state(
    tmp_path: Path,
) -> None:
    (tmp_path / "articles").mkdir()
    write_pair(tmp_path / "articles", 0)
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64))
    library.update([tmp_path / "articles"])
    writer = start("change_pair", tmp_path, tmp_path / "enough")
    answered: list[str] = []
    wrong: list[object] = []

    def ask() -> None:
        seen = ""
        while len(answered) < 1000 or (len(set(answered)) < 3 and writer.poll() is None):
            hits = library.search("which generation is the pair in?", 5)
            states = {hit.text.split()[4].strip(",") for hit in hits}
            if {hit.document_id for hit in hits} != set(PAIR) or len(states) != 1:
                wrong.append([(hit.document_id, hit.text) for hit in hits])
            (state,) = states or {"none"}
            if int(state.removeprefix("generation")) < int(seen.removeprefix("generation") or 0):
                wrong.append((seen, state))
            seen = state
            answered.append(state)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (tmp_path / "enough").touch()
    result(writer)
    assert wrong == []
    assert len(set(answered)) >= 3, "the library must have changed while it was asked"


def test_two_processes_that_write_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    writers = [start("add_own", tmp_path, name, 15) for name in ("one", "two")]
    for writer in writers:
        result(writer)
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as library:
        assert len(library.documents()) == 30
        assert library.check().ok
        with Library.open(tmp_path / "fresh", encoder=BagOfWordsEncoder(64)) as fresh:
            fresh.update([tmp_path / "articles"])
            for question in ("article by one", "twoword3", "it says oneword14"):
                assert {(h.document_id, h.text) for h in library.search(question, 60)} == {
                    (h.document_id, h.text) for h in fresh.search(question, 60)
                }


def test_a_library_may_be_carried_over_a_fork(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "sea.txt").write_text("Cables lie under the sea.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(64)) as library:
        library.update([tmp_path / "articles"])
    assert result(start("fork", tmp_path)) is True


@pytest.mark.parametrize(
    ("times", "outcome"),
    [
        (2, [["Version 1 of an unsteady article.\n"], []]),
        (4, [["Version 1 of an unsteady article.\n"], []]),
        (99, [[], ["it changes while it is read; try again when it is finished"]]),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_read_again(
    times: int, outcome: object, tmp_path: Path
) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "a.txt").write_text("Version 0 of an unsteady article.\n")
    assert result(start("add_while_it_changes", tmp_path, "a.txt", times)) == outcome


# --- what a person may meet -----------------------------------------------------------------------


def test_two_articles_may_swap_their_names(
    library: Library, shelf: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = encoder.encoded
    (shelf / "kyoto.txt").write_text(BRUSSELS)
    (shelf / "news" / "brussels.txt").write_text(KYOTO)
    library.rebuild()
    assert library.document("kyoto.txt").text == BRUSSELS
    assert library.document("news/brussels.txt").text == KYOTO
    assert found(library, "people in Kyoto")[0] == "news/brussels.txt"
    assert encoder.encoded == before


def test_a_folder_that_is_away_keeps_its_documents_whatever_is_rebuilt(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    library.update([shelf])
    shelf.rename(tmp_path / "unplugged")
    other = tmp_path / "other"
    other.mkdir()
    (other / "kyoto.txt").write_text("A temple in Kyoto burned down.\n")
    assert library.update([other]).added == ("other/kyoto.txt",)
    for full in (False, True):
        report = library.rebuild(full=full)
        assert report.removed == ()
        (away,) = report.unreachable
        assert (away.path, "gone" in away.reason, away.lost) == (str(shelf), True, False)
        assert away.documents == ("kyoto.txt", "news/brussels.txt")
        assert "kyoto.txt" in found(library, "people came to the forum")


def test_a_renamed_folder_keeps_its_document_ids(
    library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    library.update([shelf])
    before = encoder.encoded
    shelf.rename(tmp_path / "renamed")
    library.update([tmp_path / "renamed"])
    assert [document.id for document in library.documents()] == ["kyoto.txt", "news/brussels.txt"]
    assert encoder.encoded == before


def test_a_name_that_is_no_unicode_is_an_ordinary_name(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))
    odd.write_text(KYOTO)
    (folder / "plain.txt").write_text(BRUSSELS)
    assert library.update([folder]).added == ("caf\\xe9.txt", "plain.txt")
    assert library.rebuild().unchanged == ("caf\\xe9.txt", "plain.txt")
    odd.unlink()
    assert library.rebuild().removed == ("caf\\xe9.txt",)


def test_what_was_removed_is_nowhere_in_the_librarys_files(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    (shelf / "secret.txt").write_text("The zanzibar memorandum names quixotic witnesses.\n")
    library.update([shelf])
    assert library.search("zanzibar")

    def files() -> bytes:
        return b"".join(one.read_bytes() for one in (tmp_path / "library").iterdir())

    assert b"zanzibar" in files()
    library.remove(["secret.txt"])
    for word in (b"zanzibar", b"memorandum", b"quixot", b"witness"):
        assert word not in files()


def test_what_was_removed_long_ago_is_not_noted_for_ever(
    library: Library, shelf: Path, tmp_path: Path, encoder: BagOfWordsEncoder
) -> None:
    import sqlite3

    library.update([shelf])
    late = Library.open(tmp_path / "library", encoder=encoder)
    assert found(late, "people in Kyoto")[0] == "kyoto.txt"  # has a snapshot from now on
    for i in range(5):
        (shelf / "kyoto.txt").write_text(KYOTO.replace("8,000", f"{i}"))
        library.rebuild()
    library.rebuild(full=True)
    library.remove(["news/brussels.txt"])
    connection = sqlite3.connect(tmp_path / "library" / "library.sqlite")
    noted = connection.execute(
        "SELECT (SELECT count(*) FROM removed), (SELECT count(*) FROM changes)"
    )
    assert noted.fetchone() == (0, 1)
    connection.close()
    assert found(late, "people in Kyoto") == [
        "kyoto.txt"
    ]  # its snapshot was too old to be followed


# --- many files -----------------------------------------------------------------------------------

MANY = 2_000
"""The benchmark does the same with 10,000."""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(MANY):
        (folder / f"{i:05}.txt").write_text(f"Note {i} is about subject{i}.\n")
    return folder


@pytest.mark.fault("C7")
def test_many_files_are_interrupted_resumed_and_then_cost_nothing(
    tmp_path: Path, many: Path, request: pytest.FixtureRequest
) -> None:
    encoder = BagOfWordsEncoder(32)
    library = Library.open(tmp_path / "library", encoder=encoder, exact_up_to=1_000)
    seen: list[Progress] = []

    def interrupt(report: Progress) -> None:
        if encoder.encoded >= MANY // 2:
            signal.raise_signal(signal.SIGINT)

    # a shell that starts this in the background has Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with pytest.raises(KeyboardInterrupt):
        library.update([many], progress=interrupt)
    assert library.check().ok
    kept = len(library.documents())
    assert 0 < kept < MANY
    report = library.update([many], progress=seen.append)
    assert (len(report.unchanged), len(report.added)) == (kept, MANY - kept)
    assert encoder.encoded == MANY, "what was embedded before the interruption serves"
    reading = [one for one in seen if one.stage == "reading"]
    assert [one.done for one in reading] == list(range(1, MANY + 1))
    assert {one.total for one in reading} == {MANY}
    embedding = [one for one in seen if one.stage == "embedding"]
    assert all(0 <= one.done <= one.total for one in embedding)

    assert library.stats().vectors == "hnsw", "above the limit few vectors are looked at"
    report = library.rebuild()
    assert len(report.unchanged) == MANY
    assert encoder.encoded == MANY
    for i in (3, 777, MANY - 1):
        assert library.search(f"what is subject{i}?", 1)[0].document_id == f"{i:05}.txt"
    some = {"00007.txt", "00123.txt"}
    assert {h.document_id for h in library.search("note", documents=some)} == some


def test_an_approximate_index_grows_with_its_library(tmp_path: Path, many: Path) -> None:
    encoder = BagOfWordsEncoder(32)

    def opened() -> Library:
        return Library.open(tmp_path / "library", encoder=encoder, exact_up_to=100)

    def holds_true(library: Library) -> None:
        assert library.search("subject1999", 1)[0].document_id == "01999.txt"
        assert library.search("something else", 1)[0].document_id == "00050.txt"
        assert not any(h.document_id == "00060.txt" for h in library.search("subject60", 50))
        assert library.stats().vectors == "hnsw"

    library = opened()
    library.update([many / f"{i:05}.txt" for i in range(200)])
    assert library.stats().vectors == "hnsw"
    (many / "00050.txt").write_text("Note 50 is about something else.\n")
    library.update([many])
    library.remove(["00060.txt"])
    holds_true(library)
    holds_true(opened())
    library.rebuild(full=True)
    holds_true(library)
    holds_true(opened())
    assert library.check().ok


@pytest.mark.fault("G44")
@pytest.mark.parametrize("k", [2.5, "3", None, 0, -1])
def test_a_number_of_hits_that_is_none_is_named(tmp_path: Path, k: Any) -> None:
    with (
        Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library,
        pytest.raises(InputError, match=f"k must be a whole number.*{k!r}"),
    ):
        library.search("who?", k=k)


@pytest.mark.fault("G43")
@pytest.mark.parametrize("name", ["\ud800", "caf\udce9.txt", None, 3])
def test_a_name_that_no_document_can_have_is_an_error_of_input(tmp_path: Path, name: Any) -> None:
    (tmp_path / "?.txt").write_text("A question mark stands here.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "?.txt"])
        for ask in (library.document, lambda one: library.remove([one])):
            with pytest.raises(InputError, match=r"no document .* in the library"):
                ask(name)
        assert library.passages(name) == []


@pytest.mark.fault("G45")
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted in /proc")
def test_connections_of_finished_threads_are_let_go(tmp_path: Path) -> None:
    def held() -> int:
        files = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
        return sum("library.sqlite" in file and str(tmp_path) in file for file in files)

    (tmp_path / "a.txt").write_text("The forum met in Kyoto.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "a.txt"])
        together = threading.Barrier(33)

        def ask() -> None:
            with library._store.reading() as reader:
                together.wait()
                reader.counts()

        threads = [threading.Thread(target=ask) for _ in range(32)]
        for thread in threads:
            thread.start()
        together.wait()
        for thread in threads:
            thread.join()
        assert held() <= 4 * 3, "each of four connections holds three files"


def test_documents_are_listed_once_a_state_whoever_makes_the_next(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    first, again = library.documents(), library.documents()
    assert all(one is other for one, other in zip(first, again, strict=True))
    first.clear()
    assert len(library.documents()) == 2
    with Library.open(library.path, encoder=BagOfWordsEncoder()) as other:
        other.tag(["kyoto.txt"], "forum")
        other.remove(["news/brussels.txt"])
    assert [(record.id, record.tags) for record in library.documents()] == [
        ("kyoto.txt", ("forum",))
    ]
