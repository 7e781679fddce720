"""The Correct tab without a browser: queue, drafts, and how uncertain the model is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.store import Store, open_store
from app.background.uncertainty import uncertainty
from app.components.counting import OWN, Counters, counts
from app.components.sampling import TASK, UNIT
from app.correct.events import CorrectEvents, CorrectPage
from app.correct.queue import QueueEvents
from app.settings import Settings
from app.studio import Studio
from model.compress import CompressRequest
from model.errors import InputError
from model.prompt import parse
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny_target import tiny_tokenizer

TEXT = "Sort.\n\nQ: a cat?\nA: animal\n\nQ: an oak?\nA:"
SETTINGS: dict[str, Any] = {"steps": 8, "threshold": 0, "seed": 0, "rules": [TASK], "granularity": UNIT, "words": ""}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/store.sqlite3")


@pytest.fixture
def studio(store: Store) -> Studio:
    return Studio(Settings(), ScriptedCompressor, lambda: store)  # type: ignore[arg-type]


@pytest.fixture
def tab(studio: Studio) -> CorrectEvents:
    return CorrectEvents(studio)


@pytest.fixture
def queue(studio: Studio) -> QueueEvents:
    return QueueEvents(studio)


def lines(page: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in page.canvas.splitlines()]


def line(page: Any) -> dict[str, Any]:
    (only,) = lines(page)
    return only


def opening(tab: CorrectEvents, name: str, text: str = TEXT, before: Any = None, retention: int = 50) -> CorrectPage:
    """What the page shows once the prompt is open."""
    asked = {"text": text, "retention": retention, **SETTINGS, "counter": OWN}
    *_, page = tab.open({"opened": before, "name": name, **asked})
    return page


def opened(tab: CorrectEvents, name: str, text: str = TEXT) -> tuple[list[dict[str, Any]], Any]:
    page = opening(tab, name, text)
    return lines(page), page.opened


def edit(made: Any, flip: int = 0, **more: Any) -> dict[str, Any]:
    """What the canvas sends: one token changed and pinned."""
    mask = [not keep if i == flip else keep for i, keep in enumerate(made.model_mask)]
    pins = "".join(("K" if keep else "D") if i == flip else "." for i, keep in enumerate(mask))
    event = {"mask": "".join("01"[keep] for keep in mask), "pins": pins, "note": "n", "seconds": 3}
    return {**event, "correction": made.id, **more}


def keep_draft(tab: CorrectEvents, made: Any, name: str, event: dict[str, Any], kept: Any = None) -> str:
    page = tab.keep_draft({"opened": made, "name": name, "event": event, "kept": kept})
    return str(lines(page)[0]["drafted"])


def submit(tab: CorrectEvents, made: Any, name: str, event: dict[str, Any]) -> CorrectPage:
    return tab.submit({"opened": made, "name": name, "people": 1, "event": event})


def take(tab: CorrectEvents, current: str, name: str, made: Any = None, people: int = 1) -> CorrectPage:
    return tab.take({"current": current, "name": name, "people": people, "opened": made})


def test_a_draft_is_found_again_by_name_and_prompt(tab: CorrectEvents, store: Store) -> None:
    _, made = opened(tab, "Ann")
    assert "kept" in keep_draft(tab, made, "Ann", edit(made, 1))
    shown, again = opened(tab, "Ann")
    assert shown[1]["human"] == edit(made, 1)["mask"] and shown[1]["note"] == "n" and shown[1]["seconds"] == 3
    assert again.id == made.id and again.model_mask == made.model_mask
    other, theirs = opened(tab, "Ben")
    assert "human" not in other[1] and theirs.id != made.id, "nobody sees another's draft"
    assert line(tab.offer({"opened": None, "name": "Ann"}))["offer"].startswith("Sort.")
    assert line(tab.offer({"opened": None, "name": "Ben"}))["offer"] == ""
    restored: Any = tab.restore({"name": "Ann", "counter": OWN})
    assert (restored.opened.id, restored.retention, restored.text) == (made.id, 50, TEXT)
    assert lines(restored)[1]["human"] == shown[1]["human"]
    assert line(tab.discard({"name": "Ann"}))["offer"] == "" and store.draft("Ann", store_key(TEXT)) is None


def test_a_draft_is_answered_with_what_its_mask_costs(tab: CorrectEvents) -> None:
    text = "Answer briefly.\n\nNotes: It rained. Never pay in cash.\n\nQuestion: How do I pay?"
    _, made = opened(tab, "Ann", text)
    for keep, lost in (("0", True), ("1", False)):
        event = edit(made, 0, mask=keep * len(made.model_mask), pins="." * len(made.model_mask))
        *_, judged = lines(tab.keep_draft({"opened": made, "name": "Ann", "event": event, "kept": None}))
        assert judged["mask"] == event["mask"] and bool(judged["judged"]["rules"]) == lost
    shown, _ = opened(tab, "Ann", text)
    assert shown[-1]["mask"] == "1" * len(made.model_mask), "and so is one that is opened again"


def test_two_windows_on_one_prompt_do_not_take_each_others_draft(tab: CorrectEvents, store: Store) -> None:
    first, second = opening(tab, "Ann"), opening(tab, "Ann")
    event = edit(first.opened, 1)
    asked = {"opened": first.opened, "name": "Ann", "event": event, "kept": first.kept}
    kept: Any = tab.keep_draft(asked).kept
    told = keep_draft(tab, second.opened, "Ann", edit(second.opened, 4), second.kept)
    assert "another window" in told, "the later one is told"
    draft = store.draft("Ann", store_key(TEXT))
    assert draft is not None and draft.human_mask == event["mask"], "and the first one's work is there"
    assert "kept" in keep_draft(tab, first.opened, "Ann", edit(first.opened, 2), kept), "which goes on"
    assert line(submit(tab, second.opened, "Ann", edit(second.opened, 4)))["saved"].startswith("Saved")
    assert line(submit(tab, first.opened, "Ann", edit(first.opened, 2)))["saved"].startswith("Saved")
    saved = {store.get(entry.id).human_mask for entry in store.find().entries}
    assert saved == {edit(second.opened, 4)["mask"], edit(first.opened, 2)["mask"]}


def store_key(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_another_retention_of_the_open_prompt_is_a_new_proposal(tab: CorrectEvents) -> None:
    _, made = opened(tab, "Ann")
    keep_draft(tab, made, "Ann", edit(made))
    page: Any = opening(tab, "Ann", before=made, retention=30)
    assert lines(page)[-1]["end"] and page.opened.request.retention == 0.3
    page = opening(tab, "Ann", retention=30)
    assert "human" in lines(page)[1] and page.retention == 50, "from elsewhere the draft comes first"


def test_work_goes_on_after_a_restart_of_the_server(tab: CorrectEvents, store: Store) -> None:
    _, made = opened(tab, "Ann")
    keep_draft(tab, made, "Ann", edit(made, 0))
    anew = CorrectEvents(Studio(Settings(), ScriptedCompressor, lambda: store))  # type: ignore[arg-type]
    assert "kept" in keep_draft(anew, None, "Ann", edit(made, 1))
    assert "not kept" in keep_draft(anew, None, "Ben", edit(made, 1)), "not under another name"
    assert line(submit(anew, None, "Ann", edit(made, 1)))["saved"].startswith("Saved")
    (entry,) = store.find().entries
    assert entry.id == made.id and store.get(made.id).human_mask == edit(made, 1)["mask"]
    refused = line(submit(anew, None, "Ann", edit(made, 2)))["error"]
    assert "press Open" in refused, "the draft went when it was submitted"


def test_a_new_name_on_the_way_makes_a_correction_of_their_own(tab: CorrectEvents, store: Store) -> None:
    _, made = opened(tab, "guest-1")
    keep_draft(tab, made, "guest-1", edit(made))
    for _ in range(2):
        page = submit(tab, made, "Ann", edit(made))
        assert "saved" in line(page), page
    (entry,) = [entry for entry in store.find().entries if entry.status == "submitted"]
    assert entry.annotator == "Ann" and entry.id != made.id


@pytest.mark.parametrize("bad", [{"mask": "01"}, {"pins": "x" * 3}, {"mask": None}, {"seconds": "soon"}, {"note": 5}])
def test_what_the_browser_sends_is_not_trusted(tab: CorrectEvents, store: Store, bad: dict[str, Any]) -> None:
    _, made = opened(tab, "Ann")
    event = edit(made, **bad)
    page = submit(tab, made, "Ann", event)
    keep_draft(tab, made, "Ann", event)
    assert ("error" in line(page)) == ("note" not in bad)
    assert store.find().total == ("note" in bad)


def test_the_queue_is_taken_in_order_skipped_and_counted(
    tab: CorrectEvents, queue: QueueEvents, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"{TEXT} {i}"}) for i in range(3)) + "\nnonsense\n")
    added: Any = queue.upload({"file": str(file), "name": "Ann"})
    assert "3 prompts added, 1 refused" in added.report and "0 of 3 done" in added.progress
    thread = tab.studio.gauge._thread
    if thread:
        thread.join(60)
    assert not store.unmeasured()
    first: Any = take(tab, "", "Ann")
    assert first.current == store_key(first.next_text)
    _, made = opened(tab, "Ann", first.next_text)
    assert take(tab, first.current, "Ann", made).next_text == "", "it is in hand already"
    assert take(tab, "", "Ben").next_text != first.next_text, "nobody gets what another has in hand"
    second: Any = tab.skip({"current": first.current, "name": "Ann", "people": 1, "opened": made})
    assert second.next_text not in ("", first.next_text) and "you skipped 1" in second.progress
    _, made = opened(tab, "Ann", second.next_text)
    third: Any = submit(tab, made, "Ann", edit(made))
    assert "1 of 3 done" in third.progress
    assert third.next_text == "", "the other two are skipped or in Ben's hands"


def test_what_was_corrected_before_goes_to_other_people(tab: CorrectEvents, queue: QueueEvents, store: Store) -> None:
    _, made = opened(tab, "Ann")
    submit(tab, made, "Ann", edit(made))
    added: Any = queue.add_corrected({"people": 1, "name": "Ben"})
    assert "1 prompt added" in added.report and added.people == 2
    assert take(tab, "", "Ann", people=2).next_text == "" and take(tab, "", "Ben", people=2).next_text == TEXT


def test_uncertainty_is_measured_when_no_visitor_waits(studio: Studio, store: Store) -> None:
    text = "ab cd ef. Gh ij kl. Mn op."
    alike = "Aaaa bbbb. Cccc dddd."
    sure, unsure = (uncertainty(studio.compressor, text) for text in ("Aaaaaaaaaaaa aaaaaaaaaaaa. B b.", alike))
    assert 0 < sure < unsure < 1
    steps = studio.denoise(studio.start(CompressRequest(text, 0.5, 8)))
    next(steps)  # a visitor who looks at a step keeps nobody waiting
    measured, go = threading.Event(), threading.Event()
    with studio._visited():
        store.add_prompts([(alike, None), (" \u200b", None)])
        studio.gauge.start()
        assert not measured.wait(0.3) and store.unmeasured()
        go.set()
    thread = studio.gauge._thread
    if thread:
        thread.join(60)
    assert not store.unmeasured()
    assert store.waiting()[0].uncertainty == pytest.approx(unsure)


# --- counting ----------------------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60))
def test_counts_add_up_to_what_the_tokenizer_makes_of_the_prompt(text: str) -> None:
    try:
        prompt = parse(text)
    except InputError:
        return
    tokenizer = TOKENIZER.backend_tokenizer
    made = counts(tokenizer, prompt)
    assert len(made) == len(prompt) and min(made) >= 0
    assert sum(made) == len(tokenizer.encode(prompt.text, add_special_tokens=False).ids)


TOKENIZER = tiny_tokenizer()


def test_tokenizers_are_found_in_folders_and_never_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUMASK_CACHE", str(tmp_path / "cache"))
    TOKENIZER.save_pretrained(tmp_path / "mine")
    TOKENIZER.save_pretrained(tmp_path / "cache" / "targets" / "smollm2")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "tokenizer.json").write_text("{}")
    folders = [tmp_path / "mine", tmp_path / "missing", tmp_path / "bad"]
    made = Counters(lambda prompt: [7] * len(prompt), folders)
    assert made.names == [OWN, "SmolLM2", "mine", "bad"]
    prompt = parse(TEXT)
    assert made.count(OWN, prompt) == [7] * len(prompt)
    assert made.count("mine", prompt) == made.count("SmolLM2", prompt) == counts(TOKENIZER.backend_tokenizer, prompt)
    for name in ("bad", "../mine", "Gemma 3"):
        with pytest.raises(InputError):
            made.count(name, prompt)
