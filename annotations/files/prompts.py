"""Files of prompts to correct: plain text, JSONL or CSV.

Readers yield prompts one by one; one that is not valid is refused, and the reading goes on.

| file | prompts |
|---|---|
| .txt | the whole text, or, where there are lines of three or more dashes, the parts between them |
| .jsonl | one object a line, with the prompt in its field `prompt` or `text`; or one JSON text a line |
| .csv | one a row, in the column `prompt` or `text`; other columns are ignored |
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from annotations.errors import ExportError, RecordError
from model.fields import TEXT_LIMIT, from_json, text_field

FILE_LIMIT = 8 * 2**20  # bytes
PROMPTS_PER_FILE = 2000
PROMPT_FIELDS = ("prompt", "text")
SUFFIXES = (".txt", ".jsonl", ".csv")

ReadPrompt = tuple[int, str | RecordError]  # the line that it begins on, from 1; the prompt, or why it was refused

_RULE = re.compile(r"^[ \t]*-{3,}[ \t\r]*$", re.MULTILINE)


def prompts_in_file(path: Path, limit: int = TEXT_LIMIT) -> Iterator[ReadPrompt]:
    """The prompts in a file.

    limit: characters of a prompt.
    Raises ExportError when the file is too large, of another kind, or not text; for CSV with the first row.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise ExportError(f"a file of prompts ends in {', '.join(SUFFIXES)}")
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise ExportError(f"the file cannot be read: {error.strerror or error}") from None
    if len(data) > FILE_LIMIT:
        raise ExportError(f"the file is larger than {FILE_LIMIT // 2**20} MB: split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExportError(f"the file is not UTF-8 text (byte {error.start:,}): save it as UTF-8") from None
    readers = {".txt": _text_rows, ".jsonl": _json_rows, ".csv": _csv_rows}
    return _bounded(readers[kind](text), limit)


def prompts_in_text(text: str, limit: int = TEXT_LIMIT) -> Iterator[ReadPrompt]:
    r"""The prompts in a text that was pasted, read like a .txt file.

    >>> list(prompts_in_text("Q: 1?\n\nA: 2\n---\nQ: 3?"))
    [(1, 'Q: 1?\n\nA: 2'), (5, 'Q: 3?')]

    Raises ExportError when it is larger than a file may be.
    """
    if len(text) > FILE_LIMIT:
        raise ExportError(f"the text has {len(text):,} characters, more than {FILE_LIMIT:,}: split it")
    return _bounded(_text_rows(text), limit)


def _bounded(rows: Iterator[ReadPrompt], limit: int) -> Iterator[ReadPrompt]:
    for count, (line, prompt) in enumerate(rows):
        if count >= PROMPTS_PER_FILE:
            yield (
                line,
                RecordError(f"prompt: at most {PROMPTS_PER_FILE:,} are taken from a file; the rest was not read"),
            )
            return
        try:
            yield line, prompt if isinstance(prompt, RecordError) else text_field("prompt", prompt, limit, blank=False)
        except RecordError as error:
            yield line, error


def _text_rows(text: str) -> Iterator[ReadPrompt]:
    begins = [0, *(match.end() for match in _RULE.finditer(text))]
    ends = [*(match.start() for match in _RULE.finditer(text)), len(text)]
    line, at = 1, 0
    for begin, end in zip(begins, ends, strict=True):
        prompt = text[begin:end].strip("\r\n")
        if not prompt.strip():
            continue
        start = text.index(prompt, begin)
        line, at = line + text.count("\n", at, start), start
        yield line, prompt


def _json_rows(text: str) -> Iterator[ReadPrompt]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, _prompt_of(from_json("record", line))
        except RecordError as error:
            yield number, error


def _prompt_of(value: object) -> str:
    if isinstance(value, dict):
        value = next((value[name] for name in PROMPT_FIELDS if name in value), None)
    if not isinstance(value, str):
        raise RecordError("record: has no text in a field prompt or text")
    return value


def _csv_rows(text: str) -> Iterator[ReadPrompt]:
    csv.field_size_limit(max(csv.field_size_limit(), FILE_LIMIT))  # of the whole process; only ever raised
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        raise ExportError(f"this is not CSV: {error}") from None
    column = next((header.index(name) for name in PROMPT_FIELDS if name in header), None)
    if column is None:
        raise ExportError("the CSV file has no column prompt or text in its first row")
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, RecordError(f"record: from here on this is not CSV ({error}); the rest was not read")
            return
        if cells:
            yield line, cells[column] if column < len(cells) else RecordError("record: the row has no such cell")
