"""The unit head learns from answers by reference: teaching and training go on where they were interrupted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch

import model.training.train_units
from model.data.asked import AskedData, split_of_article
from model.data.asked_prompt import holds, places
from model.denoiser.checkpoint import load_checkpoint, save_checkpoint
from model.denoiser.unit_head import UnitHeadConfig
from model.errors import InputError
from model.relevance.encoder import SentenceEncoder
from model.teacher.answers import read_answers, teach_answers
from model.training.calibration import platt_scaled, reliability
from model.training.fit_units import (
    UnitFitConfig,
    answers_kept,
    fill_units,
    fit_units,
    measured,
    new_head,
    unit_logits,
    unit_loss,
)
from model.training.train_units import TrainUnitsConfig, train_units
from model.training.unit_examples import UnitExample, read_examples
from tests.support.tiny import tiny_checkpoint
from tests.support.tiny_encoder import tiny_encoder

KIND = "xquad-en"
ANIMALS = ("otter", "heron", "badger", "lynx")
TRAIN = (2, 4, 5, 7)  # articles by their number; 1 is to watch, 3 is never learnt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six articles of four paragraphs; each says where an animal lives, and is asked that."""
    rows = [
        {
            "article": str(article),
            "paragraph": str(i),
            "question": f"Where does the {animal} of hill {article} live?",
            "answers": [f"Burrow {article}{i}"],
            "text": f"Rain fell for days. The {animal} lives in burrow {article}{i} there. Nobody saw why.",
        }
        for article in (*TRAIN, 1, 3)
        for i, animal in enumerate(ANIMALS)
    ]
    path = tmp_path / "data" / "qa" / f"{KIND.replace('-', '.')}.jsonl.gz"
    path.parent.mkdir(parents=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path / "data"


@pytest.fixture
def pairs(folder: Path, tmp_path: Path) -> Path:
    teach_answers(folder, tmp_path / "asked.jsonl", [KIND])
    return tmp_path / "asked.jsonl"


@pytest.fixture
def examples(folder: Path, pairs: Path, tmp_path: Path) -> list[UnitExample]:
    return read_examples(AskedData(folder), read_answers(pairs), tiny_encoder(), tmp_path / "features")


def test_a_prompt_asks_below_its_documents_and_knows_where_the_answer_stands(folder: Path) -> None:
    asked = next(AskedData(folder).prompts(KIND, "train"))
    assert asked.text.count("Rain fell") == 4 and "Where does the otter of hill 2 live?" in asked.text[-60:]
    assert [asked.text[start:end] for start, end in asked.answers[0]] == ["burrow 20"]


def test_articles_that_are_never_learnt_are_in_no_other_split(folder: Path) -> None:
    data = AskedData(folder)
    found = {split: {p.index for p in data.prompts(KIND, split)} for split in ("train", "valid", "test")}
    assert [len(found[split]) for split in ("train", "valid", "test")] == [16, 4, 4]
    assert split_of_article(3) == "test" and split_of_article(1) == "valid"


def test_the_wanted_units_are_those_with_the_answer(folder: Path, pairs: Path, examples: list[UnitExample]) -> None:
    assert len(examples) == 20
    for example in examples:
        assert example.wanted.sum() == 1 and example.wanted.shape == (12, 1)
        assert int(example.wanted[:, 0].nonzero()) % 3 == 1  # the second sentence of a paragraph


def test_teaching_again_adds_nothing_and_mends_what_was_cut_off(folder: Path, pairs: Path) -> None:
    whole = pairs.read_text(encoding="utf-8")
    teach_answers(folder, pairs, [KIND])
    assert pairs.read_text(encoding="utf-8") == whole
    pairs.write_text(whole[: len(whole) // 2], encoding="utf-8")
    teach_answers(folder, pairs, [KIND])
    assert pairs.read_text(encoding="utf-8") == whole


def test_several_processes_make_the_same_pairs(folder: Path, pairs: Path, tmp_path: Path) -> None:
    teach_answers(folder, tmp_path / "together.jsonl", [KIND], workers=2)
    assert (tmp_path / "together.jsonl").read_text(encoding="utf-8") == pairs.read_text(encoding="utf-8")


def test_pairs_of_other_data_are_refused(folder: Path, pairs: Path, tmp_path: Path) -> None:
    other = json.loads(pairs.read_text(encoding="utf-8").splitlines()[0]) | {"sha256": "0" * 64}
    pairs.write_text(json.dumps(other) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="teach it again"):
        read_examples(AskedData(folder), read_answers(pairs), tiny_encoder(), tmp_path / "other")


def test_a_kind_of_the_same_facts_in_two_languages_names_itself(folder: Path) -> None:
    source = folder / "qa" / f"{KIND.replace('-', '.')}.jsonl.gz"
    for language in ("de", "es", "ru"):
        (folder / "qa" / f"xquad.{language}.jsonl.gz").write_bytes(source.read_bytes())
    asked = list(AskedData(folder).prompts("redundant-unseen", "train"))
    assert len(asked) == 4 and {each.kind for each in asked} == {"redundant-unseen"}
    assert all(len(each.answers) == 3 and all(len(spans) == 4 for spans in each.answers) for each in asked)


def test_unknown_kinds_and_missing_data_are_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown kind 'poems'"):
        teach_answers(tmp_path, tmp_path / "out.jsonl", ["poems"])
    with pytest.raises(InputError, match="is not there"):
        teach_answers(tmp_path, tmp_path / "out.jsonl", [KIND])


def test_a_unit_that_answers_is_not_wanted_once_its_question_is_answered(examples: list[UnitExample]) -> None:
    example = examples[0]
    wanted = example.wanted[:, 0]
    assert torch.equal(example.still_wanted(~wanted), wanted.float())
    assert not example.still_wanted(wanted).any()


def test_loss_prefers_the_wanted_unit_and_looks_at_hidden_units_alone() -> None:
    wanted, hidden = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[True, True, False]])
    right, wrong = torch.tensor([[2.0, -2.0, 5.0]]), torch.tensor([[-2.0, 2.0, 5.0]])
    assert unit_loss(right, wanted, hidden) < unit_loss(wrong, wanted, hidden)
    assert torch.equal(unit_loss(right, wanted, hidden), unit_loss(right + torch.tensor([0, 0, 9]), wanted, hidden))


def test_a_budget_is_spent_on_the_likest_units_that_fit() -> None:
    kept = torch.tensor([False, False, False, True])
    logits, size = torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([9.0, 2.0, 2.0, 1.0])
    assert fill_units(logits, size, 5.0, kept).tolist() == [False, True, True, True]


def test_the_head_learns_to_keep_answers(examples: list[UnitExample]) -> None:
    start = new_head(examples, UnitHeadConfig(width=16), seed=0)
    config = UnitFitConfig(epochs=30, batch=5, rate=1e-2)
    head, losses = fit_units(examples, config, start)
    assert losses[-1] < losses[0] / 2
    before, after = ([answers_kept(h, e, 0.2) for e in examples] for h in (start.eval(), head))
    assert sum(after) > sum(before) and sum(after) > 0.9 * len(examples)
    assert torch.equal(unit_logits(fit_units(examples, config, start)[0], examples[0]), unit_logits(head, examples[0]))
    assert list(measured(head, examples)) == [KIND]


def test_calibration_lessens_the_error_and_keeps_the_order(examples: list[UnitExample]) -> None:
    head, _ = fit_units(examples, UnitFitConfig(epochs=5, batch=5), new_head(examples, UnitHeadConfig(width=16), 0))
    with torch.no_grad():
        head.last.bias += 3.0
    better = platt_scaled(head, examples)
    assert reliability(better, examples).error < reliability(head, examples).error
    for example in examples:
        order = [unit_logits(h, example).argsort(stable=True) for h in (head, better)]
        assert torch.equal(order[0], order[1])


def test_training_writes_a_checkpoint_with_the_parents_denoiser_and_a_new_head(
    folder: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tiny_checkpoint()
    save_checkpoint(tmp_path / "parent", parent.denoiser, parent.collator.tokenizer, {})
    reads = []

    def load(*_: object) -> SentenceEncoder:
        reads.append(1)
        return tiny_encoder()

    monkeypatch.setattr(model.training.train_units.SentenceEncoder, "load", load)
    config = TrainUnitsConfig(
        (pairs,), folder, tmp_path / "new", tmp_path / "parent", reader=False, fit=UnitFitConfig(epochs=2)
    )
    metrics = train_units(config)
    made, before = load_checkpoint(tmp_path / "new"), load_checkpoint(tmp_path / "parent")
    assert made.unit_head is not None and made.unit_head.config.width == 16
    assert made.meta["parent"] == before.id and made.id != before.id
    for name, weights in before.denoiser.state_dict().items():
        assert torch.equal(weights, made.denoiser.state_dict()[name])
    assert list(metrics["answers_kept"]) == [KIND] and len(metrics["loss"]) == 2
    with pytest.raises(InputError, match="never overwritten"):
        train_units(config)


def test_answers_are_found_whatever_their_case_and_spacing() -> None:
    assert places("In Warsaw, WARSAW.", ["Warsaw"]) == [(3, 9), (11, 17)]
    assert holds("北京 是 首都", ["北京是"]) and not holds("warsawian", ["Warsaw"])
