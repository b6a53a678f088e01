"""Errors a person can act on. Each message is one line: what happened and the way out.

PilcrowError
├── LibraryMissing     no library at that place
├── LibraryBusy        another process is writing            (exit 75)
├── LibraryUnreachable the server that keeps it does not answer
├── LibraryMismatch    made by another encoder or chunker
├── LibraryDamaged     the stored file does not check out
├── LibraryUnwritable  disk full, read-only or failing      (exit 74)
├── InputError         the caller's paths or question        (exit 2)
│   └── QuestionError  a question that is empty, too long or not text
├── ModelMissing       a model file or package is not there
├── DownloadFailed     a model could not be fetched; what came of it is kept
└── ModelFailed        the language model crashed, hung or was too slow; the next answer may go well
"""

from __future__ import annotations


class PilcrowError(Exception):
    """Base of every error meant for the person at the keyboard.

    Example:
        try:
            assistant.answer(question)
        except PilcrowError as error:
            print(error)
    """

    exit_code = 1


class LibraryMissing(PilcrowError):
    """There is no library at the given place."""


class LibraryBusy(PilcrowError):
    """Another process is writing to the library."""

    exit_code = 75


class LibraryUnreachable(PilcrowError):
    """The server that keeps the library does not answer, or lets nobody in."""

    exit_code = 69


class LibraryMismatch(PilcrowError):
    """The library was made with another encoder, chunker or format than the one asked for."""


class LibraryDamaged(PilcrowError):
    """The library's file does not pass its checks."""


class LibraryUnwritable(PilcrowError):
    """The disk is full, the folder is read-only, or the device fails."""

    exit_code = 74


class InputError(PilcrowError):
    """What was handed in cannot be used: a missing path, an empty or too long question."""

    exit_code = 2


class QuestionError(InputError):
    """The question is empty, too long or not text."""


class ModelMissing(PilcrowError):
    """A model's package or file is not there."""


class DownloadFailed(PilcrowError):
    """A model could not be fetched: nobody answers, it was cut off, or it is another file."""


class ModelFailed(PilcrowError):
    """The language model crashed, hung or took too long; it may write the next answer."""
