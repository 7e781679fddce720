"""Comparisons by themselves: what is compared, how answers come, votes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotations.store import Store
from app.answering.answerer import THERE, Answerer, EndpointKey
from app.answering.judge import Judge
from app.answering.side_by_side import AnswerEnd, AnswerEvent, AnswerPiece, answer_side_by_side
from app.compare import view
from app.compare.arms import (
    BM25,
    DENSE,
    DIFFUMASK,
    FIRST,
    FULL,
    HUMAN,
    LEFT_OUT,
    LLMLINGUA,
    LLMLINGUA2,
    NONE,
    RANDOM,
    Arm,
    offered,
    triples,
)  # fmt: skip
from app.compare.comparison import Comparison
from app.compare.comparisons import Comparisons, split_questions
from app.compare.events import ARENA, SIDE_BY_SIDE, ArmsRequest
from app.compare.shortening import Shortening
from app.compare.sides import ComparedSide, Prices
from app.components.forms import Visitor
from app.examples import example_questions
from app.settings import Settings
from app.studio import Studio
from model.errors import InputError
from model.evaluation.methods.baselines import first_tokens
from model.llm.endpoint import Endpoint
from model.llm.load import load_target
from model.llm.writers import Pieces, Usage
from model.prompt import parse
from tests.support.comparing import CONTEXT, QUESTION
from tests.support.fake_endpoint import KEY, FakeEndpoint
from tests.support.saving import fields
from tests.support.scripted import ScriptedCompressor
from tests.support.tiny_classifier import write_classifier
from tests.support.tiny_diffusion import trained_weights, write_llada

ARMS = (Arm(FULL), Arm(DIFFUMASK))
OTHER = "Message: thank you!\nTeam:"


def begun(comparisons: Comparisons, writer: Any, arms: Any = ARMS, blind: bool = False, **more: Any) -> Comparison:
    questions = more.get("questions", (QUESTION,))
    judge = Judge("a model", "judges")
    comparison = Comparison(more.get("context", CONTEXT), questions, judge, blind, Prices(), writer)
    comparisons.begin(comparison, arms)
    list(comparisons.shorten(comparison, arms))
    return comparison


def lines(comparison: Comparison) -> list[dict[str, Any]]:
    return [json.loads(line) for line in comparison.lines.splitlines()]


# --- what is compared --------------------------------------------------------------------------------------


def read_arms(*values: Any, **arena: Any) -> tuple[Arm, ...]:
    names = [f"{place}_{field}" for place in ("first", "second", "third") for field in ("method", "percent")]
    sent = {"mode": SIDE_BY_SIDE, "contestants": [], "percent": 35, **arena}
    return ArmsRequest.read({**dict(zip(names, values, strict=True)), **sent}).arms()


def test_arms_stand_beside_the_full_prompt_and_two_of_the_same_make_no_comparison() -> None:
    rest = (LEFT_OUT, 35)
    assert read_arms(DIFFUMASK, 20.0, *rest, NONE, 7) == (Arm(FULL), Arm(DIFFUMASK, 20), Arm(NONE, 7))
    assert [arm.name for arm in read_arms(RANDOM, 7, *rest, *rest)] == ["Full prompt", "Random words 7 %"]
    for bad in ((DIFFUMASK, 35, DIFFUMASK, 35.2), (FULL, 35, *rest)):
        with pytest.raises(InputError, match="the same"):
            read_arms(*bad, *rest)
    with pytest.raises(InputError, match="at least one"):
        read_arms(*rest, *rest, *rest)
    for odd in (("x", 35), (DIFFUMASK, None), (DIFFUMASK, 0), (DIFFUMASK, "9")):
        with pytest.raises(InputError, match="1 to 100 %"):
            read_arms(*odd, *rest, *rest)


def test_the_arena_draws_any_two_in_any_order() -> None:
    contestants = {"mode": ARENA, "contestants": [FULL, DIFFUMASK, BM25]}
    drawn = {read_arms(*(LEFT_OUT, 35) * 3, **contestants) for _ in range(200)}
    assert len(drawn) == 6 and all(len(set(pair)) == 2 for pair in drawn)
    with pytest.raises(InputError, match="at least two"):
        read_arms(*(LEFT_OUT, 35) * 3, mode=ARENA, contestants=[FULL])


def test_questions_have_empty_lines_between_them() -> None:
    assert split_questions(f"\n{QUESTION}\n \n\n{OTHER}\n\n{QUESTION}") == (QUESTION, OTHER)
    assert split_questions(" \n") == ("",)
    for many in ("?\n\n".join(map(str, range(22))), "x" * 5000):
        with pytest.raises(InputError, match="at most 20 questions"):
            split_questions(many)


def test_what_works_here_is_offered() -> None:
    assert LLMLINGUA2 not in offered(Settings()) and {FULL, DIFFUMASK, DENSE, BM25} < set(offered(Settings()))
    for methods in (offered(Settings()), (FULL, DIFFUMASK)):
        for arms in triples(methods).values():
            assert len(arms) == 3 and {arm.method for arm in arms} <= {*methods, LEFT_OUT}


def test_each_arm_sends_what_its_name_says(comparing: Studio, store: Store) -> None:
    comparisons = Comparisons(comparing)

    def sent(arm: Arm, question: str = QUESTION, **more: Any) -> str:
        made = begun(comparisons, None, (Arm(FULL), arm), questions=(question,), **more)
        return made.rounds[0].sides[1].text

    assert sent(Arm(NONE)) == QUESTION
    assert begun(comparisons, None).rounds[0].sides[0].text == f"{CONTEXT}\n\n{QUESTION}"
    assert sent(Arm(FIRST, 40)) == f"{first_tokens(CONTEXT, 0.4)}\n\n{QUESTION}"
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


@pytest.mark.parametrize("percent", [20, 35, 70, 100])
def test_diffumask_reads_the_question_which_takes_nothing_from_the_prompt(comparing: Studio, percent: int) -> None:
    context, questions = example_questions()["Harbour"]
    for question in (*split_questions(questions)[:2], "Who? " * 40):
        left = Shortening(comparing).shorten(Arm(DIFFUMASK, percent), context, question).text
        assert "Who?" not in left and left.startswith("Answer the question using only the documents below.")
        assert len(parse(left)) <= percent / 100 * len(parse(context))
        assert (left == context) == (percent == 100)


def test_llmlingua_gets_no_prompt_that_takes_it_minutes(comparing: Studio) -> None:
    for method in (LLMLINGUA, LLMLINGUA2):
        with pytest.raises(InputError, match="at most 20,000 characters"):
            Shortening(comparing).shorten(Arm(method), "word " * 5000, "Who?")
    with pytest.raises(InputError, match="DIFFUMASK_LLMLINGUA2"):
        Shortening(comparing).shorten(Arm(LLMLINGUA2), CONTEXT, "Who?")


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
    assert "0.50 s of it compressing; 10 answered in 1.50 s" in view.figures(short)
    unsaid = ComparedSide(Arm(FULL), "four", answer="two")
    unsaid.finish(1.0, Usage(), "", len)
    assert view.figures(unsaid).startswith("≈ 4 tokens sent"), "the endpoint did not count"


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


def test_visitors_at_the_same_time_do_not_mix(comparing: Studio, server: FakeEndpoint) -> None:
    comparisons = Comparisons(comparing)
    endpoints = [Endpoint(server.url, "good", KEY, True) for _ in range(6)]
    begun_all = [
        begun(comparisons, endpoint, questions=("?" * n,), blind=n % 2 == 0)
        for n, endpoint in enumerate(endpoints, start=1)
    ]
    threads = [threading.Thread(target=lambda made=made: list(comparisons.write(made))) for made in begun_all]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for comparison in begun_all:
        sides = comparison.rounds[0].sides
        assert [side.answer for side in sides] == [f"Hello \ufffd<b> to {len(side.text)}" for side in sides]
        assert comparison.writer is None and KEY not in repr(comparison), "the key is not kept with the comparison"
        assert comparisons.get(comparison.id) is comparison
    with pytest.raises(InputError, match="press Compare again"):
        comparisons.get("0" * 32)


def test_every_question_is_answered_from_every_prompt_and_held_against_the_full_one(
    comparing: Studio, server: FakeEndpoint
) -> None:
    questions = tuple(f"Message: {noun}?\nTeam:" for noun in ("lid", "bill", "menu", "box", "tide"))
    comparisons = Comparisons(comparing)
    arms = (Arm(FULL), Arm(DIFFUMASK, 100), Arm(FIRST, 40), Arm(NONE))
    comparison = begun(comparisons, Endpoint(server.url, "good", "", True), arms, questions=questions)
    few = [json.loads(comparison.summary()) for _ in comparisons.write(comparison)]
    assert any("too few to tell" in blocks[0]["text"] for blocks in few if blocks)
    heading, judge, shown = json.loads(comparison.summary())
    assert judge["text"] == "a model judges"
    assert "DiffuMask 100 %" in heading["text"] and "5 of 5 questions alike (100%" in heading["text"]
    names, alike = ([row[1][at] for row in shown["rows"]] for at in (0, 1))
    assert names == [arm.name for arm in arms] and alike[0] == "the reference"
    assert alike[2].startswith("0 of 5: 0%, 95 % interval"), "the endpoint answers with the prompt's length"
    said = [(line["round"], line["side"], line["agrees"]) for line in lines(comparison) if "agrees" in line]
    assert sorted(said) == [(at, side, side == 1) for at in range(5) for side in (1, 2, 3)]
    assert lines(comparison)[-1] == {"end": ""}
    with pytest.raises(InputError, match="press Compare again"):  # only the arena is voted on
        comparisons.vote(comparison, "left", "Ann")


def test_the_arena_tells_nothing_before_the_vote(comparing: Studio, store: Store, server: FakeEndpoint) -> None:
    comparisons = Comparisons(comparing)
    comparison = begun(comparisons, Endpoint(server.url, "good", "", True), blind=True)
    for _ in comparisons.write(comparison):
        shown = lines(comparison)
        told = {"comparison", "blind", "questions", "sides", "say", "round", "side", "piece", "ask"}
        assert all(set(line) <= told for line in shown) and comparison.summary() == ""
        pieces = [line for line in shown if "piece" in line]
        assert len(pieces) in (0, 2), "both at the same time"
    assert shown[-1] == {"ask": True}
    comparisons.vote(comparison, "right", "Ann")
    comparisons.vote(comparison, "left", "Ann")  # too late
    found = store.votes("Ann").votes
    assert [(vote.id, vote.winner, vote.blind) for vote in found] == [(comparison.id, "right", True)]
    left = comparison.rounds[0].sides[0]
    assert (found[0].left.name, found[0].left.text) == (left.arm.name, left.text)
    names = {line["name"] for line in lines(comparison) if "name" in line}
    assert names == {"Full prompt", "DiffuMask 35 %"} and lines(comparison)[-1] == {"voted": "right"}
    assert (
        any("gain" in line for line in lines(comparison)) and sum("figures" in line for line in lines(comparison)) == 2
    )


@pytest.mark.parametrize("blind", [False, True])
def test_a_diffusion_llms_answers_can_be_played_once_they_may_be_known(
    comparing: Studio, tmp_path: Path, blind: bool
) -> None:
    target = load_target(str(write_llada(tmp_path / "llada", trained_weights(), n_layers=1, n_kv_heads=4)))
    studio = Studio(comparing.settings, ScriptedCompressor, lambda: comparing.store, load_target=lambda name: target)  # type: ignore[arg-type]
    comparisons = Comparisons(studio)
    comparison = begun(comparisons, "llada", blind=blind, context="a b c", questions=(" d",))
    comparison.limit = 8
    list(comparisons.write(comparison))
    if blind:
        assert [comparison.played(side) for side in range(2)] == ["", ""]
        comparisons.vote(comparison, "equal", "Ann")
    for side in range(2):
        document, *steps, end = map(json.loads, comparison.played(side).splitlines())
        assert (
            "".join(map(str.__add__, document["gaps"], document["tokens"])).strip()
            == comparison.rounds[0].sides[side].answer.strip()
        )
        assert [step["step"] for step in steps] == list(range(1, document["steps"] + 1)) and end["end"]


@pytest.mark.parametrize("blind", [False, True])
def test_cancel_keeps_what_came_and_asks_for_no_vote(comparing: Studio, server: FakeEndpoint, blind: bool) -> None:
    comparisons = Comparisons(comparing)
    endpoint = Endpoint(server.url, "pausing", "", True)
    comparison = begun(comparisons, endpoint, blind=blind, questions=(QUESTION, OTHER)[: 2 - blind])
    for _ in comparisons.write(comparison):
        assert not comparison.asked
        if all(side.answer for side in comparison.rounds[0].sides):
            comparison.stop.set()
    assert "Cancelled" in lines(comparison)[-1]["end"] and comparison.rounds[0].sides[0].answer == "So far "
    with pytest.raises(InputError, match="press Compare again"):
        comparisons.vote(comparison, "left", "Ann")
    server.go_on.set()
    assert server.left.wait(30), "nobody listens to the endpoint any more"
    server.go_on.clear()
    server.left.clear()


def test_a_key_goes_to_its_own_address_only() -> None:
    def answerer(where: str = THERE, **given: Any) -> Answerer:
        page = {"local": "", "chat": False, "url": "https://a.example", "model": "m", "key": "", "kept_key": None}
        return Answerer.read({"where": where, **page, "limit": 16, "visitor": Visitor(), **given})

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


def test_llmlingua2_is_compared_with_where_a_model_is_named(comparing: Studio, tmp_path: Path) -> None:
    pytest.importorskip("llmlingua")
    named = replace(comparing.settings, llmlingua2=write_classifier(tmp_path))
    assert LLMLINGUA2 in offered(named)
    studio = Studio(named, ScriptedCompressor)  # type: ignore[arg-type]
    short = Shortening(studio).shorten(Arm(LLMLINGUA2, 40), CONTEXT, "Who?")
    assert 0 < len(parse(short.text)) < len(parse(CONTEXT)) and short.seconds > 0


def test_sentences_are_taken_by_the_question(comparing: Studio) -> None:
    context = "Boats are blue and large. Pay at the office in cash. It rained all day long. Dogs are kept on a lead."
    shorten = Shortening(comparing).shorten
    assert shorten(Arm(BM25, 30), context, "Where do I pay in cash?").text == "Pay at the office in cash."
    with pytest.raises(InputError, match="needs a question"):
        shorten(Arm(BM25, 30), context, " ")
    with pytest.raises(InputError, match="no sentence encoder"):
        shorten(Arm(DENSE, 30), context, "Who?")
    encoded = Studio(comparing.settings)
    assert "cash" in Shortening(encoded).shorten(Arm(DENSE, 30), context, "How do I pay?").text
