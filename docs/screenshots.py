"""Make the README's pictures from the real studio, with the shipped model and a store of its own.

    python docs/screenshots.py [--out docs/images]

Needs Chromium and playwright (`pip install -e ".[dev]"`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from playwright.sync_api import sync_playwright

from app.examples import example_prompts
from app.results.view import read_report
from app.settings import Settings
from app.studio import Studio
from app.ui import launch
from model.evaluation.report.curves import curve, matrix, measures_of

WIDE, NARROW = (1280, 960), (390, 900)
PATIENCE = 200_000  # milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "images")
    out = parser.parse_args().out
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    with tempfile.TemporaryDirectory() as data:
        os.environ["DIFFUMASK_DATA"] = data
        os.environ.pop("DIFFUMASK_DATABASE_URL", None)
        studio = Studio(Settings())
        studio.warm_up()  # or the first run's time is that of loading the model
        _, url, _ = launch(studio, prevent_thread_lock=True, quiet=True)
        with sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            figures(browser, out)
            explore(visitor(browser, url, "dark", WIDE), out / "explore-dark.png")
            explore(visitor(browser, url, "light", NARROW), out / "explore-narrow.png")
            tour(visitor(browser, url, "light", WIDE), out)
            browser.close()


def visitor(browser: Any, url: str, theme: str, size: tuple[int, int]) -> Any:
    page = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}?__theme={theme}")
    page.wait_for_selector("#run")
    return page


def tour(page: Any, out: Path) -> None:
    explore(page, out / "explore-light.png")
    for i, example in enumerate(list(example_prompts().values())[:3]):
        correct(page, example.text, None if i else out / "correct-light.png")
    page.get_by_role("tab", name="Review").click()
    page.locator("#corrections-list tbody tr, #corrections-list [role=row], #corrections-list button").first.click()
    page.wait_for_selector('#review-canvas .dm[data-state="done"]')
    picture(page, out / "corrections-light.png")
    page.get_by_role("tab", name="Learn").click()
    page.wait_for_timeout(1500)
    page.click("#fine-tune")
    page.locator("dialog[open] [value=yes]").click()
    page.wait_for_selector("#loss .js-plotly-plot")
    page.wait_for_timeout(1500)
    picture(page, out / "learn-light.png")


def figures(browser: Any, out: Path) -> None:
    """The curve of the news and the matrix of the shipped report."""
    report = read_report(Settings().report)
    run = next(run for run in report["runs"] if run["config"]["task"] == "agnews")
    drawn = {"curve": curve(run, measures_of(run)[1]), "matrix": matrix(report)}
    for name, figure in drawn.items():
        page = browser.new_page(viewport={"width": 1100, "height": 620})
        page.set_content(figure.to_html(include_plotlyjs=True))
        page.wait_for_selector(".main-svg")
        page.wait_for_timeout(1500)
        page.locator(".plotly-graph-div").screenshot(path=out / f"{name}.png")


def explore(page: Any, file: Path) -> None:
    """A few-shot prompt at a third of its length, half-way through the steps."""
    page.get_by_role("button", name=list(example_prompts())[1]).click()
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
    page.locator("#retention input[type=number]").fill("35")
    page.locator("#retention input[type=number]").press("Enter")
    page.click("#run")
    page.wait_for_timeout(500)
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
    picture(page, file)


def correct(page: Any, text: str, file: Path | None) -> None:
    """Some tokens changed by hand, a picture, and the correction submitted."""
    page.get_by_role("tab", name="Correct", exact=True).click()
    page.fill("#correct-prompt textarea", text)
    page.click("#open")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    page.wait_for_timeout(500)
    for i in (2, 3, 11):
        page.locator(f"#correct-canvas .dm-scroll .t[data-i='{30 + i}']").click()
    page.wait_for_selector("#correct-canvas .dm-verdict:not(.is-old)")
    if file:
        picture(page, file)
    page.locator("#correct-canvas").get_by_role("button", name="Submit").click()
    page.wait_for_function("() => /Saved/.test(document.querySelector('#correct-canvas').textContent)")


def picture(page: Any, file: Path) -> None:
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(400)
    page.screenshot(path=file)


if __name__ == "__main__":
    main()
