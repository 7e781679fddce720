"""Where a task's rows come from: TSV and JSON Lines files, and the Hugging Face hub (the optional `datasets` package).

Every row carries the place where it stands, so that a mistake in it is named: file, line and field.
"""

from __future__ import annotations

import gzip
import importlib
import json
import random
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.fewshot import Dataset, Example, load_gsm8k, load_tsv, read_lines
from ...errors import InputError, install

Data = Path | str  # a folder or file, or "hub:OWNER/NAME[/CONFIG][:SPLIT]"
SourceRow = tuple[str, Mapping[str, Any]]  # where it stands, its fields

QUERY = "Article: {sentence_1}\nAnswer:"  # the end of every AG News prompt
HUB = "hub:"
HUB_MISSING = f"reading from the hub needs a package: {install('eval')}"
HUB_ROWS = 10_000  # of a split on the hub that is drawn from
CONFIGS = {"openai/gsm8k": "main"}  # where a data set on the hub has no default

_HUB_NAME = re.compile(r"(?P<name>\w[\w.-]*(?:/\w[\w.-]*)?)(?:/(?P<config>\w[\w.-]*))?(?::(?P<split>\w[\w.-]*))?")


def train_and_test(task: str, data: Data, labels: tuple[str, ...]) -> tuple[Dataset, Dataset]:
    """The rows that demonstrations are drawn from, and those that queries are.

    A folder holds train.tsv and test.tsv, or dev.tsv where there is no test.tsv (gsm8k: train.jsonl and test.jsonl).
    On the hub they are the splits train, and test or the one that `data` names. `summary` may be one file: then both
    are all of its rows. Raises InputError.
    """
    if isinstance(data, Path) and task == "gsm8k":
        return load_gsm8k(data, "train"), load_gsm8k(data, "test")
    if isinstance(data, Path) and labels:
        held = "test" if (data / "test.tsv").exists() else "dev"
        train, test = (load_tsv(data / f"{split}.tsv", split, labels) for split in ("train", held))
    elif isinstance(data, Path):
        train = test = [_example(task, row, f"row:{i}", labels) for i, row in enumerate(read_jsonl_rows(data))]
    else:
        splits = ("train", _hub(data)[2] or "test")
        train, test = (
            [_example(task, row, f"{split}:{i}", labels) for i, row in enumerate(read_hub(data, split, HUB_ROWS))]
            for split in splits
        )
    return Dataset(task, tuple(train), labels or None), Dataset(task, tuple(test), labels or None)


def _example(task: str, row: SourceRow, name: str, labels: tuple[str, ...]) -> Example:
    if labels:
        label = class_of(row, len(labels), "label", "topic")
        return Example(name, _block(text_of(row, "text", "sentence", "question_title")), labels[label], label)
    fields = ("document", "summary") if task == "summary" else ("question", "answer")
    text, answer = (_block(text_of(row, field)) for field in fields)
    return Example(name, text, answer)


def _block(text: str) -> str:
    """Without blank lines: they part the demonstrations of a prompt."""
    return re.sub(r"\s*\n\s*", "\n", text)


# --- rows --------------------------------------------------------------------------------------------------


def read_rows(data: Data) -> list[SourceRow]:
    """All rows of a JSON Lines file, or of a split on the hub (default: test)."""
    return read_jsonl_rows(data) if isinstance(data, Path) else read_hub(data, _hub(data)[2] or "test")


def find_file(place: Path, name: str) -> Path:
    """The file itself, or the one of that name in a folder, as it is or compressed. InputError when there is none."""
    if place.is_file():
        return place
    for file in (place / name, place / f"{name}.gz"):
        if file.is_file():
            return file
    raise InputError(f"{place / name} is not there; --data must name it, or the folder that holds it")


def read_text(path: Path) -> str:
    """A UTF-8 text file, as it is or compressed (.gz)."""
    if path.suffix != ".gz":
        return "\n".join(read_lines(path))
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def read_jsonl_rows(path: Path) -> list[SourceRow]:
    """The objects of a JSON Lines file, as it is or compressed (.gz); blank lines are passed over."""
    rows: list[SourceRow] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path} line {number} is not JSON ({str(error)[:80]})") from error
            if not isinstance(fields, dict):
                raise InputError(f"{path} line {number} is not an object with fields")
            rows.append((f"{path} line {number}", fields))
    if not rows:
        raise InputError(f"{path} has no rows")
    return rows


def read_hub(data: str, split: str, most: int | None = None) -> list[SourceRow]:
    """The rows of one split of a data set on the Hugging Face hub; of more than `most` so many, always the same."""
    name, config, _ = _hub(data)
    try:
        package = importlib.import_module("datasets")
    except ImportError as error:
        raise InputError(f"{HUB_MISSING} ({error})") from error
    try:
        rows = package.load_dataset(name, config or CONFIGS.get(name), split=split)
    except Exception as error:  # of many kinds: no network, no such data set, no such split
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(
            f"cannot read {split!r} of {name!r} from the Hugging Face hub ({reason[:200]}); check the name and the "
            "network, or give --data a local folder or file"
        ) from error
    chosen = list(range(len(rows)))
    if most and len(chosen) > most:
        chosen = sorted(random.Random(0).sample(chosen, most))
    return [(f"{name} {split} row {i}", row) for i, row in zip(chosen, rows.select(chosen), strict=True)]


def _hub(data: str) -> tuple[str, str | None, str | None]:
    """ "hub:openai/gsm8k/main:test" -> ("openai/gsm8k", "main", "test")"""
    found = _HUB_NAME.fullmatch(data.removeprefix(HUB))
    if not data.startswith(HUB) or not found:
        raise InputError(f"{data!r} is not hub:OWNER/NAME, hub:OWNER/NAME/CONFIG or one of them with :SPLIT after it")
    return found["name"], found["config"], found["split"]


def text_of(row: SourceRow, *names: str) -> str:
    """The first of the fields that is there, without white space at its ends; InputError if it is no text."""
    where, fields = row
    name = next((name for name in names if name in fields), None)
    if name is None:
        raise InputError(f"{where} has no field {' or '.join(map(repr, names))}")
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: the field {name!r} is not a text, or empty")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"{where}: the field {name!r} holds half a character (a lone surrogate)") from None
    return value.strip()


def texts_of(row: SourceRow, name: str) -> tuple[str, ...]:
    """A field that is a list of texts, or one text; InputError if it is neither, or empty."""
    where, fields = row
    value = fields.get(name)
    each = [value] if isinstance(value, str) else value
    if not isinstance(each, list) or not each:
        raise InputError(f"{where}: the field {name!r} is not a list of texts")
    return tuple(text_of((where, {name: text}), name) for text in each)


def class_of(row: SourceRow, classes: int, *names: str) -> int:
    where, fields = row
    name = next((name for name in names if name in fields), None)
    if name is None:
        raise InputError(f"{where} has no field {' or '.join(map(repr, names))}")
    value = fields[name]
    if type(value) is not int or not 0 <= value < classes:
        raise InputError(f"{where}: the field {name!r} is not a class from 0 to {classes - 1}")
    return value


# --- AG News prompts that others wrote and compressed ------------------------------------------------------


def written_prompts(folder: Path) -> list[str]:
    """The demonstrations of prompts_1shot.jsonl, without the query that ends each."""
    rows = read_jsonl_rows(folder / "prompts_1shot.jsonl")
    return [without_query(text_of(row, "prompt"), row[0]) for row in rows]


def recorded(path: Path) -> list[str]:
    """Real outputs of a peer, row by row: the compressed demonstrations without the query that ends each.

    `path` is a JSON Lines file whose rows hold compressed_output.compressed_prompt (as PromptQuine's do).
    Raises InputError when the file is missing or a row does not end in "Article: {sentence_1}\\nAnswer:".
    """
    texts = []
    for where, fields in read_jsonl_rows(path):
        output = fields.get("compressed_output")
        text = output.get("compressed_prompt") if isinstance(output, dict) else None
        if not isinstance(text, str):
            raise InputError(f"{where} has no compressed_output.compressed_prompt")
        texts.append(without_query(text, where))
    return texts


def without_query(text: str, where: str) -> str:
    """A few-shot prompt without the QUERY that ends it and without white space at its ends."""
    demonstrations, mark, rest = text.rpartition(QUERY)
    if not mark or rest.strip():
        raise InputError(f"{where} does not end in {QUERY!r}; is it another task's file?")
    return demonstrations.strip()
