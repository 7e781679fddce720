"""From paste to a program in a real browser: messages, files, views, links, what a part is, and the way back."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from tests.support.browsing import explore, needs_chromium, states, wait_for_text
from tests.support.fake_endpoint import FakeEndpoint

pytestmark = needs_chromium

PROMPT = "Sort the news.\n\nArticle: The team won.\nAnswer: Sports\n\nArticle: Shares fell sharply.\nAnswer:"
MESSAGES = [
    {"role": "system", "content": "Answer in one sentence. Never guess."},
    {"role": "user", "content": [{"type": "text", "text": "I like <b>old</b> mills. It rained all day."}]},
    {"role": "user", "content": "How many beds has Lund?"},
]
OUT = "#explore-canvas .dm-out"


def done(page: Any) -> None:
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]:not([data-running])')


def runs(page: Any) -> int:
    return int(page.locator("#explore-canvas .dm-runs option").count())


def test_messages_are_pasted_and_come_out_as_messages(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explore(page, json.dumps(MESSAGES))
    short = json.loads(page.inner_text(OUT))
    assert [message["role"] for message in short] == ["system", "user", "user"]
    assert short[0] == MESSAGES[0] and short[2] == MESSAGES[2] and short[1]["content"][0]["type"] == "text"
    page.click("#explore-canvas [data-act=copy]")
    wait_for_text(page, "#explore-canvas [data-act=copy]", "Copied")
    assert json.loads(page.evaluate("() => navigator.clipboard.readText()")) == short
    page.click("#explore-canvas [data-view=diff]")
    assert page.locator(f"{OUT} del").count() > 0 and "old</b> mills" in page.inner_text(OUT)
    page.fill("#prompt textarea", json.dumps(MESSAGES)[:-9])
    page.click("#run")
    wait_for_text(page, "#explore-canvas .dm-error", "This begins like chat messages")


def test_a_file_is_dropped_and_a_wrong_one_is_refused_in_place(page: Any, tmp_path: Path) -> None:
    drop = """([box, name, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name));
        document.querySelector(box).dispatchEvent(
            new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, ["#prompt textarea", "notes.md", list(PROMPT.encode())])
    done(page)
    assert page.input_value("#prompt textarea") == PROMPT
    before = states(page, "explore-canvas")
    page.evaluate(drop, ["#prompt textarea", "picture.txt", [137, 80, 78, 71, 0, 0]])
    wait_for_text(page, "#explore-canvas .dm-error", "picture.txt is no text")
    assert states(page, "explore-canvas") == before and page.input_value("#prompt textarea") == PROMPT


def test_the_views_and_the_price(page: Any) -> None:
    explore(page, PROMPT)
    short = page.inner_text(OUT)
    page.click("#explore-canvas [data-view=diff]")
    assert page.locator(OUT).evaluate("node => node.textContent") == PROMPT
    kept = page.locator(OUT).evaluate("node => [...node.childNodes].filter((n) => n.nodeType === 3).length")
    assert kept and page.locator(f"{OUT} del").count()
    page.click("#explore-canvas [data-view=text]")
    assert page.inner_text(OUT) == short
    assert page.inner_text("#explore-canvas .dm-money-note") == "saved per 1,000 calls"
    page.get_by_label("The full prompt would be cached").check()
    assert page.inner_text("#explore-canvas .dm-money-note") == "more per 1,000 calls, net of caching"
    with page.expect_download() as download:
        page.click("#explore-canvas [data-act=download]")
    assert Path(download.value.path()).read_text(encoding="utf-8") == short


def test_a_link_opens_the_page_like_this_and_a_cut_one_says_so(page: Any, url: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    explore(page, PROMPT)
    page.click("#settings button")
    page.get_by_label("whole parts").check()
    page.click("#run")
    page.wait_for_selector("#explore-canvas .dm-stale", state="hidden")
    done(page)
    short = page.inner_text(OUT)
    page.click("#explore-canvas .dm-use summary")
    page.check("#explore-canvas .dm-with-text")
    page.click("#explore-canvas [data-act=link]")
    wait_for_text(page, "#explore-canvas [data-act=link]", "Copied")
    link = page.evaluate("() => navigator.clipboard.readText()")
    other = page.context.new_page()
    other.goto(link)
    done(other)
    assert other.input_value("#prompt textarea") == PROMPT and other.inner_text(OUT) == short
    other.goto("about:blank")
    other.goto(link[:-5])
    wait_for_text(other, "#explore-canvas .dm-error", "This link is not whole")
    program = page.inner_text("#explore-canvas .dm-program")
    assert "granularity='part'" in program and ast.parse(program)
    page.select_option("#explore-canvas .dm-language", "curl")
    assert url.rstrip("/") in page.inner_text("#explore-canvas .dm-program")


def test_what_a_part_is_can_be_said_and_undone(page: Any) -> None:
    explore(page, PROMPT)
    roles = page.locator("#explore-canvas .dm-role")
    assert [roles.nth(i).input_value() for i in range(3)] == ["instruction", "demonstration", "question"]
    roles.nth(1).select_option("question")
    page.wait_for_function(
        "() => document.querySelectorAll('#explore-canvas .dm-shot')[1].querySelectorAll('.t.k').length"
        " === document.querySelectorAll('#explore-canvas .dm-shot')[1].querySelectorAll('.t').length"
    )
    done(page)
    assert "The team won.\nAnswer: Sports" in page.inner_text(OUT) and runs(page) == 2
    page.click("#explore-canvas [data-act=undo-run]")
    page.wait_for_function("() => document.querySelectorAll('#explore-canvas .dm-role')[1].value === 'demonstration'")
    done(page)
    page.locator("#explore-canvas .dm-whole").nth(1).click()
    wait_for_text(page, "#explore-canvas .dm-share", "5 of 5 kept")
    page.wait_for_function("() => document.querySelectorAll('#explore-canvas .dm-runs option').length === 3")
    done(page)
    assert "The team won.\nAnswer: Sports" in page.inner_text(OUT)


def test_the_answers_are_checked_by_an_endpoint(page: Any, server: FakeEndpoint) -> None:
    explore(page, PROMPT)
    page.click("#check > button")
    page.fill("#check-questions textarea", "Who won?\nWhat fell?\n\nWho won?")
    page.click("#check-who > button")
    page.locator("#check-who").get_by_text("An endpoint", exact=True).click()
    page.fill("#check-endpoint-url :is(input, textarea)", server.url)
    page.fill("#check-endpoint-model :is(input, textarea)", "good")
    page.click("#check-run")
    wait_for_text(page, "#check-answers", "0 of 2 answers agree: too few to tell")
    cells = page.locator("#check-answers tbody tr").first.locator("td").all_inner_texts()
    assert cells[0] == "Who won?" and cells[1].startswith("Hello") and cells[3] == "no"
