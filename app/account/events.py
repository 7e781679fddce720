"""What happens on a click in Account: contributing one's own work, taking it back, erasing it."""

from __future__ import annotations

from dataclasses import dataclass

from annotations.results import Filter
from app.components import table
from app.components.forms import UNCHANGED, Change, Changes, Request, Text, reads
from app.components.words import plural
from app.hosting.people import Person, acting
from app.studio import Studio
from model.errors import InputError

_SHOWN = 200  # corrections in the list
_EVERYTHING = "erase everything"


class ShowRequest(Request):
    """The tab was opened."""


class WorkRequest(Request):
    """A correction, or a vote that is to be erased, by its id."""

    work: Text


@dataclass(frozen=True)
class AccountPage(Changes):
    """What the tab shows."""

    listing: Change[str] = UNCHANGED
    said: Change[str] = UNCHANGED


def _in_said(error: Exception) -> AccountPage:
    return AccountPage(said=table.message(error, "error"))


class AccountEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    @reads(ShowRequest, refused=_in_said)
    def show(self, request: ShowRequest) -> AccountPage:
        """Who is signed in, and what is theirs."""
        return AccountPage(listing=self._listing(), said=table.content())

    @reads(WorkRequest, refused=_in_said)
    def contribute(self, request: WorkRequest) -> AccountPage:
        """Give a correction to the shared corpus."""
        licence = self.studio.settings.hosting.licence
        self.studio.store.contribute(request.work.strip(), licence)
        return self._done(f"Contributed under {licence}: it waits for a reviewer.")

    @reads(WorkRequest, refused=_in_said)
    def withdraw(self, request: WorkRequest) -> AccountPage:
        """Take it back."""
        self.studio.store.withdraw(request.work.strip())
        return self._done("Taken back: exports and fine-tuning leave it out from now on.")

    @reads(WorkRequest, refused=_in_said)
    def erase(self, request: WorkRequest) -> AccountPage:
        """Erase a correction or a vote with its text."""
        self.studio.store.erase(request.work.strip())
        return self._done("Erased.")

    @reads(WorkRequest, refused=_in_said)
    def erase_all(self, request: WorkRequest) -> AccountPage:
        """Erase all that is one's own."""
        if request.work.strip().lower() != _EVERYTHING:
            raise InputError(f'Write "{_EVERYTHING}" into the box first: nothing of yours will be left.')
        return self._done(f"{plural(self.studio.store.erase_person(_person().id), 'correction')} erased.")

    def _done(self, message: str) -> AccountPage:
        return AccountPage(listing=self._listing(), said=table.message(message, "ok"))

    def _listing(self) -> str:
        person = _person()
        if not person.id:
            return table.message("You are not signed in: you can compress, and nothing is kept.", "empty")
        store = self.studio.store
        entries = store.find(Filter(annotator=person.id), limit=_SHOWN).entries
        rows = [("", (entry.id, entry.start[:60], entry.status, store.licence(entry.id))) for entry in entries]
        rows += [("", (vote.id, vote.prompt[:60], "vote", "")) for vote in store.votes(person.id, limit=_SHOWN).votes]
        who = f"Signed in as {person.id} ({person.role.name.lower()})."
        columns = ("Id*", "Prompt", "Status", "Contributed under")
        return table.content(table.paragraph(who), table.rows("Your work", columns, rows))


def _person() -> Person:
    return acting() or Person()
