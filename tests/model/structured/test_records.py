"""Values that stand next to each other alike are records: read as one, and kept or dropped as one."""

from __future__ import annotations

import pytest

from model.prompt import Prompt, parse
from model.prompt.pieces import PieceSet
from model.relevance.prompt_reading import UnitsOf

YAML = "- city: Lund\n  beds: 120\n- city: Oslo\n  beds: 300\n- city: Graz\n  beds: 80"
YAML_MAP = "4711:\n  city: Lund\n  beds: 120\n4712:\n  city: Oslo\n  beds: 300\n4713:\n  city: Graz\n  beds: 80"
XML = "<r>\n" + "\n".join(
    f"<row><city>{c}</city><beds>{n}</beds></row>" for c, n in (("Lund", 1), ("Oslo", 3), ("Graz", 8))
)
JSON_MAP = '{"a": {"city": "Lund", "beds": 1}, "b": {"city": "Oslo", "beds": 3}, "c": {"city": "Graz", "beds": 8}}'
MIXED = "web:\n  image: nginx\n  ports:\n    - 80\ndb:\n  image: postgres\n  volumes:\n    - data\njob:\n  image: cron"


def records(prompt: Prompt) -> list[str]:
    return [prompt.text[unit.start : unit.end] for unit in prompt.units if unit.kind == "record"]


@pytest.mark.parametrize("data", [YAML, YAML_MAP, XML + "\n</r>", JSON_MAP])
def test_records_are_one_unit_and_one_piece(data: str) -> None:
    prompt = parse(f"{data}\n\nHow many beds has Oslo?")
    assert len(records(prompt)) == 3
    assert UnitsOf.of(prompt).texts == records(prompt)
    inside = [unit for unit in prompt.units if unit.kind == "record"]
    owners = PieceSet.of(prompt, "unit").piece_of
    for unit in inside:
        assert len({owners[i] for i in range(unit.first, unit.last) if owners[i] >= 0}) == 1


@pytest.mark.parametrize("data", [MIXED, "\n".join(YAML.splitlines()[:4]), "<r>\n<row><a>1</a><b>2</b></row>\n</r>"])
def test_what_holds_more_than_values_or_stands_alone_is_none(data: str) -> None:
    assert not records(parse(f"{data}\n\nWhich image has db?"))


def test_a_value_is_read_with_the_keys_above_it() -> None:
    units = UnitsOf.of(parse(f"{MIXED}\n\nWhich image has db?"))
    assert dict(zip(units.texts, units.paths, strict=True))["image: postgres"] == "db:"
    assert set(UnitsOf.of(parse("It rains. It snows.\n\nDoes it rain?")).paths) == {""}
