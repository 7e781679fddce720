"""Does a model learn from 20 corrections? A simulated annotator corrects support cases, a kind of prompt it never saw.

    python -m benchmarks.annotator [--data DATA] [--prompts 20] [--held 20] [--seeds 0 1 2] [--json OUT]

The annotator's rule: keep every proper name (people, places, companies) and every negation, drop greetings and
fillers. As a person in the studio would, it pins the tokens of the model's mask that break the rule, presses
Re-denoise, and goes on until none does; what is not pinned is the model's, and so is the length.

Prompts are put together from the lists below. Each seed splits every list in two, sentences, fillers, names, places,
companies and products alike: what the model learns from and what it is measured on share none of them.

Printed per seed, with paired 95 % bootstrap intervals over prompts:
- edit rate before and after on held-out corrections: share of tokens on which the model, asked as it was for the
  correction, differs from the annotator's mask;
- fresh: the same where the annotator corrects the new model's own masks, and the share of tokens that it has to pin;
- with --data: the same model's edit rate against the teacher's masks of GSM8K prompts, which it should not unlearn.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.checkpoint import Checkpoint, load_checkpoint
from model.compress import Compressor
from model.data import load_dataset
from model.devices import pick_device
from model.finetune import FinetuneConfig, finetune
from model.metrics import Bootstrap, Interval
from model.pairs import read_pairs
from model.prompt import Prompt, parse
from model.sampler import SamplerConfig

PAIRS = Path(__file__).parent.parent / "pairs"
RETENTIONS = (0.35, 0.5, 0.65)
STEPS = 8

# --- the kind of prompt: {slots} are filled, [brackets] are greetings and fillers ---------------------------

LISTS = {
    "person": """Marta Tomasz Ingrid Kwame Yusuf Priya Lucia Bjorn Aisha Diego Mei Olga Rashid Elena Jonas Fatima
        Pedro Sigrid Hassan Chloe Viktor Amara Nikolai Beatriz Wanda Otto Leila Marcus Zofia Emeka Greta Ivan Noor
        Callum Renata Idris Helga Sanjay Paula Dmitri""".split(),
    "family": """Okafor Lindqvist Moreau Tanaka Silva Kowalski Haddad Novak Brennan Castillo Petrov Eriksen Mbeki
        Rossi Vargas Schultz Yilmaz Duarte Ferrari Nakamura Olsen Bianchi Keller Santos""".split(),
    "place": """Lisbon Oslo Krakow Nairobi Leeds Porto Dresden Quito Lyon Tampa Bergen Osaka Bristol Malmo Utrecht
        Cordoba Tartu Ghent Boston Accra""".split(),
    "company": """Halvorsen Brightwell Nordex Castellan Fenwick Orlando-Motors Quillbank Tessera Wolfram Pinecrest
        Lumina Marlowe Zenith Ashgrove Kestrel Dunmore""".split(),
    "product": (
        "standing desk|coffee grinder|garden hose|winter jacket|desk lamp|phone charger|rain cover|water filter|"
        "travel bag|office chair|bread maker|bike helmet|tent|alarm clock|paper shredder|blender"
    ).split("|"),
    "greeting": (
        "Hi there|Hello|Good morning|Hey|Good afternoon|Dear|Hiya|Greetings|Good evening|Hello again|Hi|Morning"
    ).split("|"),
    "opening": (
        "I hope you are having a lovely week!|I hope this message finds you well.|Hope all is good with the team.|"
        "Thank you so much for taking the time to read this.|Sorry to bother you again, you must be very busy.|"
        "First of all, many thanks for your kind help so far.|I trust you had a pleasant weekend.|"
        "It is always a pleasure to write to you.|How are you today? I do hope everything is going great.|"
        "What a wonderful day it is, by the way.|I really appreciate you being there for us.|"
        "Just a quick little message from my side, if I may."
    ).split("|"),
    "filler": (
        "To be honest with you,|You know,|As I was kind of saying,|Basically,|If you ask me,|Well,|I mean,|"
        "At the end of the day,|Just so you are aware,|Truth be told,|Actually,|By the way,"
    ).split("|"),
    "closing": (
        "Thanks so much in advance!|Many thanks and best wishes,|Have a wonderful day!|Kind regards,|Cheers,|"
        "Thank you for your patience and understanding.|All the best to you and yours,|Warm regards,|"
        "Wishing you a great weekend ahead!|Thanks a million,|Yours sincerely,|Take care and talk soon!"
    ).split("|"),
    "problem": (
        "The {product} from order {order} did not arrive in {place}.|"
        "{person} {family} ordered a {product} on {date}, but the parcel was never scanned in {place}.|"
        "Our office in {place} received {n} boxes, yet there was no {product} in any of them.|"
        "The invoice {order} names {company}, although we have not bought from them since {date}.|"
        "My colleague {person} cannot log in to the account that {company} opened for us.|"
        "I returned the {product} on {date} and have not seen the refund of {n} euros.|"
        "The driver told {person} that {place} was not on the route of {company}.|"
        "The {product} stopped working after {n} days and the manual does not explain why.|"
        "{company} charged our card twice for order {order}, which {person} never approved.|"
        "There was nothing but a torn {product} in the package that reached {place}.|"
        "Nobody at {company} told us that delivery to {place} takes {n} days.|"
        "The replacement that {person} {family} sent from {place} is not the {product} we chose.|"
        "We were promised a call by {date}, but neither {person} nor anyone at {company} rang.|"
        "Without the {product}, the team of {person} in {place} can't open on {date}.|"
        "The voucher of {n} euros is refused, and the page does not say whether {company} still accepts it.|"
        "Order {order} shows {person} {family} as the recipient, who no longer lives in {place}."
    ).split("|"),
    "request": (
        "Please send a new {product} to {person} {family} in {place} and do not charge {company} again.|"
        "Could {person} confirm by {date} that order {order} was not cancelled?|"
        "We need the refund of {n} euros before {date}, not another voucher.|"
        "Please ask the depot in {place} whether {n} parcels for {company} are waiting.|"
        "Never ship to {place} without telling {person} first.|"
        "Change the address of order {order} to {place}; the old one is no longer valid.|"
        "Let {person} know which {product} fits, since the last one did not.|"
        "Kindly call {person} {family} at {company}, but not before {date}.|"
        "If {company} cannot deliver by {date}, cancel order {order} and repay {n} euros.|"
        "Tell the shop in {place} not to accept the {product} without a receipt.|"
        "Could you check why {person} was not named on order {order}?|"
        "Please move the {n} open orders of {company} to {person} in {place}."
    ).split("|"),
    "reply": (
        "I looked at order {order}: it left {place} on {date} and was not returned.|"
        "{person} from our depot in {place} says that no {product} is missing.|"
        "The refund of {n} euros went to {company}, not to the card of {person}.|"
        "Our records do not show a {product} under the name {family}.|"
        "I have asked {person} {family} to call you from {place} on {date}.|"
        "We never received the form that {company} sent on {date}.|"
        "There are {n} items left, but none of them can go to {place}.|"
        "I will book a new {product} for {person}; you need not pay for it.|"
        "{company} confirmed that order {order} was not theirs.|"
        "Nothing is wrong with the account, so {person} can try again on {date}."
    ).split("|"),
    "task": (
        "Summarise the case for the next agent.|Decide which team takes this case.|Write the next answer.|"
        "List what the customer wants.|Rate how urgent this is from 1 to 5.|What should happen next?"
    ).split("|"),
}  # fmt: skip
MONTHS = "January February March April May June July August September October November December".split()
NAMES = ("person", "family", "place", "company")
FILLERS = ("greeting", "opening", "filler", "closing")
NEGATION = re.compile(r"(?:not|never|no|none|nothing|nobody|neither|nor|without|cannot|\w+n['’]t)", re.IGNORECASE)

Lists = dict[str, list[str]]
Span = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A prompt with what the annotator's rule says of its tokens: token -> keep; tokens left out are the model's."""

    prompt: Prompt
    rule: dict[int, bool]


def halves(rng: random.Random) -> tuple[Lists, Lists]:
    """Every list cut in two at random: one to learn from, one to be measured on."""
    one: Lists = {}
    other: Lists = {}
    for name, entries in LISTS.items():
        mixed = rng.sample(entries, len(entries))
        one[name], other[name] = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    return one, other


class Writer:
    """Writes one case and notes where names and fillers stand."""

    def __init__(self, lists: Lists, rng: random.Random):
        self.lists, self.rng = lists, rng
        self.text = ""
        self.names: list[Span] = []
        self.fillers: list[Span] = []

    def add(self, text: str, spans: list[Span] | None = None) -> None:
        if spans is not None:
            spans.append((len(self.text), len(self.text) + len(text)))
        self.text += text

    def pick(self, name: str) -> None:
        """One entry of a list; names and fillers are noted, {slots} filled."""
        entry = self.rng.choice(self.lists[name])
        if name in NAMES or name in FILLERS:
            self.add(entry, self.names if name in NAMES else self.fillers)
            return
        for part in re.split(r"(\{\w+\})", entry):
            if part[:1] != "{":
                self.add(part)
            elif part == "{order}":
                self.add(f"{self.rng.choice('ABDKRT')}{self.rng.randrange(1000, 99999)}")
            elif part == "{date}":
                self.add(f"{self.rng.randint(1, 28)} {self.rng.choice(MONTHS)}")
            elif part == "{n}":
                self.add(str(self.rng.randint(2, 480)))
            else:
                self.pick(part[1:-1])

    def sentences(self, kinds: Sequence[str]) -> None:
        for i, kind in enumerate(kinds):
            self.add(" " if i else "")
            if kind not in FILLERS and self.rng.random() < 0.35:
                self.pick("filler")
                self.add(" ")
            self.pick(kind)

    def case(self) -> Case:
        prompt = parse(self.text)
        rule = {i: True for i, token in enumerate(prompt.tokens) if NEGATION.fullmatch(token.text)}
        for spans, keep in ((self.fillers, False), (self.names, True)):
            for i, token in enumerate(prompt.tokens):
                if any(start < token.end and token.start < end for start, end in spans):
                    rule[i] = keep
        return Case(prompt, rule)


def email(lists: Lists, rng: random.Random) -> Case:
    writer = Writer(lists, rng)
    writer.pick("task")
    writer.add("\n\n")
    writer.pick("greeting")
    writer.add(" ")
    writer.pick("person")
    writer.add(",\n")
    problems = ["problem"] * rng.randint(1, 3)
    writer.sentences(["opening", *problems, *rng.choice((["opening"], [])), *["request"] * rng.randint(1, 2)])
    writer.add("\n")
    writer.pick("closing")
    writer.add("\n")
    writer.pick("person")
    writer.add(" ")
    writer.pick("family")
    return writer.case()


def chat(lists: Lists, rng: random.Random) -> Case:
    writer = Writer(lists, rng)
    writer.pick("task")
    writer.add("\n\n")
    turns = (
        ("Customer", ["greeting", "opening", "problem"]),
        ("Agent", ["greeting", *rng.choice((["opening"], [])), "reply"]),
        ("Customer", ["problem", "request"]),
        ("Agent", ["reply", "closing"]),
    )
    for speaker, kinds in turns[: rng.randint(2, 4)]:
        writer.add(f"{speaker}: ")
        writer.sentences(kinds)
        writer.add("\n")
    return writer.case()


def cases(lists: Lists, count: int, rng: random.Random) -> list[Case]:
    """So many different prompts, e-mails and chats in turn."""
    found: dict[str, Case] = {}
    while len(found) < count:
        case = (email, chat)[len(found) % 2](lists, rng)
        found.setdefault(case.prompt.text, case)
    return list(found.values())


# --- the annotator -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Corrected:
    """A case with the model's and the annotator's masks, what the annotator pinned, and how the model was asked."""

    case: Case
    asked: SamplerConfig
    model: list[bool]
    human: list[bool]
    pins: dict[int, bool]

    @property
    def rate(self) -> float:
        """Share of tokens that are not as the model had them."""
        return differing(self.model, self.human)

    @property
    def pinned(self) -> float:
        """Share of tokens that the annotator pinned."""
        return len(self.pins) / len(self.model)

    def record(self, checkpoint: str) -> dict[str, Any]:
        """As `python -m annotations export` writes it."""
        prompt = self.case.prompt
        return {
            "id": uuid.UUID(int=random.Random(prompt.text).getrandbits(128)).hex,
            "revision": 1,
            "status": "submitted",
            "prompt": prompt.text,
            "offsets": [[token.start, token.end] for token in prompt.tokens],
            "shot_starts": [shot.start for shot in prompt.shots],
            "model_mask": "".join("01"[k] for k in self.model),
            "human_mask": "".join("01"[k] for k in self.human),
            "pins": {str(i): keep for i, keep in self.pins.items()},
            "retention": self.asked.retention,
            "steps": self.asked.steps,
            "threshold": self.asked.threshold,
            "seed": self.asked.seed,
            "checkpoint": checkpoint,
            "annotator": "rule",
            "created_at": "2026-01-01T00:00:00Z",
        }


def correct(compressor: Compressor, case: Case, retention: float) -> Corrected:
    """Pin what breaks the rule and let the model decide the rest again, until nothing breaks it."""
    pins: dict[int, bool] = {}
    trace = first = compressor.compress(case.prompt, retention, STEPS, keep_task=False).trace
    while wrong := {i: keep for i, keep in case.rule.items() if trace.keep[i] != keep}:
        pins |= wrong
        trace = compressor.compress(case.prompt, retention, STEPS, keep_task=False, pins=pins).trace
    return Corrected(case, first.config, list(first.keep), list(trace.keep), pins)


def differing(one: Sequence[bool], other: Sequence[bool]) -> float:
    return sum(a != b for a, b in zip(one, other, strict=True)) / len(one)


# --- before and after --------------------------------------------------------------------------------------

Goal = tuple[Prompt, float, Sequence[bool]]  # prompt, retention asked for, wanted mask


def rates(compressor: Compressor, goals: Sequence[Goal]) -> np.ndarray:
    """[goals, 1] edit rates."""
    masks = [compressor.compress(prompt, share, STEPS, keep_task=False).trace.keep for prompt, share, _ in goals]
    return np.array([[differing(mask, goal[2])] for mask, goal in zip(masks, goals, strict=True)])


def gsm8k_goals(data: Path) -> list[Goal]:
    """The teacher's masks of GSM8K prompts that passed its filter."""
    rows = load_dataset(data, "gsm8k")
    pairs = [pair for path in sorted(PAIRS.glob("*.jsonl")) for pair in read_pairs(path)]
    return [
        (pair.prompt(rows), share, [bit == "1" for bit in pair.masks[share]])
        for pair in pairs
        if pair.shot.dataset == "gsm8k"
        for share in pair.held()
    ]


def compare(before: np.ndarray, after: np.ndarray, seed: int) -> dict[str, Any]:
    bootstrap = Bootstrap(len(before), 1, seed)
    return {
        "prompts": len(before),
        "before": bootstrap.interval(before).to_json(),
        "after": bootstrap.interval(after).to_json(),
        "after - before": bootstrap.difference(after, before).to_json(),
    }


def measure(
    seed: int, flags: argparse.Namespace, folder: Path, goals: Sequence[Goal], say: Callable[[str], None]
) -> dict[str, Any]:
    """One annotator's day: correct, learn, measure."""
    rng = random.Random(f"annotator:{seed}")
    mine, theirs = halves(rng)
    parent = compressor_of(load_checkpoint(flags.checkpoint))
    learnt = [correct(parent, case, rng.choice(RETENTIONS)) for case in cases(mine, flags.prompts, rng)]
    held = [correct(parent, case, rng.choice(RETENTIONS)) for case in cases(theirs, flags.held, rng)]
    file = folder / f"{seed}.jsonl"
    identity = parent.checkpoint.id
    file.write_text("".join(json.dumps(c.record(identity)) + "\n" for c in learnt), encoding="utf-8")
    wanted = [(c.case.prompt, c.asked.retention, c.human) for c in held]
    elsewhere = rates(parent, goals) if goals else None
    made = finetune(FinetuneConfig(file, folder / str(seed), flags.checkpoint, seed=seed))
    say(f"seed {seed}: {made.summary()}")
    child = compressor_of(load_checkpoint(made.folder))
    again = [correct(child, c.case, c.asked.retention) for c in held]
    before, fresh = (np.array([[c.rate] for c in some]) for some in (held, again))
    found = {
        "seed": seed,
        "seconds": round(made.seconds, 1),
        "held out": compare(before, rates(child, wanted), seed),
        "fresh": compare(before, fresh, seed),
        "pinned": compare(*(np.array([[c.pinned] for c in some]) for some in (held, again)), seed),
    }
    if elsewhere is not None:
        found["gsm8k"] = compare(elsewhere, rates(child, goals), seed)
    return found


def compressor_of(checkpoint: Checkpoint) -> Compressor:
    return Compressor(checkpoint, pick_device())


def table(found: dict[str, Any]) -> str:
    lines = []
    for name in ("held out", "fresh", "pinned", "gsm8k"):
        if name in found:
            row = found[name]
            cells = [_cell(Interval(*row[column])) for column in ("before", "after", "after - before")]
            lines.append(f"  {name:9} {row['prompts']:3} masks   {cells[0]} -> {cells[1]}   difference {cells[2]}")
    return "\n".join(lines)


def _cell(value: Interval) -> str:
    assert value.low is not None and value.high is not None
    return f"{value.mean:.1%} [{value.low:.1%}, {value.high:.1%}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds gsm8k/")
    parser.add_argument("--prompts", type=int, default=20, help="corrections to learn from")
    parser.add_argument("--held", type=int, default=20, help="corrections to measure on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--checkpoint", type=Path, help="the model to correct (default: the shipped one)")
    parser.add_argument("--json", type=Path, metavar="OUT")
    flags = parser.parse_args()
    goals = gsm8k_goals(flags.data) if flags.data else []
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in flags.seeds:
            results.append(measure(seed, flags, Path(folder), goals, print))
            print(table(results[-1]), flush=True)
    if flags.json:
        flags.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
