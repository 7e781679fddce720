"""How soon a visitor sees the model decide: `python -m benchmarks.first_frame`, from the root of the repository.

A prompt of 300 words (or --tokens), 8 steps, the shipped model, headless Chromium, after one run to warm up. Timed in
the page: from the click on Run to the frame that shows the first step, and to the one that shows the last step, the
player's pace between steps included, beside the time that the model itself took; and, with a prompt of 512 tokens,
from letting the slider go to the frame that shows the model's new mask. Needs chromium and playwright. Prints medians
over --repeat runs and exits with 1 when one misses its limit.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from typing import Any

from annotations.store import open_store
from app.settings import Settings
from app.studio import Studio
from benchmarks.visitor import verdict, visit
from model.evaluation.timing.bench import few_shot

TOKENS = 400  # about 300 words
SLIDER_TOKENS = 512
FIRST, LAST, SLIDER = 500.0, 2000.0, 300.0  # limits in ms, the first two for 300 words
RUN = """async () => {
    const dm = document.querySelector('#explore-canvas .dm');
    const frame = () => new Promise(requestAnimationFrame);
    const painted = () => new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));
    const start = performance.now();
    document.querySelector('#run').click();
    while (dm.dataset.state === 'done') await frame();
    while (Number(dm.querySelector('.dm-scrub').value) < 1) await frame();
    await painted();
    const first = performance.now() - start;
    while (dm.dataset.state !== 'done') await frame();
    await painted();
    const last = performance.now() - start;
    while ('running' in dm.dataset) await frame();
    return [first, last, 1000 * parseFloat(dm.querySelector('.dm-time').textContent)];
  }"""
SLIDE = """async (percent) => {
    const dm = document.querySelector('#explore-canvas .dm');
    const range = document.querySelector('#retention input[type=range]');
    const frame = () => new Promise(requestAnimationFrame);
    await new Promise(r => setTimeout(r, 2000)); // until the charts of the run before are drawn
    range.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
    range.value = percent;
    range.dispatchEvent(new Event('input', { bubbles: true }));
    while (dm.dataset.state !== 'preview') await frame();
    const start = performance.now();
    range.dispatchEvent(new Event('change', { bubbles: true }));
    while (dm.dataset.state !== 'done') await frame();
    await new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));
    return performance.now() - start;
  }"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=TOKENS)
    flags = parser.parse_args()
    with visit(Studio(Settings(), open_store=lambda: open_store("sqlite://"))) as page:
        times = [run(page, flags.tokens, i) for i in range(flags.repeat + 1)][1:]
        tokens = page.locator("#explore-canvas .dm-scroll .t").count()
        steps = page.locator("#explore-canvas .dm-scrub").get_attribute("max")
        run(page, SLIDER_TOKENS, flags.repeat + 1)
        slides = [page.evaluate(SLIDE, 30 + i) for i in range(flags.repeat + 1)][1:]
    print(f"{tokens:,} tokens, {steps} steps, {flags.repeat} runs")
    first, last, model = map(statistics.median, zip(*times, strict=True))
    known = flags.tokens == TOKENS
    return verdict(
        [
            ("Run to first frame", first, FIRST if known else math.inf, "ms"),
            ("  of which the model, in all steps", model, math.inf, "ms"),
            ("Run to last frame", last, LAST if known else math.inf, "ms"),
            (f"Slider to new mask, {SLIDER_TOKENS} tokens", statistics.median(slides), SLIDER, "ms"),
        ]
    )


def run(page: Any, tokens: int, number: int) -> list[float]:
    """Milliseconds from Run to the first and to the last step, and those of the model."""
    # another prompt each time, for that of the run before stays on screen until the next is done
    page.fill("#prompt textarea", few_shot(tokens).text + f"\n\nQuestion: How much in {number + 2} days?\nAnswer:")
    return list(page.evaluate(RUN))


if __name__ == "__main__":
    sys.exit(main())
