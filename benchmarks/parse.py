"""How long a prompt takes to be read, and its pieces to be made and picked, by its length and kind. No model, no torch.

    python -m benchmarks.parse

Each text is read at two lengths; "growth" is how many times as long the one of four times the length takes: about 4
where time grows with the length. The texts of the second table are made to be slow.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from model.prompt import Prompt, parse
from model.prompt.pieces import PieceSet
from model.prompt.selection import fill

EXAMPLES = Path(__file__).parent.parent / "examples"
SIZE = 100_000  # characters
PROSE = "The harbour office opens daily from 07:00 to 21:00. Oil must never be poured into the drains, says Ann. "
KINDS = {
    "documents": (EXAMPLES / "documents.txt").read_text(encoding="utf-8"),
    "demonstrations": (EXAMPLES / "maths.txt").read_text(encoding="utf-8"),
    "rules": (EXAMPLES / "agent.txt").read_text(encoding="utf-8"),
    "prose": PROSE * 6 + "\n\n",
    "Chinese": "上海浦东图书馆周一闭馆，周二至周日上午九点开馆。借书证押金一百元，儿童不收押金。\n\n",
    "Thai": "ห้องสมุดปิดทุกวันจันทร์ เปิดวันอังคารถึงวันอาทิตย์ ไม่อนุญาตให้นำอาหารเข้า ",
    "dialogue": "Ann: Shall we move it to Thursday?\nBen: I would rather not. QA needs two days.\n",
    "JSON": '{"id": "ORD-100", "status": "shipped", "amount": 129.9, "ok": false}\n',
    "code": "def add(a, b):\n    if a < 0:\n        return b\n    return a + b\n\n\n",
    "table": "| Team | $12 | 10 | 200 GB | 99.5% |\n",
    "log": "2025-06-03T10:00:01Z WARN db connection slow (1200 ms)\n",
}
HOSTILE = {
    "brackets": "[",
    "braces": "{",
    "tags": "<a>",
    "open tags": "<doc>\n",
    "fences": "```\n",
    "quotes": '"',
    "labels": "a:\n",
    "items": "1. a\n",
    "headings": "# a\n",
    "rules": "---\n",
    "one word": "x",
    "digits and spaces": "100 ",
    "dashes": "1-",
    "paragraphs": "a\n\n",
    "mixed line ends": "a\r\nb\rc\n",
    "accents": "\u0301",
    "turns": "<|im_start|>user\n",
    "semicolons": "a; ",
}


def text_of(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def seconds(work: Callable[[], object]) -> float:
    """Processor time, so that what else the machine does counts little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def row(name: str, unit: str) -> str:
    short, long = text_of(unit, SIZE // 4), text_of(unit, SIZE)
    before, after = seconds(lambda: parse(short)), seconds(lambda: parse(long))
    prompt = parse(long)
    counts = f"{len(prompt):>9,} {len(prompt.parts):>7,} {len(prompt.units):>8,}"
    return f"{name:18} {after * 1000:8.0f} {after / before:7.1f} {counts}"


def picking(prompt: Prompt, granularity: str) -> str:
    chance = random.Random(0)
    made: list[PieceSet] = []
    build = seconds(lambda: made.append(PieceSet.of(prompt, granularity)))
    pieces = made[0]
    scores = [chance.random() for _ in range(len(pieces))]
    kept: list[int] = []
    spend = seconds(lambda: kept.extend(fill(pieces, scores, len(prompt) // 2)))
    settle = seconds(lambda: pieces.settle(kept))
    times = f"{build * 1000:8.1f} {spend * 1000:8.1f} {settle * 1000:8.1f}"
    return f"{granularity:12} {len(prompt):>9,} {len(pieces):>9,} {times}"


def main() -> None:
    parse(KINDS["Chinese"] + KINDS["Thai"] + PROSE)  # what is loaded once
    head = f"{'':18} {'ms':>8} {'growth':>7} {'tokens':>9} {'parts':>7} {'units':>8}"
    for title, units in (("prompts", KINDS), ("made to be slow", HOSTILE)):
        print(f"{SIZE:,} characters, {title}", head, *(row(name, unit) for name, unit in units.items()), "", sep="\n")
    print("milliseconds to make, pick and settle pieces for half of the tokens")
    print(f"{'':12} {'tokens':>9} {'pieces':>9} {'make':>8} {'pick':>8} {'settle':>8}")
    for size in (2_500, 150_000):
        prompt = parse(text_of(KINDS["documents"], size))
        for granularity in ("part", "unit", "token"):
            print(picking(prompt, granularity))


if __name__ == "__main__":
    main()
