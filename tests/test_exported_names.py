"""The public interface is a decision: a name comes or goes here and in the code in one commit."""

from __future__ import annotations

import importlib

import pytest

ERRORS = {"InputError", "LibraryMissing", "ModelMissing", "PilcrowError"}
PUBLIC = {
    "index": ERRORS
    | {"LibraryBusy", "LibraryDamaged", "LibraryMismatch", "LibraryUnreachable"}
    | {"LibraryUnwritable"}
    | {"CheckReport", "Document", "DocumentRecord", "Hit", "Library", "LibraryStats", "Origin"}
    | {"Passage", "Progress", "Receipt", "SearchScope", "Sentence", "Unreachable", "UpdateReport"},
    "rag": ERRORS
    | {"QuestionError", "Answer", "Assistant", "Citation", "Statement", "answer"}
    | {"Done", "EvidenceFound", "Searching", "StatementAdded", "events_of", "aanswer", "astream"},
    "rag.evaluation": {"Comparison", "Difference", "Question", "Report", "Row"}
    | {"compare", "evaluate", "load_questions", "load_report", "summarise"},
}


@pytest.mark.parametrize("package", PUBLIC)
def test_a_package_shows_these_names_and_no_others(package: str) -> None:
    module = importlib.import_module(package)
    assert set(module.__all__) == PUBLIC[package]
    assert list(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert getattr(module, name).__module__.split(".")[0] in ("index", "rag")


def test_an_error_is_the_same_class_wherever_it_is_taken_from() -> None:
    index, rag = importlib.import_module("index"), importlib.import_module("rag")
    for name in ERRORS:
        assert getattr(index, name) is getattr(rag, name)
