"""The tasks of demonstrations and shared queries: what they ask, and how their prompts are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...data.fewshot import LABELS, TEMPLATES


@dataclass(frozen=True)
class Kind:
    """What a task is, whatever its files.

    Attributes:
        question: what all of its queries ask, in words (LongLLMLingua wants a question).
        frame: what stands before a text, between it and its answer, and between demonstrations; None: as written.
        labels: in the order of the files' class numbers; () = free answers. Each begins with a subword of its own,
            in SmolLM2 and in Gemma.
    """

    question: str
    frame: tuple[str, str, str] | None
    labels: tuple[str, ...] = ()


FEW_SHOT: Mapping[str, Kind] = {
    "agnews": Kind("Is the article about World, Sports, Business or Tech?", TEMPLATES[0], LABELS["agnews"]),
    "gsm8k": Kind("What is the solution of the word problem, step by step?", TEMPLATES[1]),
    "yelp": Kind("Is the review terrible, bad, okay, good or great?", TEMPLATES[4], LABELS["sst-5"]),
    "yahoo": Kind(
        "Which topic does the question belong to?",
        TEMPLATES[8],
        (
            *("Culture", "Science", "Health", "Education", "Computers"),
            *("Sports", "Business", "Music", "Family", "Politics"),
        ),
    ),
    "summary": Kind("What is the summary of the document?", ("Document: ", "\nSummary:", "\n\n")),
    "jsonl": Kind("", None),
}
