"""Prompts to try, written for this project; they lie in the folder examples/."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "examples"
_PROMPTS = {
    "Maths, few-shot": "maths.txt",
    "News labels": "news.txt",
    "Documents + question": "documents.txt",
    "Agent's instructions": "agent.txt",
    "Code review": "review.txt",
}
_QUESTIONS = {"Support desk": "support.txt", "Dates": "dates.txt", "Harbour": "harbour.txt"}


@cache
def example_prompts() -> dict[str, str]:
    """Title and text of the prompts for Explore."""
    return {title: _read(_FOLDER / file).removesuffix("\n") for title, file in _PROMPTS.items()}


@cache
def example_questions() -> dict[str, tuple[str, str]]:
    """Title, prompt and question for Compare; the files have a line --- between the two."""
    return {title: _in_two(_read(_FOLDER / "compare" / file)) for title, file in _QUESTIONS.items()}


def _in_two(text: str) -> tuple[str, str]:
    prompt, _, question = text.partition("\n---\n")
    return prompt.strip(), question.strip()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
