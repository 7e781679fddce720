"""What the Correct tab says about the queue. Pure: no Gradio, no database."""

from __future__ import annotations

from collections.abc import Sequence

from annotations.results import QueueProgress
from app.components import table as sheet
from app.corrections.view import plural

SHOWN_REFUSALS = 200


def progress_sheet(progress: QueueProgress, unmeasured: int) -> str:
    """How far the queue is, and what this person did of it."""
    if not progress.total:
        return sheet.sheet(sheet.text("The queue is empty. Open a single prompt below, or add many.", "quiet"))
    parts = [f"{progress.done:,} of {progress.total:,} done"]
    if progress.assigned:
        parts.append(f"{progress.assigned:,} in hand")
    if progress.mine_done:
        parts.append(f"you did {progress.mine_done:,}")
    if progress.mine_skipped:
        parts.append(f"you skipped {progress.mine_skipped:,}")
    if unmeasured:
        parts.append(f"{unmeasured:,} not measured yet")
    return sheet.sheet(sheet.text(" · ".join(parts) + ". Most uncertain first."))


def report_sheet(new: int, already: int, refused: Sequence[tuple[int, str]]) -> str:
    """What became of prompts that were added; refused: line and reason."""
    parts = [f"{plural(new, 'prompt')} added"]
    if already:
        parts.append(f"{already:,} in the queue already")
    if refused:
        parts.append(f"{len(refused):,} refused")
    if not (new or already or refused):
        return sheet.sheet(sheet.text("There are no prompts in it.", "error"))
    blocks = [sheet.text(", ".join(parts) + ".", "error" if refused else "ok")]
    if refused:
        rows = [("", (why, f"{line:,}")) for line, why in refused[:SHOWN_REFUSALS]]
        blocks.append(sheet.table("Refused", ("Reason*", "Line#"), rows))
    if len(refused) > SHOWN_REFUSALS:
        blocks.append(sheet.text(f"and {len(refused) - SHOWN_REFUSALS:,} more.", "quiet"))
    return sheet.sheet(*blocks)
