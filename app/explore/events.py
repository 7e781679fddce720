"""What happens on a click in Explore."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import InstanceOf

from app.components.canvas_lines import all_lengths, end_line, error_line, step_line
from app.components.forms import UNCHANGED, Change, Changes, Request, Text, reads
from app.components.payloads import CounterChoice, PinMarks
from app.components.sampling import SamplingRequest
from app.components.verdict import verdict_panel
from app.explore import view
from app.studio import Studio
from model.compress import CompressRequest


@dataclass(frozen=True)
class ByHand:
    """What a person has fixed in a prompt: token -> keep."""

    text: str
    pins: Mapping[int, bool]


class ExploreRequest(SamplingRequest):
    """The prompt, the settings, and the name of the tokenizer that tokens are counted with.

    Attributes:
        by_hand: what the person has fixed last; it holds for that prompt only.
    """

    text: Text
    counter: str
    by_hand: InstanceOf[ByHand] | None

    def asked(self) -> CompressRequest:
        """What is asked of the model. Raises InputError."""
        pins = self.by_hand.pins if self.by_hand is not None and self.by_hand.text == self.text else {}
        return replace(self.about(self.text), pins=pins)


class FixRequest(ExploreRequest):
    """The person fixes tokens of the prompt on the canvas, or frees them."""

    event: PinMarks


class LastRunRequest(Request):
    """The id of the run on the canvas; None = there was none."""

    last_run: str | None


class ExploreCountRequest(LastRunRequest):
    """Another tokenizer was chosen on the canvas."""

    event: CounterChoice


@dataclass(frozen=True)
class ExplorePage(Changes):
    """What the tab shows: the canvas, the charts, and what it remembers."""

    canvas: Change[str] = UNCHANGED
    last_run: Change[str] = UNCHANGED
    by_hand: Change[ByHand] = UNCHANGED
    counter: Change[str] = UNCHANGED
    confidence: Change[Any] = UNCHANGED
    decided: Change[Any] = UNCHANGED
    parts: Change[Any] = UNCHANGED


def _on_canvas(error: Exception) -> ExplorePage:
    return ExplorePage(canvas=error_line(str(error)))


class ExploreEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    @reads(ExploreRequest, refused=_on_canvas)
    def run(self, request: ExploreRequest) -> Iterator[ExplorePage]:
        """Run was pressed: play the steps as they come."""
        yield from self._explore(request.asked(), request.counter, quiet=False)

    @reads(ExploreRequest, refused=_on_canvas)
    def resample(self, request: ExploreRequest) -> Iterator[ExplorePage]:
        """The slider was let go: decide again, without playing it."""
        yield from self._explore(request.asked(), request.counter, quiet=True)

    @reads(FixRequest, refused=_on_canvas)
    def fix(self, request: FixRequest) -> Iterator[ExplorePage]:
        """Something was kept by a click, or freed again: decide around it."""
        asked = request.about(request.text)
        asked = replace(asked, pins=request.event.pins(len(asked.prompt)))
        yield ExplorePage(by_hand=ByHand(request.text, asked.pins))
        yield from self._explore(asked, request.counter, quiet=True)

    def _explore(self, asked: CompressRequest, counter: str, quiet: bool) -> Iterator[ExplorePage]:
        """The canvas after each step, and the id of the run once it is done.

        quiet: the prompt is on screen already; the canvas changes once, when the run is done.
        """
        run_id = uuid.uuid4().hex
        lines = self.studio.document(run_id, asked, counter, quiet=quiet)
        if not quiet:
            yield ExplorePage(canvas=lines)
        run = self.studio.start(asked)
        for step in self.studio.denoise(run):
            lines += step_line(step)
            if not quiet:
                yield ExplorePage(canvas=lines)
        self.studio.remember(run_id, run)
        lengths = all_lengths(run.trace, asked.pieces)
        panel = verdict_panel(run.result())
        lines += end_line(run.trace, run.seconds, run.checkpoint, **lengths, verdict=panel)
        yield ExplorePage(canvas=lines, last_run=run_id)

    @reads(ExploreCountRequest, refused=_on_canvas)
    def count(self, request: ExploreCountRequest) -> ExplorePage:
        """Count the tokens of the run on the canvas by another tokenizer."""
        run, counter = self.studio.run(request.last_run), request.event.name
        if run is not None:
            return ExplorePage(canvas=self.studio.recount(run.request.prompt, counter), counter=counter)
        return ExplorePage(counter=counter) if counter in self.studio.counters.names else ExplorePage()

    @reads(LastRunRequest, refused=_on_canvas)
    def draw_charts(self, request: LastRunRequest) -> ExplorePage:
        """The three figures of a finished run; nothing changes when it is no longer remembered."""
        run = self.studio.run(request.last_run)
        if run is None:
            return ExplorePage()
        prompt = run.request.prompt
        return ExplorePage(
            confidence=view.confidence_map(prompt, run.trace),
            decided=view.decided_per_step(run.trace),
            parts=view.retention_per_shot(prompt, run.trace),
        )
