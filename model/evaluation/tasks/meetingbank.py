"""MeetingBank (Hu et al. 2023, arXiv 2305.17529) from the hub or a file: summaries of city council meetings."""

from __future__ import annotations

from . import grading
from .reading import LONG_ANSWER, chosen, question_prompt
from .request import TaskRequest
from .sources import SourceRow, read_rows, text_of
from .task import Document, EvaluationPrompt, Task

QUESTION = "What was discussed and decided in the meeting?"
INSTRUCTION = "Summarize the transcript of the meeting."


def load(request: TaskRequest) -> Task:
    """A JSON Lines file, or "hub:huuuyeah/meetingbank" (split test): transcript, summary.

    Raises InputError when a row is not one, or there are too few.
    """
    drawn = chosen(request, read_rows(request.place), "the rows of meetingbank")
    prompts = tuple(_prompt(i, row) for i, row in enumerate(drawn))
    return Task(request.name, prompts, (), (), grade=grading.rouges, new_tokens=LONG_ANSWER)


def _prompt(index: int, row: SourceRow) -> EvaluationPrompt:
    transcript = text_of(row, "transcript")
    whole = (Document(0, len(transcript), (0, len(transcript))),)
    return question_prompt(
        index,
        (transcript, whole),
        QUESTION,
        (text_of(row, "summary"),),
        instruction=INSTRUCTION,
        words=("Question: ", "Summary:"),
        row=row[0].rpartition("/")[2],
    )
