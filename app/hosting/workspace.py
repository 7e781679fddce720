"""The store as whoever asks may see it."""

from __future__ import annotations

from annotations.store import Store, Viewer
from app.hosting.mode import Hosting
from app.hosting.people import Role, acting


def workspace(store: Store, hosting: Hosting) -> Store:
    """For a person of a hosted studio their own view; for the program itself and for a local studio the whole."""
    person = acting()
    if person is None or person.local:
        return store
    role = person.role
    return store.seen_by(Viewer(person.id, role >= Role.REVIEWER, role >= Role.ADMIN, hosting.limits.stored))
