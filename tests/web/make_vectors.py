"""What the page's scripts must give, made by the Python code that does the same: `python -m tests.web.make_vectors`.

    layout.json   documents, masks and the compressed text of each           (Prompt.render, document_line)
    budget.json   how long a mask may be at 1 to 100 % around some pins       (model.diffusion.sampler.budget)
    runs.json     whole runs as the browser gets them, what each step shows, and the masks of other retentions
                  (step_line, end_line, all_lengths, PieceSet.settle)

tests/app/test_web_vectors.py checks that Python still gives what is committed, tests/web/*.test.js that the scripts do.
edits.json is written by hand: Python reads edits, but makes none.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.components.canvas_lines import all_lengths, document_line, end_line, step_line
from model.diffusion.sampler import budget
from model.diffusion.schedule import DROP, KEEP, MASK
from model.diffusion.trace import SamplerConfig, Step, Trace
from model.prompt import Prompt, parse
from model.prompt.pieces import PieceSet
from model.prompt.selection import fill

FOLDER = Path(__file__).parent / "vectors"
PERCENTS = range(1, 101)
FREE: dict[str, Any] = {"granularity": "token", "guards": False}  # tokens alone, whatever they belong to

TEXTS = {
    "plain": "The  cat sat\non the mat, didn't it? 3-4 or -3.5, 1,234.50 (x)-1 and the 3rd +4.",
    "shots": "Sort the news.\n\nArticle: The team won.\nAnswer: Sports\n\nArticle: Shares fell sharply.\nAnswer:",
    "markup": "<b>bold</b> </script><img src=x onerror=\"alert(1)\"> &lt;p&gt; <!-- ]]> 'quoted'",
    "template": "Say ${1+1} and `x` \\u0041 {{value}} ${`${2}`} $& \\",
    "right to left": "مرحبا بالعالم، שלום עולם! abc \u202eevil\u202c می\u200cخواهم",
    "emoji": "👩‍👩‍👧 🇩🇪🇫🇷 👍🏽 ok 👍 \U0001f3f4\U000e0067\U000e0062\U000e007f end",
    "no spaces": "日本語のテキスト、中文字符。混ざったtext 123　全角　ภาษาไทย 한국어 문장",
    "combining": "e\u0301tude a\u0308\u0323 Z\u0337a\u0337l\u0337 कि नमस्ते \u0301alone",
    "line breaks": "One.\r\n\r\nTwo\r\nthree\rfour\n\n\n\nfive\u2028six\x85seven\u2029eight\x0b\x0cnine\r\n",
    "unseen": "zero\u200bwidth soft\u00adhyphen \x00 nul \ufeff bom \u200d joiner \x1f unit \ue000 private",
    "white space": "  leading\t tab\u00a0fixed \u3000 wide \u2009thin  trailing  ",
    "long": "word" * 50 + " " + "。" * 5 + "=" * 80,
}


def layouts() -> Iterator[dict[str, Any]]:
    """A document, and the text under masks: all, none, every other token, and some by chance."""
    for name, text in TEXTS.items():
        prompt, chance = parse(text), random.Random(name)
        n = len(prompt)
        masks = [[True] * n, [False] * n, [i % 2 == 0 for i in range(n)], [i % 2 == 1 for i in range(n)]]
        masks += [[chance.random() < share for _ in range(n)] for share in (0.1, 0.3, 0.5, 0.7, 0.9) * 3]
        cases = [{"keep": _bits(mask), "text": prompt.render(mask)} for mask in masks]
        yield {"name": name, "text": text, "document": _document(prompt), "cases": cases}


def budgets() -> Iterator[dict[str, Any]]:
    """How many of the tokens are held by pins, and the budget at each of PERCENTS."""
    chance = random.Random("budgets")
    for n in (1, 2, 5, 10, 25, 50, 333, 4000):
        prompt = parse("a " * n)
        for share in (0.0, 0.2, 1.0):
            pins = {i: chance.random() < 0.5 for i in range(min(n, 400)) if chance.random() < share}
            pieces = PieceSet.of(prompt, **FREE, pins=pins)
            budgets = [budget(pieces, percent / 100) for percent in PERCENTS]
            yield {"tokens": n, "held": sum(pins.values()), "budgets": budgets}


def runs() -> Iterator[dict[str, Any]]:
    """A run as it is sent; what is shown after each step ("o", "k", "d"); masks at other retentions."""
    for name in ("plain", "shots", "template", "right to left", "emoji", "line breaks"):
        for retention, count, rules in ((0.2, 1, {}), (0.5, 8, {}), (0.5, 8, FREE)):
            prompt = parse(TEXTS[name])
            pins = {0: True, 3: False} if count > 1 else {}
            pieces, config = PieceSet.of(prompt, **rules, pins=pins), SamplerConfig(retention, count)
            trace = Trace.of(list(_steps(pieces, config)), config, pins)
            yield {"name": f"{name}, steps: {count}, rules: {len(rules)}", **_run(pieces, trace)}


def _steps(pieces: PieceSet, config: SamplerConfig) -> Iterator[Step]:
    """Steps that decide by chance and not by a model, so that they are the same on every machine; the second decides
    nothing."""
    prompt, pins = pieces.prompt, pieces.pins
    n, chance = len(prompt), random.Random(prompt.text)
    free = [i for i in range(n) if i not in pins]
    scores = [chance.random() for _ in range(len(pieces))]
    kept = pieces.settle(fill(pieces, scores, budget(pieces, config.retention)))
    when = {i: chance.choice([1, *range(3, config.steps + 1)]) for i in free}
    states = [MASK if i not in pins else KEEP if pins[i] else DROP for i in range(n)]
    for index in range(1, config.steps + 1):
        decided = [i for i in free if when[i] == index]
        chance.shuffle(decided)
        for i in decided:
            states[i] = KEEP if kept[i] else DROP
        sure, probable, shots = (
            tuple(round(low + (1 - low) * chance.random(), 3) for _ in range(count))
            for low, count in ((0.5, len(decided)), (0, n), (0, len(prompt.parts)))
        )
        yield Step(index, tuple(decided), sure, probable, shots, tuple(states))


def _run(pieces: PieceSet, trace: Trace) -> dict[str, Any]:
    lengths = all_lengths(trace, pieces)
    lines = [
        _document_line(pieces.prompt, trace),
        *map(step_line, trace.steps),
        end_line(trace, 0.25, "abc", **lengths),
    ]
    return {
        "value": "".join(lines),
        "text": pieces.prompt.render(trace.keep),
        "states": [_states(trace, step) for step in range(len(trace.steps) + 1)],
        "sure": [round((confidence - 0.5) * 2 * 255) for confidence in trace.confidence],
        "masks": {str(percent): _bits(mask_at(pieces, trace, percent / 100)) for percent in (1, 5, 35, 50, 60, 95)},
    }


def mask_at(pieces: PieceSet, trace: Trace, retention: float) -> Sequence[bool]:
    """The run's own mask at its own retention; else as many first bundles as the budget pays for, at least one where
    nothing is held."""
    if retention == trace.config.retention:
        return trace.keep
    of, chosen = pieces.piece_of, list[int]()
    mask = pieces.settle(())
    for tokens in all_lengths(trace, pieces)["bundles"]:
        longer = pieces.settle([*chosen, *(of[i] for i in tokens if of[i] >= 0)])
        if sum(longer) > budget(pieces, retention) and any(mask):
            return mask
        chosen, mask = [*chosen, *(of[i] for i in tokens if of[i] >= 0)], longer
    return mask


def _document_line(prompt: Prompt, trace: Trace) -> str:
    subwords = [1 + len(token.text) // 6 for token in prompt.tokens]
    return document_line("run", prompt, trace.config, trace.pins, {3}, subwords, counter="own")


def _document(prompt: Prompt) -> dict[str, Any]:
    """What of a document says how its compressed text is written."""
    document = json.loads(document_line("run", prompt, SamplerConfig(), {}))
    return {key: document[key] for key in ("tokens", "gaps", "tail", "flags", "shots")}


def _states(trace: Trace, step: int) -> str:
    return "".join(
        "o" if when > step else "k" if keep else "d" for when, keep in zip(trace.step, trace.keep, strict=True)
    )


def _bits(mask: list[bool]) -> str:
    return "".join("1" if keep else "0" for keep in mask)


MAKERS = {"layout": layouts, "budget": budgets, "runs": runs}


def content(name: str) -> str:
    """The text of a file of vectors, one vector a line."""
    return "[\n" + ",\n".join(json.dumps(vector) for vector in MAKERS[name]()) + "\n]\n"


def main() -> None:
    for name in MAKERS:
        (FOLDER / f"{name}.json").write_text(content(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
