"""What happens on a click in Explore."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import InstanceOf

from app.components.canvas import LEAST_PERCENT
from app.components.canvas_lines import all_lengths, end_line, error_line, step_line, waiting_line
from app.components.forms import UNCHANGED, Change, Changes, Request, Text, reads, refused_as
from app.components.payloads import CounterChoice, PinMarks, RoleChoice
from app.components.sampling import SamplingRequest
from app.components.verdict import verdict_panel
from app.explore import view
from app.explore.files import read_file
from app.explore.pasted import Pasted
from app.explore.permalink import packed, unpacked
from app.explore.setup import ByHand, Setup, said_of, settings_of
from app.explore.snippets import snippets
from app.explore.structure import with_role
from app.explore.why import why_units
from app.studio import Studio
from model.compress import AUTO, CompressRequest

_SENT_EVERY = 0.1  # seconds; the page plays steps more slowly, and each sending costs it time
_STOPPED = "Stopped. What was decided until then is shown; press Run to start again."
_NO_SETUP = refused_as("This link or this run holds settings that there are not: set them by hand.")


class ExploreRequest(SamplingRequest):
    """The prompt, the settings, and the name of the tokenizer that tokens are counted with.

    Attributes:
        by_hand: what a person has said of a prompt last; it holds for that prompt only.
    """

    text: Text
    counter: str
    by_hand: InstanceOf[ByHand] | None

    @property
    def said(self) -> ByHand:
        """What a person has said of this prompt."""
        return self.by_hand if self.by_hand is not None and self.by_hand.text == self.text else ByHand(self.text)


class FixRequest(ExploreRequest):
    """The person fixes tokens of the prompt on the canvas, or frees them."""

    event: PinMarks


class NameRequest(ExploreRequest):
    """The person says what a part of the prompt is."""

    event: RoleChoice


class LastRunRequest(Request):
    """The id of the run on the canvas; None = there was none."""

    last_run: str | None


class ExploreCountRequest(LastRunRequest):
    """Another tokenizer was chosen on the canvas."""

    event: CounterChoice


class RecallRequest(ExploreRequest):
    """An earlier run was chosen in the history."""

    event: Annotated[Setup, _NO_SETUP]

    @property
    def recalled(self) -> ExploreRequest:
        """The page as it was."""
        values = {name: getattr(self, name) for name in ExploreRequest.model_fields} | settings_of(self.event)
        if self.event.text:
            values |= {"text": self.event.text, "by_hand": self.event.by_hand}
        return ExploreRequest(**values)


class LinkText(Request):
    """The canvas: what the page's address has behind the "#"."""

    link: str


class LinkRequest(ExploreRequest):
    """The page was opened through a link."""

    event: LinkText

    def as_recall(self) -> RecallRequest:
        """Raises InputError for a link that was cut, or holds what there is not."""
        return RecallRequest.read({**self.__dict__, "event": unpacked(self.event.link)})


class FileRequest(ExploreRequest):
    """A file was chosen or dropped; where the server has it."""

    file: str | None


@dataclass(frozen=True)
class ExploreQuery:
    """What is asked of the model, and what the page has to know of it.

    Attributes:
        setup: the settings and what a person said, as `Setup` takes them.
    """

    pasted: Pasted
    said: ByHand
    request: CompressRequest
    setup: dict[str, Any]

    @classmethod
    def of(cls, page: ExploreRequest, said: ByHand) -> ExploreQuery:
        """Raises InputError."""
        pasted = Pasted.read(page.text, page.whole_task, said.parts)
        request = page.about(pasted.prompt)
        if pasted.chat is not None:
            request = replace(request, retention=pasted.chat.talk.share(page.retention / 100))
        setup = settings_of(page) | said_of(said, len(pasted.prompt))
        return cls(pasted, said, replace(request, pins=said.pins), setup)

    def with_length(self, found: CompressRequest) -> ExploreQuery:
        """The same at the length that the model has found; programs and links say that it is to be found."""
        setup = self.setup | {"retention": self._percent(found.config.retention), "auto": True}
        return replace(self, request=found, setup=setup)

    def _percent(self, share: float) -> int:
        """The least length on the slider that is a share of the tokens; of messages, what is protected counts less."""
        if self.pasted.chat is None:
            return max(LEAST_PERCENT, math.ceil(100 * share - 1e-6))
        talk = self.pasted.chat.talk
        return next((p for p in range(LEAST_PERCENT, 100) if talk.share(p / 100) >= share - 1e-6), 100)

    @property
    def about(self) -> dict[str, Any]:
        """What the browser gets besides the prompt: the setup, and the messages that the prompt was made of."""
        if (chat := self.pasted.chat) is None:
            return {"setup": self.setup}
        texts = {"chat": chat.template, "texts": chat.places(), "names": chat.names()}
        return {"setup": self.setup, "source": self.said.text, **texts}

    @property
    def use(self) -> dict[str, Any]:
        """Programs that do the same, and links that open the page like this: with the settings alone, and with the
        text."""
        retention = AUTO if "auto" in self.setup else self.setup["retention"] / 100
        programs = snippets(self.request, retention, self.pasted.chat, self.said.parts)
        alone = {name: value for name, value in self.setup.items() if name not in ("marks", "parts")}
        links = {"settings": packed(alone), "text": packed({**self.setup, "text": self.said.text})}
        return {"programs": programs, "links": links}


@dataclass(frozen=True)
class ExplorePage(Changes):
    """What the tab shows: the prompt, its settings, the canvas, the charts; and what it remembers."""

    text: Change[str] = UNCHANGED
    retention: Change[float] = UNCHANGED
    steps: Change[int] = UNCHANGED
    threshold: Change[float] = UNCHANGED
    seed: Change[int] = UNCHANGED
    rules: Change[list[str]] = UNCHANGED
    granularity: Change[str] = UNCHANGED
    words: Change[str] = UNCHANGED
    canvas: Change[str] = UNCHANGED
    last_run: Change[str] = UNCHANGED
    by_hand: Change[ByHand | None] = UNCHANGED
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
        yield from self._explore(ExploreQuery.of(request, request.said), request.counter, quiet=False)

    @reads(ExploreRequest, refused=_on_canvas)
    def find_length(self, request: ExploreRequest) -> Iterator[ExplorePage]:
        """As short as the model is sure of: put the slider there, and run."""
        asked = self._found(ExploreQuery.of(request, request.said))
        yield ExplorePage(retention=asked.setup["retention"])
        yield from self._explore(asked, request.counter, quiet=False)

    def _found(self, asked: ExploreQuery) -> ExploreQuery:
        """The same, as short as the model is sure of."""
        auto = replace(asked.request, retention=AUTO)
        return asked.with_length(self.studio.served.run(self.studio.compressor.with_length, auto))

    @reads(ExploreRequest, refused=_on_canvas)
    def resample(self, request: ExploreRequest) -> Iterator[ExplorePage]:
        """The slider was let go: decide again, without playing it."""
        yield from self._explore(ExploreQuery.of(request, request.said), request.counter, quiet=True)

    @reads(FixRequest, refused=_on_canvas)
    def fix(self, request: FixRequest) -> Iterator[ExplorePage]:
        """Something was kept by a click, or freed again: decide around it."""
        tokens = len(Pasted.read(request.text, request.whole_task, request.said.parts).prompt)
        yield from self._said(request, replace(request.said, pins=request.event.pins(tokens)))

    @reads(NameRequest, refused=_on_canvas)
    def name_part(self, request: NameRequest) -> Iterator[ExplorePage]:
        """A stretch of the prompt was given a role: decide again, with these parts."""
        prompt = Pasted.read(request.text, request.whole_task, request.said.parts).prompt
        choice = request.event
        parts = with_role(prompt, choice.first, choice.last, choice.role)
        yield from self._said(request, replace(request.said, parts=parts))

    def _said(self, request: ExploreRequest, said: ByHand) -> Iterator[ExplorePage]:
        asked = ExploreQuery.of(request, said)
        yield ExplorePage(by_hand=said)
        yield from self._explore(asked, request.counter, quiet=True)

    def _explore(self, asked: ExploreQuery, counter: str, quiet: bool) -> Iterator[ExplorePage]:
        """The canvas after each step, and the id of the run once it is done.

        quiet: the prompt is on screen already; the canvas changes once, when the run is done.
        """
        run_id = uuid.uuid4().hex
        lines = self.studio.document(run_id, asked.request, counter, quiet=quiet, **asked.about)
        if others := self.studio.waiting:
            lines += waiting_line(others)
        if others or not quiet:
            yield ExplorePage(canvas=lines)
        run = self.studio.start(asked.request)
        sent, shown = lines, -math.inf  # when the canvas was sent something last
        for step in self.studio.denoise(run):
            lines += step_line(step)
            if not quiet and time.monotonic() - shown >= _SENT_EVERY:
                sent, shown = lines, time.monotonic()
                yield ExplorePage(canvas=lines)
        if not quiet and sent != lines:
            yield ExplorePage(canvas=lines)  # the verdict on a long prompt takes a while
        self.studio.remember(run_id, run)
        lengths = all_lengths(run.trace, asked.request.pieces)
        said = {**lengths, "verdict": verdict_panel(run.result()), "use": asked.use, "why": self._why(asked.request)}
        lines += end_line(run.trace, run.seconds, run.checkpoint, **said)
        yield ExplorePage(canvas=lines, last_run=run_id)

    def _why(self, request: CompressRequest) -> dict[str, Any]:
        """What relates the units to what is asked, and to each other; {} where words alone are decided."""
        encoder = None if request.rules.free else self.studio.compressor.encoder
        return self.studio.served.run(why_units, encoder, request.prompt)

    @reads(LastRunRequest, refused=_on_canvas)
    def stop(self, request: LastRunRequest) -> ExplorePage:
        """Stop was pressed; Gradio has ended the run."""
        return ExplorePage(canvas=error_line(_STOPPED))

    # --- what comes from elsewhere -------------------------------------------------------------------------

    @reads(FileRequest, refused=_on_canvas)
    def open_file(self, request: FileRequest) -> Iterator[ExplorePage]:
        """A file was chosen: its text is the prompt."""
        if request.file:
            opened = request.model_copy(update={"text": read_file(request.file)})
            asked = ExploreQuery.of(opened, opened.said)  # what cannot be shortened does not replace what is there
            yield ExplorePage(text=opened.text)
            yield from self._explore(asked, request.counter, quiet=False)

    @reads(RecallRequest, refused=_on_canvas)
    def recall(self, request: RecallRequest) -> Iterator[ExplorePage]:
        """An earlier run: its text and settings stand on the page again, and so does what came of it."""
        yield from self._again(request)

    @reads(LinkRequest, refused=_on_canvas)
    def open_link(self, request: LinkRequest) -> Iterator[ExplorePage]:
        """What a link carries stands on the page."""
        yield from self._again(request.as_recall())

    def _again(self, request: RecallRequest) -> Iterator[ExplorePage]:
        page = request.recalled
        asked = ExploreQuery.of(page, page.said)
        if request.event.auto:
            asked = self._found(asked)
        shown = settings_of(page) | {"retention": asked.setup["retention"]}
        yield ExplorePage(**shown, text=page.text, by_hand=page.said)
        yield from self._explore(asked, page.counter, quiet=True)

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
