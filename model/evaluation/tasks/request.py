"""What a task's loader is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from .sources import Data
from .task import Task

DOCUMENTS = 8


@dataclass(frozen=True)
class TaskOptions:
    """How prompts over documents are built; each task takes those that it has a use for.

    Attributes:
        documents: in a prompt (nq), or paragraphs of the text (needle).
        layout: one of `layouts.LAYOUTS`; "" = the task's own.
        place: of the document with the answer, from 1; None: drawn.
        question_first: the question stands before the documents, and after them only where the answer begins.
        language: of xquad.
        split: of the rows that are drawn from; "" = the one that nothing is trained on.
    """

    documents: int = DOCUMENTS
    layout: str = ""
    place: int | None = None
    question_first: bool = False
    language: str = "en"
    split: str = ""


@dataclass(frozen=True)
class TaskRequest:
    """What is to be loaded.

    Attributes:
        name: of the task.
        data: its folder or file, or "hub:OWNER/NAME[/CONFIG][:SPLIT]"; None for a task that needs none.
        prompts, queries: how many, or at most so many where the files say how many there are.
        shots: demonstrations in a prompt that is drawn; None: the task's own number.
        seed: the same request gives the same prompts and queries.
    """

    name: str
    data: Data | None
    prompts: int
    queries: int
    shots: int | None = None
    seed: int = 0
    options: TaskOptions = field(default_factory=TaskOptions)

    @property
    def place(self) -> Data:
        """Where the rows are; InputError where none was named."""
        if self.data is None:
            raise InputError(f"{self.name} needs --data: the folder or file with its rows")
        return self.data

    def folder(self) -> Path:
        """The folder or file on this machine; InputError for one on the hub."""
        if not isinstance(self.place, Path):
            raise InputError(f"{self.name} reads a folder or file of this machine, not {self.place}")
        return self.place


Loader = Callable[[TaskRequest], Task]


def check_enough(asked: int, what: str, there: int, where: str) -> None:
    """InputError when there are fewer than asked for."""
    if asked > there:
        raise InputError(f"{asked} {what} asked for, but {where} are {there}: ask for fewer with --{what}")
