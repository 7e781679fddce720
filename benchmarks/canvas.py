"""How fast the token canvas is in a real browser: `python -m benchmarks.canvas`, from the root of the repository.

4,000 tokens, 32 steps, headless Chromium, a scripted model (the page is measured, not the model); then 30,000 tokens,
from Run to the frame that shows them, and scrolled. Needs chromium and playwright. Prints one line for each figure and
exits with 1 when one misses its limit.
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterator
from typing import Any

from annotations.store import open_store
from app.examples import example_prompts
from app.settings import Settings
from app.studio import Studio
from benchmarks.visitor import verdict, visit
from model.prompt import parse
from tests.support.scripted import ScriptedCompressor

TOKENS, MANY = 4_000, 30_000
OPENED = 3  # times that many tokens are opened

DONE = '#explore-canvas .dm[data-state="done"]:not([data-running])'
# Each returns milliseconds; a frame is painted once the task after the next animation frame runs.
PAINTED = "const painted = () => new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));"
CLICKS = (
    "async () => {"
    + PAINTED
    + """
    const times = [];
    const spans = document.querySelectorAll('#correct-canvas .dm-scroll .t');
    for (let i = 0; i < 40; i++) {
      await new Promise(r => setTimeout(r, 60));
      const start = performance.now();
      const at = { bubbles: true, button: 0, pointerType: 'mouse' };
      spans[i * 3].dispatchEvent(new PointerEvent('pointerdown', at));
      spans[i * 3].dispatchEvent(new PointerEvent('pointerup', at));
      await painted();
      times.push(performance.now() - start);
    }
    return times;
  }"""
)
DRAGS = (
    "async () => {"
    + PAINTED
    + """
    const times = [];
    const box = document.querySelector('#retention input[type=range]');
    for (let percent = 10; percent <= 90; percent += 2) {
      const start = performance.now();
      box.value = percent;
      box.dispatchEvent(new Event('input', { bubbles: true }));
      await painted();
      times.push(performance.now() - start);
    }
    return times;
  }"""
)
OPENS = (
    "async () => {"
    + PAINTED
    + """
    const start = performance.now();
    document.querySelector('#run').click();
    const first = document.querySelector('#explore-canvas .dm-scroll').firstChild;
    while (document.querySelector('#explore-canvas .dm-scroll').firstChild === first) await painted();
    await painted();
    return performance.now() - start;
  }"""
)
SCROLLS = """async () => {
    const box = document.querySelector('#explore-canvas .dm-scroll');
    const frames = [];
    let last = await new Promise(requestAnimationFrame);
    for (let i = 0; i <= 100; i++) {
      box.scrollTop = (i / 100) * box.scrollHeight;
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    }
    return frames;
  }"""
FRAMES = """async () => {
    const dm = document.querySelector('#explore-canvas .dm');
    dm.querySelector('[data-act=play]').click();
    const frames = [];
    let last = performance.now();
    do {
      const now = await new Promise(requestAnimationFrame);
      frames.push(now - last);
      last = now;
    } while (dm.dataset.state === 'playing');
    return frames;
  }"""


Row = tuple[str, float, float, str]  # what was measured: name, value, limit, unit


def main() -> int:
    studio = Studio(Settings(), load=ScriptedCompressor, open_store=lambda: open_store("sqlite://"))  # type: ignore
    with visit(studio) as page:
        return verdict([*edited(page), *opened(page)])


def edited(page: Any) -> Iterator[Row]:
    """TOKENS tokens: played, slid, and corrected."""
    page.click("#settings button")
    steps = page.locator("#settings input[type=number]").first
    steps.fill("32")
    steps.press("Tab")
    page.wait_for_timeout(500)  # until the page has taken it in
    page.fill("#prompt textarea", long_prompt(TOKENS))
    page.click("#run")
    page.wait_for_selector(DONE)
    print(f"{TOKENS:,} tokens, {page.locator('#explore-canvas .dm-scrub').get_attribute('max')} steps")
    yield "playing 32 steps, longest frame", max(page.evaluate(FRAMES)), 50.0, "ms"
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    yield "slider drag to painted, median", statistics.median(page.evaluate(DRAGS)), 50.0, "ms"
    yield "requests while the slider was dragged", float(len(requests)), 0.0, ""
    page.click("#correct-this")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    yield "click to painted, median", statistics.median(page.evaluate(CLICKS)), 50.0, "ms"


def opened(page: Any) -> Iterator[Row]:
    """MANY tokens: opened, and scrolled."""
    page.reload()
    page.wait_for_selector("#run")
    text, times = long_prompt(MANY), []
    for i in range(OPENED):
        page.fill("#prompt textarea", f"Number {i}.\n\n{text}")
        times.append(page.evaluate(OPENS))
        page.wait_for_selector(DONE)
    yield f"{MANY:,} tokens, Run to painted, median", statistics.median(times), 2000.0, "ms"
    frames = page.evaluate(SCROLLS)
    yield f"{MANY:,} tokens, scrolled, median frame", statistics.median(frames), 50.0, "ms"
    yield f"{MANY:,} tokens, scrolled, longest frame", max(frames), 250.0, "ms"


def long_prompt(tokens: int) -> str:
    """The examples over and over, cut to so many tokens."""
    text = "\n\n".join(example.text for example in example_prompts().values())
    prompt = parse("\n\n".join([text] * math.ceil(tokens / len(parse(text)))))
    return prompt.text[: prompt.tokens[tokens - 1].end]


if __name__ == "__main__":
    sys.exit(main())
