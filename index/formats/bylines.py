"""One line above an article: the date, byline, outlet or photo credit it states.

Pure; lines only. Where they are looked for, and what becomes of them, is in `front_matter.py`.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cache

from index.formats.dates import LINE_LIMIT, MONTH_NAME, find_dates, parse_date, without_dates
from index.languages.word_lists import UNSPACED, union
from index.tokenization import CONTROLS, strip_invisible

TITLE_LIMIT = 300
"""Characters kept of a title or of any other stated value."""

# These part words; what else is invisible does not.
_CONTROL = re.compile(rf"[{CONTROLS}\s]+")
# Some exports wrote a question mark for every non-breaking space: `By?ZHU Rongsheng`.
_LOST_SPACE = re.compile(r"(?<=[^\W\d_])\?+(?=[^\W\d_])")
_LOST_IN_LINE = re.compile(r"(?<=[^\s?])\?(?=[^\W_]|\()|(?<=\))\?$")
_EMPHASIS = re.compile(r"\*\*|__|^[*_>\s]+|[*_\s]+$")


def clean(value: str, most: int = TITLE_LIMIT) -> str:
    """A metadata value as one line: entities read, control characters gone, lost spaces back.

    Args:
        value: as it was stated.
        most: characters that are kept of it.
    """
    value = strip_invisible(_CONTROL.sub(" ", html.unescape(value)))
    return " ".join(_LOST_SPACE.sub(" ", value).split())[:most].strip()


def normalize(line: str) -> str:
    """A line as it is matched: lost spaces and single blanks back, emphasis marks gone."""
    line = line.strip()
    if "?" in line:
        line = _LOST_IN_LINE.sub(" ", line)
    if any(mark in line for mark in "*_>"):
        line = _EMPHASIS.sub("", line)
    return " ".join(line.split())


_SENTENCE_ENDS = (".", "!", "…", "\N{IDEOGRAPHIC FULL STOP}", "\N{FULLWIDTH EXCLAMATION MARK}")


def ends_sentence(line: str) -> bool:
    """Whether a line closes like a sentence. A question mark does not count: headlines ask."""
    return line.rstrip("\"'”’»)]】」』 ").endswith(_SENTENCE_ENDS)


# ---------------------------------------------------------------- dates

_STAMP = (
    r"(?:\b(?:(?:first|last|originally)\s+)?(?:published|posted|updated|modified|created|issued|"
    r"released|filed|dated?|publication date|date of publication|release date|datum"
    r"|veröffentlicht|erschienen|publié|fecha|publicado|data|pubblicato|gepubliceerd|дата"
    r"|опубликовано|التاريخ|تاريخ|نشر)\b"
    r"(?:\s+(?:on|at|date|am|le|el|il|op|النشر)\b)?|(?:发布|發布)?(?:日期|时间|時間)|发布于|發布於|日付|公開日|날짜)"
)
_AROUND_DATE = re.compile(
    rf"{_STAMP}|\bT(?=\d)|\d{{1,2}}[:.]\d\d(?:[:.]\d\d)?(?:\.\d+)?Z?|\b\d{{1,2}}(?=\s?[ap]\.?m\b)|"
    r"\b[ap]\.?m\b\.?|\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b|"
    r"\b(?:UTC|GMT|[A-Z]?[ECMPB]?[SDE]T)\b(?:[+-]\d{1,2}(?::?\d\d)?)?|[+-]\d\d:?\d\d\b|"
    r"\b(?:at|on)\b|\b[a-z]+ time\b",
    re.IGNORECASE,
)
_BARE_YEAR = re.compile(rf"{_STAMP}\s*:\s*((?:1[5-9]|20)\d\d)", re.IGNORECASE)
_AGO = re.compile(
    rf"(?:{_STAMP}\s*:?\s*)?(?:\d+|an?) (?:minute|hour|day|week)s? ago", re.IGNORECASE
)


_SHORT = 60
"""Characters of a line that says when something was published, and nothing else."""
_CLOCK = (
    r"\d{1,2}\s?h(?:\s?\d\d)?\b|\d{1,2}\s?[時时点]\s?(?:\d{1,2}分)?|\d{1,2}시(?:\s?\d{1,2}분)?"
    r"|[（(][一二三四五六日月火水木金土월화수목금토일][）)]"
)


def _is_around(text: str) -> bool:
    """Whether a text says nothing but what stands around a date: weekdays, "published", a time."""
    text = _AROUND_DATE.sub(" ", text)
    return not _has_word(text) or not _has_word(_around_in_other_languages().sub(" ", text))


def _has_word(text: str) -> bool:
    return any(char.isalnum() for char in text)


@cache
def _around_in_other_languages() -> re.Pattern[str]:
    """Weekdays, "published" and the clock; an abbreviated weekday only before a comma or stop."""
    names = ("weekdays", "published", "around_dates")
    spaced, unspaced = (
        "|".join(re.escape(word) for name in names for word in union(name, codes))
        for codes in ((), UNSPACED)
    )
    short = "|".join(union("weekdays_short"))
    return re.compile(
        rf"(?<![^\W_])(?:{spaced})(?![^\W\d_])|(?<![^\W_])(?:{short})(?=[.,])|{unspaced}|{_CLOCK}",
        re.IGNORECASE,
    )


def _is_ago(line: str) -> bool:
    return len(line) <= _SHORT and _ago_in_other_languages().fullmatch(line) is not None


@cache
def _ago_in_other_languages() -> re.Pattern[str]:
    """`vor 3 Stunden`, `il y a 2 jours`, `3小时前`: a time that nobody can tell later."""
    before, after, units, stamps = (
        "|".join(map(re.escape, union(name)))
        for name in ("ago_before", "ago_after", "units", "published")
    )
    return re.compile(
        rf"(?:(?:{stamps})\s*:?\s*)?(?:(?:{before})\s+\d+\s?(?:{units})"
        rf"|(?:(?:{before})\s+)?\d+\s?(?:{units})\s?(?:{after}))",
        re.IGNORECASE,
    )


def date_line(line: str, day_first: bool = False) -> dict[str, str] | None:
    """`Published: Sep 04, 2024 09:03 PM`, `4 May 2023`: dates and nothing else.

    Of several, the first that is not an update.
    """
    found = [date for date in find_dates(line, day_first=day_first) if date.iso]
    if not found:
        bare = _BARE_YEAR.fullmatch(line)
        return {"date": bare[1]} if bare else None
    if not _is_around(without_dates(line)):
        return None
    end = 0
    for date in found:
        label = line[end : date.start].lower()
        if not any(word in label for word in union("updated")):
            return {"date": date.iso}
        end = date.end
    return {"date": found[0].iso}


_DIVIDERS = (",", "|", "·", "•", "–", "—", "-")


def _trailing_date(line: str, day_first: bool) -> tuple[str, str] | None:
    """What stands before a date that ends the line, and the date; a divider must part them."""
    for date in find_dates(line, day_first=day_first):
        if date.iso and _is_around(line[date.end :]):
            before = re.sub(rf"{_STAMP}\s*:?\s*$", "", line[: date.start], flags=re.IGNORECASE)
            if before.rstrip().endswith(_DIVIDERS):
                return before.rstrip(" ,|·•–—-"), date.iso
    return None


# ---------------------------------------------------------------- people and outlets

_LABELLED = {
    name: re.compile(rf"(?:{labels})\s*[:\uff1a]\s*(\S.*)", re.IGNORECASE)
    for name, labels in {
        "title": "title|headline|titel|überschrift|titre|título|titolo|заголовок|标题|標題|タイトル"
        "|العنوان|عنوان|제목",
        "author": "authors?|writer|by|byline|written by|autor(?:in)?|auteur|autora|autore|автор"
        "|作者|记者|記者|著者|الكاتب|المؤلف|بقلم|저자",
        "source": "source|outlet|publisher|publication|newspaper|website|site|quelle|fuente|fonte"
        "|bron|źródło|источник|来源|來源|出典|المصدر|مصدر|출처",
        "": "editors?|edited by|section|tags|keywords|category|topics|url|link|language",
    }.items()
}
_BYLINE = re.compile(
    r"(?:By|BY|by|(?:Written|Story|Words|Text|Reporting|Reported|Posted) by) (\S.*)"
)
_DIVIDER = re.compile(r"\s+[|·•–—/-]\s+|\s*[|·•]\s*")
_OUTLET = re.compile(
    r"\b(?:Times|News|Post|Guardian|Daily|Press|Journal|Herald|Tribune|Telegraph|Gazette|Today|"
    r"Chronicle|Observer|Review|Magazine|Weekly|Reuters|Xinhua|AFP|AP|BBC|CNN|Bloomberg|Standard|"
    r"Independent|Mail|Media|Agency|Wire)\b|\.(?:com|org|net|cn|uk|io|tv)\b"
)
_ROLE = re.compile(
    r"\b(?:writer|reporter|correspondent|editor|columnist|contributor|analyst|staff)s?\b",
    re.IGNORECASE,
)
_DESK = re.compile(
    r"(?:the |our )?(\S.{0,60} (?:editors?|editorial board|staff|team|desk|newsroom))",
    re.IGNORECASE,
)
_PARTICLE = re.compile(
    r"and|&|with|von|van|de[rnlsi]?|da|do|du|dos|della?|la|le|el|al|bin|ibn|ben|ter|y|e|et|und",
    re.IGNORECASE,
)


def are_names(value: str) -> bool:
    """Whether every word could be part of a person's or a desk's name."""
    words = value.replace(",", " ").split()
    if not 1 <= len(words) <= 14 or len(value) > 120 or any(char in value for char in ':;!()"“”'):
        return False
    proper = [word for word in words if not _PARTICLE.fullmatch(word)]
    return bool(proper) and all(word[0].isalpha() and not word[0].islower() for word in proper)


def _labelled(line: str, day_first: bool) -> dict[str, str] | None:
    """`Source: Xinhua | 2023-10-12`, `Author: Jane Doe`, `Editor: …`."""
    for name, pattern in _LABELLED.items():
        match = pattern.fullmatch(line)
        if match is None:
            continue
        first, *others = [match[1]] if name == "title" else _DIVIDER.split(match[1])
        if name == "author" and not are_names(first):
            return None
        if name == "title" and ends_sentence(first):
            return None
        stated = {name: first.rstrip(" .;")} if name else {}
        when = next((iso for part in others if (iso := parse_date(part, day_first=day_first))), "")
        return stated | ({"date": when} if when else {})
    return None


def _byline(line: str, day_first: bool) -> dict[str, str] | None:
    """`By Jane Doe`, `By JANE DOE and Li Wei, Reuters | 4 May 2023`."""
    match = _BYLINE.fullmatch(line)
    if match is None or (ends_sentence(line) and not line.endswith((" Jr.", " Sr."))):
        return None
    stated: dict[str, str] = {}
    names, *others = _DIVIDER.split(match[1])
    if (desk := _DESK.fullmatch(names)) is not None:
        return {"author": desk[1]}
    if (parted := _trailing_date(names, day_first)) is not None:
        names, stated["date"] = parted
    if (apart := re.fullmatch(r"(.+?),? (?:for|of) (?:the )?([A-Z].+)", names)) is not None:
        names, stated["source"] = apart[1], apart[2]
    people: list[str] = []
    for part in re.sub(r" in [A-Z][\w .,'-]+$", "", names).split(","):
        if people and _OUTLET.search(part):
            stated.setdefault("source", part.strip())
        elif not (people and _ROLE.search(part)):
            people.append(part.strip())
    author = ", ".join(people)
    for part in others:
        if iso := parse_date(part, day_first=day_first):
            stated.setdefault("date", iso)
        elif _OUTLET.search(part):
            stated.setdefault("source", part)
    return {"author": author} | stated if are_names(author) else None


def _outlet_line(line: str, day_first: bool) -> dict[str, str] | None:
    """`The Verge, 2023-10-07`: an outlet, a comma or bar, a date."""
    parted = _trailing_date(line, day_first)
    if parted is None:
        return None
    outlet, iso = parted
    if not outlet or outlet[0].islower() or len(outlet.split()) > 12:
        return None
    if outlet.endswith(".") or re.search(r"[.!?;] ", outlet):
        return None
    # `Kyoto, October 12, 2023` has the same form, so a comma needs an outlet's word or an ISO date.
    certain = re.search(r"\d{4}-\d\d-\d\d|[|·•–—]", line) or _OUTLET.search(outlet)
    return {"source": outlet, "date": iso} if certain else {"date": iso}


_BUTTON = re.compile(
    r"\d+[ -]min(?:ute)?s?(?: read)?|share(?: this(?: article| story| page)?)?|listen|print|save|"
    r"advertisement|listen to this article|add to bookmarks",
    re.IGNORECASE,
)


def parse_metadata_line(line: str, *, day_first: bool = False) -> dict[str, str] | None:
    """What a metadata line states of title, source, author and date.

    `{}` for furniture without a value for us (`Editor: …`, a caption); None for every other line.

    Args:
        line: one line, normalized.
        day_first: what `04/09/2024` means, see `dates.find_dates`.
    """
    if not line or len(line) > LINE_LIMIT:
        return None
    if credit(line) is not None:
        return {}
    if len(line) > 200:
        return None
    if _BUTTON.fullmatch(line) or _AGO.fullmatch(line) or _is_ago(line):
        return {}
    for reader in (_labelled, date_line, _byline, _outlet_line):
        found = reader(line, day_first)
        if found is not None:
            return found
    return None


_PLACE = r"(?P<place>(?:[^\W\d_]|[ .'’/-]){2,40}(?:, (?:[^\W\d_]|[ .]){2,30}?){0,2})"
_DAY = rf"(?:{MONTH_NAME} \d{{1,2}}|\d{{1,2}} {MONTH_NAME})(?:,? \d{{4}})?\b"
_DATELINE = re.compile(
    rf"{_PLACE}(?:,? (?P<day>(?i:{_DAY})))?(?: ?[(/](?P<agency>[^\W\d_][\w .-]{{1,30}})[)/])?"
    r"(?: (?:--?|–|—|_) |(?:--|–|—) ?)(?=\S)"
)
_TITLE_CASE = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Dateline:
    """Where and when a report was written, which its first paragraph begins with."""

    length: int
    """Characters up to its prose."""
    place: str
    source: str = ""
    date: str = ""
    """Empty where the year is not said."""
    has_day: bool = False


def dateline(paragraph: str, text: str = "") -> Dateline | None:
    """The dateline of `KYOTO, Oct 12, 2023 (Reuters) - …`; None where it may be anything else.

    Args:
        paragraph: what may begin with one.
        text: the whole article. Where neither a day nor an agency is named, it has to know the
            place in ordinary letters too: `PARIS — The` is one where Paris is spoken of, `NASA —
            The` is none.
    """
    match = _DATELINE.match(paragraph[:160])
    if match is None:
        return None
    city, *country = match["place"].strip().split(", ")
    if not city.isupper() or not all(_is_name(part) for part in country):
        return None
    day, agency = match["day"] or "", match["agency"] or ""
    city = _TITLE_CASE.sub(lambda word: word[0].capitalize(), city)
    if not (day or agency) and (
        " - " in match[0] or city not in text or paragraph[match.end()].islower()
    ):
        return None
    place = ", ".join((city, *country))
    return Dateline(match.end(), place, agency, parse_date(day), bool(day))


def _is_name(part: str) -> bool:
    """Whether a country or state is called so: `Trinidad and Tobago`, not `the agency`."""
    first, *_, last = (part, *part.split())
    return first[:1].isupper() and last[:1].isupper()


# ---------------------------------------------------------------- photo credits

_IMAGE = (
    r"(?:[Ff]ile )?(?:[Pp]hoto(?:graph)?|[Ii]mage|[Pp]icture|[Ii]llustration|[Gg]raphic|"
    r"PHOTO|IMAGE)s?"
)
CREDIT = re.compile(
    rf"\((?:{_IMAGE}|[Cc]redit|CREDIT)(?: (?:credit|by|courtesy of))?\s*[:/]\s*(?P<a>[^()]{{1,80}})"
    rf"\)[.?\s]*$|(?:^|[.!?\"”)]\s+){_IMAGE}(?: [Cc]redit| by)?\s*:\s*"
    r"(?P<b>[^.:!?\s][^.:!?]{0,60})$"
)
"""`(PHOTO: VCG)` or `Photo: Liu Caiyu/GT` at the end of a line."""


def credit(line: str) -> str | None:
    """Whom a photo caption credits; None when the line is no caption: it must end in the credit."""
    match = CREDIT.search(line)
    if match is None:
        return None
    name = (match["a"] or match["b"]).strip(" ?")
    return name if len(name.split()) <= 10 and not name[:1].islower() else None
