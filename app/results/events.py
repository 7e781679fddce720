"""What happens on a click in Results. The report is read each time, so that a new one shows without a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.components import table
from app.components.forms import UNCHANGED, Change, Changes, Request, reads
from app.results import view
from app.results.story import story
from app.settings import Settings
from model.evaluation.report import curves


class ResultsRequest(Request):
    """The run and the measure to show, as far as they were chosen."""

    run: str | None
    measure: str | None


@dataclass(frozen=True)
class ResultsPage(Changes):
    """What the tab shows."""

    story: Change[str] = UNCHANGED
    run: Change[Any] = UNCHANGED
    measure: Change[Any] = UNCHANGED
    curve: Change[Any] = UNCHANGED
    numbers: Change[str] = UNCHANGED
    readers: Change[Any] = UNCHANGED
    matrix: Change[Any] = UNCHANGED


def _in_place_of_figures(error: Exception) -> ResultsPage:
    hidden, said = gr.update(visible=False), table.message(error, "error")
    return ResultsPage(story=said, run=hidden, measure=hidden, curve=hidden, readers=hidden, numbers="")


class ResultsEvents:
    """The tab's events; settings say where the report lies."""

    def __init__(self, settings: Settings):
        self.settings = settings

    @reads(ResultsRequest, refused=_in_place_of_figures)
    def show(self, request: ResultsRequest) -> ResultsPage:
        """Show a run of the report, by one measure."""
        report = view.read_report(self.settings.report)
        names = [curves.run_name(run) for run in report["runs"]]
        at = names.index(request.run) if request.run in names else 0
        run = report["runs"][at]
        measures = curves.measures_of(run)
        measure = request.measure if request.measure in measures else measures[0]
        matrix = curves.matrix(report)
        return ResultsPage(
            story=story(report),
            run=gr.update(choices=names, value=names[at], visible=True),
            measure=gr.update(choices=measures, value=measure, visible=True),
            curve=gr.update(value=curves.curve(run, measure), visible=True),
            numbers=view.results_table(run, measure),
            readers=gr.update(visible=matrix is not None),
            matrix=matrix,
        )
