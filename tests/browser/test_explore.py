"""The studio in a real browser: paste, run, scrub, slide, correct by mouse and keyboard, re-denoise, submit, reload."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from annotations.results import Filter
from annotations.store import Store
from app.components.counting import counts
from model.compress import Compressed
from model.prompt import parse
from tests.support.browsing import correct, explore, needs_chromium, pins, states, token, wait_for_text
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny_target import tiny_tokenizer
from tests.web.make_vectors import mask_at

pytestmark = needs_chromium

PROMPT = "Sort the news.\n\nArticle: The team won.\nAnswer: Sports\n\nArticle: Shares fell sharply.\nAnswer:"
HOSTILE = (
    "Say ${1+1} and `x` \\u0041 {{value}} </script><img src=x onerror=\"document.title='owned'\"> <b>b</b> "
    "مرحبا بالعالم 👩‍👩‍👧 zero\u200bwidth " + "long" * 90
)


def slide(page: Any, percent: int, kind: str) -> None:
    """Move the retention slider: "input" while it is dragged, "change" when it is let go."""
    page.locator("#retention input[type=range]").evaluate(
        "(box, [value, kind]) => { box.value = value; box.dispatchEvent(new Event(kind, { bubbles: true })); }",
        [percent, kind],
    )


def scripted(text: str, retention: float, **more: Any) -> Compressed:
    """What the page's model makes of a prompt."""
    return ScriptedCompressor().compress(text, retention, **more)


def test_explore_plays_steps_and_goes_both_ways(page: Any) -> None:
    explore(page, PROMPT)
    prompt, trace = (run := scripted(PROMPT, 0.5)).prompt, run.trace
    assert states(page, "explore-canvas") == "".join("k" if keep else "d" for keep in trace.keep)
    assert page.inner_text("#explore-canvas .dm-out") == prompt.render(trace.keep)
    assert page.locator("#explore-canvas .dm-scrub").get_attribute("max") == "8"
    page.click("#explore-canvas [data-act=first]")
    assert set(states(page, "explore-canvas")[i] for i in range(len(prompt)) if trace.step[i]) == {"o"}
    for step in (1, 2, 3):
        page.click("#explore-canvas [data-act=forward]")
        seen = states(page, "explore-canvas")
        assert [i for i, s in enumerate(seen) if s == "o"] == [i for i, at in enumerate(trace.step) if at > step]
        assert f"Step {step} of 8" in page.inner_text("#explore-canvas .dm-what")
    page.click("#explore-canvas [data-act=back]")
    assert states(page, "explore-canvas").count("o") == sum(at > 2 for at in trace.step)
    page.locator("#explore-canvas .dm-scroll").press("End")
    assert "o" not in states(page, "explore-canvas")


def test_the_slider_previews_in_the_browser_and_asks_again_when_let_go(page: Any) -> None:
    explore(page, PROMPT)
    run = scripted(PROMPT, 0.5)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for percent in (5, 20, 35, 50, 65, 80, 95, 100):
        slide(page, percent, "input")
        text = run.prompt.render(mask_at(run.request.pieces, run.trace, percent / 100))
        assert page.inner_text("#explore-canvas .dm-out") == text
        assert page.locator("#explore-canvas .dm").get_attribute("data-state") == "preview"
    assert not requests, "dragging asked the server"
    slide(page, 30, "input")
    slide(page, 30, "change")
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
    again = scripted(PROMPT, 0.3).trace
    assert states(page, "explore-canvas") == "".join("k" if keep else "d" for keep in again.keep)


def test_what_was_lost_is_said_and_kept_by_a_click_and_is_in_the_copied_text(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notes = "Harbourmasters considered furniture. " * 5
    text = f"Answer from the notes.\n\nNotes: {notes}Never pay in cash.\n\nQuestion: How?"
    explore(page, text)
    panel = page.locator("#explore-canvas .dm-verdict")
    assert "1 thing to look at" in panel.locator(".dm-verdict-head").inner_text()
    page.get_by_role("button", name="Never pay in cash.", exact=True).click()
    found = page.locator("#explore-canvas .t[data-found]").all_inner_texts()
    assert found == ["Never", "pay", "in", "cash", "."]
    page.get_by_role("button", name="Keep this: Never pay in cash.").click()
    wait_for_text(page, "#explore-canvas .dm-verdict-head", "Good to send")
    page.wait_for_selector('#explore-canvas .dm[data-state="done"]')
    page.click("#explore-canvas [data-act=copy]")
    wait_for_text(page, "#explore-canvas [data-act=copy]", "Copied")
    assert "Never pay in cash." in page.evaluate("() => navigator.clipboard.readText()")
    page.fill("#prompt textarea", f"{text} Or when?")
    assert page.locator("#explore-canvas .dm-stale").is_visible(), "it is not of this text"
    page.fill("#prompt textarea", text)
    assert not page.locator("#explore-canvas .dm-stale").is_visible()
    page.click("#settings button")
    page.get_by_label("whole parts").check()
    assert page.locator("#explore-canvas .dm-stale").is_visible()
    page.click("#run")
    page.wait_for_selector("#explore-canvas .dm-stale", state="hidden")


def test_a_hostile_prompt_is_shown_literally(page: Any) -> None:
    explore(page, HOSTILE)
    tokens = page.locator("#explore-canvas .dm-scroll .t").all_inner_texts()
    expected = [t.text if t.text != "\u200b" else "U+200B" for t in parse(HOSTILE).tokens]
    assert tokens == expected
    assert page.locator("#explore-canvas .dm-scroll img, #explore-canvas .dm-scroll b").count() == 0
    assert page.title() == "DiffuMask Studio"


def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_lost(page: Any) -> None:
    explore(page, PROMPT)
    before = states(page, "explore-canvas")
    for text, says in (("  ", "empty"), ("word " * 200_000, "split it")):
        page.fill("#prompt textarea", text)
        page.click("#run")
        page.wait_for_function(
            "says => document.querySelector('#explore-canvas .dm-error').textContent.includes(says)", arg=says
        )
        assert states(page, "explore-canvas") == before
    page.click("#settings button")
    page.get_by_label("Always keep these words").fill("/(/")
    page.fill("#prompt textarea", PROMPT)
    page.click("#run")
    page.wait_for_function(
        "() => document.querySelector('#explore-canvas .dm-error').textContent.includes('regular expression')"
    )


def test_correct_by_mouse(page: Any) -> None:
    correct(page, PROMPT)
    before = states(page, "correct-canvas")
    token(page, "correct-canvas", 1).click()
    assert states(page, "correct-canvas")[1] != before[1] and pins(page) == {1}
    start, end = (token(page, "correct-canvas", i).bounding_box() for i in (5, 8))
    page.mouse.move(start["x"] + 3, start["y"] + 5)
    page.mouse.down()
    page.mouse.move(end["x"] + 3, end["y"] + 5, steps=8)
    assert page.locator("#correct-canvas .t.brush").count() == 4, "a preview while dragging"
    page.mouse.up()
    painted = states(page, "correct-canvas")[5:9]
    assert painted in ("kkkk", "dddd") and painted[0] != before[5] and pins(page) == {1, 5, 6, 7, 8}
    token(page, "correct-canvas", 10).click(modifiers=["Shift"])
    assert states(page, "correct-canvas")[5:11] == painted[0] * 6
    page.locator("#correct-canvas .dm-name").first.click()
    assert set(states(page, "correct-canvas")[:5]) == {"k"}
    for _ in range(4):
        page.click("#correct-canvas [data-act=undo]")
    assert states(page, "correct-canvas") == before and pins(page) == set()


def test_correct_by_keyboard(page: Any) -> None:
    correct(page, PROMPT)
    before = states(page, "correct-canvas")
    page.locator("#correct-canvas .dm-scroll").focus()
    for key in ("Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "d"):
        page.keyboard.press(key)
    assert states(page, "correct-canvas")[1:4] == "ddd" and pins(page) == {1, 2, 3}
    page.keyboard.press("k")
    assert states(page, "correct-canvas")[1:4] == "kkk"
    page.keyboard.press("z")
    page.keyboard.press("z")
    assert states(page, "correct-canvas") == before and pins(page) == set()
    page.keyboard.press("Shift+Z")
    assert states(page, "correct-canvas")[1:4] == "ddd"
    page.keyboard.press("p")
    assert pins(page) == set()
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    (pinned,) = pins(page)
    assert pinned > 3 and states(page, "correct-canvas")[pinned] != before[pinned]
    page.keyboard.press("?")
    assert page.locator("#correct-canvas .dm-keys").is_visible()


def test_redenoise_keeps_the_pins_and_shows_what_moved(page: Any) -> None:
    correct(page, PROMPT)
    page.locator("#correct-canvas .dm-name").first.click()
    pinned = pins(page)
    chosen = {i: states(page, "correct-canvas")[i] for i in pinned}
    page.click("#correct-canvas [data-act=redenoise]")
    page.wait_for_function("() => document.querySelector('#correct-canvas .dm-moved').textContent.includes('moved')")
    after = states(page, "correct-canvas")
    assert all(after[i] == state for i, state in chosen.items()) and pins(page) == pinned
    again = scripted(PROMPT, 0.5, pins={i: state == "k" for i, state in chosen.items()})
    assert after == "".join("k" if keep else "d" for keep in again.trace.keep)
    assert page.locator("#correct-canvas .t.moved").count() > 0


def test_prompts_are_uploaded_corrected_and_the_next_one_comes(page: Any, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "prompts.csv"
    texts = [f"Q: number {i}?\nA: {HOSTILE}\n\nQ: and then?\nA:" for i in range(2)]
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["id", "prompt"], *([str(i), text] for i, text in enumerate(texts)), ["7", ""]])
    page.get_by_role("tab", name="Correct", exact=True).click()
    wait_for_text(page, "#queue-progress", "The queue is empty")
    page.get_by_text("Add prompts to the queue").click()
    page.set_input_files("#queue-file input[type=file]", file)
    wait_for_text(page, "#queue-report", "2 prompts added, 1 refused.")
    assert "prompt: is empty" in page.inner_text("#queue-report")
    page.click("#next")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    first = page.input_value("#correct-prompt textarea")
    assert first in texts
    token(page, "correct-canvas", 3).click()
    page.locator("#correct-canvas .dm-scroll").press("Enter")
    page.wait_for_function("text => document.querySelector('#correct-prompt textarea').value !== text", arg=first)
    wait_for_text(page, "#queue-progress", "1 of 2 done")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    second = page.input_value("#correct-prompt textarea")
    assert {first, second} == set(texts) and page.title() == "DiffuMask Studio"
    page.click("#skip")
    wait_for_text(page, "#queue-progress", "1 of 2 done · you did 1 · you skipped 1")
    (entry,) = store.find(Filter(text="number")).entries
    assert store.get(entry.id).prompt == first


def test_tokens_are_counted_by_the_tokenizer_that_is_chosen(page: Any) -> None:
    explore(page, PROMPT)
    prompt, trace = (run := scripted(PROMPT, 0.5)).prompt, run.trace
    page.locator("#explore-canvas .dm-counter select").select_option("tiny")
    wait_for_text(page, "#explore-canvas .dm-after-note", "tiny tokens")
    made = counts(tiny_tokenizer().backend_tokenizer, prompt)
    kept = sum(count for count, keep in zip(made, trace.keep, strict=True) if keep)
    assert page.inner_text("#explore-canvas .dm-after") == f"{sum(made)} → {kept}"
    page.fill("#explore-canvas .dm-price input", "1000")
    assert page.inner_text("#explore-canvas .dm-money") == f"${sum(made) - kept}.00"
    explore(page, PROMPT + " More.")
    assert page.inner_text("#explore-canvas .dm-after-note").startswith("tiny tokens"), "the choice stays"


def test_a_draft_survives_a_reload_and_saved_is_said_once_the_store_has_it(page: Any, store: Store) -> None:
    text = "Keep it short.\n\nQ: one and one?\nA: two\n\nQ: two and two?\nA:"
    correct(page, text)
    name = page.input_value("#annotator textarea, #annotator input")
    assert name.startswith("guest-")
    token(page, "correct-canvas", 2).click()
    page.locator("#correct-canvas .dm-note").fill("=1+1 note")
    corrected = states(page, "correct-canvas")
    wait_for_text(page, "#correct-canvas .dm-saved", "Draft kept")
    page.reload()
    page.get_by_role("tab", name="Correct", exact=True).click()
    wait_for_text(page, "#correct-canvas .dm-draft-start", "Keep it short.")
    page.click("#correct-canvas [data-act=restore]")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    assert states(page, "correct-canvas") == corrected and pins(page) == {2}
    assert page.input_value("#correct-prompt textarea") == text
    store.add_prompts([("Q: the next one?\nA: yes\n\nQ: and then?\nA:", 2.0)])
    page.locator("#correct-canvas .dm-scroll").press("Enter")
    wait_for_text(page, "#correct-canvas .dm-saved", "Saved")
    (entry,) = store.find(Filter(annotator=name)).entries
    saved = store.get(entry.id)
    assert saved.prompt == text and saved.annotator == name and saved.note == "=1+1 note" and saved.edits == 1
    assert saved.human_mask == corrected.replace("k", "1").replace("d", "0") and set(saved.pins) == {2}
    page.wait_for_function("() => document.querySelector('#correct-prompt textarea').value.startsWith('Q: the next')")
    page.wait_for_selector('#correct-canvas .dm[data-state="done"]')
    assert page.locator("#correct-canvas .dm-scroll .t").first.inner_text() == "Q"
    page.reload()
    page.get_by_role("tab", name="Correct", exact=True).click()
    page.wait_for_function("() => document.querySelector('#annotator textarea, #annotator input').value")
    assert not page.locator("#correct-canvas .dm-draft").is_visible()


def test_a_narrow_window_scrolls_only_down(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    explore(page, PROMPT + " " + "unbreakable" * 40)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
