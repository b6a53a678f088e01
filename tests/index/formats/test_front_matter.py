"""What a text states about itself, and that prose is never taken for furniture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.formats import front_matter, markup
from index.formats.bylines import clean, parse_metadata_line
from index.formats.dates import parse_date
from index.types import Span

PROSE = (
    "The ship lifted the broken end of the cable from ninety metres of water on Tuesday.",
    "Islanders had been without the network for nine hours, and banks had closed their doors.",
)
SHARED = Path(__file__).resolve().parents[4] / "shared"


def boilerplate(text: str, *, markdown: bool = False) -> list[str]:
    spans = front_matter.read(text, markdown=markdown).boilerplate
    return [text[span.start : span.end] for span in spans]


def article(*lines: str, between: str = "\n\n") -> str:
    return between.join((*lines, *PROSE))


# ---------------------------------------------------------------- the top of a news text


def test_news_export_without_blank_lines_and_with_lost_spaces() -> None:
    lines = (
        "Who Mends the Cables When Everybody Is at Sea?",
        "A repair ship?leaves port.?(PHOTO:?Harbour News)?",
        "By?LEE Anna",
    )
    text = article(*lines, between="\n")
    front = front_matter.read(text)
    assert front.title == lines[0]
    assert front.author == "LEE Anna"
    assert front.date == front.source == ""
    assert boilerplate(text) == list(lines)


def test_section_headline_date_and_a_caption_given_twice() -> None:
    caption = "A repair ship leaves the harbour of Suva at dawn. Photo: Li Wei/PT"
    text = "\n".join(
        (
            "WORLD\u00a0/\u00a0PACIFIC",
            "Repair ships are few, and growing old: engineers",
            "Published: Mar 05, 2024 07:15 AM",
            *("", caption, "", caption, "", "", "\u00a0", ""),
            PROSE[0],
            "",
            "'We were lucky,' the captain told the Pacific Tribune.",
        )
    )
    front = front_matter.read(text)
    assert front.title == "Repair ships are few, and growing old: engineers"
    assert front.date == "2024-03-05"
    assert front.source == "Pacific Tribune"
    assert len(front.boilerplate) == 5
    assert boilerplate(text)[-1] == caption


@pytest.mark.parametrize(
    "ending", ["'Lucky,' the captain told reporters.", "She told the Island Post so."]
)
def test_a_photo_credit_alone_is_no_source(ending: str) -> None:
    text = article("Ships leave", "A ship leaves. Photo: Li Wei/PT", ending)
    assert front_matter.read(text).source == ""


def test_title_blank_outlet_and_date() -> None:
    text = article("Amazing “cable” finds its ship", "The Wire | World, 2023-10-06")
    front = front_matter.read(text)
    assert (front.title, front.source, front.date) == (
        "Amazing “cable” finds its ship",
        "The Wire | World",
        "2023-10-06",
    )
    assert len(front.boilerplate) == 2


def test_a_headline_with_a_full_stop_needs_an_outlet_and_a_date_below() -> None:
    assert front_matter.read(article("We ranked them.", "The Wire, 2023-10-06")).title
    assert not front_matter.read(article("We ranked them.", "2023-10-06")).title
    assert not front_matter.read(article("We ranked them.")).title


def test_a_place_and_a_date_are_no_outlet() -> None:
    front = front_matter.read(article("A headline", "Kyoto, October 12, 2023"))
    assert (front.source, front.date) == ("", "2023-10-12")


def test_summary_between_headline_and_byline_stays_prose() -> None:
    summary = "A year of broken cables has taught one archipelago patience."
    text = article("Cut off", summary, "By Jane Doe", "4 May 2023")
    front = front_matter.read(text)
    assert (front.author, front.date) == ("Jane Doe", "2023-05-04")
    assert boilerplate(text) == ["Cut off", "By Jane Doe", "4 May 2023"]


def test_a_sentence_above_a_byline_stays_too() -> None:
    front = front_matter.read(article(PROSE[0], "By Jane Doe", "4 May 2023"))
    assert (front.title, front.author, front.date) == ("", "Jane Doe", "2023-05-04")
    assert len(front.boilerplate) == 2


def test_second_headline_line_and_labels() -> None:
    text = article(
        "Cut off", "How nine hours felt", "Author: Jane Doe", "Source: The Wire", "Editor: Li Wei"
    )
    front = front_matter.read(text)
    assert (front.title, front.author, front.source) == ("Cut off", "Jane Doe", "The Wire")
    assert boilerplate(text)[1] == "How nine hours felt"
    assert len(front.boilerplate) == 5


def test_labels_may_come_first() -> None:
    front = front_matter.read(article("Title: Cut off", "Date: 2023-10-07"))
    assert (front.title, front.date) == ("Cut off", "2023-10-07")


def test_title_is_one_clean_line_of_at_most_300_characters() -> None:
    front = front_matter.read(article("Fish &amp; chips\u202e at\u00a0sea"))
    assert front.title == "Fish & chips at sea"
    assert len(clean("x" * 1000)) == 300


@pytest.mark.parametrize(
    ("line", "author", "source", "day"),
    [
        ("By Jane Doe", "Jane Doe", "", ""),
        ("By JANE DOE and Li Wei", "JANE DOE and Li Wei", "", ""),
        ("By Jane van der Berg, Staff Writer", "Jane van der Berg", "", ""),
        ("By Jane Doe, Reuters", "Jane Doe", "Reuters", ""),
        ("By Jane Doe for the Island Post", "Jane Doe", "Island Post", ""),
        ("By Jane Doe | 4 May 2023", "Jane Doe", "", "2023-05-04"),
        ("By Jane Doe in Kyoto, 4 May 2023", "Jane Doe", "", "2023-05-04"),
        ("By the Pilcrow editors", "Pilcrow editors", "", ""),
        ("Written by Jane Doe", "Jane Doe", "", ""),
        ("Author: Jane Doe", "Jane Doe", "", ""),
        ("Source: Xinhua | 2023-10-12 | Editor: huaxia", "", "Xinhua", "2023-10-12"),
    ],
)
def test_bylines(line: str, author: str, source: str, day: str) -> None:
    found = parse_metadata_line(line)
    assert found is not None
    assert [found.get(key, "") for key in ("author", "source", "date")] == [author, source, day]


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("Published: Sep 04, 2024 09:03 PM", "2024-09-04"),
        ("2024-09-04T21:03:00Z", "2024-09-04"),
        ("2024/9/4", "2024-09-04"),
        ("Wednesday, 4th of September, 2024 at 9:03 am BST", "2024-09-04"),
        ("Sept. 4, 2024", "2024-09-04"),
        ("Published on May 2024", "2024-05"),
        ("Updated: 5 May 2024, Published: 4 May 2024", "2024-05-04"),
        ("Last updated 5 May 2024", "2024-05-05"),
        ("Date: 2024", "2024"),
        ("24/09/2024", "2024-09-24"),
        ("2024年9月4日", "2024-09-04"),
    ],
)
def test_dates(value: str, iso: str) -> None:
    assert parse_metadata_line(value) == {"date": iso}


@pytest.mark.parametrize(
    ("line", "iso"),
    [
        ("Veröffentlicht am 12. Oktober 2023, 09:03 Uhr", "2023-10-12"),
        ("Do., 12. Okt. 2023", "2023-10-12"),
        ("Publié le jeudi 3 mars 2021 à 9h30", "2021-03-03"),
        ("Mis à jour le 13 mars 2021, publié le 1er mars 2021", "2021-03-01"),
        ("Publicado el 12 de octubre de 2023 a las 9:30", "2023-10-12"),
        ("Quinta-feira, 12 de outubro de 2023", "2023-10-12"),
        ("Pubblicato: 8 maggio 2022", "2022-05-08"),
        ("Geplaatst op donderdag 12 oktober 2023 om 14:30 uur", "2023-10-12"),
        ("Опубликовано: 12 октября 2023 г., 09:30", "2023-10-12"),
        ("发布时间：2023年10月12日 星期四 09:30", "2023-10-12"),
        ("２０２３年１０月１２日（木）午前9時30分", "2023-10-12"),
        ("입력 2023년 10월 12일 오전 9시 30분", "2023-10-12"),
        ("نشر في: الخميس ١٢ أكتوبر ٢٠٢٣", "2023-10-12"),
        ("12 października 2023", "2023-10-12"),
        ("2023. október 12.", "2023-10-12"),
        ("ngày 12 tháng 10 năm 2023", "2023-10-12"),
        ("12 ตุลาคม 2566", "2023-10-12"),
        ("März 2023", "2023-03"),
    ],
)
def test_dates_in_other_languages(line: str, iso: str) -> None:
    assert parse_metadata_line(line) == {"date": iso}


@pytest.mark.parametrize(
    "line",
    ["Die Messe beginnt am 12. Oktober 2023", "Solnes 2023", "Room 12, 2023", "31 февраля 2023"],
)
def test_what_is_no_date_in_any_language(line: str) -> None:
    assert parse_metadata_line(line) is None


@pytest.mark.parametrize(
    "line",
    ["vor 3 Stunden", "il y a 2 jours", "3小时前", "3 часа назад", "hace 5 días", "منذ 3 ساعات"],
)
def test_a_time_ago_is_no_text_and_no_date(line: str) -> None:
    assert parse_metadata_line(line) == {}


def test_the_day_stands_first_where_the_text_is_in_another_language() -> None:
    german = "Die Stadt hat im Mai die neue Brücke über den Fluss eröffnet, und sie ist breit."
    plain = "The town has opened the new bridge over the river in May, and it is wide."
    for body, day in ((german, "2024-09-04"), (plain, "")):
        text = f"Solnes\n\n04.09.2024\n\n{body}\n"
        assert front_matter.read(text).date == day


@pytest.mark.parametrize(
    "value", ["04/09/2024", "2024-13-01", "31 February 2024", "in 2024", "May"]
)
def test_no_dates(value: str) -> None:
    assert parse_date(value) == ""


@pytest.mark.parametrize(
    ("opening", "place", "source", "day"),
    [
        ("KYOTO, Oct 12 - ", "Kyoto", "", ""),
        ("KYOTO, Oct 12 (Reuters) - ", "Kyoto", "Reuters", ""),
        ("KYOTO, Japan, Oct. 12, 2023 (Xinhua) -- ", "Kyoto, Japan", "Xinhua", "2023-10-12"),
        ("KYOTO, 12 October 2023 /PRNewswire/ -- ", "Kyoto", "PRNewswire", "2023-10-12"),
        ("LONDON (AP) — ", "London", "AP", ""),
        ("ST. PETERSBURG, Sept 9 – ", "St. Petersburg", "", ""),
        ("PORT-AU-PRINCE, Haiti (AP) _ ", "Port-Au-Prince, Haiti", "AP", ""),
        ("SÃO PAULO, May 3 — ", "São Paulo", "", ""),
        ("SUVA — ", "Suva", "", ""),
    ],
)
def test_a_dateline_gives_place_and_date_and_is_no_prose(
    opening: str, place: str, source: str, day: str
) -> None:
    text = f"A headline\n\n{opening}{PROSE[0]}\n\n{PROSE[1]} So it was in Suva."
    front = front_matter.read(text)
    assert (front.written_in, front.source, front.date) == (place, source, day)
    assert boilerplate(text) == ["A headline", opening]


@pytest.mark.parametrize(
    "opening",
    [
        "London (population nine million) — ",
        "NASA — ",
        "NASA - ",
        "UNESCO, the agency for culture, said on May 3 - and again in June - that ",
        "WHO: ",
        "KYOTO, Oct 12-14: ",
        "IBM - then a maker of scales - found that ",
    ],
)
def test_what_may_be_no_dateline_stays(opening: str) -> None:
    text = f"A headline\n\n{opening}{PROSE[0]}\n\n{PROSE[1]}"
    front = front_matter.read(text)
    assert (front.written_in, front.source, front.date) == ("", "", "")
    assert boilerplate(text) == ["A headline"]


def test_each_report_of_a_text_that_holds_several_begins_with_its_prose() -> None:
    second = "HANOI, Oct 27 - "
    text = (
        f"Kept\n\nKYOTO, Oct 12 - {PROSE[0]}\n\n{second}{PROSE[1]}\n\nNASA (Houston) - {PROSE[0]}"
    )
    assert front_matter.read(text).written_in == "Kyoto"
    assert boilerplate(text) == ["Kept", "KYOTO, Oct 12 - ", second]


# ---------------------------------------------------------------- what is not a headline


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(PROSE),
        PROSE[0],
        "Just one line without a stop",
        "experimental study of wings in\na slipstream .\n  it was found that lift grew .\n",
        "The long paragraph was wrapped by hand at some sixty\ncharacters, as mails are, and it\n"
        "ends here.\n\nA second one follows it and ends as well.",
        "Milk\n\nEggs\n\nBread",
        "- milk for the cat\n\n" + PROSE[0],
        "1. Take the ship out\n\n" + PROSE[0],
        "Anna: where is the ship\n\nLi: it left the harbour at dawn, and I saw it go.",
        "Dear Sir,\n\n" + PROSE[0],
        "By October the ship was back.\n\n" + PROSE[0],
        "Photographs of the ship were taken from the pier. They show the broken end.\n\n"
        + PROSE[0],
        "Date: the fruit of a palm. It is sweet.\n\n" + PROSE[0],
        "Die Reparatur dauerte zwei Tage.\n\nDie Inseln waren neun Stunden ohne Netz.",
        "互联网治理需要多边主义。\n\n修理船用了两天时间。",
    ],
)
def test_prose_is_left_alone(text: str) -> None:
    front = front_matter.read(text)
    assert front.boilerplate == ()
    assert front.author == front.date == front.source == ""


def test_nothing_but_furniture_is_body() -> None:
    front = front_matter.read("A headline\n\nBy Jane Doe\n\n4 May 2023\n")
    assert (front.title, front.boilerplate) == ("", ())


words = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzäé"), min_size=1, max_size=12)
sentences = st.lists(words, min_size=4, max_size=40).map(
    lambda one: " ".join(one).capitalize() + "."
)


@given(st.lists(sentences, min_size=1, max_size=6), st.sampled_from(["\n", "\n\n", "\n \n\n"]))
def test_sentences_are_never_furniture(paragraphs: list[str], between: str) -> None:
    front = front_matter.read(between.join(paragraphs))
    assert front.boilerplate == ()
    assert front.title == ""


@given(st.text(max_size=400), st.booleans())
def test_furniture_is_sorted_inside_and_leaves_a_body(text: str, markdown: bool) -> None:
    spans = front_matter.read(text, markdown=markdown).boilerplate
    rest, end = "", 0
    for span in spans:
        assert end <= span.start < span.end <= len(text)
        rest, end = rest + text[end : span.start], span.end
    if spans:
        assert any(char.isalnum() for char in rest + text[end:])


pieces = st.sampled_from(
    [
        *("By Jane Doe", "4 May 2023", "A headline", "# Title", "---", "title: X", "= W =", "```"),
        *("Photo: Li Wei/PT", "Related articles", "© 2024 Us", "![a](b)", "", " ", *PROSE),
    ]
)


@given(st.lists(pieces, max_size=14), st.booleans())
def test_prose_survives_any_company(lines: list[str], markdown: bool) -> None:
    text = "\n".join(lines)
    assert not set(PROSE) & set(boilerplate(text, markdown=markdown))


# ---------------------------------------------------------------- captions and boilerplate


def test_captions_anywhere() -> None:
    caption = "The ship at the pier before it left for the cable. Photo: Li Wei"
    text = "\n\n".join(
        (PROSE[0], caption, PROSE[1], "The ship at the pier before it left for the cable", "End.")
    )
    assert boilerplate(text) == [caption, "The ship at the pier before it left for the cable"]


def test_boilerplate_at_the_end_only() -> None:
    tail = ["Related articles", "Why cables break", "Ships of the sea", "Copyright © 2024 The Wire"]
    text = "\n\n".join(
        (PROSE[0], "Share this", "Copyright law is older than cables.", PROSE[1], *tail)
    )
    assert boilerplate(text) == tail
    assert boilerplate(f"{PROSE[0]}\n\nSubscribe to our newsletter.\n") == [
        "Subscribe to our newsletter."
    ]


def test_a_list_without_its_heading_stays() -> None:
    assert boilerplate("\n\n".join((*PROSE, "One last short line", "And another"))) == []


# ---------------------------------------------------------------- Markdown and wiki marks


def test_markdown_front_matter_and_headings() -> None:
    text = "\n".join(
        (
            "---",
            'title: "Cut off: a year"',
            "authors: [Jane Doe, Li Wei]",
            "date: 2024-03-05T10:00:00Z",
            "publisher: The Wire",
            "draft: false",
            "---",
            "",
            "![ship](ship.png)",
            "# Cut off",
            "",
            PROSE[0],
            "",
            "## Repair ##",
            "",
            PROSE[1],
            "```sh",
            "# not a heading",
            "```",
        )
    )
    front = front_matter.read(text, markdown=True)
    assert (front.title, front.author) == ("Cut off: a year", "Jane Doe, Li Wei")
    assert (front.date, front.source) == ("2024-03-05", "The Wire")
    kept = boilerplate(text, markdown=True)
    assert kept[1:] == ["![ship](ship.png)", "# Cut off", "## Repair ##", "```sh", "```"]


def test_markdown_title_byline_and_underlined_heading() -> None:
    text = f"Cut *off*\n=========\n\n*By Jane Doe*\n**Published:** 4 May 2023\n\n{PROSE[0]}\n---\n"
    front = front_matter.read(text, markdown=True)
    assert (front.author, front.date) == ("Jane Doe", "2023-05-04")
    assert front.title.startswith("Cut")
    assert PROSE[0] not in "".join(boilerplate(text, markdown=True))


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        pytest.param("{0}\n---\n{1}\n", ["---"], id="a separator below prose"),
        pytest.param("{0}\nand so on\n---\n{1}\n", ["---"], id="below a wrapped paragraph"),
        pytest.param("Cut off\n---\n{0}\n", ["Cut off\n---"], id="below a headline"),
        pytest.param("Cut off\n===\n{0}\n", ["Cut off\n==="], id="doubly underlined"),
        pytest.param("![s](s.png)\n---\n{0}\n", ["![s](s.png)", "---"], id="below an image"),
        pytest.param(
            "```sh\n```not the end\n# no heading\n```\n{0}\n", ["```sh", "```"], id="code"
        ),
        pytest.param(
            "- a\n\n  ```sh\n  # no heading\n  ```\n\n{0}\n", ["```sh", "```"], id="code in a list"
        ),
        pytest.param("{0}\n\n    # no heading\n", [], id="indented code"),
        pytest.param("<!-- not\n\n# seen -->\n{0}\n", ["<!-- not\n\n# seen -->"], id="comment"),
        pytest.param("> # Quoted\n>\n> {0}\n", ["> # Quoted"], id="a heading in a quotation"),
        pytest.param("```\n{0}\n", ["```"], id="code without an end"),
    ],
)
def test_marks_of_markdown_are_no_prose(text: str, marks: list[str]) -> None:
    assert boilerplate(text.format(*PROSE), markdown=True) == marks


LINES = (
    *("# Cut off", "## Repair ##", "Cut off", "=====", "---", "***", "```sh", "```", "~~~", ""),
    *("- a", "  - b", "1. c", "> d", ">", "<!-- e -->", "<div>", "![f](f.png)", "    g", PROSE[0]),
)


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_a_sentence_is_never_a_mark_and_marks_are_whole_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    _, spans, _ = markup.markdown(text, 0)
    assert spans == sorted(spans, key=lambda span: span.start)
    for before, span in pairwise([Span(0, 0), *spans]):
        assert before.end <= span.start < span.end
        mark = text[span.start : span.end]
        assert set(mark.split("\n")) <= {line.strip() for line in lines}
        assert PROSE[0] not in mark


def test_yaml_list_of_authors_and_a_rule_that_is_no_yaml() -> None:
    listed = f"---\nauthor:\n  - Jane Doe\n  - 'Li Wei'\n---\n{PROSE[0]}\n"
    assert front_matter.read(listed, markdown=True).author == "Jane Doe, Li Wei"
    ruled = f"---\n{PROSE[0]}\n---\n{PROSE[1]}\n"
    assert PROSE[0] not in boilerplate(ruled, markdown=True)


@pytest.mark.parametrize(
    ("block", "author"),
    [
        ("author:\n  name: Jane Doe\n  email: jane@example.org", "Jane Doe"),
        ("authors:\n  - name: Jane Doe\n    role: editor\n  - Li Wei", "Jane Doe, Li Wei"),
        ("authors: [\n  Jane Doe,\n  'Li Wei']", "Jane Doe, Li Wei"),
        ("byline: >\n  Jane\n  Doe", "Jane Doe"),
        ("editor: &a [Jane Doe]\nauthor: [*a, Li Wei]", "Jane Doe, Li Wei"),
        ("author: Jane Doe\nnote: a: b: c", "Jane Doe"),  # no YAML: read line by line
        ("author: " + "[" * 5_000, ""),
        ("author: Jane Doe\nnote: " + "x" * 30_000, "Jane Doe"),
    ],
)
def test_nested_front_matter_names_its_authors(block: str, author: str) -> None:
    front = front_matter.read(f"---\ntitle: No\n{block}\n---\n{PROSE[0]}\n", markdown=True)
    assert front.title == "No"
    assert front.author == author or (not author and "[" in front.author)


@pytest.mark.parametrize(
    ("block", "labels"),
    [
        (
            "tags: [cables, '#sea', {name: ships}, cables]\naliases:\n  - Big, Long & Co\n"
            "description: >\n  Two\n  lines.",
            (("cables", "sea", "ships"), ("Big, Long & Co",), "Two lines."),
        ),
        (
            "keywords: cables, sea\nalias: Other\nabstract: Of ships.",
            (("cables", "sea"), ("Other",), "Of ships."),
        ),
        ("tags:\naliases: null\ndescription: ~", ((), (), "")),
        ("note: a: b: c\ntags:\n  - cables\nsummary: 'Of ships'", (("cables",), (), "Of ships")),
        ("tags: [" + "x, " * 40 + "y]\ndescription: " + "z" * 5_000, (("x", "y"), (), "z" * 2_000)),
    ],
)
def test_front_matter_files_an_article(
    block: str, labels: tuple[tuple[str, ...], tuple[str, ...], str]
) -> None:
    front = front_matter.read(f"---\ntitle: No\n{block}\n---\n{PROSE[0]}\n", markdown=True)
    assert front.title == "No"
    assert (front.tags, front.aliases, front.description) == labels
    assert front_matter.read(f"---\n{block}\n---\n{PROSE[0]}\n").tags == ()


def test_wiki_headings() -> None:
    one = f" = Cut off = \n {PROSE[0]}\n = = Repair = = \n {PROSE[1]}\n The sum a = b = c holds.\n"
    assert front_matter.read(one).title == "Cut off"
    assert boilerplate(one) == ["= Cut off =", "= = Repair = ="]
    assert front_matter.read(one + one).title == ""


# ---------------------------------------------------------------- real files, where they are


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")
def test_the_shared_articles() -> None:
    first, second = (
        front_matter.read(path.read_text("utf-8")) for path in sorted(SHARED.glob("seeds/*.txt"))
    )
    assert first.title == "Can Internet Governance Ensure Multilateralism?"
    assert (first.author, first.date, len(first.boilerplate)) == ("ZHU Rongsheng", "", 3)
    assert second.title.startswith("China plays greater role in global cyberspace governance")
    assert (second.source, second.date) == ("Global Times", "2024-09-04")
    assert len(second.boilerplate) == 5


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data beside the checkout")
@pytest.mark.parametrize(("name", "titled"), [("squad", 0), ("xquad/zh", 0), ("clapnq", 174)])
def test_no_paragraph_of_the_development_data_is_lost(name: str, titled: int) -> None:
    found = 0
    for path in sorted(SHARED.glob(f"data/{name}/docs/*.txt")):
        text = path.read_text("utf-8-sig")
        front = front_matter.read(text)
        found += bool(front.title)
        assert boilerplate(text) == ([text.split("\n")[0]] if front.title else []), path.name
    assert found == titled


@pytest.mark.parametrize(
    ("text", "title", "source", "date"),
    [
        ("港口的新灯塔\n来源：海湾日报\n日期：2024年3月5日\n\n新灯塔在港口北侧建成。\n",
         "港口的新灯塔", "海湾日报", "2024-03-05"),
        ("جسر جديد في المدينة\nالمصدر: جريدة الخليج\nالتاريخ: 2024-04-07\n\nافتتح الجسر.\n",
         "جسر جديد في المدينة", "جريدة الخليج", "2024-04-07"),
        ("Die neue Fähre\nQuelle: Nordsee-Bote\nDatum: 12. März 2024\n\nSie fährt.\n",
         "Die neue Fähre", "Nordsee-Bote", "2024-03-12"),
        ("Un pont sur la Lune\nPublié le 1er août 2022\n\nLe pont est ouvert depuis lundi.\n",
         "Un pont sur la Lune", "", "2022-08-01"),
        ("Un puerto nuevo\nFuente: El Faro\nFecha: 5 de marzo de 2024\n\nEl puerto abre hoy.\n",
         "Un puerto nuevo", "El Faro", "2024-03-05"),
    ],
)  # fmt: skip
def test_titles_outlets_and_dates_are_known_in_other_languages(
    text: str, title: str, source: str, date: str
) -> None:
    front = front_matter.read(text)
    assert (front.title, front.source, front.date) == (title, source, date)


def test_a_date_in_another_language_is_read() -> None:
    assert parse_date("12. März 2024") == "2024-03-12"
