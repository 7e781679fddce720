"""What the canvas is sent: enough to write the compressed prompt and to slide without asking the model again."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.components.canvas_lines import (
    CLOSE_LEFT,
    CLOSE_RIGHT,
    FUSES_LEFT,
    FUSES_RIGHT,
    IS_BREAK,
    SPACE_BEFORE,
    SPACE_INSIDE,
    all_lengths,
    document_line,
    end_line,
    error_line,
    parse_mask,
    parse_pins,
    part_names,
    step_line,
    token_flags,
)
from app.examples import example_prompts
from model.compress import PAPER, CompressRequest, Run
from model.diffusion.trace import SamplerConfig
from model.prompt import Prompt, parse
from tests.support.scripted import ScriptedCompressor

HOSTILE = "Say ${1+1} `x` \\u0041 </script><img src=x onerror=alert(1)> مرحبا 👩‍👩‍👧 A\u202eB \0 日本 x\u2028y"


def run_of(prompt: Prompt, retention: float, steps: int, **more: Any) -> Run:
    return ScriptedCompressor().run(CompressRequest(prompt, retention, steps, keep_task=False, **more))


def write(document: dict[str, Any], keep: list[bool]) -> str:
    """What app/web/src/canvas/layout.js does to write the compressed prompt."""
    flags = [ord(sign) - 48 for sign in document["flags"]]
    out, before, space = [], -1, False
    for i, token in enumerate(document["tokens"]):
        space = space or bool(flags[i] & SPACE_BEFORE)
        if not keep[i]:
            space = space or bool(flags[i] & SPACE_INSIDE)
            continue
        begins_line = not i or flags[i - 1] & IS_BREAK and not flags[i] & IS_BREAK
        if before == i - 1 or begins_line and (before < 0 or flags[before] & IS_BREAK):
            out.append(document["gaps"][i])
        elif before >= 0:
            out.append(joint(flags[before], flags[i], space))
        out.append(token)
        before, space = i, False
    return "".join(out) + (document["tail"] if before == len(keep) - 1 else "")


def joint(left: int, right: int, space: bool) -> str:
    if (left | right) & IS_BREAK:
        return ""
    if left & FUSES_RIGHT and right & FUSES_LEFT:
        return " "
    return " " if space and not (right & CLOSE_LEFT or left & CLOSE_RIGHT) else ""


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1).filter(lambda t: not t.isspace()), st.data())
def test_the_document_is_enough_to_write_any_compressed_prompt(text: str, data: st.DataObject) -> None:
    try:
        prompt = parse(text)
    except ValueError:
        return  # half a character
    keep = data.draw(st.lists(st.booleans(), min_size=len(prompt), max_size=len(prompt)))
    document = json.loads(document_line("r", prompt, SamplerConfig(), {}))
    assert write(document, keep) == prompt.render(keep)


@pytest.mark.parametrize("text", [*(example.text for example in example_prompts().values()), HOSTILE])
def test_the_document_gives_back_the_text(text: str) -> None:
    document = json.loads(document_line("r", parse(text), SamplerConfig(), {}))
    assert write(document, [True] * len(document["tokens"])) == text


def test_a_line_holds_no_markup_and_no_line_break() -> None:
    line = document_line("r", parse(HOSTILE), SamplerConfig(), {})
    assert "<" not in line and line.isascii() and line.count("\n") == 1 and line.endswith("\n")
    assert "<" not in error_line("no <script>, please")


def test_pins_say_who_fixed_what() -> None:
    document = json.loads(document_line("r", parse("a b c d"), SamplerConfig(), {0: True, 1: False, 3: True}, {1, 3}))
    assert document["pins"] == "kD.K"


def test_steps_decide_every_token_once() -> None:
    prompt = parse(example_prompts()["Documents + question"].text)
    pins = {3: False, 5: True}
    trace = run_of(prompt, 0.4, 8, pins=pins).trace
    kept = {i: keep for i, keep in pins.items()}
    for step in trace.steps:
        line = json.loads(step_line(step))
        assert len(base64.b64decode(line["sure"])) == len(line["decided"]) == len(line["keep"])
        assert len(base64.b64decode(line["probability"])) == len(prompt)
        for i, bit in zip(line["decided"], line["keep"], strict=True):
            assert i not in kept
            kept[i] = bit == "1"
    assert tuple(kept[i] for i in range(len(prompt))) == trace.keep


@pytest.mark.parametrize("rules", [{}, {"granularity": "part"}, {"granularity": "token"}, PAPER])
@pytest.mark.parametrize("retention", [0.1, 0.37, 0.8, 1.0])
def test_masks_of_all_lengths_are_sound_and_one_is_the_runs_own(retention: float, rules: Mapping[str, Any]) -> None:
    prompt = parse(example_prompts()["Notes of a meeting"].text)
    run = run_of(prompt, retention, 6, pins={2: True, 7: False, 40: True}, **rules)
    trace, pieces = run.trace, run.request.pieces
    end = json.loads(end_line(trace, 0.1234, "abc", **all_lengths(trace, pieces)))
    assert end["kept"] == sum(trace.keep) and end["seconds"] == 0.123
    masks = [{*end["held"]}]
    for bundle in end["bundles"]:
        masks.append(masks[-1] | {*bundle})
    assert {i for i, keep in enumerate(trace.keep) if keep} in masks
    assert masks[-1] == set(range(len(prompt))) - {7}
    of = pieces.piece_of
    for mask in masks:
        assert {2, 40} <= mask and 7 not in mask
        settled = pieces.settle({of[i] for i in mask if of[i] >= 0})
        assert mask == {i for i, keep in enumerate(settled) if keep}


def test_flags_of_known_tokens() -> None:
    flags = [ord(c) - 48 for c in token_flags(parse("Hi, \n日 x"))]
    assert flags[0] == FUSES_LEFT | FUSES_RIGHT and flags[1] == CLOSE_LEFT
    assert flags[2] == IS_BREAK | SPACE_BEFORE | SPACE_INSIDE
    assert flags[3] == 0 and flags[4] == FUSES_LEFT | FUSES_RIGHT | SPACE_BEFORE


def test_parts_have_names() -> None:
    names = part_names(parse(example_prompts()["Maths, few-shot"].text))
    assert names == ["Instruction", "Example 1", "Example 2", "Example 3", "Question"]
    names = part_names(parse(example_prompts()["Documents + question"].text))
    assert names == ["Instruction", "Document 1", "Document 2", "Document 3", "Document 4", "Question"]
    assert part_names(parse("one paragraph")) == ["Prompt"]


def test_masks_and_pins_from_the_browser_are_checked() -> None:
    assert parse_mask("011", 3) == (False, True, True)
    assert parse_pins(".KD", 3) == {1: True, 2: False}
    for bad in ("01", "012", None, 11, ["0", "1", "1"]):
        with pytest.raises(ValueError):
            parse_mask(bad, 3)
    for bad in (".K", "..k", None, [".", ".", "."]):
        with pytest.raises(ValueError):
            parse_pins(bad, 3)
