"""What happens in the fold of Correct where prompts are added to the queue, and how far the queue is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from annotations.files.prompts import ReadPrompt, prompts_in_file, prompts_in_text
from annotations.results import Filter
from app.components import table
from app.components.forms import UNCHANGED, USER_ERRORS, Change, Changes, PersonName, Request, Text, reads
from app.correct import view
from app.studio import Studio
from model.errors import InputError
from model.prompt.limits import MAX_CHARACTERS

_MOST_CORRECTED = 1000  # prompts that were corrected before, added at once


class PersonRequest(Request):
    """Who works on the queue."""

    name: PersonName


class PeopleRequest(PersonRequest):
    """With how many people shall correct each prompt, as it was typed."""

    people: float | None

    def people_per_prompt(self) -> int:
        """Raises InputError when it is not a whole number from 1 to 100."""
        if self.people is None or not self.people.is_integer() or not 1 <= self.people <= 100:
            raise InputError("People per prompt is a whole number from 1 to 100.")
        return int(self.people)


class PasteRequest(PersonRequest):
    """Prompts that were pasted."""

    pasted: Text


class UploadRequest(PersonRequest):
    """A file of prompts that was uploaded: its path on the server."""

    file: str | None


@dataclass(frozen=True)
class QueuePage(Changes):
    """What is shown of the queue."""

    progress: Change[str] = UNCHANGED
    report: Change[str] = UNCHANGED
    pasted: Change[str] = UNCHANGED
    people: Change[int] = UNCHANGED


def _in_report(error: Exception) -> QueuePage:
    return QueuePage(report=table.message(error, "error"))


class QueueEvents:
    """The queue's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    @reads(PersonRequest, refused=_in_report)
    def show(self, request: PersonRequest) -> QueuePage:
        """The tab was opened."""
        return QueuePage(progress=progress_line(self.studio, request.name))

    @reads(PasteRequest, refused=_in_report)
    def paste(self, request: PasteRequest) -> QueuePage:
        """Add prompts that were pasted."""
        if not request.pasted.strip():
            raise InputError("Paste one or more prompts first.")
        report = self._add(list(prompts_in_text(request.pasted, MAX_CHARACTERS)), "pasted")
        return QueuePage(report=report, progress=progress_line(self.studio, request.name), pasted="")

    @reads(UploadRequest, refused=_in_report)
    def upload(self, request: UploadRequest) -> QueuePage:
        """Add the prompts of a file."""
        if not request.file:
            return QueuePage()
        report = self._add(list(prompts_in_file(Path(request.file), MAX_CHARACTERS)), "file")
        return QueuePage(report=report, progress=progress_line(self.studio, request.name))

    @reads(PeopleRequest, refused=_in_report)
    def add_corrected(self, request: PeopleRequest) -> QueuePage:
        """Add what was corrected before, for other people to correct as well."""
        people, store = request.people_per_prompt(), self.studio.store
        keys = store.keys(Filter(("submitted", "accepted")))[-_MOST_CORRECTED:]
        corrected = {(correction.prompt, correction.annotator) for correction in store.fetch(keys)}
        prompts = sorted({prompt for prompt, _ in corrected})
        if not prompts:
            raise InputError("Nothing was corrected yet.")
        report = self._add(list(enumerate(prompts, start=1)), "corrected before")
        for prompt, annotator in corrected:
            store.done(prompt_sha256(prompt), annotator)
        return QueuePage(report=report, progress=progress_line(self.studio, request.name), people=max(2, people))

    def _add(self, rows: list[ReadPrompt], source: str) -> str:
        """Put the rows that are prompts into the queue; returns what is shown of it."""
        prompts = [(line, row) for line, row in rows if isinstance(row, str)]
        added = self.studio.store.add_prompts([(prompt, None) for _, prompt in prompts], source)
        refused = [(line, str(row)) for line, row in rows if not isinstance(row, str)]
        refused += [(prompts[i][0], reason) for i, reason in added.refused]
        self.studio.gauge.start()
        return view.added_prompts(added.new, added.already, sorted(refused))


def progress_line(studio: Studio, person: str) -> str:
    """How far the queue is, or why that is not known."""
    try:
        store = studio.store
        return view.queue_line(store.progress(person), len(store.unmeasured(1000)))
    except USER_ERRORS as error:
        return table.message(error, "error")


def prompt_sha256(text: str) -> str:
    """The id of a prompt in the queue and in the store."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
