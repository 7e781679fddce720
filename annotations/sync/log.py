"""The log of a store's corrections as JSON lines in files that are only ever added, from which a new store is filled.

    corrections/SHA.jsonl   one revision a line, as `CorrectionRecord` has it, without consent; no drafts
    consent/SHA.jsonl       {"id", "order", "licence", "contributed_at"}: of an id the line with the highest order
                            counts; an empty licence: taken back
    erased/SHA.jsonl        {"id", "erased_at"}

A file is named by the sha256 of what is in it. Whatever is interrupted is done again from what is there: a revision is
known by its id and number, so nothing is lost or doubled. A log belongs to one database, which several servers may
share. One thing is more than adding: files with a text that was
erased are written anew without it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from annotations.errors import ExportError, RecordError
from annotations.results import Filter
from annotations.store import RevisionKey, Store
from annotations.sync.places import LogPlace
from model.fields import now
from model.hub import MovedError
from model.record import STATUSES, CorrectionRecord

FILE_BYTES = 4 * 2**20  # of a file of corrections; one that is longer than that by itself has a file of its own
_BATCH = 100  # corrections taken over in one transaction
_TRIES = 5  # when other servers write to the same log
_SAVED = Filter(tuple(status for status in STATUSES if status != "draft"))
_CORRECTIONS, _CONSENT, _ERASED = "corrections/", "consent/", "erased/"


@dataclass(frozen=True)
class SyncReport:
    """What a synchronisation moved: revisions from the log, revisions to it, works that were erased on either side."""

    taken: int = 0
    given: int = 0
    erased: int = 0


@dataclass(frozen=True)
class _Consent:
    order: int
    licence: str
    contributed_at: str


class Sync:
    """A store and its log. `once` makes each hold what the other has; it remembers which files it has read."""

    def __init__(self, store: Store, place: LogPlace):
        self.store, self.place = store, place
        self._keys: dict[str, frozenset[RevisionKey]] = {}  # of the corrections in each file
        self._consents: dict[str, dict[str, _Consent]] = {}
        self._erased: dict[str, dict[str, str]] = {}
        self._forgotten = False

    def once(self) -> SyncReport:
        """Take what the store lacks, give what the log lacks. Raises ExportError or StoreError; then do it again."""
        taken = erased = 0
        for _ in range(_TRIES):
            names = self.place.names()
            erased += self._read_about(names)
            taken += self._take(names)
            add, remove, given = self._missing()
            try:
                if add or remove:
                    self.place.change(add, remove)
            except MovedError:
                continue
            if self._erased_ids() and not self._forgotten or remove:
                self.place.forget()
                self._forgotten = True
            return SyncReport(taken, given, erased + sum(name.startswith(_ERASED) for name in add))
        raise ExportError("the log is written to by too many servers at the same time: it is tried again later")

    # --- reading -------------------------------------------------------------------------------------------

    def _read_about(self, names: frozenset[str]) -> int:
        """Consent and erasures, before any text; returns how many works were erased elsewhere."""
        for known in (self._keys, self._consents, self._erased):
            for name in [name for name in known if name not in names]:
                del known[name]
        for name in sorted(names):
            if name.startswith(_CONSENT) and name not in self._consents:
                self._consents[name] = {
                    str(line["id"]): _Consent(int(line["order"]), str(line["licence"]), str(line["contributed_at"]))
                    for line in self._lines(name)
                }
            elif name.startswith(_ERASED) and name not in self._erased:
                self._erased[name] = {str(line["id"]): str(line["erased_at"]) for line in self._lines(name)}
        here = self.store.tombstones()
        elsewhere = {id: at for id, at in self._erased_ids().items() if id not in here}
        if elsewhere:
            self.store.take_tombstones(elsewhere)
        return len(elsewhere)

    def _take(self, names: frozenset[str]) -> int:
        """Fill the store from files that were not read yet; returns how many revisions it lacked."""
        new = sorted(name for name in names if name.startswith(_CORRECTIONS) and name not in self._keys)
        here = set(self.store.keys(history=True)) if new else set()
        consents, erased = self._newest(), {**self._erased_ids(), **self.store.tombstones()}
        taken = 0
        for name in new:
            records = [record for record in self._corrections(name)]
            wanted = [
                record.model_copy(update=_given(consents.get(record.id)))
                for record in records
                if record.id not in erased and (record.id, record.revision) not in here
            ]
            for at in range(0, len(wanted), _BATCH):
                taken += self._import(wanted[at : at + _BATCH])
            self._keys[name] = frozenset((record.id, record.revision) for record in records)
        return taken

    def _import(self, records: list[CorrectionRecord]) -> int:
        results = self.store.import_many(records)
        for record, (result, why) in zip(records, results, strict=True):
            if result == "refused":
                logging.getLogger(__name__).warning("correction %s stays in the log alone: %s", record.id, why)
        return sum(result == "added" for result, _ in results)

    def _corrections(self, name: str) -> Iterator[CorrectionRecord]:
        for line in self.place.read(name).decode("utf-8", "replace").splitlines():
            try:
                yield CorrectionRecord.from_line(line)
            except RecordError as error:
                logging.getLogger(__name__).warning("a line of %s cannot be read: %s", name, error)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        data = self.place.read(name)
        try:
            lines = [json.loads(line) for line in data.decode().splitlines()]
            if all({"id"} <= set(line) for line in lines):
                return lines
        except (ValueError, TypeError, RecursionError):
            pass
        raise ExportError(f"{name} is damaged: take it out of the log, and look what it held")

    def _newest(self) -> dict[str, _Consent]:
        """What the log says of each correction's consent."""
        newest: dict[str, _Consent] = {}
        for lines in self._consents.values():
            for id, consent in lines.items():
                if id not in newest or consent.order > newest[id].order:
                    newest[id] = consent
        return newest

    def _erased_ids(self) -> dict[str, str]:
        return {id: at for lines in self._erased.values() for id, at in lines.items()}

    # --- writing -------------------------------------------------------------------------------------------

    def _missing(self) -> tuple[dict[str, bytes], list[str], int]:
        """Files to add, files to remove, and how many revisions are new in those that are added."""
        logged = {key for keys in self._keys.values() for key in keys}
        keys = [key for key in self.store.keys(_SAVED, history=True) if key not in logged]
        new = _in_files(_CORRECTIONS, (record.without_consent.to_line() for record in self.store.fetch(keys)))
        tombstones = self.store.tombstones()
        buried = [{"id": id, "erased_at": at} for id, at in tombstones.items() if id not in self._erased_ids()]
        cleaned, stale = self._without(tombstones)
        lines = (json.dumps(line, separators=(",", ":")) for line in buried)
        files = {**new, **_in_files(_CONSENT, self._changed_consents()), **_in_files(_ERASED, lines), **cleaned}
        return files, stale, sum(data.count(b"\n") for data in new.values())

    def _changed_consents(self) -> Iterator[str]:
        logged, here = self._newest(), self.store.consents()
        for id in sorted({*logged, *here}):
            before = logged.get(id)
            licence, at = here.get(id, ("", now()))
            if (before.licence if before else "") != licence:
                order = before.order + 1 if before else 0
                fields = {"id": id, "order": order, "licence": licence, "contributed_at": at}
                yield json.dumps(fields, separators=(",", ":"))

    def _without(self, tombstones: Mapping[str, str]) -> tuple[dict[str, bytes], list[str]]:
        """Files that hold what was erased, written anew without it, and their old names."""
        stale = [name for name, keys in self._keys.items() if any(id in tombstones for id, _ in keys)]
        kept = (record for name in stale for record in self._corrections(name) if record.id not in tombstones)
        return _in_files(_CORRECTIONS, (record.to_line() for record in kept)), stale


def _given(consent: _Consent | None) -> dict[str, str]:
    if consent is None or not consent.licence:
        return {}
    return {"licence": consent.licence, "contributed_at": consent.contributed_at}


def _in_files(folder: str, lines: Iterable[str]) -> dict[str, bytes]:
    """Lines in files of about FILE_BYTES, named by their content."""
    files: dict[str, bytes] = {}
    waiting, size = list[bytes](), 0
    for line in (*lines, None):
        if waiting and (line is None or size + len(line) > FILE_BYTES):
            data = b"".join(waiting)
            files[f"{folder}{hashlib.sha256(data).hexdigest()[:32]}.jsonl"] = data
            waiting, size = [], 0
        if line is not None:
            waiting.append(line.encode() + b"\n")
            size += len(waiting[-1])
    return files
