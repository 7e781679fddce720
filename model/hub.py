"""Repositories on the Hugging Face Hub: what is in one, a file of it, a commit to it; all by huggingface_hub.

Whose token it is and where the Hub is, say HF_TOKEN and HF_ENDPOINT, as they do for every program of Hugging Face.
What goes wrong becomes an InputError of one line. No torch is needed here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

from .errors import InputError

Kind = Literal["model", "dataset"]
T = TypeVar("T")

NAME = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)  # of a repository
WAITS = (1.0, 2.0, 4.0)  # seconds before another try, where the Hub does not say how long
LONGEST_WAIT = 60.0  # who is to wait longer than that is told instead
_BUSY = 429
_FAILED = (500, 502, 503, 504)
_MOVED = (409, 412)  # somebody else has changed the repository meanwhile
# What the HTTP library of huggingface_hub raises, whichever it is; and OSError
_NETWORK = HfHubHTTPError.__bases__


class MovedError(InputError):
    """The repository is no longer as it was when it was looked at: look again."""


class UnreachableError(InputError):
    """The Hub cannot be reached, or cannot answer now."""


@dataclass(frozen=True)
class Contents:
    """What is in a repository. commit: its id; sizes: path -> bytes; private: whether few people see it."""

    commit: str
    sizes: Mapping[str, int]
    private: bool


class HubRepo:
    """One repository. name: "owner/name". Raises InputError when that is no name."""

    def __init__(self, name: str, kind: Kind = "model"):
        if not NAME.fullmatch(name):
            raise InputError(f"{name!a} is no name of a repository on the Hub; give it as owner/name")
        self.name, self.kind = name, kind
        self._api = HfApi(library_name="diffumask")

    def create(self, private: bool = True) -> None:
        """Make it, unless it is there already."""
        self._call(
            lambda: self._api.create_repo(self.name, repo_type=self.kind, private=private, exist_ok=True), _FAILED
        )

    def contents(self, revision: str | None = None) -> Contents:
        """What is in it now, or at a revision."""
        info: Any = self._call(
            lambda: self._api.repo_info(self.name, repo_type=self.kind, revision=revision, files_metadata=True), _FAILED
        )
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        return Contents(info.sha, sizes, bool(info.private))

    def download(self, path: str, revision: str, again: bool = False) -> Path:
        """A file as it is at a revision, from the cache of huggingface_hub if it is there; again: even then."""
        fetch = lambda: self._api.hf_hub_download(  # noqa: E731
            self.name, path, repo_type=self.kind, revision=revision, force_download=again
        )
        return Path(self._call(fetch, _FAILED))

    def read(self, path: str, revision: str) -> bytes:
        """The content of a file; nothing of it is left on the disk."""
        url = hf_hub_url(self.name, path, repo_type=self.kind, revision=revision)

        def fetch() -> bytes:
            answer = get_session().get(url, headers=build_hf_headers(), follow_redirects=True)
            hf_raise_for_status(answer)
            return bytes(answer.content)

        return self._call(fetch, _FAILED)

    def cached(self, path: str, revision: str | None = None) -> Path | None:
        """A file that was downloaded before, as the newest known commit has it; None: it was not."""
        found = try_to_load_from_cache(self.name, path, repo_type=self.kind, revision=revision)
        return Path(found) if isinstance(found, str) else None

    def commit(
        self,
        add: Mapping[str, bytes | Path],
        message: str,
        remove: Iterable[str] = (),
        parent: str | None = None,
    ) -> str:
        """Change files, all or none; returns the new commit's id.

        parent: the commit that the change was made for. Raises MovedError when the repository is at another by now.
        """
        operations = [CommitOperationDelete(path) for path in remove]

        def send() -> str:
            additions = [CommitOperationAdd(path, data) for path, data in add.items()]
            done = self._api.create_commit(
                self.name, [*operations, *additions], commit_message=message, repo_type=self.kind, parent_commit=parent
            )
            return str(done.oid)

        # With a parent a commit that was made, but whose answer was lost, would be in the way of itself.
        return self._call(send, () if parent else _FAILED)

    def forget_history(self) -> None:
        """Let all that was ever removed be gone for good: of the commits only the newest stays."""
        self._call(lambda: self._api.super_squash_history(self.name, repo_type=self.kind), _FAILED)

    def _call(self, work: Callable[[], T], again: tuple[int, ...]) -> T:
        """Do it; once more, after a while, when the Hub is busy or answers with one of the statuses `again`."""
        for wait in (*WAITS, None):
            try:
                return work()
            except Exception as error:
                if not isinstance(error, (OfflineModeIsEnabled, ValueError, *_NETWORK)):
                    raise
                status, asked = _status(error), _retry_after(error)
                if wait is None or status not in (_BUSY, *again) or asked > LONGEST_WAIT:
                    raise self._told(error, status, asked) from error
                time.sleep(asked or wait)
        raise AssertionError

    def _told(self, error: Exception, status: int, wait: float) -> InputError:
        name = f"{self.name} ({self.kind})"
        cause = _root(error)
        if status in _MOVED:
            return MovedError(f"{name} was changed by somebody else meanwhile: try again")
        if isinstance(cause, GatedRepoError):
            return InputError(f"{name} is gated: ask for access on the Hub, and set HF_TOKEN")
        if isinstance(cause, RepositoryNotFoundError):
            return InputError(f"there is no {name} on the Hub, or it is private: check the name, and HF_TOKEN")
        if isinstance(cause, RevisionNotFoundError):
            return InputError(f"{name} has no such revision on the Hub")
        if isinstance(cause, EntryNotFoundError) and not isinstance(cause, LocalEntryNotFoundError):
            return InputError(f"{name} lacks a file on the Hub that it must have")
        if status in (401, 403):
            return InputError(f"the Hub does not let you into {name}: set HF_TOKEN to a token that may do this")
        if status == _BUSY:
            return UnreachableError(f"the Hub wants fewer requests: try again in {wait or LONGEST_WAIT:.0f} s")
        if status:
            return UnreachableError(f"the Hub answered {status} about {name}: try again later")
        line = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        return UnreachableError(
            f"the Hub cannot be reached or used at {constants.ENDPOINT} ({line}): check the network"
        )


def _root(error: BaseException) -> BaseException:
    """The error of the Hub inside that of a download."""
    while not isinstance(error, HfHubHTTPError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException) -> int:
    return int(getattr(getattr(_root(error), "response", None), "status_code", 0) or 0)


def _retry_after(error: BaseException) -> float:
    """Seconds that the Hub asks to wait; 0: it does not say."""
    headers = getattr(getattr(_root(error), "response", None), "headers", {}) or {}
    asked = str(headers.get("Retry-After", ""))
    return float(asked) if asked.isdecimal() and len(asked) < 6 else 0.0
