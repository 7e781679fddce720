"""Properties of the sampler, with scripted predictions instead of a model."""

from __future__ import annotations

import doctest
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import model.diffusion.sampler
import model.diffusion.schedule
from model.diffusion.piece_states import PieceStates
from model.diffusion.sampler import Predict, Prediction, RefreshPolicy, Stretch, budget, denoise
from model.diffusion.schedule import DROP, KEEP, MASK, commits
from model.diffusion.trace import MAX_STEPS, SamplerConfig, Step, Trace
from model.errors import InputError
from model.prompt import parse
from model.prompt.pieces import GRANULARITIES, PieceSet
from model.prompt.selection import Selection, fill
from tests.support.prompts import prompts as mixed_prompts
from tests.support.scripted_predictions import free, scripted, words


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, SamplerConfig, dict[int, bool], Predict]:
    n = draw(st.integers(1, 60))
    pins = draw(st.dictionaries(st.integers(0, n - 1), st.booleans(), max_size=n))
    config = SamplerConfig(
        retention=draw(st.floats(0, 1, exclude_min=True)),
        steps=draw(st.integers(1, MAX_STEPS) | st.just(1)),
        threshold=draw(st.sampled_from([0.0, 0.5, 0.7, 0.95, 0.999999])),
        temperature=draw(st.sampled_from([0.0, 0.5, 10.0])),
        seed=draw(st.integers(0, 2**63 - 1)),
    )
    return n, config, pins, scripted(n, draw(st.integers(0, 99)), draw(st.sampled_from([0.0, 2.0, 300.0])))


def run(n: int, config: SamplerConfig, pins: dict[int, bool], predict: Predict) -> tuple[list[Step], Trace]:
    steps = list(denoise(predict, free(n, pins), config))
    return steps, Trace.of(steps, config, pins)


@given(runs())
def test_budget_is_met_to_the_token(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    n, config, pins, _ = case
    _, trace = run(*case)
    must, may_not = sum(pins.values()), len(pins) - sum(pins.values())
    asked = max(math.floor(config.retention * n + 1e-6), 1)
    assert budget(free(n, pins), config.retention) == max(asked, must)
    assert sum(trace.keep) == min(max(asked, must), n - may_not)


@given(runs())
def test_pins_never_move(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    _, _, pins, _ = case
    steps, trace = run(*case)
    for i, keep in pins.items():
        assert {step.states[i] for step in steps} == {KEEP if keep else DROP}
        assert (trace.keep[i], trace.step[i], trace.confidence[i]) == (keep, 0, 1.0)


@given(runs())
def test_every_token_is_decided_once_and_for_all(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    n, config, pins, _ = case
    steps, trace = run(*case)
    assert [step.index for step in steps] == list(range(1, config.steps + 1))
    decided = [i for step in steps for i in step.decided]
    assert sorted([*decided, *pins]) == list(range(n))
    for before, after in zip(steps, steps[1:], strict=False):
        changed = {i for i in range(n) if before.states[i] != after.states[i]}
        assert changed == set(after.decided) and all(before.states[i] == MASK for i in changed)
    assert MASK not in steps[-1].states
    assert all(trace.step[i] == step.index for step in steps for i in step.decided)


@given(runs())
def test_confidence(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    """Most confident first, never below the threshold before the last step, and 1 only for pins."""
    _, config, _, _ = case
    steps, _ = run(*case)
    for step in steps:
        assert list(step.confidence) == sorted(step.confidence, reverse=True)
        assert all(0.5 <= c < 1 for c in step.confidence)
        assert len(step.decided) == len(step.confidence)
        if step is not steps[-1]:
            assert all(c >= config.threshold - 1e-6 for c in step.confidence)


@given(runs())
def test_no_step_decides_more_than_the_schedule_allows(
    case: tuple[int, SamplerConfig, dict[int, bool], Predict],
) -> None:
    n, config, pins, _ = case
    steps, _ = run(*case)
    allowed = done = 0
    for step, count in zip(steps, commits(n - len(pins), config.steps), strict=True):
        allowed, done = allowed + count, done + len(step.decided)
        assert done <= allowed


@given(runs())
def test_same_seed_same_mask(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    assert run(*case)[1] == run(*case)[1]


def test_seed_matters_only_with_temperature() -> None:
    predict = scripted(40, 0)
    for temperature, masks in ((0.0, 1), (3.0, 5)):
        configs = [SamplerConfig(0.5, 4, temperature=temperature, seed=seed) for seed in range(5)]
        assert len({run(40, config, {}, predict)[1].keep for config in configs}) == masks


@given(st.integers(1, 60), st.integers(0, 99), st.floats(0, 1, exclude_min=True))
def test_one_step_is_a_ranking(n: int, seed: int, retention: float) -> None:
    predict = scripted(n, seed)
    _, trace = run(n, SamplerConfig(retention, steps=1), {}, predict)
    best = predict(torch.full((n,), MASK))[0].sort(descending=True, stable=True).indices
    assert {i for i in range(n) if trace.keep[i]} == set(best[: sum(trace.keep)].tolist())


def test_later_steps_see_earlier_decisions() -> None:
    """Token 3 is wanted only once token 0 is kept."""

    def predict(states: Tensor) -> Prediction:
        bonus = 10.0 if states[0] == KEEP else -1.0
        return Prediction(torch.tensor([5.0, 1.0, 0.0, bonus]), torch.zeros(1))

    assert run(4, SamplerConfig(0.5, steps=1), {}, predict)[1].keep == (True, True, False, False)
    assert run(4, SamplerConfig(0.5, steps=4), {}, predict)[1].keep == (True, False, False, True)
    pinned = run(4, SamplerConfig(0.5, steps=4), {0: False}, predict)[1]
    assert pinned.keep == (False, True, True, False)


def competing(states: Tensor) -> Prediction:
    """Four shots of five tokens, equally likely; a shot is sure once one of its tokens is kept, and two are enough."""
    kept = (states.view(4, 5) == KEEP).any(1)
    pull = 6.0 * kept.float() - (0.0 if kept.sum() < 2 else 6.0) * (~kept).float()
    own = torch.tensor([0.4, 0.3, 0.2, 0.1, 0.0])
    return Prediction((pull[:, None] + own).flatten(), pull)


def test_steps_agree_on_shots_where_one_pass_mixes_them() -> None:
    def kept_shots(steps: int) -> int:
        text = " ".join("abcdefghijklmnopqrst")
        pieces = PieceSet.of(parse(text, [0, 10, 20, 30]), "token", guards=False)
        decided = list(denoise(competing, pieces, SamplerConfig(0.5, steps)))
        return sum(any(s == KEEP for s in decided[-1].states[i : i + 5]) for i in range(0, 20, 5))

    assert kept_shots(1) == 4
    assert [kept_shots(steps) for steps in (4, 8, 20)] == [2, 2, 2]


@given(runs())
def test_unsure_tokens_wait_for_their_part_to_lead(case: tuple[int, SamplerConfig, dict[int, bool], Predict]) -> None:
    n, config, _, _ = case
    steps, _ = run(*case)
    for step in steps[:-1]:
        sure = 1 - 0.5 * step.index / config.steps
        keeps = [i for i in step.decided if step.states[i] == KEEP and step.probability[i] < sure - 1e-6]
        drops = [i for i in step.decided if step.states[i] == DROP and 1 - step.probability[i] < sure - 1e-6]
        assert len({words(n).part_of[i] for i in keeps}) <= 1 and not drops


@given(runs(), st.sampled_from([0.0, 0.05, 1.0]), st.sampled_from([0.0, 0.2, 0.7]))
def test_unsure_decisions_rest_on_all_that_was_decided_before(
    case: tuple[int, SamplerConfig, dict[int, bool], Predict], tolerance: float, unsure: float
) -> None:
    """Unless the budget leaves no choice; then the model is not asked at all."""
    n, config, pins, predict = case
    seen: list[Tensor] = []

    def watched(states: Tensor) -> Prediction:
        seen.append(states.clone())
        return predict(states)

    before = torch.full((n,), MASK)
    for i, keep in pins.items():
        before[i] = KEEP if keep else DROP
    for step in denoise(watched, free(n, pins), config, RefreshPolicy(tolerance, unsure)):
        left = budget(free(n, pins), config.retention) - int((before == KEEP).sum())
        choice = 0 < left < int((before == MASK).sum())
        assert step.index == 1 or choice or not step.predicted
        fresh = torch.equal(seen[-1], before)
        keeps = torch.tensor(step.states) == KEEP
        likely = torch.tensor(step.probability)
        otherwise = torch.where(keeps, 1 - likely, likely)[list(step.decided)]
        assert fresh or not choice or (tolerance > 0 and bool((otherwise <= unsure + 1e-6).all()))
        before = torch.tensor(step.states)


def test_trace_reports_the_predictions() -> None:
    steps, _ = run(8, SamplerConfig(0.5, steps=2), {}, scripted(8, 1))
    token, shot, _ = scripted(8, 1)(torch.full((8,), MASK))
    assert steps[0].probability == pytest.approx(torch.sigmoid(token).tolist())
    assert steps[0].shots == pytest.approx(torch.sigmoid(shot).tolist())


@given(st.integers(0, 5000), st.integers(1, MAX_STEPS))
def test_commits_add_up_and_begin_with_few(undecided: int, steps: int) -> None:
    counts = commits(undecided, steps)
    assert sum(counts) == undecided and len(counts) == steps
    assert all(later >= earlier - 1 for earlier, later in zip(counts, counts[1:], strict=False))


def test_documented_commits() -> None:
    assert doctest.testmod(model.diffusion.schedule).failed == 0
    assert doctest.testmod(model.diffusion.sampler).failed == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"retention": 0.0}, "retention 0 must be"),
        ({"retention": 1.01}, "retention 1.01 must be"),
        ({"retention": math.nan}, "retention nan must be"),
        ({"steps": 0}, "steps 0 must be"),
        ({"steps": 65}, "steps 65 must be"),
        ({"threshold": 1.0}, "threshold 1 must be"),
        ({"threshold": -0.1}, "threshold -0.1 must be"),
        ({"temperature": -1.0}, "temperature -1 must be"),
        ({"temperature": math.inf}, "temperature inf must be"),
        ({"seed": -1}, "seed -1 must be"),
        ({"seed": 2**63}, "seed 9223372036854775808 must be"),
    ],
)
def test_wrong_settings(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SamplerConfig(**wrong)  # type: ignore[arg-type]


# --- pieces ------------------------------------------------------------------------------------------------


@st.composite
def piece_runs(draw: st.DrawFn) -> tuple[PieceSet, SamplerConfig, Predict]:
    """Prompts of all kinds, at any granularity, with pins."""
    prompt = parse(draw(mixed_prompts))
    n = len(prompt)
    pins = draw(st.dictionaries(st.integers(0, n - 1), st.booleans(), max_size=4))
    pieces = PieceSet.of(
        prompt,
        draw(st.sampled_from(GRANULARITIES)),
        guards=draw(st.booleans()),
        least=draw(st.sampled_from([0.0, 0.7])),
        least_demonstration=draw(st.sampled_from([0.0, 0.5])),
        pins=pins,
    )
    config = SamplerConfig(draw(st.floats(0.05, 1)), draw(st.integers(1, 16)), draw(st.sampled_from([0.0, 0.7])))
    return pieces, config, scripted(n, draw(st.integers(0, 99)), parts=len(prompt.parts))


@given(piece_runs())
def test_a_mask_is_sound_and_never_longer_than_asked(case: tuple[PieceSet, SamplerConfig, Predict]) -> None:
    pieces, config, predict = case
    steps = list(denoise(predict, pieces, config))
    trace = Trace.of(steps, config, pieces.pins)
    kept = [p for p, tokens in enumerate(pieces.tokens) if trace.keep[tokens[0]]]
    assert list(trace.keep) == pieces.settle(kept)
    assert all(trace.keep[i] == keep for i, keep in pieces.pins.items())
    fits = budget(pieces, config.retention)
    assert sum(trace.keep) <= fits or (kept and not fill(pieces, [0.0] * len(pieces), fits))


@given(piece_runs())
def test_tokens_are_decided_once_and_frames_with_their_pieces(
    case: tuple[PieceSet, SamplerConfig, Predict],
) -> None:
    pieces, config, predict = case
    steps = list(denoise(predict, pieces, config))
    before = PieceStates(pieces).tokens
    for step in steps:
        changed = {i for i, state in enumerate(step.states) if state != before[i]}
        assert changed == set(step.decided) and all(before[i] == MASK for i in changed)
        assert list(step.confidence) == sorted(step.confidence, reverse=True)
        for tokens in pieces.tokens:
            assert len({step.states[i] for i in tokens}) == 1
        before = list(step.states)
    assert MASK not in before


@given(piece_runs())
def test_no_room_is_left_for_a_piece_that_was_dropped(case: tuple[PieceSet, SamplerConfig, Predict]) -> None:
    """A ceiling is used: where least shares do not hold it back, no dropped piece would still fit in one step."""
    pieces, config, predict = case
    if pieces.shares:
        return
    steps = list(denoise(predict, pieces, SamplerConfig(config.retention, 1)))
    selection = Selection(pieces)
    for p, tokens in enumerate(pieces.tokens):
        if steps[-1].states[tokens[0]] == KEEP:
            selection.add(p)
    left = budget(pieces, config.retention) - selection.size
    too_large = [selection.cost(p) > left for p in range(len(pieces)) if not selection.kept[p]]
    fillers = pieces.rules.granularity != "token" and any(selection.kept)  # units far below what does not fit go, too,
    fillers = fillers and all(part.role != "demonstration" for part in pieces.prompt.parts)  # but demonstrations
    assert all(too_large) or (fillers and any(too_large))


LONG = "Short one. A sentence that is much longer than the short one is. Another one."


@pytest.mark.parametrize(
    ("stretch", "lead", "long"), [(1.0, 0.0, False), (2.0, 0.0, True), (1.2, 0.0, False), (2.0, 9.0, False)]
)
def test_the_likeliest_piece_may_take_more_than_was_asked(stretch: float, lead: float, long: bool) -> None:
    pieces = PieceSet.of(parse(LONG))
    likely = torch.tensor([5.0 if 1 <= owner < 2 else 0.0 for owner in pieces.piece_of])

    def predict(_: Tensor) -> Prediction:
        return Prediction(likely, torch.zeros(1))

    *_, last = denoise(predict, pieces, SamplerConfig(0.5, 2), stretch=Stretch(stretch, lead))
    kept = {owner for owner, state in zip(pieces.piece_of, last.states, strict=True) if state == KEEP}
    assert kept == ({1} if long else {0, 2})
