"""Prompts of every kind, mixed at random: what properties of parts, units and pieces are tried on."""

from __future__ import annotations

import json

from hypothesis import strategies as st

WORDS = "pump harbour ledger Anna 12 km 95 °C $3.50 v1.2.3 PL-2023-00917-C on the (old) quay".split(" ")
SENTENCES = [
    "The pump is quiet.",
    "Never run it dry for more than 30 seconds.",
    "It costs $3,250.75 (incl. 9% GST), says Ann.",
    'He said "no" and left.',
    "Dr. Smith met J. R. Jones at 9 a.m. in the U.S. office.",
    "See https://a.example/x?y=1#z or mail claims.desk+sg@example.com.",
    "Refunds are not possible after 30 days, unless the item is defective.",
    "Is it open on Monday?",
    "押金不退，请联系客服。",
    "データベースは毎日保存します。",
    "Das Büro öffnet am 14. März 2024 um 08:45 Uhr.",
    "لا يسمح بالتصوير.",
    "박물관은 월요일에 쉽니다.",
    "ห้ามนำอาหารเข้า",
]
sentence = st.sampled_from(SENTENCES)
paragraph = st.lists(sentence, min_size=1, max_size=4).map(" ".join)
values = st.one_of(st.integers(-9, 99), st.booleans(), st.sampled_from(["a", "b c", "x(y)", "1,2"]), st.none())
records = st.lists(
    st.dictionaries(st.sampled_from("id name ok size".split()), values, min_size=1), min_size=2, max_size=5
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    form = draw(
        st.sampled_from(
            ["Document {}: {}", "[Document {}] Title\n{}", "资料{}：{}", '<doc id="{}">\n{}\n</doc>', "## Part {}\n{}"]
        )
    )
    return "\n\n".join(form.format(i + 1, draw(paragraph)) for i in range(draw(st.integers(2, 3))))


@st.composite
def demonstrations(draw: st.DrawFn) -> str:
    question, answer = draw(
        st.sampled_from([("Question", "Answer"), ("Q", "A"), ("评论", "情感"), ("### Input", "### Output")])
    )
    long = draw(st.booleans())
    shots = [
        f"{question}: {draw(paragraph)}\n{answer}: " + (f"{draw(sentence)}\n#### {i}" if long else f"yes {i}")
        for i in range(draw(st.integers(2, 4)))
    ]
    return "\n\n".join([*shots, f"{question}: {draw(sentence)}\n{answer}:"])


@st.composite
def dialogues(draw: st.DrawFn) -> str:
    names = draw(
        st.sampled_from([("Ann", "Ben", "Ann", "Cid", "Ben"), ("User", "Assistant", "User", "User", "Assistant")])
    )
    return "\n".join(f"{name}: {draw(paragraph)}" for name in names)


@st.composite
def lists(draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from(["- {1}", "* {1}", "{0}. {1}"]))
    items = [mark.format(i + 1, draw(paragraph)) for i in range(draw(st.integers(2, 4)))]
    nested = "\n  - " + draw(sentence) if draw(st.booleans()) else ""
    return draw(st.sampled_from(["Rules:\n", ""])) + "\n".join(items) + nested


CODE = "def add(a, b):\n    # not (yet) typed\n    if a < 0:\n        return b\n    return a + b"
BLOCKS = [
    f"```python\n{CODE}\n```",
    CODE,
    "| Plan | Price |\n|------|------:|\n| Free | $0 |\n| Team | $12 |",
    "2025-06-03T10:00:01Z INFO up\n2025-06-03T10:00:05Z WARN slow (1200 ms)\n2025-06-03T10:00:09Z ERROR timeout",
    "--- a/pay.py\n+++ b/pay.py\n@@ -1,3 +1,3 @@\n a = 1\n-b = 2\n+b = 3\n c = 4",
    "# Notes\n\nThe tool is small.\n\n## Use\n\nRun it. Do not stop it.",
    "<|im_start|>user\nHi there.<|im_end|>",
    "---",
    "Answer:",
]
blocks = st.one_of(
    paragraph,
    lists(),
    documents(),
    demonstrations(),
    dialogues(),
    st.sampled_from(BLOCKS),
    records.map(json.dumps),
    records.map(lambda found: json.dumps(found, indent=2)),
)
prompts = st.lists(blocks, min_size=1, max_size=5).map("\n\n".join)
