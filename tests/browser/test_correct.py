"""The Correct tab without a browser: queue, drafts, and how uncertain the model is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.store import Store, open_store
from app.components.counting import OWN, Counters, counts
from app.correct.tab import Correcting
from app.correct.uncertainty import uncertainty
from app.settings import Settings
from app.studio import TASK, Ask, Studio
from model.diffusion.trace import SamplerConfig
from model.errors import InputError
from model.prompt import parse
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny_target import tiny_tokenizer

TEXT = "Sort.\n\nQ: a cat?\nA: animal\n\nQ: an oak?\nA:"
ASKED = (50, 8, 0, 0, [TASK], "")  # retention, steps, threshold, seed, rules, words


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path}/store.sqlite3")


@pytest.fixture
def tab(store: Store) -> Correcting:
    return Correcting(Studio(Settings(), ScriptedCompressor, lambda: store))  # type: ignore[arg-type]


def lines(value: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in value.splitlines()]


def opened(tab: Correcting, name: str, text: str = TEXT, before: Any = None) -> tuple[list[dict[str, Any]], Any]:
    *_, (value, made, _) = tab.open(before, name, OWN, text, *ASKED)
    return lines(value), made


def edit(made: Any, flip: int = 0, **more: Any) -> Any:
    """An event of the canvas: one token changed and pinned."""
    mask = [not keep if i == flip else keep for i, keep in enumerate(made.model_mask)]
    pins = "".join(("K" if keep else "D") if i == flip else "." for i, keep in enumerate(mask))
    event = {"mask": "".join("01"[keep] for keep in mask), "pins": pins, "note": "n", "seconds": 3}
    return SimpleNamespace(**event, **{"correction": made.id, **more})


def test_a_draft_is_found_again_by_name_and_prompt(tab: Correcting, store: Store) -> None:
    _, made = opened(tab, "Ann")
    assert "kept" in tab.keep_draft(made, "Ann", edit(made, 1))
    said, again = opened(tab, "Ann")
    assert said[1]["human"] == edit(made, 1).mask and said[1]["note"] == "n" and said[1]["seconds"] == 3
    assert again.id == made.id and again.model_mask == made.model_mask
    other, theirs = opened(tab, "Ben")
    assert "human" not in other[1] and theirs.id != made.id, "nobody sees another's draft"
    assert json.loads(tab.offer(None, "Ann"))["offer"].startswith("Sort.")
    assert json.loads(tab.offer(None, "Ben"))["offer"] == ""
    value, restored, percent, text = tab.restore("Ann", OWN)
    assert (restored.id, percent, text) == (made.id, 50, TEXT) and lines(value)[1]["human"] == said[1]["human"]
    assert json.loads(tab.discard("Ann"))["offer"] == "" and store.draft("Ann", store_key(TEXT)) is None


def store_key(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def test_another_retention_of_the_open_prompt_is_a_new_proposal(tab: Correcting) -> None:
    _, made = opened(tab, "Ann")
    tab.keep_draft(made, "Ann", edit(made))
    *_, (value, new, _) = tab.open(made, "Ann", OWN, TEXT, 30, *ASKED[1:])
    assert lines(value)[-1]["end"] and new.ask.config.retention == 0.3
    *_, (value, _, percent) = tab.open(None, "Ann", OWN, TEXT, 30, *ASKED[1:])
    assert "human" in lines(value)[1] and percent == 50, "from elsewhere the draft comes first"


def test_work_goes_on_after_a_restart_of_the_server(tab: Correcting, store: Store) -> None:
    _, made = opened(tab, "Ann")
    tab.keep_draft(made, "Ann", edit(made, 0))
    anew = Correcting(Studio(Settings(), ScriptedCompressor, lambda: store))  # type: ignore[arg-type]
    assert "kept" in anew.keep_draft(None, "Ann", edit(made, 1))
    assert "not kept" in anew.keep_draft(None, "Ben", edit(made, 1)), "not under another name"
    value, *_ = anew.submit(None, "Ann", 1, edit(made, 1))
    assert json.loads(value)["saved"].startswith("Saved")
    (entry,) = store.find().entries
    assert entry.id == made.id and store.get(made.id).human_mask == edit(made, 1).mask
    value, *_ = anew.submit(None, "Ann", 1, edit(made, 2))
    assert "press Open" in json.loads(value)["error"], "the draft went when it was submitted"


def test_a_new_name_on_the_way_makes_a_correction_of_their_own(tab: Correcting, store: Store) -> None:
    _, made = opened(tab, "guest-1")
    tab.keep_draft(made, "guest-1", edit(made))
    for _ in range(2):
        value, *_ = tab.submit(made, "Ann", 1, edit(made))
        assert "saved" in json.loads(value), value
    (entry,) = [entry for entry in store.find().entries if entry.status == "submitted"]
    assert entry.annotator == "Ann" and entry.id != made.id


@pytest.mark.parametrize("bad", [{"mask": "01"}, {"pins": "x" * 3}, {"mask": None}, {"seconds": "soon"}, {"note": 5}])
def test_what_the_browser_sends_is_not_trusted(tab: Correcting, store: Store, bad: dict[str, Any]) -> None:
    _, made = opened(tab, "Ann")
    event = SimpleNamespace(**{**vars(edit(made)), **bad})
    value, *_ = tab.submit(made, "Ann", 1, event)
    tab.keep_draft(made, "Ann", event)
    assert ("error" in json.loads(value)) == ("note" not in bad)
    assert store.find().total == ("note" in bad)


def test_the_queue_is_taken_in_order_skipped_and_counted(tab: Correcting, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n".join(json.dumps({"prompt": f"{TEXT} {i}"}) for i in range(3)) + "\nnonsense\n")
    report, progress = tab.upload(str(file), "Ann")
    assert "3 prompts added, 1 refused" in report and "0 of 3 done" in progress
    thread = tab.studio.gauge._thread
    if thread:
        thread.join(60)
    assert not store.unmeasured()
    text, id, _ = tab.take("", "Ann", 1, None)
    assert id == store_key(text)
    _, made = opened(tab, "Ann", text)
    assert tab.take(id, "Ann", 1, made)[0] == "", "it is in hand already"
    assert tab.take("", "Ben", 1, None)[0] != text, "nobody gets what another has in hand"
    second, second_id, progress = tab.skip(id, "Ann", 1, made)
    assert second not in ("", text) and "you skipped 1" in progress
    _, made = opened(tab, "Ann", second)
    _, third, _, progress = tab.submit(made, "Ann", 1, edit(made))
    assert "1 of 3 done" in progress and third == "", "the other two are skipped or in Ben's hands"


def test_what_was_corrected_before_goes_to_other_people(tab: Correcting, store: Store) -> None:
    _, made = opened(tab, "Ann")
    tab.submit(made, "Ann", 1, edit(made))
    report, _, people = tab.again(1, "Ben")
    assert "1 prompt added" in report and people == 2
    assert tab.take("", "Ann", people, None)[0] == "" and tab.take("", "Ben", people, None)[0] == TEXT


def test_uncertainty_is_measured_when_no_visitor_waits(tab: Correcting, store: Store) -> None:
    studio, text = tab.studio, "ab cd ef gh ij kl mn op"
    alike = "aaaa bbbb cccc dddd"
    sure, unsure = (uncertainty(studio.compressor, text) for text in ("aaaaaaaaaaaa b aaaaaaaaaaaa b", alike))
    assert 0 < sure < unsure < 1
    steps = studio.denoise(studio.start(Ask(text, SamplerConfig(0.5, 8))))
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
