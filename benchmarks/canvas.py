"""How fast the token canvas is in a real browser: `python -m benchmarks.canvas`, from the root of the repository.

4,000 tokens, 32 steps, headless Chromium, a scripted model (the page is measured, not the model). Needs chromium and
playwright. Prints one line for each figure and exits with 1 when one misses its limit.
"""

from __future__ import annotations

import math
import statistics
import sys
from typing import Any

from annotations.store import open_store
from app.examples import example_prompts
from app.settings import Settings
from app.studio import Studio
from benchmarks.visitor import verdict, visit
from model.prompt import parse
from tests.support.scripted import ScriptedCompressor

TOKENS = 4_000

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


def main() -> int:
    studio = Studio(Settings(), load=ScriptedCompressor, open_store=lambda: open_store("sqlite://"))  # type: ignore
    with visit(studio) as page:
        return report(page, long_prompt())


def report(page: Any, text: str) -> int:
    """Measure and print; 1 when a limit is missed."""
    page.click("#settings button")
    page.get_by_label("Steps", exact=False).first.fill("32")
    page.fill("#prompt textarea", text)
    page.click("#run")
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
    count = page.locator("#explore-canvas .dm-scroll .t").count()
    frames = page.evaluate(FRAMES)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    drags = page.evaluate(DRAGS)
    asked = len(requests)
    page.click("#correct-this")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    clicks = page.evaluate(CLICKS)
    rows = [
        ("click to painted, median", statistics.median(clicks), 50.0, "ms"),
        ("playing 32 steps, longest frame", max(frames), 100.0, "ms"),
        ("slider drag to painted, median", statistics.median(drags), 50.0, "ms"),
        ("requests while the slider was dragged", float(asked), 0.0, ""),
    ]
    steps = page.locator("#explore-canvas .dm-scrub").get_attribute("max")
    print(f"{count} tokens, {steps} steps, {len(frames)} frames")
    return verdict(rows)


def long_prompt() -> str:
    """The examples over and over, cut to TOKENS tokens."""
    text = "\n\n".join(example.text for example in example_prompts().values())
    prompt = parse("\n\n".join([text] * math.ceil(TOKENS / len(parse(text)))))
    return prompt.text[: prompt.tokens[TOKENS - 1].end]


if __name__ == "__main__":
    sys.exit(main())
