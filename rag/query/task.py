"""What kind of answer a question wants: its task, its form, and the topic that is left.

Forms of words only, no model: a question is matched against what people type when they want a
summary, a comparison, a timeline. What matches nothing is a question for facts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from index.tokenization import STOP_WORDS, words
from rag.query.answer_type import answer_type, asks_for_list
from rag.query.text_features import names
from rag.query.word_lists import REFERRING_WORDS, any_of

Task = Literal[
    "fact", "explain", "compare", "summarise", "overview", "list", "timeline", "yes_no", "quote",
    "keyword", "order", "more", "rephrase", "which_first", "small_talk", "library",
]  # fmt: skip
Form = Literal["prose", "bullets", "table"]

TOPIC_TASKS = frozenset({"summarise", "overview", "timeline", "list", "quote", "order"})
"""Tasks that say what to do with a topic; the topic alone is searched for."""

ASKED_BACK: frozenset[Task] = frozenset({"fact", "explain", "yes_no", "order", "keyword"})
"""Tasks that need one reading; the others gather whatever there is."""

ABOUT_LAST_ANSWER: frozenset[Task] = frozenset({"more", "rephrase", "which_first"})
"""Tasks that are done with the answer before."""

_NUMBERS = {"one": 1, "a": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
            "eight": 8, "nine": 9, "ten": 10}  # fmt: skip
_COUNT = r"(?P<count>\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"
_MINE = r"(?:my|the|these|your|our|those)"
_DOCUMENTS = r"(?:documents?|articles?|files?|sources?|texts?|papers?|notes?|library|collection)"


@dataclass(frozen=True, slots=True)
class Request:
    """What a question asks to be done."""

    task: Task
    topic: str
    """What it is about: the question without the words that say what to do with it."""
    question: str = ""
    """As typed."""
    form: Form = "prose"
    """How the answer is laid out."""
    count: int | None = None
    """How many sentences or bullets are asked for."""
    subjects: tuple[str, ...] = ()
    """The things to be compared."""
    parts: tuple[str, ...] = ()
    """The questions that it asks, where it asks several things."""
    follow_up: bool = False
    """Whether there are turns before it."""

    @property
    def wants_paragraph(self) -> bool:
        """Whether it is open: an explanation, a bare topic, or a question in a talk."""
        open_ = self.task in ("explain", "keyword")
        return open_ or (self.follow_up and self.task in ("fact", "yes_no"))

    @property
    def asks_value(self) -> bool:
        """Whether a number, a time, a person or a place is asked for."""
        return answer_type(self.question) in ("number", "when", "who", "where")

    @property
    def beyond_quotes(self) -> str:
        """What it asks for that no quote can give, as a noun; empty when quotes are enough."""
        if self.task != "rephrase" or self.form != "prose" or self.count:
            return ""
        return "a translation" if _TRANSLATE.search(self.question) else "simpler words"

    @property
    def wants_one_thing(self) -> bool:
        """Whether a few words can be the whole answer."""
        return self.task in ("fact", "explain") and len(self.parts) < 2

    @property
    def wants_value(self) -> bool:
        """Whether it asks for a name, a date, a place or a number: a few words answer it."""
        return self.task == "fact" and _VALUE.search(self.question) is not None


_ABOUT = r"(?:about|on|of|for|regarding|concerning|covering|to)"
_SUMMARY = re.compile(
    r"\b(?:summari[sz]e|sum(?:ming)? up|summary|summari[sz]ation|tl;?dr|gist|recap|abstract|digest"
    r"|main (?:points?|ideas?|arguments?|message)|key (?:points?|takeaways?|messages?|findings)"
    r"|takeaways?|in a nutshell|boil\w* down)\b",
    re.IGNORECASE,
)
_WHAT_ABOUT = re.compile(
    r"^\s*what(?:['’]s| is| are)\s+(?P<topic>.{3,120}?)\s+(?:all |mainly |really )?about\s*\??\s*$",
    re.IGNORECASE,
)
_SUMMARY_FRAME = re.compile(
    r"\b(?:please|pls|plz|can you|could you|would you|give me|write(?: me)?|provide|i (?:want|need)"
    r"|a|an|the|me|short|brief|quick|concise|in)\b|\b(?:\d+|one|two|three|four"
    r"|five)(?:\s*[-–]\s*\d+)?"
    r"\s+(?:short )?(?:sentences?|lines?|bullets?|bullet points|points|paragraphs?|words)\b",
    re.IGNORECASE,
)
_OVERVIEW = re.compile(
    rf"\bwhat (?:do|does|did|have|has|can) (?:{_MINE} {_DOCUMENTS}|we|you|i|{_DOCUMENTS})"
    r" (?:say|tell me|tell us|know|got|have|report|write|contain|hold|mention)\b"
    rf"|\bwhat (?:{_MINE} )?{_DOCUMENTS} (?:say|know|report|write|tell)"
    r"|\b(?:an )?overview\b|\beverything (?:on|about|we|you|i)\b|\ball (?:about|you know)\b"
    r"|\bwhat (?:is|are) (?:said|known|written|reported|covered)\b"
    rf"|\bwhat have (?:i|we) got on\b|\bcovered in {_MINE} {_DOCUMENTS}\b"
    rf"|\bacross (?:all )?{_MINE} {_DOCUMENTS}\b|\bbackground (?:on|about|paper on)\b",
    re.IGNORECASE,
)
_TIMELINE = re.compile(
    r"\btime ?lines?\b|\bchronolog\w*|\bin (?:the right )?(?:order|sequence)\b"
    r"|\bwith (?:the )?dates\b"
    r"|\bdates?,? please\b|\bwhat happened when\b|\bwhen did which\b|\bsequence of events\b"
    r"|\bhow did .{3,80} (?:come about|unfold|develop over)\b|\bhistory of\b|\bstep by step\b"
    r"|\b(?:key|important|main|all(?: the)?) dates\b|\bmilestones\b|\bdeadlines\b"
    r"|\bdates (?:of|for|when)\b",
    re.IGNORECASE,
)
_COMPARISONS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"\bdifferences? between (?P<a>.{2,80}?) and (?P<b>.{2,80}?)\s*[?.!]*$",
        r"\bdistinguish(?:es)? (?P<a>.{2,80}?) from (?P<b>.{2,80}?)\s*[?.!]*$",
        r"\b(?:how|where) (?:do|does|did|are|is) (?P<a>.{2,80}?) (?:and|differ from"
        r"|different from) "
        r"(?P<b>.{2,80}?)(?: differ\w*| compare\w*)?\s*[?.!]*$",
        r"\bcompar\w* (?P<a>.{2,80}?) (?:and|with|to|against|versus"
        r"|vs\.?) (?P<b>.{2,80}?)\s*[?.!]*$",
        r"^\s*(?P<a>.{2,80}?),? (?:vs\.?|versus|compared (?:to|with)|as opposed to|in contrast to)"
        r" (?P<b>.{2,80}?)(?:,? (?:what|which|how)\b.*)?\s*[?.!]*$",
        r"\b(?:which|who|what) (?:one )?(?:is|was|are|were|has|had|came|gets?) (?:the )?"
        r"(?:\w+er|more \w+|less \w+"
        r"|\w+est)\b[^,?:]*[,:]\s*(?P<a>.{2,80}?) or (?P<b>.{2,80}?)\s*[?.!]*$",
    )
)
_COMPARES = re.compile(
    r"\bcompar\w*|\bdifferen(?:t|ces?)\b|\bdiffer\b|\bvs\.?(?=\s)|\bversus\b|\bcontrast\w*"
    r"|\b(?:which|who) (?:is|was|are|has) (?:the )?(?:\w+er|more \w+)\b[^?]*\bor\b",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r",? (?:what(?:['’]s| is) the difference|how do they (?:differ|compare))\b.*$", re.I
)
_EXPLAIN = re.compile(
    r"^\s*(?:so |but |and |ok,? )?(?:why|how come|how (?:do|does|did|can|could|is|are|was|were|will"
    r"|would|should|to)\b|explain|describe|elaborate|in what way|what does .{1,60} (?:mean|do)\b"
    r"|what (?:is|are|was|were)\b|what(?:['’]s)\b|define|tell me (?:about|how|why))"
    r"|\b(?:reasons? (?:for|why|behind)|explain|what happens|meaning of|purpose of)\b",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"\bhow (?:many|much|old|long|far|large|big|high|tall|often)\b|^\s*(?:who|when|where|whose)\b"
    r"|\bwhat (?:year|date|day|percent\w*|share|number|time)\b|\bwhich\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^\s*(?:so,? |and |but |well,? )?(?:did|do|does|is|are|was|were|has|have|had|can|could|will"
    r"|would|should|isn['’]t|aren['’]t|didn['’]t|doesn['’]t|wasn['’]t|weren['’]t|hasn['’]t|must"
    r"|may)\b"
    r"|,\s*(?:right|correct|true|yes|no|isn['’]t (?:it|that so)|is (?:it|that) (?:so|true|right)"
    r"|didn['’]t (?:they|he|she|it))\s*\?*\s*$"
    r"|\bis (?:it|that|this) \w+\s*\?\s*$|\bis it (?:true|right|correct)\b",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r"\b(?:a|the|any|some|one|exact|direct|key) quot(?:e|ation)s?\b|\bquote (?:from|by|of|me"
    r"|what)\b"
    r"|\bexact words\b|\bin (?:his|her|their) own words\b|\bverbatim\b",
    re.IGNORECASE,
)
_HEADLINE = re.compile(r"\b(?:headline|tag ?line|title)\b", re.IGNORECASE)
"""What one sentence of the document stands for, until somebody words it."""
_BULLETS = re.compile(
    r"\bbullet(?:s|ed|[- ]?points?)?\b|\bpros and cons\b|\bas (?:a )?list\b", re.I
)
_TABLE = re.compile(r"\b(?:table|tabular|spreadsheet|columns?)\b", re.IGNORECASE)
_HOW_MANY = re.compile(
    rf"\b(?:in|as|with|into|to|draft|write|only|just|of)\s+(?:exactly |about |at most |a "
    rf"|max(?:imum)? )?"
    rf"{_COUNT}(?:\s*(?:-|–|to|or)\s*(?P<most>\d{{1,2}}))?[- ]?(?:short |key |concise |bullet )?"
    r"(?:sentences?|lines?|bullets?|bullet points?|points?)\b|"
    rf"\b(?P<more>\d{{1,2}}|one|two|three|four|five|six|seven|eight|nine|ten)[- ](?:bullet"
    rf"|sentence|line|point)s?\b",
    re.IGNORECASE,
)
# What to do and for whom; what stands after it is the topic.
_ORDER = re.compile(
    r"^\s*(?:please |pls |can you |could you |would you |i (?:want|need|would like)(?: you to)? "
    r"|now )*"
    r"(?:write|draft|make|create|prepare|compose|produce|give|put|show|list|name|provide|tell|do"
    r"|generate|find|draw(?: up)?|extract|collect|turn)\b(?: me| us)?"
    r"(?: (?:a|an|the|some|up|out|into|all|every|together))*"
    r"(?: (?:short|brief|quick|concise|simple|small|\w+[- ](?:bullet|sentence|line|point|word)s?))*"
    r"(?: (?:briefing|brief|note|memo|table|timeline|list|summary|overview|paragraph|e-?mail|text"
    r"|post|report|sentences?|bullets?|bullet[- ]points?|points?|lines?|quot(?:e|ation)s?|headline"
    r"|title|\d+|one|two|three|four|five|six|seven))*"
    r"(?: for (?:my|the|our|a) \w+)?(?: with (?:the )?sources?)?"
    r"(?: (?:on|about|of|with|by|from|for|covering|to|in|regarding))?\s+",
    re.IGNORECASE,
)
_FORM_WORDS = re.compile(
    rf",?\s*\b(?:in|as|using|with|into) (?:exactly |about |at most |a |an "
    rf"|the )?(?:{_COUNT}(?:\s*[-–]\s*\d+)?"
    r"[- ]?)?(?:short |bullet |simple )?(?:sentences?|bullets?|bullet[- ]points?|points?|lines?"
    r"|table|list|words"
    r"|chronological order|order with dates|order|dates)\b(?: please)?\s*[:,]?\s*",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"^\s*(?:and |ok(?:ay)?,? |please |can you |could you )*(?:tell me (?:a (?:bit|little) )?more"
    r"|(?:say|give me|show me) more"
    r"|more(?: details?| please| about (?:that|it|this))?|go on|continue|keep going|elaborate"
    r"|go into (?:more )?detail"
    r"|what else|anything else|expand(?: on (?:that|this|it))?|details?)(?: please| about (?:that"
    r"|it|this)| on (?:that|it|this))?\s*[.?!]*\s*$",
    re.IGNORECASE,
)
_REPHRASE = re.compile(
    r"\b(?:explain|say|put|rephrase|reword|repeat)\b[^?]{0,30}\b(?:simpl\w*|easier|plain\w*"
    r"|shorter|other words|differently)\b"
    r"|^\s*(?:shorter|simpler|in short|in (?:simple|plain|other) (?:words|terms|english)"
    r"|(?:please )?(?:make|put|show|give me)? ?(?:it|that|this|them|those)?"
    r" ?(?:shorter|simpler|briefer|briefly|(?:as|in|into) (?:a |an )?(?:table|list|bullets?"
    r"|bullet[- ]points?|one sentence|a sentence|a nutshell))|tl;?dr"
    r"|translate\b.*|eli5)\s*(?:please)?[.?!]*\s*$"
    r"|\b(?:in|into) (?:french|german|spanish|italian|chinese|arabic|russian|portuguese|dutch"
    r"|japanese|korean)\s*[.?!]*$"
    r"|\bi don['’]t (?:understand|get it)\b|\bexplain simply\b",
    re.IGNORECASE,
)
_SHORTER = re.compile(r"\b(?:short|shorter|brief\w*|nutshell|tl;?dr|one sentence)\b", re.IGNORECASE)
_TRANSLATE = re.compile(
    r"\btranslate\b|\b(?:in|into) (?:french|german|spanish|italian|chinese|arabic|russian"
    r"|portuguese|dutch|japanese|korean)\b",
    re.IGNORECASE,
)
_WHICH_FIRST = re.compile(
    r"^\W*(?:and |so |but )?(?:which|who|what)(?: one)?(?: of (?:these|those|them|the two|both))?"
    r" (?:was|is|were|came|happened|took place)(?: the)? (?:first|earlier|earliest|before|later"
    r"|last|latest|oldest|newest)\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:(?:hi|hello|hey|hiya|howdy|greetings|yo|good (?:morning|afternoon|evening|day|night)"
    r"|hallo|bonjour|hola|ciao|salut"
    r"|moin|servus|gr[uü](?:ß|ss) gott|guten (?:tag|morgen|abend)|ni hao|nihao|namaste|salaam?)"
    r"(?: there| again| all| everyone| pilcrow| you| folks)?|how are you(?: doing| today)?"
    r"|how(?:['’]s| is) it going|what['’]?s up|how do you do"
    r"|nice to meet you)(?:[\s,!.?]+(?:how are you(?: doing| today)?|how(?:['’]s| is) it going"
    r"|what['’]?s up|pilcrow|there|nice to meet you"
    r"|i(?:['’]m| am) \w+))*\W*$",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"^\W*(?:ok(?:ay)?[\s,!.]+|great[\s,!.]+|wow[\s,!.]+|cool[\s,!.]+)*(?:many thanks"
    r"|thanks?(?: you| a lot| so much| very much| a bunch| again| for (?:that|this|your help"
    r"|the help|everything))*"
    r"|thank you(?: (?:so|very) much| a lot)?|thx|ty|cheers|merci|danke(?: sch[oö]n)?|gracias"
    r"|grazie|much appreciated)"
    r"(?:[\s,!.]+(?:that|this|it|you|pilcrow|very|really|so|was|is|were|are|helped|helpful|great"
    r"|perfect|nice|good|useful|a lot|me|been|have|all|for now|bye|again|much))*\W*$",
    re.IGNORECASE,
)
_GOODBYE = re.compile(
    r"^\W*(?:ok(?:ay)?[\s,!.]+|thanks?[\s,!.]+|well[\s,!.]+)*(?:good ?bye|bye(?: bye)?|see (?:you"
    r"|ya)(?: later| soon| tomorrow)?|later|cya|farewell"
    r"|ciao|tsch[uü]ss|au revoir|that(?:['’]s| is|['’]ll be| will be) all(?: for (?:now|today))?"
    r"|have a (?:nice|good|great) \w+|good ?night|take care)"
    r"(?:[\s,!.]+(?:for now|then|now|pilcrow|and|thanks?|thank you|have a (?:nice|good|great) \w+"
    r"|see you))*\W*$",
    re.IGNORECASE,
)
_REACTION = re.compile(
    r"^\W*(?:lol|haha+|hehe|wow|cool|nice(?: (?:one|work|job))?|great(?: (?:work|job|answer))?"
    r"|awesome|perfect|excellent|amazing|good (?:job|work|bot|answer|one)"
    r"|well done|ok(?:ay)?|k|sure|fine|alright|got it|i see|understood|makes sense|interesting|hm+"
    r"|ah+|oh+|yes|yep|yeah|no|nope|sorry|oops"
    r"|(?:that(?:['’]s| is| was) |you(?:['’]re| are) (?:a |an |the |so |pretty |very |really "
    r"|quite )*|i (?:love|like) (?:you|this|it))"
    r"(?:pretty |really |very |quite |so |a |an )*(?:smart|clever|great|good|funny|helpful|useful"
    r"|awesome|amazing|cool|nice|stupid|dumb|wrong|useless|bad|best|genius|right|interesting|bot"
    r"|assistant|machine|robot)?)"
    r"(?:[\s,!.]+(?:lol|haha+|you(?:['’]re| are)|that(?:['’]s| is)|it(?:['’]s| is)|pretty|really"
    r"|very|so|quite|smart|clever|great|good|funny|helpful|useful|awesome|amazing|cool|nice"
    r"|thanks?|thank you|well done))*\W*$",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|do|does|did|has|have|had|can|could|will|would|should|may|might"
    r"|must)\b",
    re.IGNORECASE,
)
_ASKING = frozenset("who what when where why which how whom whose".split())
_MOST_KEYWORDS = 5
SmallTalk = Literal["greeting", "thanks", "goodbye", "reaction"]


def small_talk(question: str) -> SmallTalk | None:
    """What a message says that asks nothing; None for every question."""
    plain = " ".join(question.split())
    forms: tuple[tuple[SmallTalk, re.Pattern[str]], ...] = (
        ("greeting", _GREETING),
        ("thanks", _THANKS),
        ("goodbye", _GOODBYE),
        ("reaction", _REACTION),
    )
    return next((kind for kind, form in forms if form.match(plain)), None)


def understand(question: str, *, follow_up: bool = False) -> Request:
    """The task of a question, the form it wants, and its topic.

    Args:
        question: as typed.
        follow_up: whether there are turns before it.
    """
    plain = " ".join(question.split())
    ordered = _ORDER.match(plain) is not None
    form: Form = "prose"
    if _TABLE.search(plain) and ordered:
        form = "table"
    elif _BULLETS.search(plain):
        form = "bullets"
    task, topic = _task_of(plain, follow_up, ordered, form)
    count = _count_of(plain)
    if task == "rephrase":
        form = "table" if _TABLE.search(plain) else form
        count = 1 if _SHORTER.search(plain) and form == "prose" else count
    return Request(
        task,
        topic or plain,
        question=plain,
        form=form,
        count=1 if ordered and _HEADLINE.search(plain) else count,
        subjects=compared(plain) if task == "compare" else (),
        parts=parts(plain) if task in ("fact", "explain", "yes_no") else (),
        follow_up=follow_up,
    )


def _task_of(plain: str, follow_up: bool, ordered: bool, form: Form) -> tuple[Task, str]:
    """The first task whose words a question has, and the topic; the order is part of the rule."""
    topic = _topic_of(plain)
    about = _WHAT_ABOUT.match(plain)
    rules: tuple[tuple[bool, Task, str], ...] = (
        (small_talk(plain) is not None, "small_talk", plain),
        (follow_up and _MORE.match(plain) is not None, "more", plain),
        (follow_up and _WHICH_FIRST.match(plain) is not None, "which_first", plain),
        (follow_up and _rephrases(plain), "rephrase", plain),
        (bool(compared(plain)), "compare", plain),
        (about is not None, "summarise", about["topic"].strip(" \"“”'") if about else ""),
        (_OVERVIEW.search(plain) is not None, "overview", overview_topic(plain)),
        (_SUMMARY.search(plain) is not None, "summarise", summary_topic(plain)),
        (ordered and _HEADLINE.search(plain) is not None, "summarise", summary_topic(topic)),
        (_TIMELINE.search(plain) is not None, "timeline", timeline_topic(plain)),
        (_QUOTE.search(plain) is not None, "quote", topic),
        (asks_for_list(plain), "list", topic if ordered else plain),
        (_YES_NO.search(plain) is not None, "yes_no", plain),
        (_is_keywords(plain), "keyword", plain),
        (ordered or form != "prose" or bool(_count_of(plain)), "order", topic),
        (_VALUE.search(plain) is not None, "fact", plain),
        (_EXPLAIN.search(plain) is not None, "explain", plain),
    )
    return next(((task, topic) for holds, task, topic in rules if holds), ("fact", plain))


def _rephrases(question: str) -> bool:
    """Whether a message only asks for the last answer in another form."""
    asks_more = "?" in question.rstrip(" ?.!")
    return _REPHRASE.search(question) is not None and not asks_more


def compared(question: str) -> tuple[str, ...]:
    """The two things a question wants compared; empty when it wants no comparison."""
    if not _COMPARES.search(question):
        return ()
    bare = _TAIL.sub("", question)
    for form in _COMPARISONS:
        if found := form.search(bare):
            a, b = (_bare(found[g]) for g in "ab")
            if a and b:
                return _completed_pair(a, b)
    return ()


def parts(question: str) -> tuple[str, ...]:
    """The questions that one question asks; itself alone when it asks one thing."""
    plain = " ".join(question.split()).rstrip("?!. ")
    if found := _BOTH.match(plain) or _YEARS.match(plain):
        word = found["word"] if found.re is _BOTH else "in"
        return tuple(f"{found['head']} {word} {found[member]}{found['tail']}" for member in "ab")
    cut = [
        part.strip(" ,;?") for part in _NEXT_QUESTION.split(plain) if part and part.strip(" ,;?")
    ]
    cut = [part for part in cut if not _REPHRASE.search(part)]
    if len(cut) < 2 or any(len(words(part)) < 2 for part in cut):
        return (question,)
    return tuple(cut[:3])


_ASKS = (
    r"(?:in )?(?:how|what|who|when|where|why|which|whose|did|do|does|is|are|was|were|has|have|had"
    r"|can|could|will|would|should)\b"
)
_NEXT_QUESTION = re.compile(
    rf"(?:,|;)?\s+and\s+(?={_ASKS})|\?\s+(?:and\s+)?(?={_ASKS})|;\s+", re.IGNORECASE
)
_BOTH = re.compile(
    r"(?P<head>.{8,}?) (?P<word>in|for|of|by|with|at|on|from|about) (?P<a>[^,;?]{3,60}?),? and"
    r" (?P=word) (?P<b>[^,;?]{3,60})(?P<tail>)$",
    re.IGNORECASE,
)
"""What is asked of two things: "the part of A in B and in C"."""
_YEARS = re.compile(
    r"(?P<head>(?=.*\b(?:chang|gr[eo]w|r[io]se|f[ae]ll|develop|increas|decreas|differ|evolv|shift"
    r"|drop|mov)).{8,}?) (?P<word>from|between|in) (?P<a>(?:19|20)\d\d) (?:to|and|until)"
    r" (?P<b>(?:19|20)\d\d)(?P<tail>[^?]{0,60})$",
    re.IGNORECASE,
)
"""What is said to change from one year to another."""


def only_points(request: Request) -> bool:
    """Whether a question points at something by a pronoun and names nothing."""
    text = request.question
    content = [word for word in words(request.topic) if word not in STOP_WORDS]
    if names(text) or any(c.isdigit() for c in text) or len(content) > _ONLY_POINTS:
        return False
    return _POINTING.search(text) is not None


_POINTING = re.compile(rf"\b(?:{any_of(REFERRING_WORDS)}|him|them)\b", re.IGNORECASE)
_ONLY_POINTS = 2
"""Content words up to which a question with a pronoun names nothing."""


def leans_on_other_part(part: str) -> bool:
    """Whether a part of a question can only be understood with the part before it."""
    content = [word for word in words(part) if word not in STOP_WORDS]
    pointing = re.search(r"\b(?:it|its|they|them|their|he|she|his|her)\b", part, re.IGNORECASE)
    return len(content) <= 2 or pointing is not None


def summary_topic(question: str) -> str:
    """The document a summary is wanted of, in the question's words; empty for "this" or "it"."""
    bare = _SUMMARY.sub(" ", question)
    bare = _SUMMARY_FRAME.sub(" ", bare)
    bare = re.sub(
        r"\b(?:of|about|from|what|is|are|does|article|document|text|file|paper|report|piece|story"
        r"|say|says)\b",
        " ",
        bare,
        flags=re.I,
    )
    bare = re.sub(
        r"\b(?:this|that|it|these|all|my|documents|articles|files)\b", " ", bare, flags=re.I
    )
    return " ".join(bare.strip(" ?!.,:;\"“”'").split()).strip(" ?!.,:;\"“”'-")


def overview_topic(question: str) -> str:
    """The topic of an overview, without the words that ask for one."""
    found = re.search(
        r"\b(?:about|on|regarding|concerning)\s+(?P<topic>[^?]+?)\s*(?:\?|\.|$)", question, re.I
    )
    bare = (
        found["topic"]
        if found
        else re.sub(r"\b(?:overview|of)\b", " ", _OVERVIEW.sub(" ", question), flags=re.I)
    )
    bare = re.sub(
        rf"\b(?:in|from|across) (?:all )?(?:{_MINE} )?{_DOCUMENTS}\b", " ", bare, flags=re.I
    )
    bare = re.sub(
        r"^\W*(?:what|which|give|me|are|is|please|an?|the)\b(?:\s+(?:me|an?|the)\b)*",
        " ",
        bare,
        flags=re.I,
    )
    return " ".join(bare.strip(" ?!.,:;").split()) or question


def timeline_topic(question: str) -> str:
    """The topic of a timeline."""
    bare = _TIMELINE.sub(" ", _FORM_WORDS.sub(" ", question))
    bare = re.sub(
        r"^\W*(?:please|give|make|create|draw|put|show|write|list)?(?: me)?(?: an?)?(?: the)?"
        r"(?: ?table(?: of)?)?\b"
        r"|\b(?:please|pls)\b",
        " ",
        bare,
        flags=re.I,
    )
    bare = re.sub(r"^\W*(?:of|for|about|on|with|in)\b", " ", bare.strip(), flags=re.I)
    return " ".join(bare.strip(" ?!.,:;").split()) or question


def _topic_of(question: str) -> str:
    """The question without the order in front of it and the form that is asked for."""
    bare = _FORM_WORDS.sub(" ", question).strip(" ,:")
    if found := _ORDER.match(bare):
        rest = bare[found.end() :].strip()
        bare = rest if len(words(rest)) >= 1 else bare
    bare = re.sub(
        r"\b(?:as|in) (?:bullet[- ]?points?|a table|bullets)\b|\bpros and cons of\b",
        " ",
        bare,
        flags=re.I,
    )
    return " ".join(bare.split()) or question


def _count_of(question: str) -> int | None:
    found = _HOW_MANY.search(question)
    if not found:
        return None
    told = (found["most"] or found["count"] or found["more"] or "").lower()
    return int(told) if told.isdigit() else _NUMBERS.get(told)


def _is_keywords(question: str) -> bool:
    found = words(question)
    return (
        0 < len(found) <= _MOST_KEYWORDS
        and not question.rstrip().endswith("?")
        and not _VERB.search(question)
        and not set(found) & _ASKING
        and not _ORDER.match(question + " ")
    )


def _bare(text: str) -> str:
    return re.sub(r"^(?:the|a|an)\s+(?=\w)", "", text.strip(" \"“”'?.,"), flags=re.I)


def _completed_pair(a: str, b: str) -> tuple[str, str]:
    """Both things whole: "Bletchley and Paris summits" are two summits."""
    *head, last = b.split()
    if last.lower() in ("one", "ones") and head:
        return a, " ".join([*head, a.split()[-1]])
    if (
        head
        and last.endswith("s")
        and last.islower()
        and last[:-1] not in a.lower()
        and head[0][0].isupper()
    ):
        kind = [word for word in [*head[1:], last]]
        a = f"{a} {' '.join(kind)}"
    return a, b
