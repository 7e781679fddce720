"""Code: every line that stays is a line of the source, statements are not split, headers stand around their blocks."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import difflib
import inspect
import textwrap
import typing
from bisect import bisect_left, bisect_right
from itertools import accumulate
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.prompt.structured import nodes
from tests.support.settling import check_tree, leaves, lines_are_lines, settle, subsets

simple = st.sampled_from(
    (
        "x = 1",
        "call(a,\n     b)",
        'text = """one\n  two {\n"""',
        "y = {\n    'a': [1, 2],\n}",
        "return x  # (note",
        "s = 'it\\'s (' + \"#\"",
        "# a comment: {",
        "z = 1 + \\\n    2",
        "pass",
    )
)


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=4).map(
        lambda lines: textwrap.indent("\n".join(["pass", *lines]), "    ")
    )
    headers = (
        "def f(x: int = 3) -> str:",
        "@wrap\n@more(1,\n      2)\nclass A:",
        "for x in y:",
        "with a(\n    b\n) as c:",
    )
    plain = st.builds(lambda header, body: f"{header}\n{body}", st.sampled_from(headers), body)
    other = st.builds(lambda a, b: f"if x:\n{a}\nelif y:\n{b}\nelse:\n{a}", body, body)
    tries = st.builds(lambda a, b: f"try:\n{a}\nexcept E as e:\n{b}\nfinally:\n{b}", body, body)
    return st.one_of(plain, other, tries)


# A string over several lines inside a block would be indented with it, which changes it but not what is tested here.
programs = st.lists(st.recursive(simple, blocks, max_leaves=12), min_size=1, max_size=5).map("\n\n".join)


@given(programs, st.data())
def test_lines_of_python_stay_lines(text: str, data: st.DataObject) -> None:
    node = nodes(text, 0, len(text), "python")
    assert node is not None
    check_tree(text, 0, len(text), node)
    kept = data.draw(subsets(node))
    left = settle(text, node, lambda leaf: (leaf.start, leaf.end) in kept)
    assert lines_are_lines(text, left)
    assert settle(text, node, lambda leaf: True) == text
    assert all(text[start:end] in left for start, end in kept)


@pytest.mark.parametrize(
    "module", [argparse, ast, dataclasses, difflib, textwrap, typing], ids=lambda module: module.__name__
)
def test_no_statement_of_real_modules_is_split(module: ModuleType) -> None:
    """The scanner knows no grammar; Python's own parser says where statements begin and end."""
    source = inspect.getsource(module)
    node = nodes(source, 0, len(source), "python")
    assert node is not None
    borders = [leaf.start for leaf in leaves(node)]
    lines = source.splitlines(keepends=True)
    offsets = [0, *accumulate(len(line) for line in lines)]
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.stmt) and not hasattr(statement, "body") and not hasattr(statement, "cases"):
            line = lines[statement.lineno - 1]
            first = offsets[statement.lineno - 1] + len(line) - len(line.lstrip())
            inside = bisect_right(borders, first), bisect_left(borders, offsets[statement.end_lineno or 0])
            assert inside[0] == inside[1], source[first : offsets[statement.end_lineno or 0]]


def kept_of(text: str, hint: str, *parts: str) -> str:
    """What is left when only the leaves stay in which one of the parts is."""
    node = nodes(text, 0, len(text), hint)
    assert node is not None
    return settle(text, node, lambda leaf: any(part in text[leaf.start : leaf.end] for part in parts))


PYTHON = """\
import os

@cached
def load(path, size=1):
    \"\"\"Read a file.\"\"\"
    # not the whole of it
    if not path:
        return None
    elif size:
        text = '''
        def fake():
'''
    else:
        raise ValueError(
            "bad",
        )
    return text
"""
SCRIPT = """\
import x from "y";

const load = async (path) => {
  // a comment with a { brace
  if (!path) {
    return `several
lines ${path}`;
  } else {
    warn("a \\" b");
  }
  items
    .map((item) => item.id)
    .filter(Boolean);
  app.get("/", function (req, res) {
    res.send({ ok: true });
  });
};
"""
JAVA = """\
public class Store
{
    @Override
    public int size(int limit)
    {
        switch (limit) {
            case 1:
                return 2;
            default:
                break;
        }
        for (int i = 0; i < 3; i++)
            total += i;
        return total;
    }
}
"""
SHELL = """\
#!/bin/bash
if [ -f x ]; then
  cat <<EOF > y
hello
fi
EOF
  for i in 1 2; do
    echo $i
  done
else
  echo "no # comment"
fi
"""
RUST = """\
#[derive(Debug)]
struct P<'a> { x: &'a str }
impl<'a> P<'a> {
    fn new(x: &'a str) -> Self {
        let c = '{';
        Self { x }
    }
}
"""
RUBY = """\
class A
  def b(list)
    @y = list
    list.each do |z|
      puts z
    end
  end
end
"""
SQL = "SELECT a,\n  b\nFROM t\nWHERE x = 1;\n\n-- note\nDELETE FROM t\nWHERE id = 3;\n"
GO = "func main() {\n\tif err != nil {\n\t\treturn err\n\t}\n\trun(\n\t\t1,\n\t)\n}\n"


@pytest.mark.parametrize(
    ("hint", "text", "part", "expected"),
    [
        ("python", PYTHON, "return None", '    """Read a file."""\n    if not path:\n        return None'),
        ("python", PYTHON, "fake", "    elif size:\n        text = '''\n        def fake():\n'''"),
        ("python", PYTHON, "raise", '    else:\n        raise ValueError(\n            "bad",\n        )'),
        ("js", SCRIPT, "several", "  if (!path) {\n    return `several\nlines ${path}`;\n  }\n};"),
        ("ts", SCRIPT, "warn", '  } else {\n    warn("a \\" b");\n  }\n};'),
        ("", SCRIPT, "filter", " => {\n  items\n    .map((item) => item.id)\n    .filter(Boolean);\n};"),
        ("js", SCRIPT, "send", '  app.get("/", function (req, res) {\n    res.send({ ok: true });\n  });\n};'),
        ("java", JAVA, "return 2", " {\n            case 1:\n                return 2;\n        }\n    }\n}"),
        ("java", JAVA, "total +=", "        for (int i = 0; i < 3; i++)\n            total += i;\n    }\n}"),
        ("bash", SHELL, "hello", "if [ -f x ]; then\n  cat <<EOF > y\nhello\nfi\nEOF\nfi"),
        ("sh", SHELL, "no #", 'if [ -f x ]; then\nelse\n  echo "no # comment"\nfi'),
        ("rust", RUST, "let c", "impl<'a> P<'a> {\n    fn new(x: &'a str) -> Self {\n        let c = '{';\n    }\n}"),
        ("ruby", RUBY, "puts", "class A\n  def b(list)\n    list.each do |z|\n      puts z\n    end\n  end\nend"),
        ("sql", SQL, "WHERE x", "SELECT a,\n  b\nFROM t\nWHERE x = 1;"),
        ("go", GO, "run", "func main() {\n\trun(\n\t\t1,\n\t)\n}"),
    ],
)  # fmt: skip
def test_what_stays_with_a_statement(hint: str, text: str, part: str, expected: str) -> None:
    assert kept_of(text, hint, part).endswith(expected)


@pytest.mark.parametrize(
    ("text", "hint"),
    [(">>> a = 1\n>>> if a:\n...     a\n...\n7\n", "python"), ("$ ls\na.txt\nb.txt\n$ pwd\n/home\n", "console")],
)
def test_output_stays_with_its_command(text: str, hint: str) -> None:
    last = text.splitlines()[-1]
    assert kept_of(text, hint, last) == text[text.rindex(">>>" if hint == "python" else "$ p") :].strip()


@pytest.mark.parametrize(
    "text",
    ["def f(:\n  x\n y\n)\n", "}}}\n{{{\n", "x = '''half\nopen\n", "if (a {\n b;\n", "/* half\nopen", "\t{\n\t\t"],
)
@pytest.mark.parametrize("hint", ["python", "js", "c", "bash", "unheard-of"])
def test_broken_code_is_lines(text: str, hint: str) -> None:
    node = nodes(text, 0, len(text), hint)
    assert node is not None
    check_tree(text, 0, len(text), node)
    for only in leaves(node):
        assert lines_are_lines(text, settle(text, node, lambda leaf, only=only: leaf is only))  # type: ignore[misc]
