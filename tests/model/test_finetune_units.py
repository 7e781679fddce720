"""Corrections of whole units: the unit head learns them, and a new checkpoint keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import model.training.corrected_units
from model.compress import Compressor, CompressRequest
from model.denoiser.checkpoint import load_checkpoint, save_checkpoint
from model.denoiser.unit_head import UnitHead, UnitHeadConfig
from model.prompt import parse
from model.record import RULES
from model.relevance.encoder import SentenceEncoder
from model.relevance.features import Relevance
from model.relevance.prompt_reading import UnitsOf
from model.training.corrected_units import CorrectedUnits, fit_corrected_units
from model.training.finetune import FinetuneConfig, finetune
from tests.support.tiny import tiny_checkpoint
from tests.support.tiny_encoder import tiny_encoder


def documents(number: int) -> str:
    return (
        f"Document 1: The pump of house {number} is quiet. It costs {number} euros.\n\n"
        f"Document 2: The harbour opens at {number}. Dogs stay on a lead.\n\nQuestion: When does it open?\nAnswer:"
    )


def relevance(units: UnitsOf) -> Relevance:
    texts = units.texts, units.part_of, units.parts, units.questions, units.instructions
    return Relevance.of(tiny_encoder(), *texts)


def read(number: int, word: str = "euros") -> CorrectedUnits:
    """The person keeps the sentence with the word, drops the others of its document, and touches nothing else."""
    prompt = parse(documents(number))
    sentence = next(u for u in prompt.units if u.leaf and word in prompt.text[u.start : u.end] and not u.frame)
    own = range(sentence.first, sentence.last)
    part = [token.part == prompt.tokens[sentence.first].part for token in prompt.tokens]
    found = CorrectedUnits.of(relevance, prompt, [i in own for i in range(len(prompt))], part, 0.4)
    assert found is not None
    return found


def parent_head() -> UnitHead:
    torch.manual_seed(0)
    return UnitHead(UnitHeadConfig(width=16)).eval()


def logits(head: UnitHead, units: CorrectedUnits) -> torch.Tensor:
    nothing = torch.zeros(len(units.kept), dtype=torch.bool)
    features = torch.cat([units.relevance.static, units.relevance.dynamic(nothing, nothing, units.retention)], 1)
    found: torch.Tensor = head(features, units.relevance.vectors, units.relevance.asked, units.relevance.read)
    return found.detach()


def test_a_unit_is_the_persons_where_any_of_its_tokens_is() -> None:
    units = read(7)
    assert units.kept.tolist() == [0, 1, 0, 0] and units.decided.tolist() == [True, True, False, False]


def test_what_people_decide_is_learnt_and_the_rest_stays() -> None:
    parent = parent_head()
    learnt, held, others = ([read(i) for i in numbers] for numbers in (range(3, 9), (9, 10), (11, 12)))
    untouched = [CorrectedUnits(o.relevance, o.kept, torch.zeros_like(o.decided), o.retention) for o in others]
    student, history = fit_corrected_units(parent, learnt, held, untouched, seed=0)
    assert min(each.valid_loss for each in history) < history[0].valid_loss
    for units in held:
        before, after = logits(parent, units), logits(student, units)
        assert after[1] - after[0] > before[1] - before[0] + 0.1
        assert (after - before)[2:].abs().max() < (after - before)[:2].abs().max()


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny = tiny_checkpoint()
    save_checkpoint(tmp_path / "parent", tiny.denoiser, tiny.collator.tokenizer, {}, unit_head=parent_head())
    monkeypatch.setattr(SentenceEncoder, "load", lambda *_: tiny_encoder())
    monkeypatch.setattr(model.training.corrected_units, "EPOCHS", 3)
    return tmp_path / "parent"


def record(number: int) -> str:
    """The model kept the first sentence of each document; the person wants the second of the first one."""
    prompt = parse(documents(number))
    leaves = [u for u in prompt.units if u.leaf and not u.frame and prompt.parts[u.part].role == "document"]
    masks = []
    for wanted in (leaves[0], leaves[1]):
        inside = [wanted.first <= i < wanted.last for i in range(len(prompt))]
        masks.append("".join("01"[kept] for kept in inside))
    rules = {name: CompressRequest.__dataclass_fields__[name].default for name in RULES}
    return json.dumps(
        {
            "id": f"{number:032x}",
            "revision": 1,
            "status": "submitted",
            "prompt": prompt.text,
            "offsets": [[token.start, token.end] for token in prompt.tokens],
            "shot_starts": [part.start for part in prompt.parts],
            "model_mask": masks[0],
            "human_mask": masks[1],
            "pins": {},
            "retention": 0.3,
            "steps": 2,
            "threshold": 0.0,
            "seed": 0,
            "checkpoint": "abc",
            "annotator": "ada",
            "created_at": "2026-01-01T00:00:00Z",
            **rules,
        }
    )


def test_corrections_of_documents_leave_the_token_denoiser_and_change_the_head(parent: Path, tmp_path: Path) -> None:
    file = tmp_path / "corrections.jsonl"
    file.write_text("".join(record(i) + "\n" for i in range(3, 8)), encoding="utf-8")
    steps: list[int] = []
    made = finetune(FinetuneConfig(file, tmp_path / "child", parent), lambda step, *_: steps.append(step))
    before, after = load_checkpoint(parent), load_checkpoint(tmp_path / "child")
    assert before.unit_head is not None and after.unit_head is not None
    assert not torch.equal(before.unit_head.last.weight, after.unit_head.last.weight)
    assert torch.equal(before.denoiser.token_head[0].weight, after.denoiser.token_head[0].weight)
    assert steps == [1, 2, 3] and len(made.epochs) == 3 and made.checkpoint != before.id
    assert Compressor(after).compress(documents(9), 0.5).text
