"""The question reader: what it says of units, its file, and what it is trained on."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel

from model.compress import Compressor
from model.errors import InputError
from model.relevance.question_reader import META, SHIPPED, UNREAD, QuestionReader, SpanHead, save_reader, span_means
from model.training.fit_reader import imitation, loss_of
from model.training.reader_batches import LONGEST, MOST_WINDOWS, Batches, Frame
from model.training.reader_examples import ReaderExample, ReaderExamples
from tests.support.tiny_encoder import tiny_encoder

UNITS = [
    "The bridge was built in 1932 by Dorman Long.",
    "It spans the harbour between Dawes Point and Milsons Point.",
    "Tickets cost 12 dollars.",
    "The city has many parks.",
]
PARTS = [" ".join(UNITS[:3]), UNITS[3]]
PART_OF = [0, 0, 0, 1]


@pytest.fixture(scope="module")
def shipped() -> QuestionReader:
    reader = Compressor.load(device="cpu").reader
    assert reader is not None
    return reader


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("When was the bridge built?", 0),
        ("How much does a ticket cost?", 2),
        ("Wann wurde die Brücke gebaut?", 0),
        ("Which two places does it connect?", 1),
    ],
)
def test_the_unit_that_answers_is_likeliest(shipped: QuestionReader, asked: str, answer: int) -> None:
    logits = shipped.logits(asked, UNITS, PART_OF, PARTS)
    assert logits.shape == (4,) and int(logits.argmax()) == answer


def test_a_unit_that_is_not_in_its_part_is_not_read(shipped: QuestionReader) -> None:
    logits = shipped.logits("When?", ["Elsewhere.", *UNITS[1:]], PART_OF, PARTS)
    assert float(logits[0]) == UNREAD and (logits[1:] != UNREAD).all()


def test_nothing_to_read_is_no_error(shipped: QuestionReader) -> None:
    assert shipped.logits("When?", [], [], []).shape == (0,)


def tiny_reader(folder: Path, seed: int = 0) -> BertConfig:
    torch.manual_seed(seed)
    base = tiny_encoder()
    config = BertConfig(
        vocab_size=8,
        hidden_size=base.width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        pad_token_id=0,
    )
    bert, head = BertModel(config, add_pooling_layer=False), SpanHead(base.width)
    state = {f"bert.{name}": value for name, value in bert.state_dict().items() if "word_embeddings" not in name}
    save_reader(state | {f"head.{name}": value for name, value in head.state_dict().items()}, config, folder)
    return config


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    tiny_reader(tmp_path / "a")
    first, second = (QuestionReader.load(tiny_encoder(), tmp_path / "a") for _ in range(2))
    logits = first.logits("where", UNITS, PART_OF, PARTS)
    assert torch.isfinite(logits).all() and torch.equal(logits, second.logits("where", UNITS, PART_OF, PARTS))


@pytest.mark.parametrize("damage", ["missing", "changed", "format", "not json", "escape"])
def test_a_damaged_reader_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "a"
    tiny_reader(folder)
    meta = json.loads((folder / META).read_text())
    shard = folder / "reader-0.safetensors"
    if damage == "missing":
        shard.unlink()
    elif damage == "changed":
        shard.write_bytes(shard.read_bytes()[:-1] + b"\x01")
    elif damage == "format":
        (folder / META).write_text(json.dumps(meta | {"format": 9}))
    elif damage == "escape":
        (folder / META).write_text(json.dumps(meta | {"sha256": {"../../secret": "0"}}))
    else:
        (folder / META).write_text("{")
    with pytest.raises(InputError, match="damaged or incomplete") as refused:
        QuestionReader.load(tiny_encoder(), folder)
    assert "\n" not in str(refused.value)


def test_the_shipped_files_are_small_and_named_by_their_sums() -> None:
    meta = json.loads((SHIPPED / META).read_text())
    assert all((SHIPPED / name).stat().st_size < 50e6 for name in meta["sha256"])


def test_span_means_are_means_of_length_one() -> None:
    states = torch.randn(2, 5, 3)
    found = span_means(states, torch.tensor([[0, 1, 4], [1, 0, 5]]))
    for vector, mean in zip(found, (states[0, 1:4].mean(0), states[1].mean(0)), strict=True):
        assert torch.allclose(vector, mean / mean.norm(), atol=1e-5)


def made(seed: int) -> ReaderExamples:
    rng = random.Random(seed)
    data = ReaderExamples()
    for i in range(12):
        numbers, wanted = [], []
        for w in range(rng.choice((1, 2, 30))):
            ids = [100 * i + w, *[rng.randint(4, 9999) for _ in range(rng.randint(4, 400))]]
            numbers.append(data.window(ids, [(0, 2), (2, 4)]))
            wanted += [w == 0, False]
        kind, split, asked = rng.choice(("a", "b")), "train" if i % 4 else "valid", [5] * rng.randint(1, 200)
        data.examples.append(ReaderExample(kind, split, False, asked, numbers, torch.tensor(wanted)))
    return data


def test_examples_come_back_from_their_file(tmp_path: Path) -> None:
    data = made(0)
    data.save(tmp_path / "x.safetensors")
    back = ReaderExamples.load(tmp_path / "x.safetensors")
    assert back.ids == data.ids and all(torch.equal(a, b) for a, b in zip(back.spans, data.spans, strict=True))
    for one, other in zip(back.examples, data.examples, strict=True):
        assert torch.equal(one.wanted, other.wanted) and vars(one) | {"wanted": 0} == vars(other) | {"wanted": 0}


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(InputError, match="make it again"):
        ReaderExamples.load(tmp_path / "x")


@pytest.mark.parametrize("seed", range(3))
def test_batches_fit_and_say_what_answers(seed: int) -> None:
    data = made(seed)
    batches = Batches(data, Frame(passage=(7,)), 4000, {"a": 2}, seed)
    learnt = data.of_split("train")
    seen = 0
    for batch in batches.epoch(learnt):
        assert batch.together.ids.shape[1] <= LONGEST
        assert len(batch.together.spans) == len(batch.apart.spans) == len(batch.wanted) == sum(batch.counts)
        for own in batch.wanted.split(batch.counts):
            assert own.sum() == 1 and len(own) <= 2 * (MOST_WINDOWS + 4)
            seen += 1
        window, first, _ = batch.together.spans[int(batch.wanted.argmax())].tolist()
        assert batch.together.ids[window, first] % 100 == 0  # the first window's first subword
    assert seen == sum(2 if example.kind == "a" else 1 for example in learnt)


def test_the_loss_is_least_where_the_answer_is_likeliest() -> None:
    batches = Batches(made(1), Frame(), 4000, {}, 0)
    batch = next(batches.epoch(batches.data.of_split("train")))
    right = 4 * (2 * batch.wanted - 1)
    assert float(loss_of(right, batch)) < float(loss_of(0 * right, batch)) < float(loss_of(-right, batch))
    assert float(imitation(right, right, batch.counts)) < float(imitation(-right, right, batch.counts))
