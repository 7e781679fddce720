"""Make the README's short film from the real studio, with the shipped model: docs/images/studio.webp.

    python docs/recording.py [--out docs/images/studio.webp]

Needs Chromium and playwright (`pip install -e ".[dev]"`).
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from PIL import Image
from playwright.sync_api import sync_playwright

from app.settings import Settings
from app.studio import Studio
from app.ui import launch

SIZE = (1180, 800)  # of the window
WIDTH = 880  # of the film
QUALITY = 62
LIMIT = 3_000_000  # bytes
PATIENCE = 120_000  # milliseconds
DONE = '#explore-canvas .dm[data-state="done"]:not([data-running])'


class Film:
    """Pictures of a page, each with how long it stands."""

    def __init__(self, page: Any):
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []  # milliseconds

    def take(self, milliseconds: int) -> None:
        """One picture of what is on screen now."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        height = round(picture.height * WIDTH / picture.width)
        self.frames.append(picture.resize((WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def save(self, out: Path) -> None:
        first, *others = self.frames
        options: dict[str, Any] = {"duration": self.times, "loop": 0, "quality": QUALITY, "method": 4}
        first.save(out, save_all=True, append_images=others, **options)
        if out.stat().st_size > LIMIT:
            raise SystemExit(f"{out} has {out.stat().st_size:,} bytes, over {LIMIT:,}: lower QUALITY or WIDTH")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images" / "studio.webp")
    out = parser.parse_args().out
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    with tempfile.TemporaryDirectory() as data, sync_playwright() as engine:
        os.environ["DIFFUMASK_DATA"] = data
        studio = Studio(Settings())
        studio.warm_up()  # or the first run's time is that of loading the model
        _, url, _ = launch(studio, prevent_thread_lock=True, quiet=True)
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{url}?__theme=light")
        page.wait_for_selector("#run")
        film = Film(page)
        tour(page, film)
        film.save(out)
        browser.close()


def tour(page: Any, film: Film) -> None:
    """Run, step by step; why a sentence goes; keep what was lost; another length; the program."""
    film.take(1200)
    page.click("#run")
    page.wait_for_selector(DONE)
    page.evaluate("scrollTo(0, document.querySelector('#explore-canvas').offsetTop - 90)")
    page.click("#explore-canvas [data-act=first]")
    film.take(700)
    for _ in range(8):
        page.click("#explore-canvas [data-act=forward]")
        film.take(350)
    film.take(1200)
    page.locator("#explore-canvas .dm-go").first.click()
    film.take(1500)
    page.locator("#explore-canvas .dm-fix").first.click()
    page.wait_for_function("() => /Good to send/.test(document.querySelector('.dm-verdict-head').textContent)")
    page.wait_for_selector(DONE)
    film.take(1800)
    page.click("#explore-canvas [data-view=diff]")
    film.take(1600)
    for percent in range(50, 81, 6):
        slide(page, percent)
        film.take(220)
    slide(page, 50)
    page.click("#explore-canvas .dm-use summary")
    page.locator("#explore-canvas .dm-use").scroll_into_view_if_needed()
    film.take(2400)


def slide(page: Any, percent: int) -> None:
    """Drag the slider, without letting it go."""
    page.locator("#retention input[type=range]").evaluate(
        "(box, value) => { box.value = value; box.dispatchEvent(new Event('input', { bubbles: true })); }", percent
    )


if __name__ == "__main__":
    main()
