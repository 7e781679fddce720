"""What happens on a click in Review: finding, looking, reviewing, opening again, exporting, importing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gradio as gr

from annotations.errors import ExportError
from annotations.files.archive import unzipped, zip_folder
from annotations.files.export import export
from annotations.files.importing import import_file
from annotations.files.scratch import temporary_folder
from annotations.results import SEARCH_LIMIT, TO_LEARN, Entry, Filter
from app.components import table
from app.components.forms import UNCHANGED, USER_ERRORS, Change, Changes, PersonName, Request, Text, TextList, reads
from app.components.payloads import PageChoice, RowChoice
from app.components.words import plural
from app.opened import Opened, opened_again
from app.review import view
from app.review.settling import SharedPrompt, settling_table
from app.studio import Studio
from model.errors import InputError
from model.record import CorrectionRecord

_MOST_FOUND = 200  # corrections of a prompt that are looked at
_REVIEWED = {"accepted": "Accepted", "rejected": "Rejected"}


class FilterRequest(Request):
    """Which corrections to list."""

    search: Text
    statuses: TextList
    annotator: Text
    checkpoint: Text
    since: Text
    until: Text

    def filter(self) -> Filter:
        """As the store takes it. Raises RecordError."""
        return Filter(
            statuses=self.statuses,
            annotator=self.annotator,
            checkpoint=self.checkpoint,
            since=self.since,
            until=self.until,
            text=self.search.strip(),
        )


class TurnRequest(FilterRequest):
    """Turn to another page of the list."""

    event: PageChoice


class PickRequest(Request):
    """A row was picked: of the list, of the history, or of the agreement."""

    event: RowChoice


class ReviewRequest(FilterRequest):
    """What a reviewer says of the chosen revision; chosen: id and revision."""

    chosen: tuple[str, int] | None
    reviewer: PersonName
    remark: Text


class OpenAgainRequest(Request):
    """Take the chosen revision to the Correct tab."""

    chosen: tuple[str, int] | None
    reviewer: PersonName


class ImportRequest(Request):
    """A file that was uploaded: its path on the server."""

    upload: str | None


@dataclass(frozen=True)
class CorrectionsPage(Changes):
    """What the tab shows, and, of the Correct tab, what a correction is opened again in."""

    stats: Change[str] = UNCHANGED
    listing: Change[str] = UNCHANGED
    annotator: Change[Any] = UNCHANGED
    checkpoint: Change[Any] = UNCHANGED
    search: Change[str] = UNCHANGED
    agreement: Change[str] = UNCHANGED
    canvas: Change[str] = UNCHANGED
    card: Change[str] = UNCHANGED
    people: Change[str] = UNCHANGED
    settle: Change[Any] = UNCHANGED
    chosen: Change[tuple[str, int]] = UNCHANGED
    message: Change[str] = UNCHANGED
    remark: Change[str] = UNCHANGED
    file: Change[str | None] = UNCHANGED
    exported: Change[str] = UNCHANGED
    report: Change[str] = UNCHANGED
    tabs: Change[Any] = UNCHANGED
    correct_text: Change[str] = UNCHANGED
    correct_retention: Change[int] = UNCHANGED
    correct_canvas: Change[str] = UNCHANGED
    opened: Change[Opened] = UNCHANGED


def _in_stats(error: Exception) -> CorrectionsPage:
    return CorrectionsPage(stats=table.message(error, "error"))


def _in_listing(error: Exception) -> CorrectionsPage:
    return CorrectionsPage(listing=table.message(error, "error"))


def _in_message(error: Exception) -> CorrectionsPage:
    return CorrectionsPage(message=table.message(error, "error"))


def _unchanged(error: Exception) -> CorrectionsPage:
    return CorrectionsPage()


class CorrectionsEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    # --- finding -------------------------------------------------------------------------------------------

    @reads(FilterRequest, refused=_in_stats)
    def refresh(self, request: FilterRequest) -> CorrectionsPage:
        """All that does not depend on the chosen correction: statistics, list, people, models, agreement."""
        stats, agreement = self.studio.store.stats(), self.studio.store.agreement()
        return CorrectionsPage(
            stats=view.store_line(stats),
            listing=self._listing(request),
            annotator=gr.update(choices=[("Everybody", ""), *((name, name) for name in stats.annotators)]),
            checkpoint=gr.update(choices=[("Every model", ""), *((name, name) for name in stats.checkpoints)]),
            agreement=view.agreement_table(agreement),
        )

    @reads(FilterRequest, refused=_in_listing)
    def first_page(self, request: FilterRequest) -> CorrectionsPage:
        """The first page of what the filter lets through."""
        return CorrectionsPage(listing=self._listing(request))

    @reads(TurnRequest, refused=_unchanged)
    def turn(self, request: TurnRequest) -> CorrectionsPage:
        """Another page of it."""
        return CorrectionsPage(listing=self._listing(request, request.event.page))

    @reads(PickRequest, refused=_unchanged)
    def search_for(self, request: PickRequest) -> CorrectionsPage:
        """A prompt of the agreement table was picked: search for it."""
        return CorrectionsPage(search=request.event.id[:200])

    def _listing(self, request: FilterRequest, page: int = 0, chosen: str = "") -> str:
        try:
            store = self.studio.store
            listed = store.find(request.filter(), page * view.PAGE_SIZE, view.PAGE_SIZE)
            anything = bool(listed.total) or store.find(limit=1).total > 0
            return view.corrections_table(listed, page, anything, chosen)
        except USER_ERRORS as error:
            return table.message(error, "error")

    # --- one correction ------------------------------------------------------------------------------------

    @reads(PickRequest, refused=_in_message)
    def pick(self, request: PickRequest) -> CorrectionsPage:
        """Show a revision."""
        page = self._show(*view.parse_revision_key(request.event.id))
        return replace(page, message=table.content())

    @reads(ReviewRequest, refused=_in_message)
    def accept(self, request: ReviewRequest) -> CorrectionsPage:
        """The reviewer says yes."""
        return self._review("accepted", request)

    @reads(ReviewRequest, refused=_in_message)
    def reject(self, request: ReviewRequest) -> CorrectionsPage:
        """The reviewer says no."""
        return self._review("rejected", request)

    @reads(OpenAgainRequest, refused=_in_message)
    def open_again(self, request: OpenAgainRequest) -> CorrectionsPage:
        """Take the chosen revision to the Correct tab."""
        return self._open(self.studio.store.get(*_chosen(request.chosen)), request.reviewer)

    @reads(OpenAgainRequest, refused=_in_message)
    def settle(self, request: OpenAgainRequest) -> CorrectionsPage:
        """Take the prompt to the Correct tab, with what most people say, to be decided by one."""
        correction = self.studio.store.get(*_chosen(request.chosen))
        shared = SharedPrompt.of(self._of_all(correction))
        majority = correction.model_copy(
            update={"human_mask": shared.majority, "pins": {}, "annotator": "the majority", "note": ""}
        )
        return self._open(majority, request.reviewer)

    def _open(self, correction: CorrectionRecord, reviewer: str) -> CorrectionsPage:
        opened = opened_again(correction, reviewer)
        document = self.studio.document(opened.id, opened.without_rules)
        return CorrectionsPage(
            message=table.content(),
            tabs=gr.Tabs(selected="correct"),
            correct_text=correction.prompt,
            correct_retention=max(5, round(100 * correction.retention)),
            correct_canvas=view.edit_lines(correction, reviewer, document),
            opened=opened,
        )

    def _show(self, id: str, revision: int) -> CorrectionsPage:
        store = self.studio.store
        correction = store.get(id, revision)
        card = view.correction_card(correction, store.history(id), store.agreement())
        shared = SharedPrompt.of(self._of_all(correction))
        return CorrectionsPage(
            canvas=view.review_lines(correction),
            card=card,
            chosen=(id, revision),
            people=settling_table(shared),
            settle=gr.update(visible=len(shared.people) > 1),
        )

    def _of_all(self, correction: CorrectionRecord) -> list[CorrectionRecord]:
        """This correction, unless it was rejected, and what others made of the same prompt, as it is now."""
        store = self.studio.store
        search = Filter(TO_LEARN, text=correction.prompt.strip()[:SEARCH_LIMIT])
        same = [each for each in store.find(search, limit=_MOST_FOUND).entries if _is_other(each, correction)]
        others = list(store.fetch((each.id, each.revision) for each in same))
        return [correction, *others] if correction.status in TO_LEARN or not others else others

    def _review(self, status: str, request: ReviewRequest) -> CorrectionsPage:
        store, name = self.studio.store, request.reviewer
        reviewed: CorrectionRecord = store.review(*_chosen(request.chosen), status, name, request.remark).correction
        message = f"{_REVIEWED[status]} by {name}: revision {reviewed.revision}."
        return replace(
            self._show(reviewed.id, reviewed.revision),
            message=table.message(message, "ok"),
            remark="",
            listing=self._listing(request, chosen=view.revision_key(reviewed.id, reviewed.revision)),
            stats=view.store_line(store.stats()),
        )

    # --- files ---------------------------------------------------------------------------------------------

    @reads(ImportRequest, refused=lambda error: CorrectionsPage(report=table.message(error, "error")))
    def import_from(self, request: ImportRequest) -> CorrectionsPage:
        """Take in a file; says row by row what became of it."""
        if not request.upload:
            raise InputError("Choose a file first.")
        with unzipped(Path(request.upload)) as source:
            return CorrectionsPage(report=view.import_report(import_file(self.studio.store, source)))


class ExportEvents:
    """The export into files of one kind; suffix: ".jsonl", ".csv", ".parquet" or, for a data set, ".zip"."""

    def __init__(self, studio: Studio, suffix: str):
        self.studio, self.suffix = studio, suffix

    @reads(FilterRequest, refused=lambda error: CorrectionsPage(file=None, exported=table.message(error, "error")))
    def export(self, request: FilterRequest) -> Iterator[CorrectionsPage]:
        """The file to download, and a message. The file is kept until the page has its copy."""
        with temporary_folder() as folder:
            path = Path(folder, f"corrections-{datetime.now(timezone.utc):%Y-%m-%d}{self.suffix}")
            count = self._write(path, request.filter())
            if not count:
                raise ExportError("nothing matches this filter, so there is nothing to export")
            message = f"{plural(count, 'correction')} in {path.name}."
            yield CorrectionsPage(file=str(path), exported=table.message(message, "ok"))

    def _write(self, path: Path, chosen: Filter) -> int:
        store, hosted = self.studio.store, self.studio.settings.hosting.hosted
        if hosted:
            chosen = replace(chosen, contributed=True)
        corrections = store.fetch(store.keys(chosen))
        if self.suffix != ".zip":
            return export(corrections, path)
        if hosted:  # a data set is for others: without one's own private work
            corrections = (correction for correction in corrections if correction.licence)
        count = export(corrections, path.with_suffix(""), "dataset")
        zip_folder(path.with_suffix(""), path)
        return count


def _is_other(entry: Entry, correction: CorrectionRecord) -> bool:
    """Whether an entry is somebody else's correction of the same prompt."""
    return entry.prompt_sha256 == correction.prompt_sha256 and entry.annotator != correction.annotator


def _chosen(chosen: tuple[str, int] | None) -> tuple[str, int]:
    if chosen is None:
        raise InputError(view.NONE_CHOSEN)
    return chosen
