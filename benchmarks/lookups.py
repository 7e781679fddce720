"""What is looked up in data, in twelve layouts: python -m benchmarks.lookups [--prompts N] [--retention R ...].

Records are drawn (people, goods, servers, weather, orders), written as CSV, JSON, YAML, XML, log lines ..., and one of
them is asked for. Said is in how many of the results it is whole, and how long the results are. Prompts that are never
written down cannot be learnt by heart; another --seed draws others.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from model.compress import Compressor

Record = Mapping[str, Any]

NAMES = (
    "Maria Lopez;Jun Park;Ola Nordmann;Priya Shah;Tom Baker;Ines Costa;Aylin Demir;Peter Novak;Grace Okafor;Liam Walsh;"
    "Chen Wei;Sara Lind;Omar Haddad;Julia Weber;Paul Martin;Nina Petrova"
).split(";")
CITIES = "Lyon Oslo Turin Porto Gdansk Utrecht Graz Malmo Leeds Bilbao Ghent Basel".split()
DEPARTMENTS = "Sales Legal Support Research Logistics Finance Design".split()
GOODS = (
    "desk lamp;office chair;steel bottle;wool blanket;phone stand;tea kettle;rain jacket;board game;bike pump;"
    "paper shredder;wall clock;camping stove"
).split(";")
HOSTS = "alpha beta gamma delta epsilon zeta sigma omega kappa lambda".split()
REGIONS = "eu-west-1 us-east-2 ap-south-1 eu-central-1 us-west-1 sa-east-1".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
LEADS = ("", "", "Here is the data.\n\n", "Answer with one value.\n\n")


@dataclass(frozen=True)
class Lookup:
    """A prompt that asks for one of its records.

    Attributes:
        layout: one of LAYOUTS.
        wanted: what a result that holds the record holds: its line, or all of its values.
    """

    layout: str
    text: str
    wanted: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.lookups", description=__doc__)
    parser.add_argument("--prompts", type=int, default=20, help="of each layout (default 20)")
    parser.add_argument("--retention", type=float, nargs="+", default=[0.2, 0.35])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    compressor = Compressor.load()
    print("layout     " + "   ".join(f"at {share:.0%}: held, length" for share in asked.retention))
    every: list[list[tuple[bool, float]]] = []
    for layout in LAYOUTS:
        rows = []
        for lookup in tqdm(list(lookups(layout, asked.prompts, asked.seed)), desc=layout, file=sys.stderr):
            results = [compressor.compress(lookup.text, share) for share in asked.retention]
            rows.append([(holds(result.text, lookup), result.retention) for result in results])
        every += rows
        print(f"{layout:10} {_line(rows)}", flush=True)
    print(f"{'all':10} {_line(every)}")


def holds(text: str, lookup: Lookup) -> bool:
    """Whether a result has all that is wanted."""
    return all(each in text for each in lookup.wanted)


def lookups(layout: str, count: int, seed: int) -> Iterator[Lookup]:
    """Prompts in one layout; the same for the same seed."""
    draw = random.Random(f"{layout} {seed}")
    for _ in range(count):
        records, wanted, question = draw.choice(SORTS)(draw)
        body, line = LAYOUTS[layout](records, wanted)
        label = draw.choice(("", "", "Question: "))
        text = f"{draw.choice(LEADS)}{body}\n\n{label}{question}" + ("\nAnswer:" if label else "")
        yield Lookup(layout, text, (line,) if line else tuple(map(str, wanted.values())))


def _line(rows: Sequence[Sequence[tuple[bool, float]]]) -> str:
    columns = list(zip(*rows, strict=True))
    return "   ".join(
        f"{sum(held for held, _ in column) / len(column):12.3f}, {sum(size for _, size in column) / len(column):.2f}"
        for column in columns
    )


# --- what is drawn


def _pick(draw: random.Random, records: Sequence[Record], questions: Sequence[str]) -> tuple[Any, Record, str]:
    wanted = draw.choice(records)
    return records, wanted, draw.choice(questions).format(**wanted)


def _date(draw: random.Random) -> str:
    return f"2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"


def people(draw: random.Random) -> tuple[Any, Record, str]:
    return _pick(
        draw,
        [
            {
                "name": name,
                "department": draw.choice(DEPARTMENTS),
                "city": draw.choice(CITIES),
                "salary": draw.randint(30, 90) * 1000,
                "start_date": _date(draw),
            }
            for name in draw.sample(NAMES, draw.randint(6, 12))
        ],
        ("In which city does {name} live?", "What does {name} earn?", "When did {name} start?"),
    )


def goods(draw: random.Random) -> tuple[Any, Record, str]:
    return _pick(
        draw,
        [
            {
                "sku": f"A{draw.randint(1000, 9999)}",
                "product": name,
                "price": f"{draw.randint(5, 200)}.{draw.randint(0, 9)}0",
                "stock": draw.randint(0, 400),
                "rating": round(draw.uniform(2, 5), 1),
            }
            for name in draw.sample(GOODS, draw.randint(6, 12))
        ],
        ("How much is the {product}?", "How many {product}s are in stock?", "Which product is {sku}?"),
    )


def servers(draw: random.Random) -> tuple[Any, Record, str]:
    return _pick(
        draw,
        [
            {
                "host": name,
                "region": draw.choice(REGIONS),
                "cpu": draw.choice((2, 4, 8, 16)),
                "memory_gb": draw.choice((4, 8, 16, 32, 64)),
                "status": draw.choice(("ok", "ok", "degraded", "down")),
            }
            for name in draw.sample(HOSTS, draw.randint(5, 9))
        ],
        ("How much memory has {host}?", "Where does {host} run?", "Is {host} up?"),
    )


def weather(draw: random.Random) -> tuple[Any, Record, str]:
    records = [
        {
            "day": day[:3],
            "high": draw.randint(-5, 30),
            "low": draw.randint(-15, 10),
            "rain_mm": draw.randint(0, 20),
            "wind": draw.choice(("N", "SW", "E", "NW")),
        }
        for day in DAYS[: draw.randint(5, 7)]
    ]
    place = draw.randrange(len(records))
    question = draw.choice(("Will it freeze on {}?", "How warm does it get on {}?", "Do I need an umbrella on {}?"))
    return records, records[place], question.format(DAYS[place])


def orders(draw: random.Random) -> tuple[Any, Record, str]:
    return _pick(
        draw,
        [
            {
                "order": str(draw.randint(10000, 99999)),
                "customer": draw.choice(NAMES),
                "total": f"{draw.randint(20, 900)} EUR",
                "shipped": draw.choice((_date(draw), "not yet")),
                "carrier": draw.choice(("DHL", "UPS", "Post")),
            }
            for _ in range(draw.randint(6, 12))
        ],
        ("Has order {order} been shipped?", "Who placed order {order}?", "Who delivers {order}?"),
    )


SORTS = (people, goods, servers, weather, orders)


# --- how it is written: the text, and the line of the record that is asked for, or ""


def _lines(before: Sequence[str], write: Callable[[Record], str]) -> Callable[..., tuple[str, str]]:
    def layout(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
        heads = [head.format(*records[0]) for head in before]
        return "\n".join([*heads, *map(write, records)]), write(wanted)

    return layout


def _cells(separator: str) -> Callable[[Record], str]:
    return lambda record: separator.join(map(str, record.values()))


def _pairs(form: str, separator: str) -> Callable[[Record], str]:
    return lambda record: separator.join(form.format(name, value) for name, value in record.items())


def _log(record: Record) -> str:
    return "2025-06-01 10:00:00 INFO  " + " ".join(f"{k}={str(v).replace(' ', '_')}" for k, v in record.items())


def _array(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
    return json.dumps(records, indent=2), ""


def _rows_of_json(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
    return "[\n" + ",\n".join(f"  {json.dumps(record)}" for record in records) + "\n]", json.dumps(wanted)


def _yaml_list(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
    return "\n".join("- " + _pairs("{}: {}", "\n  ")(record) for record in records), ""


def _yaml_map(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
    keyed = ((str(next(iter(record.values()))), dict(list(record.items())[1:])) for record in records)
    return "\n".join(f'"{key}":\n' + _pairs("  {}: {}", "\n")(rest) for key, rest in keyed), ""


def _xml(records: Sequence[Record], wanted: Record) -> tuple[str, str]:
    inner = ("  <row>" + _pairs("<{0}>{1}</{0}>", "")(record) + "</row>" for record in records)
    return "<rows>\n" + "\n".join(inner) + "\n</rows>", ""


LAYOUTS: Mapping[str, Callable[..., tuple[str, str]]] = {
    "csv": _lines(["{},{},{},{},{}"], _cells(",")),
    "tabs": _lines(["{}\t{}\t{}\t{}\t{}"], _cells("\t")),
    "markdown": _lines(["| {} | {} | {} | {} | {} |", "|---|---|---|---|---|"], lambda r: f"| {_cells(' | ')(r)} |"),
    "json": _array,
    "json rows": _rows_of_json,
    "jsonl": _lines([], json.dumps),
    "yaml list": _yaml_list,
    "yaml map": _yaml_map,
    "xml": _xml,
    "lines": _lines([], _pairs("{}: {}", "; ")),
    "bullets": _lines([], lambda record: "- " + _pairs("{} {}", ", ")(record)),
    "log": _lines([], _log),
}

if __name__ == "__main__":
    main()
