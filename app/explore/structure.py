"""The parts of a prompt as a person says they are: a stretch of it gets a role. Pure."""

from __future__ import annotations

from app.components.canvas_lines import ROLE_TITLES
from model.errors import InputError
from model.prompt import Prompt
from model.prompt.parse import Given


def with_role(prompt: Prompt, first: int, last: int, role: str) -> tuple[Given, ...]:
    """The prompt's parts, where tokens [first, last) are one with this role; the rest of what it lay in stays.

    >>> from model.prompt import parse
    >>> with_role(parse("Sort. Why not?"), 2, 5, "question")
    ((0, 6, 'instruction'), (6, 14, 'question'))

    Raises InputError for a role or tokens that there are not.
    """
    if role not in ROLE_TITLES or not first < last <= len(prompt):
        raise InputError("There is no such part any more: press Run first.")
    start, end = prompt.tokens[first].start, prompt.tokens[last - 1].end
    if last == len(prompt):
        end = len(prompt.text)
    cut = [part for part in prompt.parts if part.start < end and part.end > start]
    rest = {part.start: "text" if part.role == role else part.role for part in cut}  # not what the stretch alone is
    named = [(part.start, part.end, rest.get(part.start, part.role)) for part in prompt.parts]
    before = [(a, min(b, start), name) for a, b, name in named if a < start]
    after = [(max(a, end), b, name) for a, b, name in named if b > end]
    parts = [*before, (start, end, role), *after]
    return tuple(part for part in parts if prompt.text[part[0] : part[1]].strip())
