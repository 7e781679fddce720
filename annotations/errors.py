"""Errors meant for the person who uses the program: each message is one clear line."""

from __future__ import annotations


class RecordError(ValueError):
    """A correction record is not valid; the message begins with the field's name."""


class StoreError(RuntimeError):
    """The database could not do what was asked; nothing was changed."""


class ConflictError(StoreError):
    """Somebody else, or another tab, has changed the same thing meanwhile: load it again."""


class NotFoundError(StoreError):
    """There is no such correction or checkpoint."""


class ExportError(ValueError):
    """A file could not be written or is not one that can be imported."""
