"""A studio that is served and a visitor who has opened it in headless Chromium, for the benchmarks of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from playwright.sync_api import sync_playwright

from app.studio import Studio
from app.ui import launch

CHROMIUM = shutil.which(os.environ.get("CHROMIUM", "chromium"))
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@contextmanager
def visit(studio: Studio) -> Iterator[Any]:
    """The open page (of playwright)."""
    _, url, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    try:
        with sync_playwright() as engine:
            browser = engine.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(300_000)
            page.goto(url)
            page.wait_for_selector("#run")
            yield page
            browser.close()
    finally:
        gr.close_all(verbose=False)


def verdict(rows: list[tuple[str, float, float, str]]) -> int:
    """Print (name, value, limit, unit), each with whether it keeps its limit; 1 if one does not, else 0."""
    for name, value, limit, unit in rows:
        print(f"{name:40} {value:8.1f} {unit:3} (limit {limit:g}) {'ok' if value <= limit else 'MISSED'}")
    return int(any(value > limit for _, value, limit, _ in rows))
