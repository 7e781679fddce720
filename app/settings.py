"""What the environment decides about the studio."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from annotations.store.settings import data_dir
from app.hosting.mode import LOOPBACK, Hosting
from model.errors import InputError

ENDPOINTS = ("any", "local", "public", "off")
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")  # a proxy stands in between
SHIPPED_REPORT = Path(__file__).parent.parent / "results" / "report.json"


@dataclass(frozen=True)
class Settings:
    """Where things come from.

    Attributes:
        checkpoint: folder of the model to serve, whatever was promoted; None: the promoted one, or else the shipped
            one (DIFFUMASK_CHECKPOINT).
        tokenizers: folders of tokenizers to count tokens with, besides those of the target LLMs that were fetched
            (DIFFUMASK_TOKENIZERS, separated like PATH).
        report: of a study, for the Results tab; the one that is shipped unless DIFFUMASK_REPORT names another.
        data: folder for what must outlive the program, such as checkpoints; None:
        `annotations.store.engine.data_dir()`.
        targets: LLMs that may answer prompts here, by name or folder, besides smollm2 and gemma3
            (DIFFUMASK_TARGETS, separated like PATH).
        llmlingua2: folder of a token classifier for LLMLingua-2, which is compared with then (DIFFUMASK_LLMLINGUA2).
        endpoints: which addresses visitors may let this machine call for answers (DIFFUMASK_ENDPOINTS): "any";
            "local": for visitors at this very machine any, for others public ones; "public"; "off". Not set: local
            when the studio serves one person on localhost; off when it serves strangers, unless hosts are named.
        sync: where a log of the corrections is kept, a folder or hf://datasets/owner/name (DIFFUMASK_SYNC); "": none.
        hosting: to whom the studio is served, see `app.hosting.mode`.

    Where the corrections lie is decided by `annotations.store.engine` (DIFFUMASK_DATABASE_URL, DIFFUMASK_DATA).
    """

    checkpoint: Path | None = None
    data: Path | None = None
    tokenizers: tuple[Path, ...] = ()
    report: Path = SHIPPED_REPORT
    targets: tuple[str, ...] = ()
    endpoints: str = "public"
    sync: str = ""
    llmlingua2: Path | None = None
    hosting: Hosting = Hosting()

    def __post_init__(self) -> None:
        if self.endpoints not in ENDPOINTS:
            raise InputError(f"DIFFUMASK_ENDPOINTS is {self.endpoints!a}; it must be one of {', '.join(ENDPOINTS)}.")

    def reaches_private(self, client: str, headers: Iterable[str]) -> bool:
        """Whether a visitor may use this machine's own network and disk: client's address, names of the headers."""
        if self.hosting.hosted:
            return False
        if self.endpoints != "local":
            return self.endpoints == "any"
        return client in LOOPBACK and not any(name.lower() in _FORWARDED for name in headers)

    @property
    def data_folder(self) -> Path:
        """Where checkpoints are kept, in a folder of their own."""
        return data_dir() if self.data is None else self.data

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process; an empty variable counts as not set."""
        checkpoint = environ.get("DIFFUMASK_CHECKPOINT")
        tokenizers = environ.get("DIFFUMASK_TOKENIZERS", "").split(os.pathsep)
        targets = environ.get("DIFFUMASK_TARGETS", "").split(os.pathsep)
        llmlingua2 = environ.get("DIFFUMASK_LLMLINGUA2")
        hosting = Hosting.from_env(environ)
        return cls(
            Path(checkpoint) if checkpoint else None,
            tokenizers=tuple(Path(folder).expanduser() for folder in tokenizers if folder),
            report=Path(environ.get("DIFFUMASK_REPORT") or SHIPPED_REPORT).expanduser(),
            targets=tuple(name for name in targets if name),
            endpoints=_endpoints(environ, hosting),
            sync=environ.get("DIFFUMASK_SYNC", "").strip(),
            llmlingua2=Path(llmlingua2).expanduser() if llmlingua2 else None,
            hosting=hosting,
        )


def _endpoints(environ: Mapping[str, str], hosting: Hosting) -> str:
    """Which addresses visitors may let this machine call; strangers none, unless hosts are named for them."""
    if hosting.hosted and not hosting.endpoints:
        return "off"
    return environ.get("DIFFUMASK_ENDPOINTS") or ("public" if hosting.hosted else "local")
