"""What the canvas needs of a run, as lines of JSON. Pure: no Gradio, no model.

A run is sent as a growing text: a document line, one line for each step, an end line. Gradio streams only what was
added to a text, so every step travels once; the browser reads only the lines that it has not read yet.

    {"run": "5f2c", "tokens": ["Hi", ...], "gaps": ["", ...], "tail": "", "flags": "3...", "pins": "..K.", ...}
    {"step": 1, "decided": [4, 9], "keep": "10", "sure": "<base64>", "probability": "<base64>", "shots": [0.61],
     "units": "<base64>"}
    {"end": true, "kept": 12, "seconds": 0.21, "checkpoint": "0a1b2c3d4e5f", "held": [0, 1], "bundles": [[9, 10], ...]}
    {"model": "0110", "human": "0111", "pins": "...K"}    (a stored correction, in place of steps and end)
    {"judged": {...}, "mask": "0110"}    (what a person's mask costs)
    {"error": "The prompt is empty: ..."}

Bytes in base64 are one for each token or unit: a confidence in [0.5, 1] or a probability in [0, 1] as 0-255.
"""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.components.words import shorten
from model.diffusion.schedule import KEEP
from model.diffusion.trace import SamplerConfig, Step, Trace
from model.prompt import Part, Prompt, word_edges
from model.prompt.pieces import PieceSet
from model.prompt.selection import nested

# What the browser must know of a token to write the compressed prompt, one bit each.
FUSES_LEFT, FUSES_RIGHT, IS_BREAK, SPACE_BEFORE, SPACE_INSIDE, CLOSE_LEFT, CLOSE_RIGHT = 1, 2, 4, 8, 16, 32, 64
ROLE_TITLES = {  # what a stretch can be -> how it is called
    "instruction": "Instruction",
    "demonstration": "Example",
    "document": "Document",
    "turn": "Turn",
    "code": "Code",
    "data": "Data",
    "question": "Question",
    "text": "Text",
}
_UNTITLED = ("instruction", "demonstration", "question")  # their labels, as "Q:", say less than their role


def document_line(
    run: str,
    prompt: Prompt,
    config: SamplerConfig,
    pins: Mapping[int, bool],
    by_hand: Collection[int] = (),
    subwords: Sequence[int] = (),
    names: Sequence[str] = (),
    **more: Any,
) -> str:
    """The first line of a run: the prompt and what was fixed before the model was asked.

    Args:
        run: its id.
        pins: token -> keep; shown as k/d where a rule fixed them, K/D where a person did, "." elsewhere.
        by_hand: the pins that a person set.
        subwords: how many subwords each token has for a language model's tokenizer (roughly what is paid for).
        names: of the parts, where they are not called by `part_names`.
        more: passed on to the browser as it is.
    """
    text, tokens = prompt.text, prompt.tokens
    ends = [len(text) - len(text.lstrip("\ufeff")), *(token.end for token in tokens)]  # a byte-order mark is not shown
    return _line(
        {
            "run": run,
            "tokens": [token.text for token in tokens],
            "gaps": [text[end : token.start] for end, token in zip(ends, tokens, strict=False)],
            "tail": text[ends[-1] :],
            "flags": token_flags(prompt),
            "shots": [
                {"name": name, "first": part.first, "last": part.last, "role": part.role}
                for part, name in zip(prompt.parts, names or part_names(prompt), strict=True)
            ],
            "units": [[unit.first, unit.last, unit.kind] for unit in prompt.units],
            "pins": "".join(_pin(pins.get(i), i in by_hand) for i in range(len(tokens))),
            "subwords": list(subwords) or [1] * len(tokens),
            "retention": config.retention,
            "steps": config.steps,
            **more,
        }
    )


def step_line(step: Step) -> str:
    """One denoising step: what it decided, and what it predicted for every token and shot."""
    return _line(
        {
            "step": step.index,
            "decided": list(step.decided),
            "keep": "".join("1" if step.states[i] == KEEP else "0" for i in step.decided),
            "sure": _bytes([(c - 0.5) * 2 for c in step.confidence]),
            "probability": _bytes(step.probability),
            "shots": [round(p, 4) for p in step.shots],
            "units": _bytes(step.units),
        }
    )


def end_line(trace: Trace, seconds: float, checkpoint: str, **more: Any) -> str:
    """The last line of a run: how much is kept, and where the mask comes from; more: such as `all_lengths`."""
    record = {"kept": sum(trace.keep), "seconds": round(seconds, 3), "checkpoint": checkpoint}
    return _line({"end": True, **record, **more})


def masks_line(model: str, human: str, pins: Mapping[int, bool], **more: Any) -> str:
    """Instead of steps: a stored correction, as masks of one character 0 or 1 a token."""
    return _line({"model": model, "human": human, "pins": pin_marks(pins, len(human)), **more})


def waiting_line(others: int) -> str:
    """So many other visitors are waiting for the model, too."""
    return _line({"waiting": others})


def error_line(message: str) -> str:
    """A refusal, shown above the canvas; what the canvas shows stays."""
    return _line({"error": message, "at": uuid.uuid4().hex})  # the same message twice is still news


def saved_line(message: str) -> str:
    """The store has the correction."""
    return _line({"saved": message, "at": uuid.uuid4().hex})


def judged_line(verdict: Mapping[str, Any], mask: Sequence[bool]) -> str:
    """What a person's mask costs, see `app.components.verdict`."""
    return _line({"judged": verdict, "mask": "".join("1" if keep else "0" for keep in mask)})


def drafted_line(message: str) -> str:
    """The store has the draft, or why it has not."""
    return _line({"drafted": message, "at": uuid.uuid4().hex})


def offer_line(start: str) -> str:
    """There is a draft to go on with; start: of its prompt, "" = there is none."""
    return _line({"offer": start, "at": uuid.uuid4().hex})


def counted_line(subwords: Sequence[int], counter: str) -> str:
    """The same prompt, counted by another tokenizer: tokens of its own for each prompt token."""
    return _line({"subwords": list(subwords), "counter": counter, "at": uuid.uuid4().hex})


def all_lengths(trace: Trace, pieces: PieceSet) -> dict[str, Any]:
    """The masks of all lengths, without asking the model again: what is held at any of them, and bundles of tokens.

    The tokens that are held and those of any number of first bundles are a sound mask. What the run has kept comes
    first, so one of these masks is the run's own; shorter and longer ones follow the last step's keep probabilities.
    """
    scores = pieces.means([_logit(p) for p in trace.steps[-1].probability])
    kept = [p for p, tokens in enumerate(pieces.tokens) if trace.keep[tokens[0]]]
    held = [i for i, keep in enumerate(pieces.settle(())) if keep]
    return {"held": held, "bundles": [bundle.tokens for bundle in nested(pieces, scores, kept)]}


def token_flags(prompt: Prompt) -> str:
    """One character for each token, chr(48 + bits): all that `Prompt.render` looks at besides the tokens' texts.

    >>> from model.prompt import parse
    >>> [ord(c) - 48 for c in token_flags(parse("Hi, you"))]
    [3, 32, 11]
    """
    flags, end = [], 0
    for token in prompt.tokens:
        left, right = word_edges(token.text)
        bits = FUSES_LEFT * left | FUSES_RIGHT * right | IS_BREAK * token.text[0].isspace()
        close_left, close_right = prompt.stands_close(token)
        bits |= CLOSE_LEFT * close_left | CLOSE_RIGHT * close_right
        bits |= SPACE_BEFORE * _has_space(prompt.text[end : token.start])
        flags.append(chr(48 + (bits | SPACE_INSIDE * _has_space(token.text))))
        end = token.end
    return "".join(flags)


def part_names(prompt: Prompt) -> list[str]:
    """Names for parts to stand in their headers: "Instruction", "Example 1", "Example 2", "Question"; a document, turn
    or section that has a heading bears its own."""
    named = [
        _heading(prompt, part) or ({**ROLE_TITLES, "text": "Part"}.get(part.role, "Part")) for part in prompt.parts
    ]
    totals, seen = Counter(named), Counter[str]()
    names = []
    for name in named:
        seen[name] += 1
        names.append(f"{name} {seen[name]}" if totals[name] > 1 else "Prompt" if len(named) == 1 else name)
    return names


def _heading(prompt: Prompt, part: Part) -> str:
    if part.role in _UNTITLED or part.head <= part.start:
        return ""
    return shorten(prompt.text[part.start : part.head].strip(" \t\r\n:：#*[]<>="), 40)


def parse_mask(bits: object, n: int) -> tuple[bool, ...]:
    """A mask as the browser sends it ("0110"), checked. Raises ValueError."""
    if not isinstance(bits, str) or len(bits) != n or not set(bits) <= {"0", "1"}:
        raise ValueError(f"a mask is {n} characters 0 or 1")
    return tuple(bit == "1" for bit in bits)


def parse_pins(marks: object, n: int) -> dict[int, bool]:
    """A person's pins as the browser sends them ("..K.D"), checked. Raises ValueError."""
    if not isinstance(marks, str) or len(marks) != n or not set(marks) <= set(".KD"):
        raise ValueError(f"pins are {n} characters '.', 'K' or 'D'")
    return {i: mark == "K" for i, mark in enumerate(marks) if mark != "."}


def pin_marks(pins: Mapping[int, bool], n: int) -> str:
    """A person's pins of n tokens as the browser has them, see `parse_pins`."""
    return "".join(_pin(pins.get(i), by_hand=True) for i in range(n))


def _logit(probability: float) -> float:
    p = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(p / (1 - p))


def _pin(keep: bool | None, by_hand: bool) -> str:
    if keep is None:
        return "."
    mark = "k" if keep else "d"
    return mark.upper() if by_hand else mark


def _has_space(text: str) -> bool:
    return any(map(str.isspace, text))


def _bytes(shares: Sequence[float]) -> str:
    """Numbers in [0, 1] as bytes in base64."""
    return base64.b64encode(bytes(min(255, max(0, round(share * 255))) for share in shares)).decode()


def _line(record: dict[str, Any]) -> str:
    # "<" escaped, so that nothing on the way takes a prompt for markup
    return json.dumps(record, separators=(",", ":")).replace("<", "\\u003c") + "\n"
