"""Errors meant for the person who uses the program: each message is one clear line."""

from __future__ import annotations

from model.errors import RecordError

__all__ = ["ConflictError", "ExportError", "NotFoundError", "RecordError", "StoreError"]


class StoreError(RuntimeError):
    """The database could not do what was asked; nothing was changed."""


class ConflictError(StoreError):
    """Somebody else, or another tab, has changed the same thing in the meantime: load it again."""


class NotFoundError(StoreError):
    """There is no such correction, checkpoint or queued prompt."""


class ExportError(ValueError):
    """A file could not be written, or is not one that can be imported."""
