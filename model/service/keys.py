"""Who may call: keys in the environment or a file, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from ..errors import InputError

VARIABLE = "DIFFUMASK_KEYS"
SHORTEST = 16  # characters of a key
ANYBODY = "anybody"


class Keys:
    """Knows only digests of the keys."""

    def __init__(self, keys: list[str]) -> None:
        """InputError when a key is too short to be one."""
        if any(len(key) < SHORTEST for key in keys):
            raise InputError(f"a key needs at least {SHORTEST} characters: make one with `openssl rand -hex 24`")
        self._digests = [_digest(key) for key in keys]

    @classmethod
    def load(cls, file: Path | None) -> Keys:
        """The keys in a file, a line each, and those in DIFFUMASK_KEYS, with commas between; none: all may call.

        Raises InputError when the file cannot be read or holds none.
        """
        keys = [key.strip() for key in os.environ.get(VARIABLE, "").split(",") if key.strip()]
        if file is not None:
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise InputError(f"cannot read the key file {file}: {error}") from None
            in_file = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
            if not in_file:
                raise InputError(f"the key file {file} holds no key: write one a line")
            keys += in_file
        return cls(keys)

    @property
    def open(self) -> bool:
        """Whether all may call."""
        return not self._digests

    def caller(self, authorization: str | None, token: str | None = None) -> str | None:
        """A name for who calls, by the key in the header `Authorization: Bearer KEY`, or in one of its own.

        token: of the header that holds nothing but a key; beside it, the other may hold one for somebody else.
        Returns None for nobody who may.
        """
        if self.open:
            return ANYBODY
        scheme, _, key = (authorization or "").partition(" ")
        named = [self._name(token or ""), self._name(key.strip() if scheme.lower() == "bearer" else "")]
        return next(filter(None, named), None)

    def _name(self, key: str) -> str | None:
        given = _digest(key)
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]  # all of them, whichever it is
        return given.hex()[:16] if any(matches) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
