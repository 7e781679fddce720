"""What the Corrections tab shows of the store's answers. Pure: no Gradio, no database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from annotations.files.importing import ImportReport
from annotations.results import Agreement, CorrectionPage, Entry, Stats
from app.components import canvas_lines as view
from app.components import table as sheet
from app.studio import Ask, Opened
from model.diffusion.trace import SamplerConfig
from model.errors import InputError
from model.prompt import Prompt, Shot, Token, parse
from model.record import CorrectionRecord

PAGE_SIZE = 20
SHOWN_OUTCOMES = 200  # rows of an import that are named
EMPTY = "No corrections yet. Open a prompt in the Correct tab, click the words the model got wrong, and submit."
NO_MATCH = "No correction matches this filter: search for less, or tick more statuses."
_COLUMNS = ("Prompt*", "Status", "Annotator", "Changed#", "Asked#", "When (UTC)#")


def list_sheet(found: CorrectionPage, page: int, anything: bool, chosen: str = "") -> str:
    """A page of corrections; anything: whether the store holds any at all."""
    if not found.entries:
        return sheet.sheet(sheet.text(NO_MATCH if anything else EMPTY, "empty"))
    rows = [(key(entry.id, entry.revision), _row(entry)) for entry in found.entries]
    blocks = [sheet.table("Corrections", _COLUMNS, rows, chosen)]
    if found.total > PAGE_SIZE:
        blocks.append(sheet.pages(page, PAGE_SIZE, found.total))
    return sheet.sheet(*blocks)


def _row(entry: Entry) -> tuple[str, ...]:
    changed, kept = f"{entry.edits} of {entry.tokens}", f"{entry.retention:.0%}"
    return shorten(entry.start), entry.status, shorten(entry.annotator, 24), changed, kept, moment(entry.created_at)


def stats_sheet(stats: Stats) -> str:
    """The store in one line."""
    if not stats.statuses:
        return sheet.sheet()
    group = stats.all
    counts = [f"{count:,} {status}" for status, count in stats.statuses.items()]
    line = [
        ", ".join(counts),
        f"{plural(stats.prompts, 'prompt')} by {plural(len(stats.annotators), 'person', 'people')}",
    ]
    if group.corrections:
        line.append(f"{group.edit_rate:.1%} of the words changed")
        line.append(f"{group.seconds / group.corrections:.0f} s each")
    return sheet.sheet(sheet.text(" · ".join(line), "quiet"))


def card_sheet(correction: CorrectionRecord, history: Sequence[CorrectionRecord], agreement: Agreement) -> str:
    """What is known of a correction, and its revisions."""
    blocks = [sheet.facts(_facts(correction, agreement))]
    if len(history) > 1 or correction not in history:
        rows = [(key(one.id, one.revision), _revision(one)) for one in reversed(history)]
        columns = ("Note*", "Status", "Revision#", "Changed#", "When (UTC)#")
        shown = key(correction.id, correction.revision)
        blocks += [sheet.text("History", "heading"), sheet.table("History", columns, rows, shown)]
    return sheet.sheet(*blocks)


def _facts(one: CorrectionRecord, agreement: Agreement) -> list[tuple[str, str]]:
    n = len(one.offsets)
    asked = f"keep {one.retention:.0%}, {plural(one.steps, 'step')}, threshold {one.threshold:g}, seed {one.seed}"
    verdict = f"{one.status} by {one.reviewer}" if one.reviewer else one.status
    facts = [
        ("Status", verdict),
        ("Remark", one.review_note),
        ("Annotator", one.annotator),
        ("Note", one.note),
        ("Changed", f"{one.edits} of {n} tokens ({one.edits / n:.0%}), {len(one.pins)} fixed"),
        ("Saved", f"{moment(one.created_at)} UTC, revision {one.revision}, {one.seconds:.0f} s of work"),
        ("Model", one.checkpoint),
        ("Asked", asked),
        ("Id", one.id),
    ]
    for prompt in agreement.prompts:
        if prompt.prompt_sha256 == one.prompt_sha256:
            facts.insert(5, ("Agreement", f"{_agreed(prompt.alpha, prompt.same)}, between {_names(prompt.annotators)}"))
    return facts


def _revision(one: CorrectionRecord) -> tuple[str, ...]:
    said = one.review_note if one.reviewer else one.note
    who = (
        f"{shorten(one.reviewer or one.annotator, 40)}: {shorten(said)}"
        if said
        else shorten(one.reviewer or one.annotator)
    )
    return who, one.status, str(one.revision), str(one.edits), moment(one.created_at)


def agreement_sheet(agreement: Agreement) -> str:
    """Agreement over all prompts that several people corrected, and on each of them."""
    if agreement.same is None:
        said = "No prompt was corrected by two people yet. Once one is, this says how far they agree."
        return sheet.sheet(sheet.text(said, "empty"))
    said = f"{_agreed(agreement.alpha, agreement.same)}, over {plural(len(agreement.prompts), 'prompt')}."
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
    return sheet.sheet(sheet.text(said), sheet.table("Agreement on each prompt", columns, rows))


def _agreed(alpha: float | None, same: float) -> str:
    figure = "not defined, as all marks are the same" if alpha is None else f"{alpha:.2f}"
    return f"Krippendorff's alpha {figure} (1 = all agree, 0 = as by chance); same mark {same:.0%}"


def _names(names: Sequence[str]) -> str:
    shown = [shorten(name, 30) for name in names[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def report_sheet(report: ImportReport) -> str:
    """An import, row by row; refused rows first."""
    said = f"{report.added} new, {report.already} known already, {report.refused} refused."
    if not report.outcomes:
        return sheet.sheet(sheet.text("There are no corrections in this file.", "error"))
    words = {"added": "new", "already there": "known", "refused": "refused"}
    rows = sorted(report.outcomes, key=lambda outcome: outcome.result != "refused")[:SHOWN_OUTCOMES]
    cells = [("", (row.reason or row.id, words[row.result], str(row.line))) for row in rows]
    blocks = [
        sheet.text(said, "error" if report.refused else "ok"),
        sheet.table("Rows", ("Id or reason*", "Status", "Row#"), cells),
    ]
    left = report.added + report.already + report.refused - len(rows)
    return sheet.sheet(*blocks, *([sheet.text(f"and {left:,} more rows.", "quiet")] if left else []))


# --- one correction on the canvas --------------------------------------------------------------------------


def canvas_lines(correction: CorrectionRecord) -> str:
    """The correction for a canvas that only shows it."""
    prompt = stored_prompt(correction)
    asked: dict[str, Any] = {"retention": correction.retention, "steps": correction.steps}
    document = view.document_line(key(correction.id, correction.revision), prompt, SamplerConfig(), {}, **asked)
    return document + view.masks_line(correction.model_mask, correction.human_mask, correction.pins)


def stored_prompt(correction: CorrectionRecord) -> Prompt:
    """The prompt with the tokens that the correction speaks of, which may be cut differently from today's."""
    prompt = parse(correction.prompt)
    if _offsets(prompt) == correction.offsets:
        return prompt
    text, spans = correction.prompt, correction.offsets
    bounds = [0, *(start for start in correction.shot_starts if start), len(text)]
    tokens: list[Token] = []
    shots: list[Shot] = []
    for start, end in pairwise(bounds):
        first = len(tokens)
        while len(tokens) < len(spans) and spans[len(tokens)][0] < end:
            a, b = spans[len(tokens)]
            tokens.append(Token(text[a:b], a, b, len(shots)))
        if first < len(tokens):
            shots.append(Shot("text", start, end, first, len(tokens)))
    return Prompt(text, tuple(tokens), tuple(shots))


def opened_again(correction: CorrectionRecord, annotator: str) -> Opened:
    """The correction for a new revision; for another person, for a correction of their own.

    Raises InputError when it is not one that this studio could have made.
    """
    config = SamplerConfig(correction.retention, correction.steps, correction.threshold, 0.0, correction.seed)
    if _offsets(parse(correction.prompt)) != correction.offsets:
        raise InputError(
            "This correction cuts the prompt into other tokens than this studio does: it can only be looked at."
        )
    own = correction.annotator == annotator
    mask = tuple(bit == "1" for bit in correction.model_mask)
    id = correction.id if own else uuid.uuid4().hex
    return Opened(id, Ask(correction.prompt, config), mask, correction.checkpoint, annotator)


def edit_lines(correction: CorrectionRecord, annotator: str, document: str) -> str:
    """The correction for the canvas that edits it; document: the first line, from `Studio.document`."""
    said = f"Opened again: revision {correction.revision}; submit makes the next one."
    if correction.annotator != annotator:
        said = f"By {shorten(correction.annotator, 40)}; submit saves it as a correction of your own."
    note = correction.note if correction.annotator == annotator else ""
    return document + view.masks_line(
        correction.model_mask, correction.human_mask, correction.pins, note=note, said=said
    )


def _offsets(prompt: Prompt) -> tuple[tuple[int, int], ...]:
    return tuple((token.start, token.end) for token in prompt.tokens)


# --- small words -------------------------------------------------------------------------------------------


def key(id: str, revision: int) -> str:
    """A revision, as the page names it."""
    return f"{id}/{revision}"


def parse_key(text: object) -> tuple[str, int]:
    """What `key` was given. Raises ValueError."""
    id, _, revision = str(text).partition("/")
    if not (len(id) == 32 and revision.isdecimal() and len(revision) < 8):
        raise ValueError("not the key of a revision")
    return id, int(revision)


def moment(utc: str) -> str:
    """A time to the minute."""
    return utc[:16].replace("T", " ")


def shorten(words: str, limit: int = 160) -> str:
    """The beginning of a text, in one line.

    >>> shorten("one\\n two three", 8)
    'one two…'
    """
    line = " ".join(words[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 prompt", "2 prompts"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
