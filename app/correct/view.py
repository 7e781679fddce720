"""What the Correct tab shows: how far the queue is, what became of added prompts, stored edits. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from annotations.results import QueueProgress
from app.components import table
from app.components.canvas_lines import masks_line
from app.components.words import plural
from model.record import CorrectionRecord

_SHOWN_REFUSALS = 200


def queue_line(progress: QueueProgress, unmeasured: int) -> str:
    """How far the queue is, and what this person did of it."""
    if not progress.total:
        return table.message("The queue is empty. Open a single prompt below, or add many.", "quiet")
    parts = [f"{progress.done:,} of {progress.total:,} done"]
    if progress.assigned:
        parts.append(f"{progress.assigned:,} in hand")
    if progress.mine_done:
        parts.append(f"you did {progress.mine_done:,}")
    if progress.mine_skipped:
        parts.append(f"you skipped {progress.mine_skipped:,}")
    if unmeasured:
        parts.append(f"{unmeasured:,} not measured yet")
    return table.message(" · ".join(parts) + ". Most uncertain first.")


def added_prompts(new: int, already: int, refused: Sequence[tuple[int, str]]) -> str:
    """What became of prompts that were added; refused: line and reason."""
    parts = [f"{plural(new, 'prompt')} added"]
    if already:
        parts.append(f"{already:,} in the queue already")
    if refused:
        parts.append(f"{len(refused):,} refused")
    if not (new or already or refused):
        return table.message("There are no prompts in it.", "error")
    blocks = [table.paragraph(", ".join(parts) + ".", "error" if refused else "ok")]
    if refused:
        rows = [("", (reason, f"{line:,}")) for line, reason in refused[:_SHOWN_REFUSALS]]
        blocks.append(table.rows("Refused", ("Reason*", "Line#"), rows))
    if len(refused) > _SHOWN_REFUSALS:
        blocks.append(table.paragraph(f"and {len(refused) - _SHOWN_REFUSALS:,} more.", "quiet"))
    return table.content(*blocks)


def stored_edits(document: str, stored: CorrectionRecord, message: str) -> str:
    """A draft for the canvas; document: its first line, from `Studio.document`."""
    masks, pins = (stored.model_mask, stored.human_mask), stored.pins
    return document + masks_line(*masks, pins, note=stored.note, said=message, seconds=stored.seconds)


def saved_message(edits: int, tokens: int, revision: int, new: bool) -> str:
    """What is said once the store has a correction."""
    if not new:
        return "This is saved already; nothing has changed since."
    return f"Saved: {edits} of {tokens} words and marks corrected, revision {revision}."
