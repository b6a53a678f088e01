"""Sentences that speak to a machine instead of a reader. Pure.

No list of patterns finds every order that a document may give, and none is needed to: what a model
says is checked against its source either way. Of a sentence found here, though, only its own words
are shown, as a quotation; a model's rendering of an order would be the order carried out.
"""

from __future__ import annotations

import re

# What chat formats and templates are made of; prose about them loses nothing by being quoted.
_MARKUP = re.compile(
    r"<\|[^|<>\n]{0,40}\|>|<<?/?(?:SYS|system|s|user|assistant|instructions?)>>?|\[/?INST\]|\(/?INST\)"
    r"|^\W{0,3}[\[【［]\s?\d{1,3}\s?[\]】］]"  # poses as one of our own pointers
    r"|(?:^|[\s;{(])[\w.-]{1,40} ?= ?\S"  # an assignment: settings and programs
    r"|\{\{.{0,200}?\}\}|\{%.{0,200}?%\}|^\W*(?:system|assistant|user|human)\s*:",
    re.IGNORECASE | re.DOTALL,
)
_SAY = r"(?:say|answer|reply|respond|write|print|output|repeat|return|include|mention|tell|send)\b"
_ORDER = re.compile(
    # set aside what you were told
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,60}?"
    r"\b(?:instruction|prompt|rule|question|everything|above|previous|say|answer)"
    # say so and so: at the start, or after a greeting
    rf"|(?:^\W{{0,5}}|[.!?:;]\s{{1,3}}|\bplease,? |\bnow |\balways ){_SAY}"
    r"|\band (?:say|answer|reply|respond|print)\b"
    # who is meant
    rf"|\b(?:assistants?|chat ?bots?|language models?|AI models?)\b.{{0,60}}?\b{_SAY}"
    # what is to be said
    r"|\b(?:only|correct|requires?|every|the) (?:the )?(?:only |correct |required )?"
    r"(?:answer|response|reply|output)\b"
    # the same in other languages
    r"|\b(?:vergiss|vergessen sie|ignoriere\w*|oublie[sz]?|ignorez|ignora|olvida)\b"
    r"|忽略|无视|無視|игнорируй|забудь",
    re.IGNORECASE | re.DOTALL,
)
_LONGEST = 2_000  # characters; an order that stands later than that comes too late


def looks_like_injection(text: str) -> bool:
    """Whether a sentence seems to tell a machine what to do; wrong now and then, at no cost."""
    visible = "".join(c for c in text[:_LONGEST] if c.isprintable() or c.isspace())
    return bool(_MARKUP.search(visible) or _ORDER.search(visible))
