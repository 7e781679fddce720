"""What happens on a click: reads the page's values, asks the service, yields what the page shows next."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from annotations.errors import RecordError, StoreError
from app import charts, view
from app.service import Ask, Opened, Studio
from model.errors import InputError
from model.sampler import SamplerConfig

_CLOSED = "The server was started anew since this prompt was opened: press Open; your edits are kept as a draft."
_OUT_OF_STEP = "The page and the server disagree about the prompt: press Open again."


def read_ask(
    text: str, percent: float, steps: float, threshold: float, seed: float, rules: list[str], words: str
) -> Ask:
    """The page's settings as the model takes them. Raises InputError."""
    if percent is None or steps is None or threshold is None or seed is None:
        raise InputError("A setting is empty: give the retention, steps, threshold and seed a number.")
    if not float(seed).is_integer():
        raise InputError(f"seed {seed:g} must be a whole number")
    config = SamplerConfig(percent / 100, int(steps), threshold, 0.0, int(seed))
    return Ask(text or "", config, tuple(rules or ()), words or "")


class Handlers:
    """The page's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def run(self, *values: Any) -> Iterator[tuple[Any, Any]]:
        """Run was pressed: play the steps as they come."""
        yield from self.explore(False, *values)

    def resample(self, *values: Any) -> Iterator[tuple[Any, Any]]:
        """The slider was let go: decide again, without playing it."""
        yield from self.explore(True, *values)

    def explore(self, quiet: bool, *values: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the canvas's value after each step, and the id of the run once it is done.

        quiet: the prompt is on screen already; the canvas changes when the run is done, without playing it.
        """
        try:
            run = self.studio.start(read_ask(*values))
            lines = self.studio.document(run, quiet=quiet)
            yield lines, gr.skip()
            for step in self.studio.denoise(run):
                lines += view.step_line(step)
                yield lines, gr.skip()
            assert run.trace
            yield lines + view.end_line(run.trace, run.seconds, run.checkpoint), run.id
        except InputError as error:
            yield view.error_line(str(error)), gr.skip()

    def draw_charts(self, run_id: str | None) -> tuple[Any, Any, Any]:
        """The three figures of a finished run; nothing changes when it is no longer remembered."""
        run = self.studio.run(run_id) if run_id else None
        if run is None or run.trace is None:
            return gr.skip(), gr.skip(), gr.skip()
        heat = charts.confidence_map(run.prompt, run.trace)
        return heat, charts.decided_per_step(run.trace), charts.retention_per_shot(run.prompt, run.trace)

    def open_prompt(self, *values: Any) -> Iterator[tuple[Any, Any]]:
        """Let the model propose a mask for a prompt, for a person to correct: canvas's value, Opened."""
        try:
            yield from self._propose(read_ask(*values), None)
        except InputError as error:
            yield view.error_line(str(error)), gr.skip()

    def draft_prompt(self, event: gr.EventData) -> tuple[str, float]:
        """The prompt and the retention in percent of a draft that the browser kept; its edits never left it."""
        try:
            return str(event.text), round(100 * float(event.retention))
        except (ValueError, AttributeError):
            return "", 50

    def redenoise(self, opened: Opened | None, event: gr.EventData) -> Iterator[tuple[Any, Any]]:
        """Let the model decide again around the person's pins: canvas's value, Opened."""
        try:
            if opened is None:
                raise InputError(_CLOSED)
            pins = view.parse_pins(event.pins, len(opened.model_mask))
            yield from self._propose(replace(opened.ask, pins=pins), opened)
        except InputError as error:
            yield view.error_line(str(error)), gr.skip()
        except (ValueError, AttributeError):
            yield view.error_line(_OUT_OF_STEP), gr.skip()

    def _propose(self, ask: Ask, opened: Opened | None) -> Iterator[tuple[Any, Any]]:
        run = self.studio.start(ask)
        lines = self.studio.document(run)
        yield lines, gr.skip()
        for step in self.studio.denoise(run):
            lines += view.step_line(step)
        assert run.trace
        first = opened or Opened(uuid.uuid4().hex, replace(ask, pins={}), run.trace.keep, run.checkpoint)
        yield lines + view.end_line(run.trace, run.seconds, run.checkpoint), first

    def submit(self, opened: Opened | None, annotator: str, event: gr.EventData) -> tuple[str, str]:
        """Save a correction: canvas's value, the prompt that comes next (or "").

        The page says "saved" only after the store has said so.
        """
        name = _name(annotator)
        try:
            if opened is None:
                raise InputError(_CLOSED)
            n = len(opened.model_mask)
            mask, pins = view.parse_mask(event.mask, n), view.parse_pins(event.pins, n)
            saved = self.studio.save(opened, mask, pins, name, str(event.note), float(event.seconds))
        except (InputError, RecordError, StoreError) as error:
            return view.error_line(f"Not saved: {error}"), ""
        except (ValueError, AttributeError):
            return view.error_line(_OUT_OF_STEP), ""
        edits, revision = saved.correction.edits, saved.correction.revision
        said = f"Saved: {edits} of {n} tokens corrected, revision {revision}."
        if not saved.new:
            said = "This is saved already; nothing has changed since."
        return view.saved_line(said), self._next(name)

    def _next(self, annotator: str) -> str:
        """The text of the next prompt in the queue; "" when there is none (or when the store cannot say)."""
        try:
            item = self.studio.store.next_prompt(annotator)
        except (RecordError, StoreError):
            return ""
        return item.text if item else ""

    def open_next(self, text: str, *values: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Open the prompt that comes after a submitted one, if there is one: canvas's value, Opened, prompt box."""
        if text:
            for lines, opened in self.open_prompt(text, *values):
                yield lines, opened, text


def _name(annotator: str) -> str:
    return (annotator or "").strip() or "anonymous"
