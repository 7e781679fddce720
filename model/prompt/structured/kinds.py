"""The tree of a stretch of structured text, by its kind."""

from __future__ import annotations

from collections.abc import Callable

from ..tree import Node
from .diffs import diff_nodes
from .find import find
from .json_values import json_nodes
from .languages import is_language
from .lines import line_edge, parent, whole_lines
from .listings import listing_nodes
from .logs import log_nodes, trace_nodes
from .markup import markup_nodes
from .sections import section_nodes
from .source import code_nodes
from .tables import drawn_nodes, pipe_nodes, separated_nodes
from .yaml_text import yaml_nodes

_PARSERS: tuple[tuple[str, Callable[[str, int, int], Node | None]], ...] = (
    ("json jsonl ndjson geojson ipynb", json_nodes),
    ("yaml yml", yaml_nodes),
    ("toml ini env dotenv cfg conf config properties editorconfig", section_nodes),
    ("xml html xhtml htm svg rss xsd xsl plist", markup_nodes),
    ("diff patch udiff", diff_nodes),
    ("table", pipe_nodes),
    ("grid", drawn_nodes),
    ("csv tsv", separated_nodes),
    ("log logs syslog", log_nodes),
    ("trace traceback stacktrace", trace_nodes),
    ("listing ls tree", listing_nodes),
)
_BY_NAME = {name: parser for names, parser in _PARSERS for name in names.split()}
_PROSE = frozenset(("", "text", "txt", "plain", "plaintext", "markdown", "md", "prompt", "output"))


def nodes(text: str, start: int, end: int, hint: str = "") -> Node | None:
    """The tree of text[start:end] without the white space around it, or None if it is of no kind known here.

    hint: the name of a fence's language or a kind that `find` returned; "" or a name for prose: look for yourself.
    What does not read as its hint says is taken as code or as lines, which are whole leaves.

    >>> nodes('{"a": 1, "b": [2, 3]}', 0, 21).kind
    'object'
    """
    name = hint.strip().lower()
    start = line_edge(text, start)  # how deep the first line is says how deep the others are
    if name in _PROSE:
        return _looked_up(text, start, end)
    if parser := _BY_NAME.get(name):
        return parser(text, start, end) or code_nodes(text, start, end, name)
    if is_language(name):
        return code_nodes(text, start, end, name)
    return _looked_up(text, start, end) or whole_lines(text, start, end)


def _looked_up(text: str, start: int, end: int) -> Node | None:
    """The tree if all of the stretch is structured, be it of several kinds."""
    parts: list[Node] = []
    at = start
    for a, b, kind in find(text, start, end):
        node = nodes(text, a, b, kind)
        if text[at:a].strip() or node is None:
            return None
        parts.append(node)
        at = b
    if text[at:end].strip():
        return None
    return parts[0] if len(parts) == 1 else parent("blocks", parts)
