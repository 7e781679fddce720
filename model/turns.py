"""Long work stops between its pieces, so that shorter work need not wait for its end.

A long prompt is read in pieces of a second or so. Whoever runs several prompts on one thread says with `giving_way`
what is to happen between them; otherwise nothing does. Where each prompt has a thread of its own, as in the service,
they take turns by `model.relevance.passes` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_others: ContextVar[Callable[[], None] | None] = ContextVar("others", default=None)


def give_way() -> None:
    """Between two pieces of work: let others go first."""
    if (others := _others.get()) is not None:
        with torch.inference_mode(False):  # what is loaded meanwhile may be trained later
            others()


@contextmanager
def giving_way(others: Callable[[], None] | None) -> Iterator[None]:
    """What the work in this block does between its pieces."""
    token = _others.set(others)
    try:
        yield
    finally:
        _others.reset(token)
