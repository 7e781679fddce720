"""For the API reference: examples in docstrings (>>> lines and what they print) are shown as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

# A block that begins with >>> and ends at an empty line.
_EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(griffe.Extension):
    """Puts a fence around every example, so that Markdown takes none for a quotation or a link."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(example: re.Match[str]) -> str:
    """
    >>> print(_fenced(_EXAMPLE.search(">>> 1 + 1\\n2")))
    <BLANKLINE>
    ```pycon
    >>> 1 + 1
    2
    ```
    """
    indent = example["indent"]
    return f"\n{indent}```pycon\n{example[0]}\n{indent}```"
