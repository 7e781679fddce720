"""How soon a visitor sees the model decide: `python -m benchmarks.first_frame`, from the root of the repository.

A prompt of 300 words, 8 steps, the shipped model, headless Chromium, after one run to warm up. Timed in the page, from
the click on Run to the frame that shows the first step, and to the one that shows the last step, the
player's pace between steps included. Needs chromium and playwright. Prints medians over --repeat runs and exits with 1
when one misses its limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from annotations.store import open_store
from app.service import Studio
from app.settings import Settings
from benchmarks.visitor import verdict, visit
from model.study.bench import few_shot

TOKENS = 400  # about 300 words
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
    return [first, performance.now() - start];
  }"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    with visit(Studio(Settings(), open_store=lambda: open_store("sqlite://"))) as page:
        times = []
        for i in range(repeat + 1):
            # another prompt each time, for that of the run before stays on screen until the next is done
            page.fill("#prompt textarea", few_shot(TOKENS).text + f"\n\nQuestion: How much in {i + 2} days?\nAnswer:")
            if i:
                times.append(page.evaluate(RUN))
            else:
                page.click("#run")
                page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
        tokens = page.locator("#explore-canvas .dm-scroll .t").count()
        steps = page.locator("#explore-canvas .dm-scrub").get_attribute("max")
    print(f"{tokens} tokens, {steps} steps, {repeat} runs")
    first, last = map(statistics.median, zip(*times, strict=True))
    return verdict([("Run to first frame", first, 1000.0, "ms"), ("Run to last frame", last, 2000.0, "ms")])


if __name__ == "__main__":
    sys.exit(main())
