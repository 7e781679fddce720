"""Writing with diffusion LLMs: steps, blocks, kept states and the canvas, on tiny models, random and trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import model.llm.answers
from model.diffusion.trace import MAX_STEPS
from model.errors import InputError
from model.llm.answers import cut, greedy_answers
from model.llm.causal import Target
from model.llm.masked_diffusion import DiffusionTarget
from model.llm.unmasking import Unmasked, WritingConfig, Written, as_trace, unmask, written
from tests.support.plain_diffusion import Plain, load_both
from tests.support.tiny_diffusion import trained_weights, write_llada

TRAINED: dict[str, Any] = {"n_layers": 1, "n_kv_heads": 4}


@pytest.fixture(scope="module", params=["llada", "dream"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[DiffusionTarget, Plain]:
    return load_both(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def alphabet(tmp_path_factory: pytest.TempPathFactory) -> DiffusionTarget:
    """A LLaDA that knows the alphabet as far as l, and ends there."""
    folder = write_llada(tmp_path_factory.mktemp("alphabet"), trained_weights(), **TRAINED)
    return DiffusionTarget.load(str(folder), "cpu")


def encoded(target: Target) -> tuple[list[int], list[int]]:
    return target.encode("Article: Shares fell.\nAnswer: Business\n\n"), target.encode("Article: A game.\nAnswer:")


@given(st.integers(1, 300), st.integers(1, 400), st.data())
def test_a_plan_gives_each_block_its_share_of_the_steps(length: int, block: int, data: st.DataObject) -> None:
    blocks = -(-length // block)
    steps = data.draw(st.integers(blocks, length))
    plan = WritingConfig(length=length, block=block, steps=steps).plan()
    assert [edge for first, last, _ in plan for edge in range(first, last)] == list(range(length))
    assert all(sum(counts) == last - first and min(counts) >= 1 for first, last, counts in plan)
    assert len(plan) == blocks and sum(len(counts) for *_, counts in plan) == steps


def reference(plain: Plain, given: list[int], config: WritingConfig, mask: int) -> list[tuple[list[int], list[int]]]:
    """LLaDA's algorithm, low-confidence remasking in blocks, from its description: (positions, answer) per step."""
    answer, out = [mask] * config.length, []
    for first, last, counts in config.plan():
        for count in counts:
            table = plain([*given, *answer])[len(given) :].clone()
            table[:, mask] = -torch.inf
            best = table.softmax(-1).max(-1)
            free = [i for i in range(first, last) if answer[i] == mask]
            chosen = sorted(free, key=lambda i: -float(best.values[i]))[:count]
            for i in chosen:
                answer[i] = int(best.indices[i])
            out.append((chosen, list(answer)))
    return out


@pytest.mark.parametrize(("block", "steps"), [(4, 6), (12, 12), (5, 3)])
def test_greedy_writing_is_lladas_algorithm(both: tuple[DiffusionTarget, Plain], block: int, steps: int) -> None:
    target, plain = both
    ids, query = encoded(target)
    config = WritingConfig(length=12, block=block, steps=steps, exact=True)
    wanted = reference(plain, [*target.bos, *ids, *query], config, target.mask)
    got = list(unmask(target, target.read(ids), query, config))
    assert [(list(step.positions), list(step.ids)) for step in got] == wanted[: len(got)]
    assert len(got) == steps or set(target.ends) & set(got[-1].ids)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_unmasking_is_monotone_and_goes_block_after_block(
    both: tuple[DiffusionTarget, Plain], exact: bool, temperature: float
) -> None:
    target, _ = both
    target_ends, target.ends = target.ends, set()  # so that it goes on to the end
    config = WritingConfig(22, block=8, steps=9, temperature=temperature, exact=exact, refresh=2, ahead=3)
    steps = list(unmask(target, target.read([]), target.encode("A: b"), config))
    target.ends = target_ends
    before: tuple[int, ...] = (target.mask,) * 22
    open_before: tuple[bool, ...] = (True,) * 22
    for step in steps:
        changed = [i for i in range(22) if step.ids[i] != before[i]]
        assert sorted(step.positions) == changed == [i for i in range(22) if open_before[i] and not step.open[i]]
        assert list(step.confidence) == sorted(step.confidence, reverse=True)
        assert all(0 < c <= 1 for c in step.confidence) and target.mask not in [step.ids[i] for i in changed]
        assert max(changed) // 8 <= min(i for i in range(22) if open_before[i]) // 8
        before, open_before = step.ids, step.open
    assert [step.index for step in steps] == list(range(1, 10)) and not any(steps[-1].open)


def test_the_seed_alone_makes_the_noise(both: tuple[DiffusionTarget, Plain]) -> None:
    target, _ = both
    config = WritingConfig(length=10, temperature=1.0)

    def answer(config: WritingConfig) -> tuple[int, ...]:
        return list(unmask(target, target.read([5, 6]), config=config))[-1].ids

    assert answer(config) == answer(config) != answer(replace(config, seed=1))
    calm = replace(config, temperature=0.0)
    assert answer(calm) == answer(replace(calm, seed=1))


def test_refreshed_in_every_step_with_all_in_sight_it_is_exact(both: tuple[DiffusionTarget, Plain]) -> None:
    target, _ = both
    ids, query = encoded(target)
    config = WritingConfig(length=20, block=6, exact=True)
    runs = [
        list(unmask(target, target.read(ids), query, one))
        for one in (config, replace(config, exact=False, refresh=1, ahead=20))
    ]
    assert [step.ids for step in runs[0]] == [step.ids for step in runs[1]]
    for a, b in zip(*runs, strict=True):
        seen = torch.tensor(b.probability) > 0
        torch.testing.assert_close(torch.tensor(a.probability)[seen], torch.tensor(b.probability)[seen])


def test_kept_keys_and_values_stand_in_for_what_is_not_computed(both: tuple[DiffusionTarget, Plain]) -> None:
    """Between refreshes only the block is run; what it sees of the rest is what stood there at the refresh."""
    target, _ = both
    ids, query = encoded(target)
    past = len(target.bos) + len(ids) + len(query)
    config = WritingConfig(length=16, block=8, steps=8, refresh=3, ahead=2)
    steps = list(unmask(target, target.read(ids), query, config))
    some = 8 + target.shift
    assert [s.computed for s in steps] == [past + 10, some, some, past + 10, past + 16, some, some, past + 16]
    exact = list(unmask(target, target.read(ids), query, replace(config, exact=True)))
    assert {step.computed for step in exact} == {past + 16}


@pytest.mark.parametrize("refresh", [2, 100])
def test_a_model_that_is_sure_writes_the_same_with_kept_states(alphabet: DiffusionTarget, refresh: int) -> None:
    for start in (" a b", " c d", " d e f"):
        prefix, rest = alphabet.read(alphabet.encode(start)), " a b c d e f g h i j k l".partition(start)[2]
        for exact in (True, False):
            config = WritingConfig(length=14, block=4, steps=7, exact=exact, refresh=refresh, ahead=4)
            assert written(alphabet, unmask(alphabet, prefix, config=config)).text == rest


def test_it_stops_when_nothing_is_open_in_front_of_the_end(alphabet: DiffusionTarget) -> None:
    config = WritingConfig(length=40, block=5, exact=True)
    answer = written(alphabet, unmask(alphabet, alphabet.read(alphabet.encode(" f g")), config=config))
    assert answer.text == " h i j k l" and answer.steps[-1].index < 15
    last = answer.steps[-1]
    end = last.ids.index(alphabet.tokenizer.eos_token_id)
    assert not any(last.open[: end + 1]) and all(last.open[10:])


def test_greedy_answers_are_written_as_far_as_the_first_stop(
    alphabet: DiffusionTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = [alphabet.encode(" a b"), alphabet.encode(" e f g")]
    got = greedy_answers(alphabet, alphabet.read([]), queries, new_tokens=12)
    assert got == ["c d e f g h i j k l", "h i j k l"]
    calls, see = [], alphabet.see

    def counted(*args: Any) -> Tensor:
        calls.append(1)
        return see(*args)

    monkeypatch.setattr(alphabet, "see", counted)
    monkeypatch.setattr(model.llm.answers, "STOPS", (" e",))
    monkeypatch.setattr(model.llm.answers, "UNMASKED_AT_ONCE", 3)
    assert greedy_answers(alphabet, alphabet.read([]), queries[:1], new_tokens=12) == ["c d"]
    assert len(calls) == 3  # one block
    assert cut("c d e") == "c d"


# --- on the canvas -----------------------------------------------------------------------------------------------


def test_an_answer_can_be_played_like_the_denoisers_trace(alphabet: DiffusionTarget) -> None:
    config = WritingConfig(length=16, block=4, steps=8)
    answer = written(alphabet, unmask(alphabet, alphabet.read(alphabet.encode(" c d")), config=config))
    prompt, trace = as_trace(alphabet, answer, config)
    assert prompt.text == answer.text == " e f g h i j k l" and [t.text for t in prompt.tokens] == list("efghijkl")
    assert all(trace.keep) and sorted(i for step in trace.steps for i in step.decided) == list(range(8))
    for i, position in enumerate(range(8)):  # each word is one subword here
        assert trace.step[i] == next(s.index for s in answer.steps if position in s.positions)
    assert len(trace.steps) == trace.config.steps == len(answer.steps)


def by_hand(target: Target, text: str, order: list[int]) -> Written:
    """An answer whose subwords are unmasked one a step, in this order."""
    ids, n = target.encode(text), len(order)
    assert sorted(order) == list(range(len(ids)))
    steps = []
    for k, position in enumerate(order, start=1):
        is_open = tuple(i not in order[:k] for i in range(n))
        sure = tuple(0.5 + i / (2 * n) for i in range(n))
        state = tuple(-1 if still else token for still, token in zip(is_open, ids, strict=True))
        steps.append(Unmasked(k, (position,), (sure[position],), sure, state, is_open, n))
    return Written(tuple(ids), text, tuple(steps))


def test_a_word_is_decided_with_the_last_of_its_subwords(alphabet: DiffusionTarget) -> None:
    text = "né 👍🏽 3.5,\n\nxyz"  # characters of two and more bytes, signs and line breaks beside each other
    n = len(alphabet.encode(text))
    order = list(range(n))[::-1]
    answer = by_hand(alphabet, text, order)
    prompt, trace = as_trace(alphabet, answer, WritingConfig(length=n))
    offsets = alphabet.encode_with_offsets(text)[1]
    for i, token in enumerate(prompt.tokens):
        own = [p for p, (a, b) in enumerate(offsets) if a < token.end and b > token.start]
        assert trace.step[i] == max(order.index(p) + 1 for p in own)
        assert trace.confidence[i] == pytest.approx((1 + min(answer.steps[0].probability[p] for p in own)) / 2)
    assert prompt.text == text and all(trace.keep)


def test_more_steps_than_the_canvas_plays_are_played_together(alphabet: DiffusionTarget) -> None:
    text = " a" * 100
    answer = by_hand(alphabet, text, list(range(100)))
    _, trace = as_trace(alphabet, answer, WritingConfig(length=100))
    assert len(trace.steps) == MAX_STEPS and [len(s.decided) in (1, 2) for s in trace.steps] == [True] * MAX_STEPS
    assert [i for step in trace.steps for i in sorted(step.decided)] == list(range(100))


def test_an_answer_without_text_is_an_input_error(alphabet: DiffusionTarget) -> None:
    blank = by_hand(alphabet, "\n", [0])
    with pytest.raises(InputError, match="no text"):
        as_trace(alphabet, blank, WritingConfig(length=1))


@pytest.mark.parametrize(
    "wrong",
    [{"length": 0}, {"length": 5000}, {"block": 0}, {"steps": 3}, {"steps": 129}, {"temperature": -1}, {"seed": -1},
     {"refresh": 0}, {"ahead": -1}],
)  # fmt: skip
def test_wrong_settings_are_input_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        WritingConfig(**wrong)
