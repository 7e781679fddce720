"""Training of the question reader: minutes on a GPU. With --data it first writes EXAMPLES, from the data sets.

    python -m model.training.fit_reader EXAMPLES OUT --data DATA   # where there are few cores: minutes
    python -m model.training.fit_reader EXAMPLES OUT --seconds 400   # where there is a GPU: needs EXAMPLES only

It begins as the sentence encoder. At first it also imitates what that one, which reads question and text apart, thinks
of them: so it starts from likeness instead of chance (distillation, Hinton et al. 2015).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import BertModel

from ..devices import pick_device
from ..errors import InputError
from ..relevance.question_reader import SpanHead, save_reader, span_means
from ..relevance.storage import SHIPPED, load_stored
from .reader_batches import Batch, Batches, Frame, Rows
from .reader_examples import ReaderExample, ReaderExamples

RATES = (0.05, 0.1, 0.2, 0.35)
SHARPNESS = 1.5  # of the likeness that is imitated, in standard deviations


@dataclass(frozen=True)
class ReaderFitConfig:
    """How to optimise.

    Attributes:
        seconds: how long; the learning rate rises in the first twentieth and then falls (cosine).
        rate, decay: peak learning rate and weight decay.
        most: subwords in a batch.
        imitated: share of the time in which likeness is imitated, ever less.
        shares: kind of prompt -> how often each of its prompts is learnt in an epoch.
        watched: prompts of each kind by which is measured how well it does, half-way and at the end.
        seed: of everything random.
    """

    seconds: float = 400.0
    rate: float = 1e-4
    decay: float = 0.01
    most: int = 32768
    imitated: float = 0.4
    shares: dict[str, int] = field(default_factory=lambda: {"redundant": 2})
    watched: int = 60
    seed: int = 0


class ReaderNetwork(nn.Module):
    """What learns: BERT, and a head for stretches."""

    def __init__(self, bert: BertModel):
        super().__init__()
        self.bert, self.head = bert, SpanHead(bert.config.hidden_size)

    def forward(self, rows: Rows) -> Tensor:
        """Logits [stretches]."""
        logits: Tensor = self.head(vectors_of(self.bert, rows))
        return logits


def vectors_of(bert: BertModel, rows: Rows) -> Tensor:
    """Mean states of the stretches, of length 1: [stretches, d]."""
    states = bert(input_ids=rows.ids, attention_mask=rows.real.long()).last_hidden_state
    return span_means(states, rows.spans)


def loss_of(logits: Tensor, batch: Batch) -> Tensor:
    """A choice among an example's stretches (all that are wanted, or any), and each on its own."""
    padded = pad_sequence(list(logits.split(batch.counts)), True, -1e4)
    wanted = pad_sequence(list(batch.wanted.split(batch.counts)), True, 0.0)
    share = padded.log_softmax(1)
    some = wanted.sum(1) > 0
    mean = -(share * wanted).sum(1) / wanted.sum(1).clamp(min=1)
    any_one = -share.masked_fill(wanted == 0, -1e4).logsumexp(1)
    choice = torch.where(batch.every, mean, 0.3 * mean + 0.7 * any_one)[some]
    each = F.binary_cross_entropy_with_logits(logits, batch.wanted, reduction="none")
    own = torch.stack([part.mean() for part in each.split(batch.counts)]).mean()
    return 3 * own + (choice.mean() if len(choice) else 0.0)


@torch.no_grad()
def likeness(bert: BertModel, batch: Batch) -> Tensor:
    """What the frozen encoder thinks of each stretch: in standard deviations of its example, [stretches]."""
    questions, stretches = vectors_of(bert, batch.asked), vectors_of(bert, batch.apart)
    values = []
    start = 0
    for question, count in zip(questions, batch.counts, strict=True):
        own = stretches[start : start + count] @ question
        values.append((own - own.mean()) / (own.std(unbiased=False) + 1e-4))
        start += count
    return torch.cat(values)


def imitation(logits: Tensor, target: Tensor, counts: list[int]) -> Tensor:
    """Cross-entropy of the choice that the target's softmax makes."""
    own = pad_sequence(list(logits.split(counts)), True, -1e4).log_softmax(1)
    theirs = pad_sequence(list((SHARPNESS * target).split(counts)), True, -1e4).softmax(1)
    return -(own * theirs).sum(1).mean()


def fit_reader(data: ReaderExamples, config: ReaderFitConfig, frame: Frame, device: torch.device) -> ReaderNetwork:
    """A trained reader. It prints how well it does on the examples to watch, beside the frozen encoder."""
    torch.manual_seed(config.seed)
    frozen = load_stored(SHIPPED).model.to(device)
    reader = ReaderNetwork(deepcopy(frozen).requires_grad_(True).train()).to(device)
    batches = Batches(data, frame, config.most, config.shares, config.seed)
    optimiser = torch.optim.AdamW(reader.parameters(), lr=config.rate, weight_decay=config.decay)
    learnt, watched = data.of_split("train"), _first(data.of_split("valid"), config.watched)
    if not learnt:
        raise InputError("no prompt to learn from")
    start, said, losses = time.monotonic(), 0.0, []
    for step, batch in enumerate(_forever(batches, learnt)):
        done = (time.monotonic() - start) / config.seconds
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = config.rate * (done / 0.05 if done < 0.05 else 0.5 + 0.5 * math.cos(math.pi * done))
        losses.append(_step(reader, frozen, optimiser, batch.to(device), 1 - done / config.imitated))
        if done - said > 0.5:
            said = done
            print(f"{done:.0%} step {step} loss {sum(losses[-200:]) / len(losses[-200:]):.4f}", flush=True)
            print(json.dumps(answers_found(reader, frozen, batches, watched, device)), flush=True)
            reader.train()
    print(json.dumps(answers_found(reader, frozen, batches, watched, device)), flush=True)
    return reader.eval()


def _step(
    reader: ReaderNetwork, frozen: BertModel, optimiser: torch.optim.Optimizer, batch: Batch, imitate: float
) -> float:
    optimiser.zero_grad()
    with torch.autocast(batch.wanted.device.type, torch.bfloat16):
        logits = reader(batch.together).float()
        loss = loss_of(logits, batch)
        if imitate > 0:
            loss = loss + imitate * imitation(logits, likeness(frozen, batch).float(), batch.counts)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _forever(batches: Batches, examples: Sequence[ReaderExample]) -> Iterator[Batch]:
    while True:
        yield from batches.epoch(examples)


def _first(examples: Sequence[ReaderExample], count: int) -> list[ReaderExample]:
    """The first so many of each kind."""
    seen: Counter[str] = Counter()
    found = []
    for example in examples:
        seen[example.kind] += 1
        if seen[example.kind] <= count:
            found.append(example)
    return found


@torch.no_grad()
def answers_found(
    reader: ReaderNetwork, frozen: BertModel, batches: Batches, examples: Sequence[ReaderExample], device: torch.device
) -> dict[str, dict[str, list[float]]]:
    """Kind -> what keeps answers at RATES: the reader, likeness, and their sum."""
    reader.eval()
    found: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for example in examples:
        batch = batches.whole(example).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            logits, alike = reader(batch.together).float(), likeness(frozen, batch).float()
        size = (batch.apart.spans[:, 2] - batch.apart.spans[:, 1]).tolist()
        wanted = batch.wanted.tolist()
        for name, score in (("reader", logits), ("likeness", alike), ("sum", logits + alike)):
            kept = [_kept(score.tolist(), size, wanted, rate, example.every) for rate in RATES]
            found[example.kind][name].append(kept)
    return {
        kind: {name: [round(sum(c) / len(c), 3) for c in zip(*rows, strict=True)] for name, rows in own.items()}
        for kind, own in found.items()
    }


def _kept(scores: list[float], size: list[int], wanted: list[float], rate: float, every: bool) -> float:
    """Whether an answer is among the likest stretches that fit; of several, the share of their subwords."""
    left, got = rate * sum(size), 0.0
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if size[i] <= left:
            left -= size[i]
            got += wanted[i] * size[i]
    whole = sum(w * s for w, s in zip(wanted, size, strict=True))
    return got / whole if every else float(got > 0)


def _write_examples(data: Path, path: Path) -> None:
    from ..data.asked import AskedData  # the GPU's machine needs nothing of that
    from ..data.kinds import LEARNT
    from .reader_prompts import read_prompts

    read_prompts(AskedData(data, meetings=60), (*LEARNT, "reading", "summary"), ("train", "valid")).save(path)
    print(f"written: {path}")


def main(arguments: list[str] | None = None) -> None:
    """Write the examples, or train and save."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("out", type=Path)
    for name, value in vars(ReaderFitConfig()).items():
        if isinstance(value, int | float):
            parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--data", type=Path, help="folder of data sets: write EXAMPLES from it, and only that")
    asked = vars(parser.parse_args(arguments))
    path, out, data = asked.pop("examples"), asked.pop("out"), asked.pop("data")
    if out.exists():
        raise InputError(f"{out} is there already; name another folder")
    if data:
        _write_examples(data, path)
        return
    stored = load_stored(SHIPPED)
    passage = tuple(stored.tokenizer.encode("passage:", add_special_tokens=False).ids)
    frame = Frame(passage=passage)
    reader = fit_reader(ReaderExamples.load(path), ReaderFitConfig(**asked), frame, pick_device(None))
    state = {name: value for name, value in reader.state_dict().items() if "word_embeddings" not in name}
    save_reader(state, reader.bert.config, out)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
