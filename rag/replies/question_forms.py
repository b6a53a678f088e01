"""Questions made from sentences in other languages than English: forms, by language.

Few forms, each of a kind of sentence that is put the same way again and again ("Die Brücke wurde
1921 gebaut"); whether such a question leads back to its sentence is tried before it is offered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from index.languages.word_lists import UNSPACED, any_word, word_list

LONGEST, LONGEST_UNSPACED = 13, 40
"""Words of a question, and characters where words are not parted, at most."""
_ARTICLES = frozenset({"die", "das", "la", "le", "les", "los", "las", "el"})
_YEAR = r"\b(?:1[5-9]|20)\d\d\b"
_CAPITALS = "[A-ZÄÖÜÀ-ÖØ-Ý][\\w’'.-]+"
_PERSON = rf"{_CAPITALS}(?: (?:von|van|de|da|del|la|{_CAPITALS})){{1,3}}"
_SIGNS = "[^，。、；：,;:（(“”「」]"


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """A kind of sentence and the question that it answers."""

    sentence: re.Pattern[str]
    question: str
    """With the places of what the sentence says; `what` begins small in the middle of it."""


def _form(sentence: str, question: str) -> QuestionForm:
    return QuestionForm(re.compile(sentence), question)


QUESTION_FORMS: Mapping[str, tuple[QuestionForm, ...]] = MappingProxyType(
    {
        "de": (
            _form(
                rf"{_PERSON} (?P<did>\w+te|schrieb|gewann|fand|hielt|gab|nahm|schlug vor) "
                r"(?P<rest>[^,;]+).*",
                "Wer {did} {rest}?",
            ),
            _form(
                r"(?:Mehr als|Weniger als|Über|Rund|Etwa|Fast|Knapp)? ?\d[\d.,]*"
                r"(?: (?:Millionen|Milliarden))? (?P<what>[A-ZÄÖÜ]\w+n?) "
                r"(?P<did>waren|sind|haben|hatten|wurden|nahmen|kamen|lebten|leben) "
                r"(?P<rest>[^,;]+).*",
                "Wie viele {what} {did} {rest}?",
            ),
            _form(
                r"(?P<what>(?:Der|Die|Das) [^,;]{3,60}?) (?P<was>wurde|wurden) "
                rf"[^,;]*?{_YEAR}[^,;]*? (?P<done>\w*(?:t|en))",
                "Wann {was} {what} {done}?",
            ),
            _form(
                r"(?P<what>(?:Der|Die|Das) [^,;]{3,50}?) (?P<be>ist|sind|war|waren) "
                r"(?:ein|eine|einer|eines|der|die|das) .+",
                "Was {be} {what}?",
            ),
        ),
        "fr": (
            _form(
                rf"{_PERSON} (?P<did>(?:a|avait) \w+(?:é|i|u|it|is)|fut|présida|dirigea|fonda) "
                r"(?P<rest>[^,;]+).*",
                "Qui {did} {rest} ?",
            ),
            _form(
                r"(?:Plus de|Moins de|Environ|Près de|Quelque)? ?\d[\d\s.,]*(?:millions? de )? ?"
                r"(?P<what>[a-zà-ÿ]+s) (?P<did>ont|étaient|sont|avaient|furent) (?P<rest>[^,;]+).*",
                "Combien de {what} {did} {rest} ?",
            ),
            _form(
                r"(?P<what>(?:Les? |La |L’|L')[^,;]{3,60}?) (?P<was>a été|ont été|fut|furent) "
                rf"(?P<done>\w+(?:ée?s?|ie?s?|ue?s?|te?s?)) [^,;]*?{_YEAR}.*",
                "Quand est-ce que {what} {was} {done} ?",
            ),
            _form(
                r"(?P<what>(?:Les? |La |L’|L')[^,;]{3,50}?) (?:est|sont) "
                r"(?:un|une|le|la|l’|des) .+",
                "Qu’est-ce que {what} ?",
            ),
        ),
        "es": (
            _form(
                rf"{_PERSON} (?P<did>\w+ó|fue|dijo|hizo|propuso|obtuvo) (?P<rest>[^,;]+).*",
                "¿Quién {did} {rest}?",
            ),
            _form(
                r"(?:Más de|Menos de|Unos|Cerca de|Casi)? ?\d[\d.,]* (?P<what>[a-záéíóúñ]+os) "
                r"(?P<did>fueron|eran|son|han|habían|participaron|llegaron) (?P<rest>[^,;]+).*",
                "¿Cuántos {what} {did} {rest}?",
            ),
            _form(
                r"(?:Más de|Menos de|Unas|Cerca de|Casi)? ?\d[\d.,]* (?P<what>[a-záéíóúñ]+as) "
                r"(?P<did>fueron|eran|son|han|habían|participaron|llegaron) (?P<rest>[^,;]+).*",
                "¿Cuántas {what} {did} {rest}?",
            ),
            _form(
                r"(?P<what>(?:El|La|Los|Las) [^,;]{3,60}?) (?P<was>fue|fueron) "
                rf"(?P<done>\w+(?:[dst][ao]s?)) [^,;]*?{_YEAR}.*",
                "¿Cuándo {was} {done} {what}?",
            ),
            _form(
                r"(?P<what>(?:El|La) [^,;]{3,50}?) es (?:un|una|el|la) .+",
                "¿Qué es {what}?",
            ),
        ),
        "zh": (
            _form(
                rf"(?P<what>{_SIGNS}{{2,20}}?)[于於在](?:1[5-9]|20)\d\d年[\d月日]*(?:正式|首次)?"
                rf"(?P<done>{_SIGNS}{{2,8}})",
                "{what}是什么时候{done}的？",
            ),
            _form(
                rf"(?P<what>{_SIGNS}{{2,16}}?)是(?:一|由|中国|世界|全球).{{4,}}", "{what}是什么？"
            ),
        ),
        "ja": (
            _form(
                rf"(?P<what>{_SIGNS}{{2,24}}?)は、?(?:1[5-9]|20)\d\d年[\d月日]*に"
                rf"(?P<done>{_SIGNS}{{2,12}}?)された",
                "{what}はいつ{done}されましたか？",
            ),
            _form(
                rf"(?P<what>{_SIGNS}{{2,20}}?)は、?.{{4,}}(?:である|です|だ)",
                "{what}とは何ですか？",
            ),
        ),
        "ar": (
            _form(
                r"(?P<did>تأسس|تأسست|افتتح|افتتحت|بني|بنيت|صدر|صدرت|اعتمد|اعتمدت|أنشئ|أنشئت|انعقد|"
                rf"انعقدت) (?P<what>[^،,؛]{{3,50}}?) (?:في |عام |سنة )[^،,؛]*?{_YEAR}.*",
                "متى {did} {what}؟",
            ),
            _form(r"(?P<what>ال[^،,؛]{3,40}?) (?P<be>هو|هي) .+", "ما {be} {what}؟"),
        ),
    }
)  # fmt: skip


def question_in(code: str, sentence: str) -> tuple[int, str] | None:
    """The question that a sentence in a language answers and the rank of its form; else None."""
    flat = " ".join(sentence.split()).rstrip('.。!?！？؟"” ')
    for rank, form in enumerate(QUESTION_FORMS.get(code, ())):
        if found := form.sentence.fullmatch(flat):
            said = {name: value.strip() for name, value in found.groupdict().items()}
            if "what" in said:
                said["what"] = _inside(said["what"])
            question = form.question.format(**said)
            return (rank, question) if _stands_alone(question, code) else None
    return None


def _stands_alone(question: str, code: str) -> bool:
    """Whether a question is of a fair length and leans on nothing said elsewhere."""
    if code in UNSPACED:
        fair = len(question) <= LONGEST_UNSPACED
    else:
        fair = len(question.split()) <= LONGEST
    return fair and not _pronouns(code).search(question)


@cache
def _pronouns(code: str) -> re.Pattern[str]:
    # "die" and "das" are articles more often than they point at something
    words = (word for word in word_list(code, "pronouns") if word not in _ARTICLES)
    return re.compile(any_word(words, code), re.IGNORECASE)


def _inside(name: str) -> str:
    """What begins a sentence as it stands inside one: with a small article."""
    first, blank, rest = name.partition(" ")
    article = first in ("Der", "Die", "Das", "Le", "La", "Les", "El", "Los", "Las")
    if article and blank:
        return f"{first.lower()} {rest}"
    return f"l{name[1:]}" if name[:2] in ("L’", "L'") else name
