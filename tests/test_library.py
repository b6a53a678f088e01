"""The library as people use it: add, change, move, remove, ask; with neighbours that are real."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from index import InputError, Library, LibraryBusy, LibraryMismatch, LibraryMissing, UpdateReport
from index.types import Progress
from tests.fakes import BagOfWordsEncoder

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
    assert library.update([shelf]).added == ("kyoto.txt",)  # asked for by name: welcome back


def test_removing_an_unknown_document_removes_nothing(library: Library, shelf: Path) -> None:
    library.update([shelf])
    with pytest.raises(InputError, match="nowhere.txt"):
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
    assert set(reasons) == {
        "empty.txt", "binary.txt", "letter.xyz", "broken.pdf", "void", "missing",
    }  # fmt: skip
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
    assert {one.stage for one in seen} == {"reading", "embedding"}


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


def test_an_empty_library_answers_with_nothing(library: Library) -> None:
    assert library.search("anything") == []
    assert library.documents() == []
    assert library.rebuild() == UpdateReport()
    assert library.check().ok


def test_a_missing_library_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing, match="pilcrow --store .* add ARTICLES"):
        Library.open(tmp_path / "nowhere", create=False)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("query", ["", "   ", "\n"])
def test_an_empty_query_is_refused(library: Library, query: str) -> None:
    with pytest.raises(InputError, match="empty"):
        library.search(query)


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
