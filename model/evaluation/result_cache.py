"""Finished work as JSON Lines, so that a run that was cut off goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.fewshot import read_lines
from ..errors import InputError


class ResultCache:
    """Records by key, one line {"key": ..., "record": ...} each; a line cut off in writing is passed over.

    path None keeps them in memory only. Without `resume` a file that is already there is an InputError.
    """

    def __init__(self, path: Path | None = None, resume: bool = False):
        self._path = path
        self._records: dict[str, dict[str, Any]] = {}
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return
        if not resume:
            raise InputError(f"{path} holds an earlier run: add --resume to go on with it, or remove it")
        lines = read_lines(path)
        for line in lines:
            try:
                cell = json.loads(line)
                self._records[_canonical(cell["key"])] = cell["record"]
            except (ValueError, KeyError, TypeError):
                continue
        if lines[-1]:
            self._append("\n")

    def find(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        return self._records.get(_canonical(key))

    def add(self, key: Mapping[str, Any], record: dict[str, Any]) -> None:
        self._records[_canonical(key)] = record
        self._append(json.dumps({"key": key, "record": record}) + "\n")

    def _append(self, text: str) -> None:
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
