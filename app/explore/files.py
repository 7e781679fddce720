"""The text of a file that was dropped on Explore: text in UTF-8 or UTF-16, JSON, JSON Lines, or a PDF's text."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

from model.bounded import BoundedError, Bounds, bounded_lines
from model.errors import InputError
from model.prompt.limits import MAX_CHARACTERS

TEXT_BYTES = 4 * MAX_CHARACTERS  # no character takes more in UTF-8
PDF_BYTES = 20 * 2**20
_PDF_BOUNDS = Bounds(seconds=20, memory=600 * 2**20, line=8 * MAX_CHARACTERS)
_PDF_SCRIPT = Path(__file__).with_name("pdf_text.py")


def read_file(path: str | Path) -> str:
    """The text of a file. Raises InputError in one line for what is too large, no text, or in another encoding."""
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        is_pdf = file.read(5) == b"%PDF-"
    limit = PDF_BYTES if is_pdf else TEXT_BYTES
    if size > limit:
        raise InputError(f"{path.name} has {size / 1e6:,.1f} MB; at most {limit / 1e6:,.1f} MB are read: split it.")
    text = _pdf(path) if is_pdf else _lines_of_messages(_decoded(path.read_bytes(), path.name))
    if not text.strip():
        raise InputError(f"{path.name} holds no text{': its pages may be pictures' if is_pdf else ''}.")
    return text


def _decoded(data: bytes, name: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif b"\0" in data:
        raise InputError(f"{name} is no text: give a text, JSON or PDF file.")
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name} is not in UTF-8 (line {line} is in another encoding): save it as UTF-8.") from None


def _lines_of_messages(text: str) -> str:
    """JSON Lines with a message each are pasted as the list that they are; anything else stays as it is."""
    lines = text.strip().splitlines()
    if len(lines) < 2 or not all(line.startswith('{"') and '"role"' in line for line in lines):
        return text
    try:
        messages = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return text
    return json.dumps(messages, ensure_ascii=False, indent=1)


def _pdf(path: Path) -> str:
    """A PDF's text, read in a process of its own: a hostile one may take any time and memory."""
    try:
        lines = [json.loads(line) for line in bounded_lines(_PDF_SCRIPT, _PDF_BOUNDS, given=path.read_bytes())]
    except (BoundedError, ValueError):
        raise InputError(f"The text of {path.name} cannot be read: it is damaged, locked or too large.") from None
    if lines and lines[-1] is None:
        raise InputError("PDFs are read with the package pypdf, which is not installed here: pip install pypdf.")
    return "\n\n".join(lines)[: MAX_CHARACTERS + 1]
