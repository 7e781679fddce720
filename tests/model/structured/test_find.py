"""Where structured text is found, and prose that only looks like it, which must be left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import find, nodes
from tests.support.settling import check_tree, settle

STRUCTURED = [
    ("json", '[{"id": 1, "ok": true}, {"id": 2, "ok": false}]'),
    ("json", '{\n  "name": "Ann",\n  "tags": ["a", "b"]\n}'),
    ("json", '{"id": 1}\n{"id": 2}\n{"id": 3}'),
    ("json", "[1, 2, 3, 5, 8, 13, 21, 34, 55, 89]"),
    ("json", '{"a": {"b": {"c": null}}}'),
    ("diff", "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c"),
    ("diff", "--- old.txt\n+++ new.txt\n@@ -1 +1 @@\n-one\n+two"),
    ("diff", "@@ -3,4 +3,4 @@ def f():\n     a\n\n-    b\n+    c\n     d"),
    ("diff", "diff --git a/a b/b\nsimilarity index 100%\nrename from a\nrename to b"),
    ("diff", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n\n--- c\n+++ d\n@@ -1 +1 @@\n-x\n+y"),
    ("table", "| Plan | Price |\n|------|------:|\n| Free | $0 |\n| Team | $12 |"),
    ("table", "a | b | c\n--- | --- | ---\n1 | 2 | 3"),
    ("table", "| x | 1 |\n| y | 2 |\n| z | 3 |"),
    ("table", "| | left |\n|:-|:-:|\n| up | 3 |"),
    ("table", "| a | b |\n  |---|---|\n  | 1 | 2 |"),
    ("grid", "+----+-----+\n| id | who |\n+----+-----+\n|  1 | ann |\n|  2 | bob |\n+----+-----+"),
    ("grid", " id | who\n----+-----\n  1 | ann\n  2 | bob".strip()),
    ("grid", "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 1 │ 2 │\n└───┴───┘"),
    ("grid", "╔═══╦═══╗\n║ a ║ b ║\n╠═══╬═══╣\n║ 1 ║ 2 ║\n╚═══╩═══╝"),
    ("grid", "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n+---+---+\n| 3 | 4 |\n+---+---+"),
    ("csv", "id,name,age\n1,Ann,31\n2,Bob,40\n3,Cem,25"),
    ("csv", 'id;city;text\n1;Bern;"a, b"\n2;Ulm;c'),
    ("csv", "time\tvalue\n10\t3.5\n20\t4.0\n30\t4.5"),
    ("csv", "1, 2.5, 3\n4, 5.5, 6\n7, 8.5, 9"),
    ("csv", '"a","b","c"\n"x","y","z"\n"1","2","3"'),
    ("log",
        "2024-03-14 09:12:33,123 INFO start\n2024-03-14 09:12:34,001 ERROR failed\n  more\n"
        "2024-03-14 09:12:35 INFO stop"
    ),
    ("log", "Sep 14 09:26:01 db1 sshd[1]: Accepted key\nSep 14 09:26:09 db1 sshd[1]: closed"),
    ("log",
        '10.0.0.1 - - [14/Mar/2024:09:12:33 +0100] "GET / HTTP/1.1" 200 5\n'
        '10.0.0.2 - - [14/Mar/2024:09:12:34 +0100] "GET /a" 404 0'
    ),
    ("log", "[INFO] building\n[WARN] no cache\n[ERROR] out of space"),
    ("log", "ts=2024-03-14T09:12:33Z level=info msg=started\nts=2024-03-14T09:12:34Z level=warn msg=slow"),
    ("log", "09:12:33 INFO start\n09:12:34 WARN slow\n09:12:35 INFO stop"),
    ("trace", 'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    run()\nValueError: bad'),
    ("trace",
        "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:3)\n\tat a.D.e(D.java:4)\n"
        "Caused by: java.io.IOException: x\n\t... 2 more"
    ),
    ("trace", "TypeError: x is undefined\n    at load (/app/a.js:3:9)\n    at async main (/app/b.js:9:1)"),
    ("trace", "    at load (/app/a.js:3:9)\n    at async main (/app/b.js:9:1)".strip()),
    ("trace",
        'Traceback (most recent call last):\n  File "a.py", line 3, in f\nKeyError: 1\n\n'
        'During handling of the above exception, another exception occurred:\n\n'
        'Traceback (most recent call last):\n  File "b.py", line 1, in g\nOSError: no'
    ),
    ("listing", "total 8\ndrwxr-xr-x 2 ann staff 4096 Sep 14 09:26 .\n-rw-r--r-- 1 ann staff 5 Sep 14 09:26 b.txt"),
    ("listing", "src\n├── app\n│   └── main.py\n└── tests"),
    ("listing", "src/a.py:41:    if x:\nsrc/a.py:57:    raise E\nlib/b.py:3:y = 1"),
    ("listing", "1 src/core/environment.rs\n2 src/db/repository.rs\n3 src/cli/main.rs"),
    ("listing", "NAME    READY   STATUS    RESTARTS\nweb-1   1/1     Running   0\ndb-0    0/1     Error     7"),
    ("listing", "./docs/a.md\n./docs/b.md\n./src/index.ts"),
    ("ini", "DATABASE_URL=postgres://db:5432/prod\nFEATURE_SSO=on\n# limits\nMAX_MB=25"),
    ("ini", "[server]\nhost = localhost\nport = 80\n\n[log]\nlevel = info"),
    ("ini", "[[bin]]\nname = \"x\"\npath = 'src/x.rs'"),
    ("ini", "server.port=8080\nserver.host=localhost"),
    ("ini", "export PATH=/bin\nexport LANG=C"),
    ("yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n  labels:\n    app: shop"),
    ("yaml", "services:\n  web:\n    image: nginx\n    ports:\n      - 80:80\n\n  db:\n    image: postgres"),
    ("yaml", "- name: Ann\n  age: 31\n- name: Bob\n  age: 40"),
    ("yaml", "---\ntitle: A\ndate: 2024-03-14\ndraft: true"),
    ("yaml",
        "on: push\njobs:\n  test:\n    steps:\n    - uses: checkout\n    - run: |\n        make\n"
        "        make test"
    ),
    ("python", "def f(x):\n    if x:\n        return 1\n\n    return 2"),
    ("python", "import os\nfrom a.b import c\n\nfor name in os.listdir('.'):\n    print(name)"),
    ("python", ">>> 1 + 1\n2\n>>> print('a')\na"),
    ("code", "const x = 1;\nfunction f(a) {\n  return a + x;\n}"),
    ("code", "#include <stdio.h>\n\nint main(void) {\n    printf(\"hi\");\n    return 0;\n}"),
    ("code", "public class A {\n    private int x;\n\n    public int get() {\n        return x;\n    }\n}"),
    ("code", ".button:hover {\n  color: red;\n  margin: 0 auto;\n}"),
    ("sql", "SELECT id, name\nFROM users\nWHERE age > 30\nORDER BY name;"),
    ("bash", "#!/bin/sh\nset -e\nfor f in *.txt; do\n  echo $f\ndone"),
    ("xml", "<?xml version='1.0'?>\n<cat>\n  <cd><t>A</t><y>1990</y></cd>\n  <cd><t>B</t><y>1991</y></cd>\n</cat>"),
    ("xml", "<table>\n<tr><td>1</td><td>2</td></tr>\n<tr><td>3</td><td>4</td></tr>\n</table>"),
    ("xml", '<svg width="9"><g><path d="M0 0"/><path d="M1 1"/></g></svg>'),
    ("xml", "<!DOCTYPE html>\n<html><head><title>A</title></head><body><h1>B</h1></body></html>"),
    ("xml", "<order id='1'><item>pen</item><qty>2</qty></order>\n<order id='2'><item>ink</item><qty>1</qty></order>"),
]  # fmt: skip

PROSE = {
    "dialogue": (
        "Ann: hello, are you there?\nBob: yes, I am.\nAnn: did you bring the keys?\nBob: no, sorry: I forgot."
    ),
    "few shots": "Q: What is 2+2?\nA: 4\n\nQ: What is 3-4?\nA: -1\n\nQ: What is 7*6?\nA:",
    "labels": (
        "input: the movie was great\noutput: positive\n\ninput: the food was bad\noutput: negative\n\n"
        "input: meh\noutput:"
    ),
    "recipe": (
        "Ingredients:\n- 2 eggs\n- 100 g flour\n\nMethod:\n1. Mix eggs, flour, and salt.\n"
        "2. Bake at 180 °C: 20 minutes."
    ),
    "poem": (
        "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\n"
        "Rough winds do shake,\nAnd summer's lease hath all too short a date;"
    ),
    "address": (
        "Dr. Jane Miller\n12 Harbour Street, Apt 4\nSpringfield, IL 62704\nTel: +1 555 0100\n"
        "Email: jane@example.com"
    ),
    "notes": "Note: the shop is closed on Mondays.\nWarning: do not open the lid.\nError: see page 3.",
    "maths": "Let x = 3 and y = 4.\nx + y = 7\nx * y = 12\nFind z such that z^2 = x^2 + y^2;\nthen z = 5.",
    "equations": "x=3\ny=4\nz=?",
    "maths with let": "let x = 5 and y = 2\ny = x + 2\nFind y.",
    "transcript": "[00:01:23] Ann: hello everybody\n[00:01:30] Bob: hi, can you hear me?\n[00:01:41] Ann: yes.",
    "chat with dates": (
        "2024-03-14 09:12:33 Ann: hi there\n2024-03-14 09:13:00 Bob: hello\n2024-03-14 09:13:45 Ann: bye"
    ),
    "agenda": "09:00 Breakfast\n10:30 Talk by Prof. Meier\n12:00 Lunch\n13:30 Workshop: writing tests",
    "rules": (
        "Rules:\n1. NEVER run a write command.\n2. Never print secrets, tokens, card numbers.\n"
        "3. Do not push to `main`."
    ),
    "inline JSON": 'Reply with the keys "a" and "b". Use {"a": 1} as in the example above, please.',
    "citations": "The values are [1, 2, 3]; see [1] or [2, 3].\n{name} is a variable, {{history}} too.",
    "prompt tags": (
        '<documents>\n<document index="1">\n<title>A</title>\n<source>b</source>\n<text>One. Two.</text>\n'
        '</document>\n</documents>'
    ),
    "form": "name: Ann\nage: 34\ncity: Paris\njob: baker",
    "profile": "Name: Ann\nSkills:\n  - cooking\n  - reading\nHobbies:\n  - chess",
    "rules as a list": "rules:\n  - Do not guess.\n  - Answer briefly.\n  - Ask if unsure.",
    "commas": (
        "On 3 May, 4 June, and 5 July it is closed.\nOn 6 May, 7 June, and 8 July it is open.\n"
        "On 9 May, 10 June, and 11 July it is moved."
    ),
    "adjectives": "great, funny, moving\ndull, long, boring\nodd, short, sweet",
    "keywords": "for each item, do the following:\nread it;\nwrite it;\nif it is wrong, go back:",
    "more keywords": (
        "Class of 1998: a reunion.\nimport duties rose; exports fell.\nreturn to sender;\n"
        "while you wait: read."
    ),
    "capitals": "UPDATE: the meeting is moved.\nSELECT the best option;\nDELETE the rest;\nCREATE something new.",
    "play": "Scene 1: A kitchen.\nANN (angry): Where is it?\nBOB: I don't know...\n[He leaves]",
    "arrows": "sea otter => loutre de mer\npeppermint => menthe poivrée\ncheese =>",
    "slashes": "either/or\nand/or\nhe/she\nhis/her",
    "letter": "Dear team,\n\nat noon (12:00) we meet at Joe's (the bar).\nat 5 we leave; at 6 we eat.\n\nBest,\nAnn",
    "chapters": (
        "Chapter 1: The Beginning\n    It was a dark night.\n    The wind blew (hard).\nChapter 2: The End\n"
        "    Nobody came."
    ),
    "hours": "Monday: 9-5\nTuesday: 9-5\nWednesday: closed",
    "steps": "Step 1: compute f(x) = x^2;\nStep 2: let g(x) = f(x) + 1;\nStep 3: solve g(x) = 5.",
    "drawing commands": (
        "(1) M 41.0,43.0: Move to 41.0,43.0.\n(2) L 37.0,34.0: Line to 37.0,34.0.\n"
        "(3) L 41.0,33.0: Line to 41.0,33.0."
    ),
    "mail": (
        "From: ann@example.com\nTo: bob@example.com\nSubject: lunch\nDate: Mon, 3 Jun 2024 10:00:00 +0200\n\n"
        "Hi Bob,"
    ),
    "labelled": (
        "positive\tI love this movie so much, I saw it twice\nnegative\tI want my money back, every cent\n"
        "neutral\tWell, it is a movie about a dog"
    ),
    "chords": "C  G  Am  F\nLet it be, let it be\nG  C  F\nWhisper words",
    "chess": "1. e4 e5\n2. Nf3 Nc6\n3. Bb5 a6",
    "money": "$5 for a coffee\n$ is a currency\n@ann please look\n#1 priority",
    "Markdown": "# Heading\n* bullet (one);\n* bullet {two};\n\n---\n\n> quote: yes",
    "other scripts": "田中：新しいサーバーの移行は来週です。\n佐藤：了解しました。\n질문: 월요일에 이용할 수 있나요?",
    "title": "THE END OF AN ERA\nIt was a long time ago.\nNobody  remembers  it.",
}  # fmt: skip


@pytest.mark.parametrize("before", ["", "Look at this.\n\n", "Here:\n"])
@pytest.mark.parametrize("after", ["", "\n", "\n\nWhat is wrong with it?"])
@pytest.mark.parametrize(("kind", "text"), STRUCTURED)
def test_finds(kind: str, text: str, before: str, after: str) -> None:
    whole = before + text + after
    assert find(whole, 0, len(whole)) == [(len(before), len(before) + len(text), kind)]
    node = nodes(whole, len(before), len(before) + len(text))
    assert node is not None
    check_tree(whole, len(before), len(before) + len(text), node)
    assert settle(whole, node, lambda leaf: True).strip() == text.strip()


@pytest.mark.parametrize("text", PROSE.values(), ids=list(PROSE))
def test_leaves_prose_alone(text: str) -> None:
    assert find(text, 0, len(text)) == []
    assert nodes(text, 0, len(text)) is None


def test_data_may_follow_on_the_line_of_its_label() -> None:
    text = 'Records: [{"a": 1}, {"a": 2}]\nWhich is larger?'
    assert find(text, 0, len(text)) == [(9, 29, "json")]


def test_looks_only_where_it_is_told() -> None:
    text = '{"a": 1}\nand\n{"b": 2}\n'
    assert find(text, 9, len(text)) == [(13, 21, "json")]


def test_several_kinds_in_one_stretch_are_blocks() -> None:
    text = '{"a": 1}\n\n| x | y |\n|---|---|\n| 1 | 2 |\n'
    node = nodes(text, 0, len(text))
    assert node is not None
    assert [child.kind for child in node.children] == ["object", "table"]


pieces = st.sampled_from(
    [text for _, text in STRUCTURED] + list(PROSE.values()) + ["", "Some words.", "```", "\t", "\x0b"]
)


@given(st.lists(pieces, max_size=8), st.sampled_from(("\n", "\n\n", "\r\n", "\r")))
def test_stretches_are_in_order_and_apart(parts: list[str], joint: str) -> None:
    text = joint.join(parts)
    at = 0
    for start, end, kind in find(text, 0, len(text)):
        assert at <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        node = nodes(text, start, end, kind)
        assert node is not None
        check_tree(text, start, end, node)
        assert settle(text, node, lambda leaf: True) == text[node.start : node.end]
        at = end


def test_a_stretch_may_begin_behind_its_indentation() -> None:
    """How deep the first line is counts, although the stretch begins with its first letter."""
    text = "Look:\n\n    def f():\n        return 1\n\n    f(2)\n    f(3)\n"
    ((start, end, kind),) = find(text, 0, len(text))
    node = nodes(text, start, end, kind)
    assert node is not None
    assert [text[child.start : child.end] for child in node.children[1:]] == ["f(2)", "f(3)"]
