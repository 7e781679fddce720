"""The studio with a scripted model, and visitors in a real browser: fixtures (conftest.py hands them out) and moves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from annotations.store import Store, open_store

BROWSERS = (os.environ.get("CHROMIUM", "chromium"), "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, BROWSERS) if path), None)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or set CHROMIUM"
)
PATIENCE = 60_000  # milliseconds, for machines that are busy with other things


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The store of the module's studio."""
    return open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'corrections.sqlite3'}")


@pytest.fixture(scope="module")
def url(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the module's studio is served; besides its own it has the tokenizer "tiny" to count with."""
    import gradio as gr
    from gradio import networking

    from app.settings import Settings
    from app.studio import Studio
    from app.ui import launch
    from tests.support.scripted import ScriptedCompressor
    from tests.support.tiny_target import tiny_tokenizer

    data = tmp_path_factory.mktemp("data")
    tiny_tokenizer().save_pretrained(data / "tiny")
    settings = Settings(data=data, tokenizers=(data / "tiny",), endpoints="local")
    studio = Studio(settings, load=ScriptedCompressor, open_store=lambda: store)  # type: ignore[arg-type]
    networking.url_ok = lambda url: True  # Gradio gives a busy machine three seconds
    _, address, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium. (Not for the whole session: while it is open, no other event loop runs in this thread.)"""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install -e .[dev]")
    with playwright.sync_playwright() as engine:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@contextmanager
def new_page(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """The studio as a fresh visitor has it; options: of playwright's context, such as viewport and has_touch.

    Any error in the page's scripts fails the test.
    """
    errors: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url)
    page.wait_for_selector("#run")
    yield page
    context.close()
    assert not errors


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    """A fresh visitor at a desk."""
    with new_page(browser, url, viewport={"width": 1280, "height": 900}) as page:
        yield page


@pytest.fixture
def phone(browser: Any, url: str) -> Iterator[Any]:
    """A fresh visitor with a phone."""
    size = {"width": 390, "height": 800}
    with new_page(browser, url, viewport=size, has_touch=True, is_mobile=True) as page:
        yield page


def open_tab(page: Any, name: str) -> None:
    """In narrow windows some tabs are in a menu."""
    tab = page.get_by_role("tab", name=name, exact=True)
    page.wait_for_timeout(300)
    if tab.count() and tab.first.is_visible():
        tab.first.click()
    else:
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=name).click()


def explore(page: Any, text: str) -> None:
    """Paste a prompt, press Run, and wait for the end of the play."""
    page.fill("#prompt textarea", text)
    page.click("#run")
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')


def confirm(page: Any, selector: str, question: str) -> None:
    """Press a button that asks before it acts, and say yes to this question."""
    page.click(selector)
    dialog = page.get_by_role("dialog", name=question, exact=True)
    dialog.locator("[value=yes]").click()


def correct(page: Any, text: str) -> None:
    """Open a prompt in the Correct tab."""
    page.get_by_role("tab", name="Correct", exact=True).click()
    page.fill("#correct-prompt textarea", text)
    page.click("#open")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')


def token(page: Any, canvas: str, i: int) -> Any:
    """The chip of a token."""
    return page.locator(f"#{canvas} .dm-scroll .t[data-i='{i}']")


def states(page: Any, canvas: str) -> str:
    """k, d or o for each token."""
    script = "spans => spans.map(s => s.className.split(' ')[1]).join('')"
    return page.locator(f"#{canvas} .dm-scroll .t").evaluate_all(script)


def pins(page: Any) -> set[int]:
    """The tokens that wear a pin in the Correct tab."""
    script = "spans => spans.filter(s => s.classList.contains('pin')).map(s => Number(s.dataset.i))"
    return set(page.locator("#correct-canvas .dm-scroll .t").evaluate_all(script))


def wait_for_text(page: Any, selector: str, start: str) -> None:
    """Until the first element's text begins like this."""
    script = "([selector, start]) => (document.querySelector(selector)?.textContent || '').trim().startsWith(start)"
    page.wait_for_function(script, arg=[selector, start])
