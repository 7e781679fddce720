"""A table with what belongs to it: paragraphs, facts, rows, pages. Pure; its texts may come from anybody.

The value of a `table_component` is JSON, a list of the blocks made here; the browser builds it with textContent, so
nothing in it is ever taken for markup or for a template.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

Block = dict[str, Any]


def content(*blocks: Block) -> str:
    """The value of a table with these blocks, one below the other."""
    return json.dumps(blocks).replace("<", "\\u003c")


def message(text: object, kind: str = "") -> str:
    """The value of a table that is one paragraph."""
    return content(paragraph(str(text), kind))


def paragraph(text: str, kind: str = "") -> Block:
    """A paragraph; kind: "" or "error", "ok", "empty", "heading", "quiet"."""
    return {"text": text, "kind": kind}


def facts(pairs: Sequence[tuple[str, str]]) -> Block:
    """Names and values; those without a value are left out."""
    return {"facts": [pair for pair in pairs if pair[1]]}


def rows(label: str, columns: Sequence[str], cells: Sequence[tuple[str, Sequence[str]]], chosen: str = "") -> Block:
    """Rows of (id, cells); a row with an id can be picked.

    columns: their titles; one that ends with "#" holds numbers, one that ends with "*" the words that tell rows apart.
    chosen: id of the row that is marked.
    """
    return {
        "table": label,
        "columns": list(columns),
        "rows": [[id, list(row)] for id, row in cells],
        "chosen": chosen,
    }


def pages(page: int, size: int, total: int) -> Block:
    """Which part of a long table this is (page: from 0), with the way to the others."""
    return {"page": page, "pages": max(1, -(-total // size)), "from": page * size + 1, "total": total, "size": size}
