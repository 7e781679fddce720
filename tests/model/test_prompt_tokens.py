"""What must not be cut is one token: addresses, identifiers, dates, quantities; words of unspaced scripts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.prompt import WORD_LIMIT, parse
from model.prompt.tokens import LONG_LIMIT

WHOLE = {
    "addresses": "https://a.example/b?c=d&e=f#g|http://localhost:8080/x|s3://bucket/2024/db.dump.gz|www.example.org/a"
    "|mailto:ann@example.com|claims.desk+sg@example-insure.com|https://en.wikipedia.org/wiki/Foo_(bar)"
    "|postgres://app@db.internal:5432/prod",
    "hosts and numbers": "db-01.eu-west-1.internal:5432|10.12.0.254|192.168.0.0/24|10.0.0.1:80|2001:db8::1"
    "|00:1B:44:11:3A:B7"
    "|localhost:8080|redis:6379",
    "paths": "src/core/env.rs|C:\\x\\y|/etc/hosts|./run.sh|../../a/b|~/.bashrc|.gitignore|src/auth/login.py:41"
    "|app/pay.py",
    "identifiers": "PL-2023-00917-C|S8812345D|8f14e45f-ceea-467f-a0e6-8b1c5a1d2f3e|3f2c9a1e"
    "|sha256:9f86d081884c7d65|A-113"
    "|GPT-4|COVID-19|SGX 4821 B|ISO 9001|DE89 3704 0044 0532 0130 00|978-3-16-148410-0|INT-4471|#123|@ann",
    "names": "snake_case_name|camelCaseName|os.path.join|std::string|well-known|state-of-the-art|and/or|AT&T"
    "|C++|U.S.|e.g."
    "|--no-cache|user.is_blocked|getValue",
    "versions": "v1.2.3|v2.14.0-rc.1|1.2.3-beta|3.11",
    "dates": "2025-06-03|2025-06-03T10:00Z|2025-06-03 10:00:00+02:00|14 March 2024|March 14, 2024|14. März 2024"
    "|14/03/2024"
    "|14.03.2024|3 de mayo de 2024|12 июня 2023|Sep 14 09:26|2024年3月14日",
    "times": "08:45|9:30 a.m.|23:41 UTC|07:00-21:00|00:12:03|10:00–12:30",
    "telephones": "+65 6123 4567|(555) 123-4567|555-0199|030 1234567",
    "quantities": "95 °C|9%|10,000 EUR|$3.50|-1|-3.5|-$3.50|1,234.50|2.3 bar|50 km/h|400 mg|30 days|5 euros"
    "|12 %|US$5|R$ 10"
    "|3.5kg|10 000 Kč|1 250 000 руб.|3万円|500 GB|99.95%|10-12 °C|3–5 days|2019-2024|3/4|EUR 500|24hrs|2e-4|30분",
    "templates": "{variable}|{{chat_history}}|{{#if x}}|${x}|%s|%(name)s|<|tag|>|</tag>|<br/>"
    "|<tag attr=\"a b\" c='d'>|[INST]|[/INST]"
    "|<<SYS>>|<|start_header_id|>|<start_of_turn>|{% if x %}|$HOME",
}  # fmt: skip


def split(items: str) -> list[str]:
    return [
        item
        for item in items.replace("<|tag|>", "<¦tag¦>").replace("<|start_header_id|>", "<¦start_header_id¦>").split("|")
    ]


CASES = [(kind, item.replace("¦", "|")) for kind, items in WHOLE.items() for item in split(items)]


@pytest.mark.parametrize(("kind", "item"), CASES)
@pytest.mark.parametrize("around", ["{}", "We saw {} there.", "See ({}), or", '"{}"', "a\n{}\nb"])
def test_what_must_not_be_cut_is_one_token(kind: str, item: str, around: str) -> None:
    assert item in [token.text for token in parse(around.replace("{}", item, 1)).tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3-4 x-3 n/2 =-2", ["3", "-", "4", "x", "-", "3", "n", "/", "2", "=", "-2"]),
        ("16-3-4=9", ["16", "-", "3", "-", "4", "=", "9"]),
        ("60/4=15 14*2", ["60", "/", "4", "=", "15", "14", "*", "2"]),
        ("100 200 300", ["100", "200", "300"]),
        ("I may 5", ["I", "may", "5"]),
        ("end. Next", ["end", ".", "Next"]),
        ("Note: 5", ["Note", ":", "5"]),
        ("https://a.b/c, then", ["https://a.b/c", ",", "then"]),
        ("看https://a.b/c。然后", ["看", "https://a.b/c", "。", "然后"]),
        ("if a < b and c > d", ["if", "a", "<", "b", "and", "c", ">", "d"]),
        ('{"a": 1}', ["{", '"', "a", '"', ":", "1", "}"]),
        ("100 %d of", ["100", "%", "d", "of"]),
        ("\ufeffHi", ["Hi"]),
    ],
)  # fmt: skip
def test_what_is_not_one(text: str, expected: list[str]) -> None:
    assert [token.text for token in parse(text).tokens] == expected


@pytest.mark.parametrize(
    "text",
    [
        "上海浦东图书馆周一闭馆，周二至周日上午九点开馆。",
        "國家圖書館每週一至週五開放。",
        "新しいサーバーの移行は来週の火曜日に行います。",
        "ห้องสมุดปิดทุกวันจันทร์และเปิดวันอังคาร",
    ],
)
def test_unspaced_scripts_have_words(text: str) -> None:
    """Neither characters nor whole sentences."""
    words = [token.text for token in parse(text).tokens]
    assert "".join(words) == text
    assert 1.3 < len(text) / len(words) < 6


@pytest.mark.parametrize(
    ("text", "limit"), [("x", WORD_LIMIT), ("1", WORD_LIMIT), ("a1", LONG_LIMIT), ("a/", LONG_LIMIT)]
)
def test_long_ones_are_cut(text: str, limit: int) -> None:
    long = text * (2 * limit // len(text)) + text[:1]
    assert max(len(token.text) for token in parse(long).tokens) == limit


def test_an_address_may_be_long() -> None:
    address = "https://a.example/" + "x1/" * 300
    assert [token.text for token in parse(address[:-1]).tokens] == [address[:-1]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([item for _, item in CASES]), min_size=1))
def test_side_by_side_they_are_still_whole(items: list[str]) -> None:
    text = " | ".join(items)
    assert set(items) <= {token.text for token in parse(text).tokens}
