"""What happens on a click in Explore: reads the page's values, asks the service, yields what the page shows next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.components import canvas_lines as view
from app.components import charts
from app.studio import Ask, Studio
from model.diffusion.trace import SamplerConfig
from model.errors import InputError
from model.prompt import Prompt

MODEL = "model"  # concurrency_id of all events that run the model: they wait in one line


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
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def run(self, *values: Any) -> Iterator[tuple[Any, Any]]:
        """Run was pressed: play the steps as they come."""
        yield from self.explore(False, *values)

    def resample(self, *values: Any) -> Iterator[tuple[Any, Any]]:
        """The slider was let go: decide again, without playing it."""
        yield from self.explore(True, *values)

    def explore(self, quiet: bool, counter: str, *values: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the canvas's value after each step, and the id of the run once it is done.

        quiet: the prompt is on screen already; the canvas changes once, when the run is done.
        """
        try:
            run = self.studio.start(read_ask(*values))
            lines = self.studio.document(run, counter, quiet=quiet)
            if not quiet:
                yield lines, gr.skip()
            for step in self.studio.denoise(run):
                lines += view.step_line(step)
                if not quiet:
                    yield lines, gr.skip()
            assert run.trace
            yield lines + view.end_line(run.trace, run.seconds, run.checkpoint), run.id
        except InputError as error:
            yield view.error_line(str(error)), gr.skip()

    def count(self, run_id: str | None, event: gr.EventData) -> tuple[Any, Any]:
        """Count the tokens of a finished run by another tokenizer: canvas, the tokenizer's name."""
        run = self.studio.run(run_id) if run_id else None
        return count_again(self.studio, run.prompt if run else None, event)

    def draw_charts(self, run_id: str | None) -> tuple[Any, Any, Any]:
        """The three figures of a finished run; nothing changes when it is no longer remembered."""
        run = self.studio.run(run_id) if run_id else None
        if run is None or run.trace is None:
            return gr.skip(), gr.skip(), gr.skip()
        heat = charts.confidence_map(run.prompt, run.trace)
        return heat, charts.decided_per_step(run.trace), charts.retention_per_shot(run.prompt, run.trace)


def count_again(studio: Studio, prompt: Prompt | None, event: gr.EventData) -> tuple[Any, Any]:
    """Another tokenizer was chosen: canvas, the tokenizer's name."""
    try:
        name = str(event.name)
        if prompt is None:
            return gr.skip(), name if name in studio.counters.names else gr.skip()
        return view.counted_line(studio.counters.count(name, prompt), name), name
    except InputError as error:
        return view.error_line(str(error)), gr.skip()
    except AttributeError:
        return gr.skip(), gr.skip()
