"""The Compare tab: rounds by themselves, and in a real browser a blind round and an endpoint that refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from annotations.store import Store
from app.answering.answerer import THERE, Answerer, EndpointKey
from app.answering.side_by_side import AnswerEnd, AnswerEvent, AnswerPiece, answer_side_by_side
from app.compare import view
from app.compare.arms import DIFFUMASK, FIRST, FULL, HUMAN, NONE, RANDOM, Arm
from app.compare.comparison import Comparison
from app.compare.comparisons import Comparisons
from app.compare.events import ArmsRequest
from app.compare.sides import ComparedSide, Prices
from app.settings import Settings
from app.studio import Studio
from app.ui import launch
from model.errors import InputError
from model.evaluation.methods.baselines import first_tokens
from model.llm.endpoint import Endpoint
from model.llm.load import load_target, local_writer
from model.llm.writers import Pieces, Usage
from model.prompt import parse
from tests.support.browsing import needs_chromium, wait_for_text
from tests.support.fake_endpoint import KEY, FakeEndpoint, fake_endpoint
from tests.support.saving import fields
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny_diffusion import trained_weights, write_llada
from tests.support.tiny_target import make_target

CONTEXT = "Sort.\n\nMessage: broken <b>lid</b> ${1+1}\nTeam: Anchor\n\nMessage: charged twice\nTeam: Beacon"
QUESTION = "Message: where is it?\nTeam:"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as served:
        yield served


@pytest.fixture(scope="module")
def studio(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    target = make_target()
    return Studio(
        Settings(data=tmp_path_factory.mktemp("data"), endpoints="local"),
        load=ScriptedCompressor,  # type: ignore[arg-type]
        open_store=lambda: store,
        load_target=lambda name: target,
    )


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    from gradio import networking

    networking.url_ok = lambda url: True  # Gradio gives a busy machine three seconds
    _, address, _ = launch(studio, prevent_thread_lock=True, quiet=True)
    yield address
    gr.close_all(verbose=False)


PAIR = (Arm(FULL), Arm(DIFFUMASK))


def begun(rounds: Comparisons, writer: Any, arms: Any = PAIR, blind: bool = False, **more: Any) -> Comparison:
    one = Comparison(more.get("context", CONTEXT), more.get("question", QUESTION), "a model", blind, Prices(), writer)
    rounds.begin(one)
    rounds.shorten(one, arms)
    return one


def lines(one: Comparison) -> list[dict[str, Any]]:
    return [json.loads(line) for line in one.lines.splitlines()]


# --- what is compared --------------------------------------------------------------------------------------


def read_arms(*values: Any) -> tuple[Arm, Arm]:
    names = ("first_method", "first_percent", "second_method", "second_percent")
    return ArmsRequest.read(dict(zip(names, values, strict=True))).arms()


def test_arms_are_read_and_two_of_the_same_make_no_comparison() -> None:
    assert read_arms(FULL, 35, DIFFUMASK, 20.0) == (Arm(FULL), Arm(DIFFUMASK, 20))
    assert [arm.name for arm in read_arms(RANDOM, 7, NONE, 7)] == ["Random words 7 %", "No context"]
    for bad in ((FULL, 35, FULL, 20), (DIFFUMASK, 35, DIFFUMASK, 35.2)):
        with pytest.raises(InputError, match="the same"):
            read_arms(*bad)
    for odd in ((FULL, 35, "x", 20), (FULL, None, DIFFUMASK, 35), (FULL, 35, DIFFUMASK, 0), (FULL, 35, DIFFUMASK, "9")):
        with pytest.raises(InputError, match="1 to 100 %"):
            read_arms(*odd)


def test_each_arm_sends_what_its_name_says(studio: Studio, store: Store) -> None:
    rounds = Comparisons(studio)

    def sent(arm: Arm, **more: Any) -> str:
        return begun(rounds, None, (arm, Arm(FULL)), **more).sides[0].text

    assert sent(Arm(NONE)) == QUESTION
    assert begun(rounds, None).sides[0].text == f"{CONTEXT}\n\n{QUESTION}"
    assert sent(Arm(FIRST, 40)) == f"{first_tokens(CONTEXT, 0.4)}\n\n{QUESTION}"
    short = studio.compressor.compress(CONTEXT, 0.35).text
    assert sent(Arm(DIFFUMASK, 35)) == f"{short}\n\n{QUESTION}" != sent(Arm(DIFFUMASK, 60))
    assert sent(Arm(DIFFUMASK, 35), question=" ") == short
    with pytest.raises(InputError, match="Nobody has corrected this very prompt"):
        sent(Arm(HUMAN))
    n = len(parse(CONTEXT))
    for kept in (range(2, n), range(4, n)):  # the newest counts
        mask = "".join("01"[i in kept] for i in range(n))
        offsets = [[token.start, token.end] for token in parse(CONTEXT).tokens]
        store.submit(fields(CONTEXT, offsets=offsets, model_mask="1" * n, human_mask=mask, pins={}))
    human = parse(CONTEXT).render([i >= 4 for i in range(n)])
    assert sent(Arm(HUMAN), context=f"{CONTEXT}\n") == f"{human.strip()}\n\n{QUESTION}"
    with pytest.raises(InputError, match="Nothing is left"):
        sent(Arm(NONE), question="")
    with pytest.raises(InputError, match="The prompt is empty"):
        sent(Arm(FULL), context=" ")


def test_gain_and_cost_include_compressing() -> None:
    prices = Prices(tokens_in=10, tokens_out=100, hour=36)  # a cent for a second
    long, short = ComparedSide(Arm(FULL), "a b c d"), ComparedSide(Arm(DIFFUMASK), "a", compressing=0.5)
    long.first = short.first = 0.25
    long.finish(2.0, Usage(1000, 10), "", len)
    short.finish(1.0, Usage(400, 10), "", len)
    assert long.cost(prices) == pytest.approx(0.011) and short.cost(prices) == pytest.approx(0.005 + 0.005)
    said = view.gain((long, short), prices)
    assert said == view.gain((short, long), prices)
    for part in ("DiffuMask 35 % against Full prompt", "600 tokens fewer (60%)", "word 0.50 s later"):
        assert part in said
    assert "answer 0.50 s sooner" in said and "$1.00 less per 1,000 calls" in said
    assert ("1.50 s", "in all, 10 tokens answered") in view.tiles(short, prices)
    unsaid = ComparedSide(Arm(FULL), "four", answer="two")
    unsaid.finish(1.0, Usage(), "", len)
    assert view.tiles(unsaid, prices)[0] == ("≈ 4", "tokens sent"), "the endpoint did not count"


# --- answering ---------------------------------------------------------------------------------------------


class Scripted:
    """A writer that says its prompt; `met`: waits until so many answers are being written at the same time."""

    name = "scripted"

    def __init__(self, at_once: bool):
        self.at_once, self.log = at_once, list[str]()
        self.met = threading.Barrier(2 if at_once else 1)

    def write(self, prompt: str, limit: int, system: str = "") -> Pieces:
        self.log.append(f"begin {prompt}")
        try:
            self.met.wait(30)
            yield ""
            yield prompt
            if prompt == "boom":
                raise RuntimeError("secret detail")
            while prompt == "forever":
                yield "."
            return Usage(1, 2)
        finally:
            self.log.append(f"end {prompt}")


def run(writer: Any, *prompts: str) -> list[AnswerEvent]:
    turn = threading.Lock()
    events = [event for heard in answer_side_by_side(writer, prompts, 8, turn, threading.Event()) for event in heard]
    assert turn.acquire(timeout=30), "it is somebody else's turn afterwards"
    return events


def test_endpoints_answer_both_at_once_and_models_here_one_after_the_other() -> None:
    together, alone = Scripted(at_once=True), Scripted(at_once=False)
    for writer in (together, alone):  # the barrier of the first would break if they did not meet
        events = run(writer, "a", "b")
        assert {event.side for event in events if isinstance(event, AnswerPiece)} == {0, 1}
        assert all(event.usage == Usage(1, 2) and not event.error for event in events if isinstance(event, AnswerEnd))
    assert together.log[:2] in (["begin a", "begin b"], ["begin b", "begin a"])
    assert alone.log == ["begin a", "end a", "begin b", "end b"]


def test_a_side_that_fails_leaves_the_other_alone_and_tells_no_details(caplog: pytest.LogCaptureFixture) -> None:
    ends = [event for event in run(Scripted(at_once=True), "boom", "b") if isinstance(event, AnswerEnd)]
    assert {end.side: end.error for end in ends} == {0: "The model failed; the server's log says why.", 1: ""}
    assert "secret detail" in caplog.text


def test_stopping_closes_the_writers() -> None:
    writer, turn, stop = Scripted(at_once=False), threading.Lock(), threading.Event()
    events = answer_side_by_side(writer, ["forever", "never"], 8, turn, stop)
    while not next(events):
        pass
    events.close()
    assert stop.is_set() and turn.acquire(timeout=30)
    assert writer.log[:2] == ["begin forever", "end forever"]


def test_visitors_at_the_same_time_do_not_mix(studio: Studio, server: FakeEndpoint) -> None:
    rounds = Comparisons(studio)
    endpoints = [Endpoint(server.url, "good", KEY, True) for _ in range(6)]
    made = [begun(rounds, one, question="?" * n, blind=n % 2 == 0) for n, one in enumerate(endpoints, start=1)]
    threads = [threading.Thread(target=lambda one=one: list(rounds.write(one))) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for one in made:
        assert [side.answer for side in one.sides] == [f"Hello \ufffd<b> to {len(side.text)}" for side in one.sides]
        assert one.writer is None and KEY not in repr(one), "the key is not kept with the round"
        rounds.vote(one, "equal", f"visitor {len(one.question)}")
        assert rounds.get(one.id) is one
    with pytest.raises(InputError, match="press Compare again"):
        rounds.get("0" * 32)


def test_a_blind_round_tells_nothing_before_the_vote(studio: Studio, store: Store, server: FakeEndpoint) -> None:
    rounds, lefts = Comparisons(studio), set()
    for _ in range(40):
        lefts.add(begun(rounds, None, blind=True).sides[0].arm)
    assert lefts == {Arm(FULL), Arm(DIFFUMASK)}, "either may be left"
    one = begun(rounds, Endpoint(server.url, "good", "", True), blind=True)
    for _ in rounds.write(one):
        shown = lines(one)
        assert all(set(line) <= {"round", "blind", "say", "side", "piece", "ask"} for line in shown)
        pieces = [line for line in shown if "piece" in line]
        assert len(pieces) in (0, 2), "both at the same time"
    assert shown[-1] == {"ask": True}
    rounds.vote(one, "right", "Ann")
    rounds.vote(one, "left", "Ann")  # too late
    found = store.votes("Ann").votes
    assert [(vote.id, vote.winner, vote.blind) for vote in found] == [(one.id, "right", True)]
    assert (found[0].left.name, found[0].left.text) == (one.sides[0].arm.name, one.sides[0].text)
    names = {line["name"] for line in lines(one) if "name" in line}
    assert names == {"Full prompt", "DiffuMask 35 %"} and lines(one)[-1] == {"voted": "right"}
    assert any("gain" in line for line in lines(one)) and sum("tiles" in line for line in lines(one)) == 2


@pytest.mark.parametrize("blind", [False, True])
def test_a_diffusion_llms_answers_can_be_played_once_they_may_be_known(
    studio: Studio, tmp_path: Path, blind: bool
) -> None:
    target = load_target(str(write_llada(tmp_path / "llada", trained_weights(), n_layers=1, n_kv_heads=4)))
    rounds = Comparisons(studio)
    one = begun(rounds, local_writer(target, chat=False), blind=blind, context="a b c", question=" d")
    one.limit = 8
    list(rounds.write(one))
    if blind:
        assert [one.played(side) for side in range(2)] == ["", ""]
        rounds.vote(one, "equal", "Ann")
    for side in range(2):
        document, *steps, end = map(json.loads, one.played(side).splitlines())
        assert "".join(map(str.__add__, document["gaps"], document["tokens"])).strip() == one.sides[side].answer.strip()
        assert [step["step"] for step in steps] == list(range(1, document["steps"] + 1)) and end["end"]


def test_cancel_keeps_what_came_and_asks_for_no_vote(studio: Studio, server: FakeEndpoint) -> None:
    rounds = Comparisons(studio)
    one = begun(rounds, Endpoint(server.url, "pausing", "", True))
    for _ in rounds.write(one):
        assert not one.asked
        if all(side.answer for side in one.sides):
            one.stop.set()
    assert "Cancelled" in lines(one)[-1]["end"] and one.sides[0].answer == "So far "
    with pytest.raises(InputError, match="press Compare again"):
        rounds.vote(one, "left", "Ann")
    server.go_on.set()
    assert server.left.wait(30), "nobody listens to the endpoint any more"
    server.go_on.clear()
    server.left.clear()


def test_a_key_goes_to_its_own_address_only() -> None:
    def answerer(where: str = THERE, **given: Any) -> Answerer:
        page = {"local": "", "chat": False, "url": "https://a.example", "model": "m", "key": "", "kept_key": None}
        return Answerer.read({"where": where, **page, "limit": 16, **given})

    def asked(url: str, key: str, kept: EndpointKey | None) -> tuple[Any, EndpointKey | None]:
        made = answerer(url=url, key=key, kept_key=kept)
        assert KEY not in repr(made)
        return made.writer((), True, True)

    _, kept = asked("https://a.example/v1", KEY, None)
    assert kept and KEY not in repr(kept)
    again, still = asked("https://a.example/v1/", "", kept)
    assert still == kept and again._headers()["Authorization"] == f"Bearer {KEY}"
    for other in ("https://b.example/v1", "http://a.example/v1", "https://a.example:444/v1"):
        made, none = asked(other, "", kept)
        assert none is None and "Authorization" not in made._headers()
    with pytest.raises(InputError, match="switched off"):
        answerer().writer((), False, True)
    with pytest.raises(InputError, match="one of the models in the list"):
        answerer("here", local="/etc").writer(("smollm2",), True, False)


# --- in the browser ----------------------------------------------------------------------------------------


def open_tab(page: Any) -> None:
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.wait_for_selector("#compare")
    page.fill("#compare-prompt textarea", CONTEXT)
    page.fill("#compare-question textarea", QUESTION)


@needs_chromium
def test_a_blind_round_from_the_prompt_to_the_download(page: Any, store: Store, tmp_path: Path) -> None:
    open_tab(page)
    page.get_by_role("button", name="Two methods").click()
    page.locator("#blind input").check()
    page.locator("#compare").press("Enter")
    page.wait_for_selector('#board .dc[data-state="done"]')
    assert page.locator("#board h3").all_inner_texts() == ["", ""]
    board = page.inner_text("#board")
    assert "DiffuMask" not in board and "Cut off" not in board and "tokens" not in board
    answers = page.locator("#board .dc-answer").all_inner_texts()
    page.locator('#board [data-winner="right"]').press("Enter")
    page.wait_for_selector('#board .dc[data-state="voted"]')
    (vote,) = [vote for vote in store.votes().votes if vote.target == "smollm2"]
    assert vote.winner == "right" and vote.blind and vote.annotator.startswith("guest-")
    assert page.locator("#board h3").all_inner_texts() == [vote.left.name, vote.right.name]
    assert {vote.left.name, vote.right.name} == {"DiffuMask 35 %", "Cut off 35 %"}
    assert answers == page.locator("#board .dc-answer").all_inner_texts()
    for name, side in (("Left", vote.left), ("Right", vote.right)):
        page.locator(f"#board article[aria-label={name}] summary").click()
        assert page.locator(f"#board article[aria-label={name}] pre").text_content() == side.text
    assert " against " in page.inner_text("#board .dc-gain")
    page.wait_for_function("() => document.querySelector('#votes-sheet').textContent.includes('smollm2')")
    with page.expect_download() as caught:
        page.click("#votes-export")
    caught.value.save_as(tmp_path / "votes.jsonl")
    saved = [json.loads(line) for line in (tmp_path / "votes.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(saved) == store.votes().total and vote.id in {one["id"] for one in saved}


@needs_chromium
def test_an_endpoint_that_refuses_and_one_that_breaks_off(page: Any, server: FakeEndpoint) -> None:
    heard: list[str] = []
    page.on("response", lambda answer: heard.append(answer.url))
    open_tab(page)
    page.click("#who button")
    page.get_by_text("An endpoint", exact=True).click()
    page.fill("#endpoint-url :is(input, textarea)", server.url)
    cases = (("bad-key", "refuses the key (401)", ""), ("cut-off", "its end is missing", "So far so good"))
    for model, says, came in cases:
        page.fill("#endpoint-model :is(input, textarea)", model)
        if model == "bad-key":
            page.fill("#endpoint-key input", KEY)
        page.click("#compare")
        page.wait_for_function(
            "says => document.querySelector('.dc').dataset.state === 'done'"
            " && [...document.querySelectorAll('.dc-side .dm-error')].every(e => e.textContent.includes(says))",
            arg=says,
        )
        assert page.locator("#board .dc-answer").all_inner_texts() == [came, came]
        assert not page.locator("#board .dc-vote").is_visible(), "there is nothing to vote on"
    assert page.input_value("#endpoint-key input") == "" and KEY not in page.content()
    assert server.seen[-1][1]["Authorization"] == f"Bearer {KEY}", "it is kept for the address, on the server"
    assert not any(KEY in address for address in heard)
    assert KEY not in page.evaluate("() => JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie")
    assert page.locator("#board b b, #board pre b").count() == 0
    page.fill("#endpoint-model :is(input, textarea)", "pausing")
    page.click("#compare")
    page.wait_for_function("() => document.querySelector('.dc-answer').textContent === 'So far '")
    page.click("#compare-cancel")
    wait_for_text(page, "#board .dc-say", "Cancelled.")
    page.wait_for_selector("#compare:not([disabled])")
    server.go_on.set()
    assert server.left.wait(30), "nobody listens to the endpoint any more"
    page.fill("#compare-prompt textarea", " ")
    page.click("#compare")
    wait_for_text(page, "#board .dc-error", "The prompt is empty")
    assert page.locator("#board .dc-answer").first.inner_text() == "So far ", "what was there stays"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
