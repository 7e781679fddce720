"""What programs call: named endpoints for gradio_client, which are MCP tools as well.

    client = Client("http://127.0.0.1:7860")
    client.predict(text=prompt, retention=0.35, api_name="/compress")["compressed"]

Gradio makes the tools' descriptions and schemas from the docstrings and type hints below. Whatever goes wrong reaches
the caller as one line.
"""

from __future__ import annotations

import functools
import importlib.util
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import gradio as gr

from annotations.errors import RecordError, StoreError
from annotations.results import Filter
from app.hosting.people import check_pattern, signed_in_name
from app.studio import Studio
from model.compress import AUTO, CompressRequest
from model.errors import InputError
from model.prompt import Prompt, parse
from model.prompt.limits import check_length

LIST_LIMIT = 100  # corrections in one answer
LIST_TOKENS = 1_000_000  # and their tokens

Answer = TypeVar("Answer", bound=Callable[..., Any])


def _in_one_line(answer: Answer) -> Answer:
    """What a caller did wrong, or what failed, as a message without a traceback."""

    @functools.wraps(answer)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return answer(*args, **kwargs)
        except (InputError, RecordError, StoreError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    return wrapped  # type: ignore[return-value]


class Endpoints:
    """The endpoints of one studio."""

    def __init__(self, studio: Studio):
        self.studio = studio

    @_in_one_line
    def compress(
        self,
        text: str,
        retention: float | str = 0.5,
        steps: int = 8,
        threshold: float = 0.0,
        seed: int = 0,
        keep: str = "",
        pins: dict[str, bool] | None = None,
        granularity: str = "unit",
        keep_words: list[str] | None = None,
        keep_digits: bool = False,
        keep_breaks: bool = False,
        keep_task: bool = True,
        guards: bool = True,
        least: float = 0.7,
        least_demonstration: float = 0.5,
        parts: list[list[Any]] | None = None,
        tokens: bool = False,
    ) -> dict[str, Any]:
        """Shorten a prompt for a language model: drop what it can do without, down to the share asked for.

        The answer holds the short text ("compressed"), the share and counts of what was kept ("retention",
        "prompt_tokens", "kept_tokens"), what it costs ("verdict", with "warnings" to read), the model ("checkpoint")
        and the time ("seconds"). Instruction and question stay whole; where they alone are longer than the share
        asked for, the answer is longer, and a warning says so.

        Args:
            text: The prompt, at most 200,000 characters. Its documents, examples, turns, code and data are recognised.
            retention: Share of the words to keep, above 0 and at most 1, for example 0.35; or "auto", as few as hold
                all that is needed.
            steps: Denoising steps, 1 to 64; more of them decide more carefully.
            threshold: Confidence, from 0 to below 1, that a word needs to be decided before the last step.
            seed: A whole number; the same seed gives the same answer.
            keep: Regular expression; words that a match touches are kept. Empty for none.
            pins: Words to keep (true) or drop (false) for certain, by their place in "tokens", as {"3": true}.
            granularity: What is kept or dropped at once: unit (sentences, items, lines), part (whole documents), token.
            keep_words: Words and phrases that are always kept.
            keep_digits: Whether every word with a digit is kept.
            keep_breaks: Whether every line break is kept.
            keep_task: Whether instruction and question stay whole.
            guards: Whether a sentence with a negation, limit or condition is kept or dropped whole.
            least: With granularity token, the share of a sentence's words that stays if any does.
            least_demonstration: The share of an example that stays, besides its answer, if any does.
            parts: The parts of the prompt where they are not to be detected, as [[start, end, role]] in characters;
                a role is instruction, demonstration, document, turn, code, data, question or text.
            tokens: Whether to list every word of the prompt ("tokens"): its text, start, end, part, whether it is
                kept, and in which step and how confidently that was decided. About 100 bytes a word.
        """
        for name, value in (("text", text), ("keep", keep), ("granularity", granularity)):
            _check(name, value, str)
        for name, number in (("steps", steps), ("seed", seed)):
            _check(name, number, int)
        if retention != AUTO:
            _check("retention", retention, (int, float))
        shares = {"threshold": threshold, "least": least}
        for name, share in {**shares, "least_demonstration": least_demonstration}.items():
            _check(name, share, (int, float))
        check_pattern(keep)
        asked = CompressRequest(
            _prompt(text, parts),
            retention,
            steps,
            threshold=threshold,
            seed=seed,
            keep=keep,
            keep_words=_words(keep_words),
            keep_digits=bool(keep_digits),
            keep_breaks=bool(keep_breaks),
            keep_task=bool(keep_task),
            pins=_pins(pins),
            granularity=granularity,
            guards=bool(guards),
            least=least,
            least_demonstration=least_demonstration,
        )
        run = self.studio.start(asked)
        return self.studio.served.run(run.result).to_json(bool(tokens))

    @_in_one_line
    def correct(
        self,
        prompt: str,
        offsets: list[list[int]],
        model_mask: str,
        human_mask: str,
        checkpoint: str,
        annotator: str,
        retention: float = 0.5,
        steps: int = 8,
        threshold: float = 0.0,
        seed: int = 0,
        pins: dict[str, bool] | None = None,
        shot_starts: list[int] | None = None,
        seconds: float = 0.0,
        note: str = "",
        id: str = "",
        granularity: str = "unit",
        guards: bool = True,
        least: float = 0.7,
        least_demonstration: float = 0.5,
    ) -> dict[str, Any]:
        """Save what a person says a model should have kept and dropped of a prompt, for the model to learn from.

        Once this answers, the correction is saved; the answer is the saved record, with its id, revision and status.
        Sent again with the same id it is saved once; changed, it becomes the next revision.

        Args:
            prompt: The full prompt.
            offsets: Start and end of each word in characters, as the tokens that compress lists have them.
            model_mask: What the model decided, one character for each word: 1 keep, 0 drop.
            human_mask: The same, as it should be.
            checkpoint: The model that made model_mask, as compress names it.
            annotator: Who says so.
            retention: Share of the words that the model was asked to keep.
            steps: Steps that the model took.
            threshold: Confidence threshold that the model was given.
            seed: Seed that the model was given.
            pins: Words that were fixed on purpose, by their place, in agreement with human_mask, as {"3": true}.
            shot_starts: Characters at which parts of the prompt begin.
            seconds: Time spent.
            note: A remark.
            id: 32 hexadecimal digits of your choice, as uuid4().hex gives; empty for new ones.
            granularity: How fine the pieces were that the model kept or dropped: token, unit or part.
            guards: Whether sentences with a negation, limit or condition were one piece.
            least: Share of a sentence's words that stayed if any did.
            least_demonstration: Share of a demonstration that stayed, besides its answer, if any did.
        """
        fields = {
            "id": id or uuid.uuid4().hex,
            "prompt": prompt,
            "offsets": offsets,
            "shot_starts": shot_starts or [],
            "model_mask": model_mask,
            "human_mask": human_mask,
            "pins": pins or {},
            "retention": retention,
            "steps": steps,
            "threshold": threshold,
            "seed": seed,
            "granularity": granularity,
            "guards": guards,
            "least": least,
            "least_demonstration": least_demonstration,
            "checkpoint": checkpoint,
            "annotator": signed_in_name(annotator),
            "seconds": seconds,
            "note": note,
        }
        return self.studio.store.submit(fields).correction.to_fields()

    @_in_one_line
    def corrections(
        self,
        statuses: list[str] | None = None,
        annotator: str = "",
        checkpoint: str = "",
        since: str = "",
        until: str = "",
        text: str = "",
        offset: int = 0,
        limit: int = 20,
    ) -> list[dict[str, Any]]:
        """List saved corrections, newest first: of each the newest revision, as a full record.

        Args:
            statuses: Any of draft, submitted, accepted, rejected; without any, all of them.
            annotator: Only by this person.
            checkpoint: Only of this model's masks.
            since: From this day or time on, as 2026-11-22 or 2026-11-22T08:30 (UTC).
            until: Up to this time, or to the end of this day.
            text: Only with this text in the prompt, the note, the annotator's name or the id.
            offset: How many to pass over.
            limit: How many at most, 1 to 100.
        """
        _check("statuses", statuses or [], list)
        _check("offset", offset, int)
        _check("limit", limit, int)
        for name, value in (("since", since), ("until", until)):
            _check(name, value, str)
        if not (0 <= offset < 2**31 and 1 <= limit <= LIST_LIMIT):
            raise InputError(f"offset {offset} must be at least 0, and limit {limit} from 1 to {LIST_LIMIT}")
        chosen = Filter(tuple(map(str, statuses or ())), annotator, checkpoint, since, until, text)
        store = self.studio.store
        entries = store.find(chosen, offset, limit).entries
        if sum(entry.tokens for entry in entries) > LIST_TOKENS:
            raise InputError(f"These {len(entries)} corrections are too long for one answer: lower the limit.")
        return [correction.to_fields() for correction in store.fetch((entry.id, entry.revision) for entry in entries)]

    @_in_one_line
    def checkpoints(self) -> dict[str, Any]:
        """List the models: the one in use ("served"), and those known ("checkpoints"), newest first.

        Each comes with id, parent, created_at, status, metrics, and how many corrections it was trained on.
        """
        names = ("id", "parent", "created_at", "status", "corrections")
        known = [
            {**{name: getattr(entry, name) for name in names}, "metrics": dict(entry.metrics)}
            for entry in self.studio.store.checkpoints()
        ]
        return {"served": self.studio.compressor.checkpoint.id, "checkpoints": known}


def add_endpoints(studio: Studio, model: str) -> None:
    """Add the endpoints to the page that is being built; model: concurrency id of everything that runs the model."""
    endpoints = Endpoints(studio)
    gr.api(endpoints.compress, api_name="compress", concurrency_id=model, concurrency_limit=1)
    for endpoint in (endpoints.correct, endpoints.corrections, endpoints.checkpoints):
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=4)


def mcp_is_there() -> bool:
    """Whether the endpoints can be served as MCP tools, too: pip install "gradio[mcp]"."""
    return importlib.util.find_spec("mcp") is not None


_KINDS = {str: "a text", int: "a whole number", list: "a list"}


def _check(name: str, value: object, kind: Any) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{name} must be {_KINDS.get(kind, 'a number')}, not {ascii(value)[:40]}")


def _pins(pins: object) -> dict[int, bool]:
    """{"3": true} -> {3: True}; that the tokens exist is checked by the sampler."""
    if pins is None:
        return {}
    if not isinstance(pins, Mapping) or not all(isinstance(keep, bool) for keep in pins.values()):
        raise InputError('pins must be an object like {"3": true}: the place of a word, and whether to keep it')
    if bad := [place for place in pins if not (str(place).isdecimal() and len(str(place)) < 8)]:
        raise InputError(f"pins: {ascii(bad[0])[:40]} is not the place of a word")
    return {int(place): keep for place, keep in pins.items()}


def _parts(parts: object) -> list[tuple[int, int, str]]:
    """[[0, 12, "instruction"]] as tuples; that they lie in the text is checked by `parse`."""
    if not isinstance(parts, list) or not all(isinstance(row, list) and len(row) == 3 for row in parts):
        raise InputError('parts must be a list like [[0, 12, "instruction"]]: start, end and role of each')
    return [(start, end, role) for start, end, role in parts]


def _prompt(text: str, parts: object) -> str | Prompt:
    """The text, or what it is with the parts that the caller names."""
    if not parts:
        return text
    check_length(len(text))
    return parse(text, parts=_parts(parts))


def _words(words: object) -> tuple[str, ...]:
    if words is not None and not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise InputError("keep_words must be a list of texts")
    return tuple(words or ())
