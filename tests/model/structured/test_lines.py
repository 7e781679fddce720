"""Diffs, tables, logs, traces and listings: whole lines below their headers."""

from __future__ import annotations

import csv
import difflib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import nodes
from tests.support.settling import check_tree, leaves, lines_are_lines, settle, subsets

cells = st.text("abc ÄÖ1.-\"'", max_size=6)
rows = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=2, max_size=6)
)
breaks = st.sampled_from(("\n", "\r\n", "\r"))


def markdown(table: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [table[0], ["---"] * len(table[0]), *table[1:]])


def separated(table: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    return out.getvalue()


def grid(table: list[list[str]]) -> str:
    border = "+".join(["", *("-" * 8 for _ in table[0]), ""])
    body = ["|".join(["", *(f" {cell:6} " for cell in row), ""]) for row in table]
    return "\n".join([border, body[0], border, *body[1:], border])


@pytest.mark.parametrize(("hint", "write"), [("table", markdown), ("csv", separated), ("grid", grid)])
@given(table=rows, newline=breaks, data=st.data())
def test_rows_stay_whole_below_their_header(hint: str, write, table, newline, data) -> None:  # type: ignore[no-untyped-def]
    text = write(table).replace("\n", newline)
    node = nodes(text, 0, len(text), hint)
    assert node is not None
    check_tree(text, 0, len(text), node)
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    assert lines_are_lines(text, left)
    if kept and hint != "csv":
        assert left.startswith(text.split(newline)[0].strip())
        assert len(set(map(len, (line.split("|") for line in left.splitlines() if line[0] == "|")))) == 1


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.lists(st.sampled_from("abcdef"), max_size=30), st.data())
def test_changes_of_a_diff_stay_together(old: list[str], new: list[str], data: st.DataObject) -> None:
    text = "\n".join(difflib.unified_diff(old, new, "a/x", "b/x", lineterm="", n=2))
    node = nodes(text, 0, len(text), "diff")
    if not text:
        assert node is None
        return
    assert node is not None
    check_tree(text, 0, len(text), node)
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    assert lines_are_lines(text, left)
    assert not kept or left.startswith("--- a/x\n+++ b/x\n@@ ")
    changes = [text[leaf.start : leaf.end] for leaf in leaves(node) if leaf.kind == "change"]
    assert sum(change.count("\n") + 1 for change in changes) == sum(line[0] in "+-" for line in text.splitlines()[2:])


def kept_of(text: str, hint: str, *parts: str) -> str:
    """What is left when only the leaves stay in which one of the parts is."""
    node = nodes(text, 0, len(text), hint)
    assert node is not None
    return settle(text, node, lambda leaf: any(part in text[leaf.start : leaf.end] for part in parts))


DIFF = """\
diff --git a/x.py b/x.py
index 83db48f..bf269f4 100644
--- a/x.py
+++ b/x.py
@@ -1,3 +1,3 @@ def f():
 one
-two
+zwei
 three
\\ No newline at end of file
@@ -9,2 +9,1 @@
 nine
--- ten
diff --git a/old.py b/new.py
similarity index 100%
rename from old.py
rename to new.py
"""
LOG = """\
2024-03-14 09:12:33,123 INFO start
2024-03-14 09:12:34,001 ERROR failed
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    run()
ValueError: bad
2024-03-14 09:12:35,777 INFO stop
"""
TRACE = """\
Traceback (most recent call last):
  File "a.py", line 3, in <module>
    run()
  File "b.py", line 9, in run
    raise ValueError("bad")
ValueError: bad
"""
JAVA = """\
java.lang.IllegalStateException: no
	at a.B.c(B.java:3)
	at a.D.e(D.java:4)
Caused by: java.io.IOException: disk
	at a.F.g(F.java:5)
	... 2 more
"""
TREE = """\
src
├── app
│   ├── main.py
│   └── view.py
└── tests
    └── test_main.py
"""
LISTING = """\
.:
total 8
-rw-r--r-- 1 ann staff 4 Sep 14 09:26 a.txt
-rw-r--r-- 1 ann staff 5 Sep 14 09:26 b.txt

./src:
total 4
-rw-r--r-- 1 ann staff 4 Sep 14 09:26 c.txt
"""
PSQL = " id | name\n----+------\n  1 | ann\n  2 | bob\n(2 rows)\n"
BOXES = "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 1 │ x │\n│   │ y │\n├───┼───┤\n│ 2 │ z │\n└───┴───┘"
PODS = "NAME    READY   STATUS    RESTARTS\nweb-1   1/1     Running   0\ndb-0    0/1     Error     7\n"


@pytest.mark.parametrize(
    ("hint", "text", "part", "expected"),
    [
        ("diff", DIFF, "zwei", DIFF[: DIFF.index("@@ -1")] + "@@ -1,3 +1,3 @@ def f():\n-two\n+zwei"),
        ("diff", DIFF, "three", DIFF[: DIFF.index(" one")] + " three\n\\ No newline at end of file"),
        ("diff", DIFF, "ten", DIFF[: DIFF.index("@@ -1")] + "@@ -9,2 +9,1 @@\n--- ten"),
        ("patch", DIFF, "rename", DIFF[DIFF.index("diff --git a/old") :].strip()),
        ("log", LOG, "failed", "\n".join(LOG.splitlines()[1:6])),
        ("log", LOG, "stop", LOG.splitlines()[6]),
        ("trace", TRACE, "raise", TRACE.splitlines()[0] + "\n" + TRACE[TRACE.index("  File \"b") :].rstrip()),
        ("trace", JAVA, "F.java", "Caused by: java.io.IOException: disk\n\tat a.F.g(F.java:5)"),
        ("listing", TREE, "view", "src\n├── app\n│   └── view.py"),
        ("ls", LISTING, "c.txt", LISTING[LISTING.index("./src") :].strip()),
        ("listing", PODS, "db-0", "NAME    READY   STATUS    RESTARTS\ndb-0    0/1     Error     7"),
        ("listing", "a.py:3:x = 1\na.py:9:y = 2\n", "y = 2", "a.py:9:y = 2"),
        ("grid", PSQL, "bob", " id | name\n----+------\n  2 | bob"),
        ("grid", BOXES, "z", "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 2 │ z │\n└───┴───┘"),
        ("csv", "id,name\n1,ann\n2,bob\n", "bob", "id,name\n2,bob"),
        ("csv", '7,"two\nlines"\n8,"x"\n', "two", '7,"two\nlines"'),
        ("tsv", "1\t2\n3\t4\n", "4", "3\t4"),
        ("table", "a | b\n--|--\n1 | 2\n3 | 4", "3", "a | b\n--|--\n3 | 4"),
    ],
)  # fmt: skip
def test_what_stays_with_a_line(hint: str, text: str, part: str, expected: str) -> None:
    assert kept_of(text, hint, part) == expected
