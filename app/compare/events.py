"""What happens on a click in Compare: shortening, answering, voting, downloading the votes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
from pydantic import AfterValidator, BeforeValidator, Field

from annotations.errors import ExportError
from annotations.files.export import export_votes
from annotations.files.scratch import temporary_folder
from annotations.ranking import rank_arms
from app.answering.answerer import Answerer, EndpointKey
from app.answering.judge import Judge
from app.compare import view
from app.compare.arms import ARM_METHODS, LEFT_OUT, Arm
from app.compare.comparison import Comparison, refusal_line
from app.compare.comparisons import Comparisons, against_the_full_prompt, drawn_pair, split_questions
from app.compare.sides import Prices
from app.components import table
from app.components.forms import (
    UNCHANGED,
    USER_ERRORS,
    Change,
    Changes,
    Number,
    PersonName,
    Request,
    Text,
    reads,
    refused_as,
)
from app.components.words import plural
from app.studio import Studio

_KEY_KEPT = "Kept for this address until you leave the page"


SIDE_BY_SIDE, ARENA = MODES = ("Side by side", "Blind arena")


def _known(method: str) -> str:
    if method not in (*ARM_METHODS, LEFT_OUT):
        raise ValueError(method)
    return method


_NO_ARM = refused_as("Choose what to compare, and keep 1 to 100 % of the words.")
_Method = Annotated[str, AfterValidator(_known), _NO_ARM]
_Percent = Annotated[Number, Field(ge=1, le=100), _NO_ARM]
_Price = Annotated[Number, Field(ge=0, le=1e6), refused_as("Each price is a number from 0 up.")]


class ArmsRequest(Request):
    """The ways to shorten the prompt: three beside the full prompt, or those among which the arena draws a pair."""

    mode: Text
    first_method: _Method
    first_percent: _Percent
    second_method: _Method
    second_percent: _Percent
    third_method: _Method
    third_percent: _Percent
    contestants: Annotated[tuple[_Method, ...], BeforeValidator(tuple)]
    percent: _Percent

    @property
    def blind(self) -> bool:
        """Whether it is a round of the arena."""
        return self.mode == ARENA

    def arms(self) -> tuple[Arm, ...]:
        """In the order in which they are shown. Raises InputError when they make no comparison."""
        if self.blind:
            return drawn_pair([Arm(method, round(self.percent)) for method in self.contestants])
        chosen = (
            (self.first_method, self.first_percent),
            (self.second_method, self.second_percent),
            (self.third_method, self.third_percent),
        )
        arms = [Arm(method, round(percent)) for method, percent in chosen if method != LEFT_OUT]
        return against_the_full_prompt(arms)


class PricesRequest(Request):
    """What tokens and the machine cost, in dollars; see `Prices`."""

    price_in: _Price
    price_out: _Price
    price_hour: _Price

    def prices(self) -> Prices:
        """As the figures take them."""
        return Prices(self.price_in, self.price_out, self.price_hour)


class CompareRequest(Answerer, PricesRequest, ArmsRequest):
    """Shorten this prompt in several ways, and ask these questions."""

    context: Text
    questions: Text

    def asked(self) -> tuple[str, ...]:
        """All questions; in the arena one of them, by chance. Raises InputError."""
        questions = split_questions(self.questions)
        return (secrets.choice(questions),) if self.blind else questions


class ComparisonRequest(Request):
    """The visitor's comparison: its id; None = it could not be begun."""

    comparison: str | None


class WinnerChoice(Request):
    """What the page's script sends: which answer is better."""

    winner: str


class VoteRequest(ComparisonRequest):
    """Vote, under a name."""

    name: PersonName
    event: WinnerChoice


class VotesRequest(Request):
    """All votes."""


@dataclass(frozen=True)
class ComparePage(Changes):
    """What the tab shows and remembers; `unmasked` is the row in which a diffusion LLM's answers are played."""

    answers: Change[str] = UNCHANGED
    summary: Change[str] = UNCHANGED
    comparison: Change[str] = UNCHANGED
    key: Change[Any] = UNCHANGED
    kept_key: Change[EndpointKey | None] = UNCHANGED
    run: Change[Any] = UNCHANGED
    cancel: Change[Any] = UNCHANGED
    unmasked: Change[Any] = UNCHANGED
    left: Change[str] = UNCHANGED
    right: Change[str] = UNCHANGED
    votes: Change[str] = UNCHANGED
    pairs: Change[str] = UNCHANGED
    file: Change[str] = UNCHANGED
    exported: Change[str] = UNCHANGED


def _ready(**more: Any) -> ComparePage:
    """Compare can be pressed, and there is nothing to cancel."""
    return ComparePage(run=gr.update(interactive=True), cancel=gr.update(interactive=False), **more)


def _refused(error: Exception) -> ComparePage:
    return _ready(answers=refusal_line(str(error)))


def _not_saved(error: Exception) -> ComparePage:
    gr.Warning(f"Not saved: {error}")
    return ComparePage()


class CompareEvents:
    """The tab's events, answered by one studio."""

    def __init__(self, studio: Studio):
        self.studio, self.comparisons = studio, Comparisons(studio)

    @reads(CompareRequest, refused=_refused)
    def shorten(self, request: CompareRequest) -> Iterator[ComparePage]:
        """Compare was pressed: make the prompts."""
        arms = request.arms()
        comparison, kept_key = self._comparison(request)
        self.comparisons.begin(comparison, arms)
        yield ComparePage(
            answers=comparison.add(say="Shortening the prompt …"),
            summary=table.content(),
            comparison=comparison.id,
            key=gr.update(value="", placeholder=_KEY_KEPT if kept_key else ""),
            kept_key=kept_key,
            run=gr.update(interactive=False),
            cancel=gr.update(interactive=True),
        )
        for _ in self.comparisons.shorten(comparison, arms):
            yield ComparePage(answers=comparison.lines)

    def _comparison(self, request: CompareRequest) -> tuple[Comparison, EndpointKey | None]:
        writer, kept_key = request.allowed_writer(self.studio.settings, self.studio.local_targets)
        comparison = Comparison(
            context=request.context,
            questions=request.asked(),
            judge=Judge.of(writer),
            blind=request.blind,
            prices=request.prices(),
            writer=writer,
            chat=request.chat,
            limit=int(request.limit),
        )
        return comparison, kept_key

    @reads(ComparisonRequest, refused=_refused)
    def write(self, request: ComparisonRequest) -> Iterator[ComparePage]:
        """Show the answers as they come. A page without changes lets Gradio notice that nobody listens any more."""
        if request.comparison is None:
            yield ComparePage()
            return
        comparison = self.comparisons.get(request.comparison)
        try:
            for changed in self.comparisons.write(comparison):
                yield self._shown(comparison) if changed else ComparePage()
        except USER_ERRORS as error:
            comparison.add(error=str(error))
            yield ComparePage(answers=comparison.add(end=""))

    def _shown(self, comparison: Comparison) -> ComparePage:
        if comparison.blind:
            return ComparePage(answers=comparison.lines)
        return ComparePage(answers=comparison.lines, summary=comparison.summary())

    @reads(ComparisonRequest, refused=_refused)
    def finish(self, request: ComparisonRequest) -> ComparePage:
        """All answers have come, or it was cancelled."""
        return _ready()

    @reads(ComparisonRequest, refused=lambda error: ComparePage())  # it has ended long ago
    def cancel(self, request: ComparisonRequest) -> ComparePage:
        """End the visitor's own comparison."""
        self.comparisons.get(request.comparison).stop.set()
        return ComparePage()

    @reads(VoteRequest, refused=_not_saved)
    def vote(self, request: VoteRequest) -> ComparePage:
        """Save a vote, and reveal what was hidden."""
        comparison = self.comparisons.get(request.comparison)
        self.comparisons.vote(comparison, request.event.winner, request.name)
        return replace(self._votes(), answers=comparison.lines)

    @reads(ComparisonRequest, refused=lambda error: ComparePage(unmasked=gr.update(visible=False), left="", right=""))
    def play(self, request: ComparisonRequest) -> ComparePage:
        """Play how a diffusion LLM has written its answers, as far as that may be seen."""
        comparison = self.comparisons.get(request.comparison)
        left, right = (comparison.played(side) for side in range(2))
        return ComparePage(unmasked=gr.update(visible=bool(left or right)), left=left, right=right)

    @reads(VotesRequest, refused=lambda error: ComparePage(votes=table.message(error, "error")))
    def show_votes(self, request: VotesRequest) -> ComparePage:
        """Show how the methods stand."""
        return self._votes()

    def _votes(self) -> ComparePage:
        """Everybody's votes as standings; pair by pair, with the models' names, those that the visitor may see."""
        try:
            store = self.studio.store
            return ComparePage(
                votes=view.standings_table(rank_arms(store.arena())), pairs=view.pairs_table(store.vote_summary())
            )
        except USER_ERRORS as error:
            return ComparePage(votes=table.message(error, "error"))

    @reads(VotesRequest, refused=lambda error: ComparePage(exported=table.message(error, "error")))
    def export(self, request: VotesRequest) -> Iterator[ComparePage]:
        """All votes as a file to download, and a message. The file is kept until the page has its copy."""
        with temporary_folder() as folder:
            path = Path(folder, f"votes-{datetime.now(timezone.utc):%Y-%m-%d}.jsonl")
            count = export_votes(self.studio.store.all_votes(), path)
            if not count:
                raise ExportError("There are no votes yet, so there is nothing to download.")
            message = f"{plural(count, 'vote')} in {path.name}."
            yield ComparePage(file=str(path), exported=table.message(message, "ok"))
