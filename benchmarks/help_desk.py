"""E-mails and chats to a help desk, put together from lists, with what a reader would keep and drop.

A kind of prompt that the shipped model never saw; the annotator of benchmarks/annotator.py corrects them.

In a list {slots} are filled from other lists; greetings, openings, fillers and closings can go without loss.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from model.prompt import Prompt, parse

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


def tickets(lists: Lists, rng: random.Random) -> Case:
    """A question over several tickets: of each the sentences with a request stay, and none that only greets."""
    writer = Writer(lists, rng)
    wanted: list[Span] = []
    idle: list[Span] = []
    for number in range(1, rng.randint(4, 6)):
        writer.add(f"Ticket {number}: ")
        writer.pick("product")
        writer.add("\n")
        for i, kind in enumerate(["opening", "problem", *rng.choice((["reply"], ["problem"])), "request", "closing"]):
            writer.add(" " if i else "")
            start = len(writer.text)
            writer.pick(kind)
            span = (start, len(writer.text))
            wanted += [span] if kind == "request" else []
            idle += [span] if kind in FILLERS else []
        writer.add("\n\n")
    writer.add("Question: What happened to the ")
    writer.pick("product")
    writer.add("?\nAnswer:")
    return _of_units(parse(writer.text), wanted, idle)


def _of_units(prompt: Prompt, wanted: Sequence[Span], idle: Sequence[Span]) -> Case:
    """The rule for all tokens of whole sentences."""
    rule = {}
    for unit in prompt.units:
        for spans, keep in ((wanted, True), (idle, False)):
            if unit.leaf and not unit.frame and any(a <= unit.start and unit.end <= b for a, b in spans):
                rule |= dict.fromkeys(range(unit.first, unit.last), keep)
    return Case(prompt, rule)


KINDS = {"mail": (email, chat), "tickets": (tickets,)}


def cases(lists: Lists, count: int, rng: random.Random, kind: str = "mail") -> list[Case]:
    """So many different prompts: e-mails and chats in turn, or questions over tickets."""
    found: dict[str, Case] = {}
    makers = KINDS[kind]
    while len(found) < count:
        case = makers[len(found) % len(makers)](lists, rng)
        found.setdefault(case.prompt.text, case)
    return list(found.values())
