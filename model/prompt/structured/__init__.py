"""Structured text (JSON, YAML, markup, code, diffs, tables, logs, listings, settings): where it is, and what may go.

`find` says where it is in a text, `nodes` gives the tree of such a stretch. Every parser reads its text once, from
left to right, whatever is in it; no tree is deeper than `lines.DEPTH`.
"""

from .find import find
from .kinds import nodes

__all__ = ["find", "nodes"]
