"""Prompts to try, written for this project; they lie in examples/."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"
FILES = {
    "Maths, few-shot": "maths.txt",
    "News labels": "news.txt",
    "Documents + question": "documents.txt",
    "Agent's instructions": "agent.txt",
    "Code review": "review.txt",
}
EXAMPLES = {name: (FOLDER / file).read_text(encoding="utf-8").removesuffix("\n") for name, file in FILES.items()}
