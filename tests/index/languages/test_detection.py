"""Which texts are surely not English, and what that changes in a ranking."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.languages.detection import language, language_group
from tests.support.fakes import BagOfWordsEncoder


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("The forum met in Kyoto, and the delegates spoke about cables that were cut.", "english"),
        ("", "english"),
        ("Kyoto 12, Oslo 7, Lima 4; Hansen, Ito, Quispe", "english"),
        ("Name: Ann; Town: Oslo; Year: 2019\nName: Bob; Town: Rome; Year: 2020", "english"),
        ("The Chinese word for cable is 电缆, and 海底电缆 lies below the sea.", "english"),
        ("Die Stadt hat im Mai die neue Brücke über den Fluss eröffnet.", "latin"),
        ("La ville a inauguré en mai le nouveau pont sur le fleuve.", "latin"),
        ("La ciudad abrió en mayo el nuevo puente sobre el río.", "latin"),
        ("Мост через реку открыли в мае.", "other"),
        ("افتتحت المدينة الجسر الجديد في مايو.", "other"),
        ("这座城市在五月开通了新桥。", "other"),
        ("5월에 새 다리가 열렸다.", "other"),
    ],
)
def test_another_language_is_known_by_its_letters_or_its_small_words(text: str, group: str) -> None:
    assert language_group(text) == group


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("AI summits", "en"), ("AI", "en"), ("era taylor swift", "en"), ("Kim Jong Un", "en"),
        ("who signed it?", "en"), ("", "en"), ("?", "en"), ("Wer gründete Solnes?", "de"),
        ("Wann trat das Gesetz in Kraft", "de"), ("¿Quién firmó la declaración?", "es"),
        ("谁签署了宣言？", "zh"),
    ],
)  # fmt: skip
def test_one_word_does_not_make_a_question_foreign(question: str, code: str) -> None:
    assert language(question) == code


class ManyLanguages(BagOfWordsEncoder):
    """Said to know every language."""

    is_english = False


@pytest.mark.parametrize("english", [True, False])
def test_words_count_for_more_where_the_encoder_does_not_know_the_language(
    tmp_path: Path, english: bool
) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "de.txt").write_text(
        "Die Brücke\n\nDie neue Brücke über den Fluss ist im Mai von der Stadt eröffnet worden.\n"
    )
    (folder / "en.txt").write_text(
        "The bridge\n\nThe new bridge over the river was opened by the town in May.\n"
    )
    encoder = BagOfWordsEncoder() if english else ManyLanguages()
    library = Library.open(tmp_path / "library", encoder=encoder)
    library.update([folder])
    german, plain = (
        next(hit for hit in library.search(question) if hit.document_id == name)
        for question, name in (
            ("Wann wurde die Brücke eröffnet?", "de.txt"),
            ("When was the bridge opened?", "en.txt"),
        )
    )

    def by_words(share: float, dense: float, sentence: float, late: float, bm25: float) -> float:
        vectors = 0.5 * max(dense, 0) + 0.5 * max(sentence, 0) + 2 * max(late, 0)
        return (vectors + share * bm25 / (bm25 + 10)) / (3 + share)

    for hit, share in ((german, 12.0 if english else 1.0), (plain, 1.0)):
        expected = by_words(share, hit.dense, hit.sentence, hit.late, hit.lexical)
        assert hit.score == pytest.approx(expected, abs=1e-4)
        fitted_on = hit.score if hit.plain_score is None else hit.plain_score
        assert fitted_on == pytest.approx(
            by_words(1.0, hit.dense, hit.sentence, hit.late, hit.lexical), abs=1e-4
        )


@pytest.mark.model
def test_the_packaged_encoder_is_one_for_english() -> None:
    assert SentenceTransformerEncoder().is_english
