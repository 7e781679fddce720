"""What the Review tab shows of the store's answers. Pure: no Gradio, no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotations.files.importing import ImportReport
from annotations.results import Agreement, CorrectionPage, Entry, Stats
from app.components import table
from app.components.canvas_lines import document_line, masks_line
from app.components.words import moment, plural, shorten
from app.opened import stored_prompt
from model.diffusion.trace import SamplerConfig
from model.errors import InputError
from model.record import CorrectionRecord

PAGE_SIZE = 20
_SHOWN_OUTCOMES = 200  # rows of an import that are named
NONE_CHOSEN = "Choose a correction in the table first."
_EMPTY = "No corrections yet. Open a prompt in the Correct tab, click the words the model got wrong, and submit."
_NO_MATCH = "No correction matches this filter: search for less, or tick more statuses."
_NO_AGREEMENT = "No prompt was corrected by two people yet. Once one is, this says how far they agree."
_COLUMNS = ("Prompt*", "Status", "Annotator", "Changed#", "Asked#", "When (UTC)#")


def corrections_table(listed: CorrectionPage, page: int, anything: bool, chosen: str = "") -> str:
    """A page of corrections; anything: whether the store holds any at all."""
    if not listed.entries:
        return table.message(_NO_MATCH if anything else _EMPTY, "empty")
    rows = [(revision_key(entry.id, entry.revision), _row(entry)) for entry in listed.entries]
    blocks = [table.rows("Corrections", _COLUMNS, rows, chosen)]
    if listed.total > PAGE_SIZE:
        blocks.append(table.pages(page, PAGE_SIZE, listed.total))
    return table.content(*blocks)


def _row(entry: Entry) -> tuple[str, ...]:
    changed, kept = f"{entry.edits} of {entry.tokens}", f"{entry.retention:.0%}"
    return shorten(entry.start), entry.status, shorten(entry.annotator, 24), changed, kept, moment(entry.created_at)


def store_line(stats: Stats) -> str:
    """The store in one line."""
    if not stats.statuses:
        return table.content()
    group = stats.all
    counts = [f"{count:,} {status}" for status, count in stats.statuses.items()]
    line = [
        ", ".join(counts),
        f"{plural(stats.prompts, 'prompt')} by {plural(len(stats.annotators), 'person', 'people')}",
    ]
    if group.corrections:
        line.append(f"{group.edit_rate:.1%} of the words changed")
        line.append(f"{group.seconds / group.corrections:.0f} s each")
    return table.message(" · ".join(line), "quiet")


def correction_card(correction: CorrectionRecord, history: Sequence[CorrectionRecord], agreement: Agreement) -> str:
    """What is known of a correction, and its revisions."""
    blocks = [table.facts(_facts(correction, agreement))]
    if len(history) > 1 or correction not in history:
        rows = [(revision_key(revision.id, revision.revision), _revision(revision)) for revision in reversed(history)]
        columns = ("Note*", "Status", "Revision#", "Changed#", "When (UTC)#")
        shown = revision_key(correction.id, correction.revision)
        blocks += [table.paragraph("History", "heading"), table.rows("History", columns, rows, shown)]
    return table.content(*blocks)


def _facts(correction: CorrectionRecord, agreement: Agreement) -> list[tuple[str, str]]:
    edits, n = correction.edits, len(correction.offsets)
    facts = [
        ("Status", f"{correction.status} by {correction.reviewer}" if correction.reviewer else correction.status),
        ("Remark", correction.review_note),
        ("Annotator", correction.annotator),
        ("Note", correction.note),
        ("Changed", f"{edits} of {n} words and marks ({edits / n:.0%}), {len(correction.pins)} pinned"),
        ("Saved", _saved(correction)),
        ("Model", correction.checkpoint),
        ("Asked", _asked(correction)),
        ("Id", correction.id),
    ]
    for prompt in agreement.prompts:
        if prompt.prompt_sha256 == correction.prompt_sha256:
            facts.insert(5, ("Agreement", f"{_agreed(prompt.alpha, prompt.same)}, between {_names(prompt.annotators)}"))
    return facts


def _saved(correction: CorrectionRecord) -> str:
    when = f"{moment(correction.created_at)} UTC"
    return f"{when}, revision {correction.revision}, {correction.seconds:.0f} s of work"


def _asked(correction: CorrectionRecord) -> str:
    length = f"keep {correction.retention:.0%}, {plural(correction.steps, 'step')}"
    return f"{length}, threshold {correction.threshold:g}, seed {correction.seed}"


def _revision(correction: CorrectionRecord) -> tuple[str, ...]:
    """A row of the history: what was remarked, and by whom."""
    person = correction.reviewer or correction.annotator
    remark = correction.review_note if correction.reviewer else correction.note
    note = f"{shorten(person, 40)}: {shorten(remark)}" if remark else shorten(person)
    counts = (str(correction.revision), str(correction.edits))
    return note, correction.status, *counts, moment(correction.created_at)


def agreement_table(agreement: Agreement) -> str:
    """Agreement over all prompts that several people corrected, and on each of them."""
    if agreement.same is None:
        return table.message(_NO_AGREEMENT, "empty")
    summary = f"{_agreed(agreement.alpha, agreement.same)}, over {plural(len(agreement.prompts), 'prompt')}."
    rows = [
        (
            "" if not prompt.start else prompt.start,
            (
                shorten(prompt.start),
                _names(prompt.annotators),
                str(prompt.tokens),
                "–" if prompt.alpha is None else f"{prompt.alpha:.2f}",
                f"{prompt.same:.0%}",
            ),
        )
        for prompt in sorted(agreement.prompts, key=lambda prompt: prompt.same)
    ]
    columns = ("Prompt*", "Annotators", "Tokens#", "Alpha#", "Same mark#")
    return table.content(table.paragraph(summary), table.rows("Agreement on each prompt", columns, rows))


def _agreed(alpha: float | None, same: float) -> str:
    figure = "not defined, as all marks are the same" if alpha is None else f"{alpha:.2f}"
    return f"Krippendorff's alpha {figure} (1 = all agree, 0 = as by chance); same mark {same:.0%}"


def _names(names: Sequence[str]) -> str:
    shown = [shorten(name, 30) for name in names[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def import_report(report: ImportReport) -> str:
    """An import, row by row; refused rows first."""
    if not report.outcomes:
        return table.message("There are no corrections in this file.", "error")
    summary = f"{report.added} new, {report.already} known already, {report.refused} refused."
    words = {"added": "new", "already there": "known", "refused": "refused"}
    shown = sorted(report.outcomes, key=lambda outcome: outcome.result != "refused")[:_SHOWN_OUTCOMES]
    rows = [("", (row.reason or row.id, words[row.result], str(row.line))) for row in shown]
    blocks = [
        table.paragraph(summary, "error" if report.refused else "ok"),
        table.rows("Rows", ("Id or reason*", "Status", "Row#"), rows),
    ]
    left = report.added + report.already + report.refused - len(shown)
    return table.content(*blocks, *([table.paragraph(f"and {left:,} more rows.", "quiet")] if left else []))


# --- one correction on the canvas --------------------------------------------------------------------------


def review_lines(correction: CorrectionRecord) -> str:
    """The correction for a canvas that only shows it."""
    prompt = stored_prompt(correction)
    asked: dict[str, Any] = {"retention": correction.retention, "steps": correction.steps}
    document = document_line(revision_key(correction.id, correction.revision), prompt, SamplerConfig(), {}, **asked)
    return document + masks_line(correction.model_mask, correction.human_mask, correction.pins)


def edit_lines(correction: CorrectionRecord, annotator: str, document: str) -> str:
    """The correction for the canvas that edits it; document: the first line, from `Studio.document`."""
    note = correction.note
    message = f"Opened again: revision {correction.revision}; submit makes the next one."
    if correction.annotator != annotator:
        note = ""
        message = f"By {shorten(correction.annotator, 40)}; submit saves it as a correction of your own."
    masks = (correction.model_mask, correction.human_mask)
    return document + masks_line(*masks, correction.pins, note=note, said=message)


def revision_key(id: str, revision: int) -> str:
    """A revision, as the page names it."""
    return f"{id}/{revision}"


def parse_revision_key(text: str) -> tuple[str, int]:
    """What `revision_key` was given. Raises InputError."""
    id, _, revision = text.partition("/")
    if not (len(id) == 32 and revision.isdecimal() and len(revision) < 8):
        raise InputError(NONE_CHOSEN)
    return id, int(revision)
