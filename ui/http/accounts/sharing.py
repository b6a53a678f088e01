"""A library and its assistant as each of several people may use them, and who may sign in how."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from index import Library
from index.errors import InputError
from rag import Assistant
from ui.http.accounts.audit import Audit, audit_of
from ui.http.accounts.people import NotPermitted, Person, asking
from ui.http.accounts.permitted import PermittedLibrary, PermittedPart
from ui.http.accounts.store import Accounts, accounts_of

_MOST_SHARES = 500
"""People whose view of the library is kept at hand; of others it is made anew."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How people sign in besides by password and key; a value, sent to each process."""

    header: str = ""
    """The header in which a trusted proxy says who has signed in there; empty for none."""
    default_role: str = ""
    """What somebody may be whom the proxy names and who has no account; empty for nothing."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one person asks, and of what."""

    assistant: Assistant
    library: Library


class Shared:
    """A library and its assistant, for the people who have accounts. Safe from many threads."""

    def __init__(
        self,
        assistant: Assistant,
        library: Library,
        sign_in: SignIn = SignIn(),
        *,
        accounts: Accounts | None = None,
        audit: Audit | None = None,
    ) -> None:
        """Share these; accounts and audit are those of the library unless they are given."""
        self.accounts = accounts or accounts_of(library)
        self.audit = audit or audit_of(library)
        self.sign_in = sign_in
        self._assistant = assistant
        self._library = library
        self._lock = threading.Lock()
        self._parts: OrderedDict[tuple[str, ...], PermittedPart] = OrderedDict()
        self._shares: OrderedDict[tuple[object, ...], Share] = OrderedDict()

    def now(self) -> Share:
        """The share of whoever asks.

        Raises:
            NotPermitted: when nobody has signed in.
        """
        if (person := asking()) is None:
            raise NotPermitted("nobody has signed in")
        return self.of(person)

    def of(self, person: Person) -> Share:
        """The share of a person as their account is now."""
        key = person.id, person.name, person.role, person.collections
        with self._lock:
            if (share := self._shares.get(key)) is None:
                part = self._parts.get(person.collections)
                if part is None:
                    part = PermittedPart(self._library, person.collections)
                    self._parts[person.collections] = part
                view = PermittedLibrary(part, person, self.audit)
                share = self._shares[key] = Share(self._assistant.within(view), view)
            self._shares.move_to_end(key)
            while len(self._shares) > _MOST_SHARES:
                self._shares.popitem(last=False)
            while len(self._parts) > _MOST_SHARES:
                self._parts.popitem(last=False)
            return share

    def named_by_proxy(self, values: list[bytes]) -> Person | None:
        """Whom a trusted proxy names in its header; None when it names nobody, or two.

        Somebody without an account gets one of the default role, where there is such a role.

        Args:
            values: what the header's lines hold.
        """
        names = {value.decode("utf-8", "replace").strip() for value in values}
        if len(names) != 1 or not (name := names.pop()):
            return None
        person = self.accounts.by_name(name)
        if person is None and self.sign_in.default_role:
            try:
                person = self.accounts.add(name, self.sign_in.default_role)
            except InputError:  # it is no name; or somebody else has just made it
                return self.accounts.by_name(name)
            self.audit.note("proxy", "account added", account=name, role=person.role)
        if person is None:
            self.audit.note("proxy", "sign-in failed", account="(no such account)")
        return person
