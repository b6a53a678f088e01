"""Documents in other languages are found by other forms of their words, and by parts of runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index import Library
from index.languages.stemming import any_of, index_form, match_forms
from index.storage.sqlite.database import WORDS_AS_THEY_STAND
from index.tokenization import words
from tests.support.fakes import BagOfWordsEncoder

ARTICLES = {
    "de": ("Die Stadt hat die neuen Brücken über den Fluss eröffnet, und sie sind breit.",
           "Der Bäcker hat auf dem Markt das Brot und die Brezeln verkauft."),
    "fr": ("La ville a inauguré les nouveaux ponts sur le fleuve, et ils sont larges.",
           "Le boulanger a vendu des pains et des gâteaux dans la rue."),
    "ru": ("Город открыл новые мосты через реку, и они широкие.",
           "Пекарь продал хлеб и булки на рынке."),
    "ar": ("افتتحت المدينة الجسور الجديدة فوق النهر في الصباح.",
           "باع الخباز الخبز والكعك في السوق."),
    "th": ("เมืองเปิดสะพานใหม่ข้ามแม่น้ำในเดือนพฤษภาคม",
           "คนทำขนมปังขายขนมปังและเค้กที่ตลาด"),
    "lo": ("ເມືອງເປີດຂົວໃໝ່ຂ້າມແມ່ນ້ຳ", "ຄົນເຮັດເຂົ້າຈີ່ຂາຍເຂົ້າຈີ່ຢູ່ຕະຫຼາດ"),
    "km": ("ទីក្រុងបានបើកស្ពានថ្មីឆ្លងទន្លេ", "អ្នកដុតនំបានលក់នំប៉័ងនៅផ្សារ"),
    "my": ("မြို့တော်သည် မြစ်ပေါ်တွင် တံတားသစ်ကို ဖွင့်ခဲ့သည်", "မုန့်ဖုတ်သမားသည် ဈေးတွင် ပေါင်မုန့်ရောင်းသည်"),
    "hi": ("शहर ने नदी पर नया पुल खोला।", "बेकर ने बाजार में रोटी बेची।"),
    "ja": ("市は川に新しい橋を開通させた。", "パン屋は市場でパンを売った。"),
    "ko": ("도시는 강 위에 새 다리를 열었다.", "제빵사는 시장에서 빵을 팔았다."),
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("articles")
    for code, (bridge, bread) in ARTICLES.items():
        (folder / f"{code}-bridge.txt").write_text(f"{bridge}\n", encoding="utf-8")
        (folder / f"{code}-bread.txt").write_text(f"{bread}\n", encoding="utf-8")
    made = Library.open(tmp_path_factory.mktemp("library") / "l", encoder=BagOfWordsEncoder())
    made.update([folder])
    return made


def found_by_words(library: Library, question: str) -> list[str]:
    """The documents that share a word with a question, the best first."""
    with library._store.reading() as reader:
        found = reader.matches(any_of(match_forms(question, reader.languages())), 5)
        passages = {passage.id: passage for passage in reader.passages(list(found))}
    return [passages[id_].document_ids[0].removesuffix(".txt") for id_ in found]


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("Welche Brücke?", "de-bridge"), ("BRUCKEN", "de-bridge"),
        ("Wer verkaufte Brote?", "de-bread"),
        ("Quel pont est large ?", "fr-bridge"), ("un gateau", "fr-bread"),
        ("Какой мост?", "ru-bridge"), ("الخُبْز", "ar-bread"), ("جسور", "ar-bridge"),
        ("สะพาน", "th-bridge"), ("ขนมปัง", "th-bread"), ("ຂົວໃໝ່", "lo-bridge"),
        ("ស្ពាន", "km-bridge"), ("တံတား", "my-bridge"), ("पुल", "hi-bridge"), ("रोटी", "hi-bread"),
        ("新しい橋はどこ", "ja-bridge"), ("ﾊﾟﾝ屋", "ja-bread"), ("시장", "ko-bread"),
    ],
)  # fmt: skip
def test_an_article_is_found_by_another_form_of_its_words(
    library: Library, question: str, article: str
) -> None:
    assert found_by_words(library, question)[:1] == [article]


def test_how_rare_a_word_is_counts_its_other_forms(library: Library) -> None:
    rarity = library.idf(["brücke", "brücken", "flüsse", "schiff"])
    assert rarity["brücke"] == rarity["brücken"] == rarity["flüsse"] < rarity["schiff"] == 1


@pytest.mark.parametrize("text", ["The new bridges, opened in May.", "naïve café", "Ｘ ray"])
def test_english_is_indexed_as_it_was(text: str) -> None:
    assert index_form(text) == (text if "Ｘ" not in text else "x ray")
    assert any_of(match_forms("Which bridges opened?")) == '"bridges" OR "opened"'


def test_full_width_and_pointed_words_are_the_plain_ones() -> None:
    assert words("ＡＢＣ１２３ مُحَمَّد") == words("abc123 محمد")


def test_a_library_made_before_opens_and_learns_stems_by_its_next_change(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "de-bridge.txt").write_text(ARTICLES["de"][0], encoding="utf-8")
    Library.open(tmp_path / "l", encoder=BagOfWordsEncoder()).update([folder])
    with closing(sqlite3.connect(tmp_path / "l" / "library.sqlite")) as connection, connection:
        (text,) = connection.execute("SELECT text FROM contents").fetchone()
        (passage,) = connection.execute("SELECT id FROM passages").fetchone()
        connection.executescript(
            "DELETE FROM meta WHERE key = 'languages'; PRAGMA user_version = 6;"
            f"DROP TABLE words; {WORDS_AS_THEY_STAND}"
        )
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (passage, text))
    with Library.open(tmp_path / "l", encoder=BagOfWordsEncoder()) as old:
        assert found_by_words(old, "neuen Brücken") == ["de-bridge"]
        assert found_by_words(old, "Fluss Brücke") == ["de-bridge"]
        assert found_by_words(old, "Brücke") == []
        report = old.update([folder])
        assert found_by_words(old, "Brücke") == ["de-bridge"]
        assert report.embedded == 0
        assert old.check().ok
