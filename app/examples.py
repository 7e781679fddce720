"""Prompts to try, written for this project; they lie in the folder examples/."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "examples"
_PROMPTS = {
    "Documents + question": ("documents.txt", 50),
    "Notes of a meeting": ("meeting.txt", 50),
    "Orders as JSON": ("orders.txt", 50),
    "Maths, few-shot": ("maths.txt", 50),
    "News labels": ("news.txt", 65),
    "Log of a shop": ("log.txt", 65),
}
_QUESTIONS = {"Support desk": "support.txt", "Dates": "dates.txt", "Harbour": "harbour.txt"}


@dataclass(frozen=True)
class ExamplePrompt:
    """A prompt, and a length in percent at which one would send what is left of it."""

    text: str
    percent: int


@cache
def example_prompts() -> dict[str, ExamplePrompt]:
    """The prompts for Explore by their titles; the page opens with the first."""
    return {title: ExamplePrompt(_prompt(file), percent) for title, (file, percent) in _PROMPTS.items()}


@cache
def example_questions() -> dict[str, tuple[str, str]]:
    """Title, prompt and questions for Compare; the files have a line --- between the two."""
    return {title: _in_two(_read(_FOLDER / "compare" / file)) for title, file in _QUESTIONS.items()}


def _prompt(file: str) -> str:
    return _read(_FOLDER / file).removesuffix("\n")


def _in_two(text: str) -> tuple[str, str]:
    prompt, _, question = text.partition("\n---\n")
    return prompt.strip(), question.strip()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
