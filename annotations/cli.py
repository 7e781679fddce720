"""The command line: `python -m annotations export|import|stats`.

Exit status: 0 done, 1 imported but some rows were refused, 2 a mistake in the input (one line on stderr), 130
interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from annotations.db import DATA_VARIABLE, URL_VARIABLE
from annotations.errors import ExportError, RecordError, StoreError
from annotations.export import FORMATS, export, format_of, import_rows
from annotations.record import STATUSES
from annotations.results import TO_LEARN, Filter, Group
from annotations.store import Store, open_store

WHERE = f"The database is a SQLite file in the user's data folder, unless ${DATA_VARIABLE} names a folder or \
${URL_VARIABLE} (or --database) a SQLAlchemy URL, for example postgresql://user@host/name."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except (ExportError, RecordError, StoreError) as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail, too
        return 141
    except KeyboardInterrupt:
        return _complain("interrupted", 130)


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_complain(f"{message}; see `{self.prog} --help`", 2))


def _complain(message: str, status: int) -> int:
    print("diffumask:", _plain(" ".join(message.split())), file=sys.stderr)
    return status


def _plain(text: str) -> str:
    """A text without what could write to a terminal, or could not be written to it."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, errors="replace").decode(encoding)


# --- flags -------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """The parser, with a sub-command each for export, import and stats."""
    parser = _Parser(
        prog="python -m annotations", description="Corrections of masks: out of and into the database.", epilog=WHERE
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="export | import | stats")
    _export_flags(commands.add_parser("export", help="write corrections to a file or data set folder", epilog=WHERE))
    _import_flags(commands.add_parser("import", help="read corrections from such a file or folder", epilog=WHERE))
    stats = commands.add_parser("stats", help="counts, edit rates, agreement between annotators", epilog=WHERE)
    stats.add_argument("--json", action="store_true", help="print one JSON object")
    stats.set_defaults(run=_stats)
    for command in commands.choices.values():
        command.add_argument("--database", metavar="URL", help="use this database")
    return parser


def _export_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write corrections, of each the newest revision. Drafts are left out unless --status names them. What is there "
        "is replaced whole or not at all. JSONL is what `python -m model finetune --corrections FILE` reads."
    )
    parser.add_argument("path", metavar="PATH", help="file or folder to write; - = standard output (JSONL or CSV)")
    parser.add_argument("--format", choices=FORMATS, help="default: by suffix; a folder or no suffix = dataset")
    parser.add_argument("--status", action="append", choices=STATUSES, help="only these (give it again for more)")
    parser.add_argument("--annotator", default="", metavar="NAME", help="only by this annotator")
    parser.add_argument("--checkpoint", default="", metavar="ID", help="only corrections of this model's masks")
    parser.add_argument("--since", default="", metavar="DATE", help="2026-11-22, or a time: from then on")
    parser.add_argument("--until", default="", metavar="DATE", help="up to then; a date counts with its whole day")
    parser.add_argument("--text", default="", metavar="WORDS", help="only with these words in prompt, note or name")
    unused = "only submitted or accepted ones that this checkpoint and its ancestors were not trained on"
    parser.add_argument("--unused-by", default="", metavar="ID", help=unused)
    parser.add_argument("--history", action="store_true", help="all revisions instead of the newest")
    parser.set_defaults(run=_export)


def _import_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Read corrections. Importing a file twice adds nothing; nothing in the database is ever replaced. Refused rows "
        "are printed with line number and reason, and make the exit status 1."
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="JSONL, CSV or Parquet file, or data set folder")
    parser.add_argument("--format", choices=FORMATS, help="default: by suffix; a folder = dataset")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every row, not only the refused ones")
    parser.set_defaults(run=_import)


# --- commands ----------------------------------------------------------------------------------------------


def _export(arguments: argparse.Namespace) -> int:
    default = TO_LEARN if arguments.unused_by else tuple(s for s in STATUSES if s != "draft")
    chosen = Filter(
        statuses=tuple(arguments.status or default),
        annotator=arguments.annotator,
        checkpoint=arguments.checkpoint,
        since=arguments.since,
        until=arguments.until,
        text=arguments.text,
        unused_by=arguments.unused_by,
    )
    if arguments.path == "-":
        _to_stdout(arguments, chosen)
        return 0
    path = Path(arguments.path)
    format = format_of(path, arguments.format or "")
    store = open_store(arguments.database)
    count = export(store.fetch(store.keys(chosen, arguments.history)), path, format)
    print(f"{count} correction{'s' * (count != 1)} written to {_plain(str(path))}")
    return 0


def _to_stdout(arguments: argparse.Namespace, chosen: Filter) -> None:
    if arguments.format not in ("jsonl", "csv"):
        raise ExportError("standard output takes --format jsonl or --format csv")
    store = open_store(arguments.database)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "export")
        export(store.fetch(store.keys(chosen, arguments.history)), whole, arguments.format)
        with open(whole, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _import(arguments: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    for outcome in import_rows(open_store(arguments.database), arguments.path, arguments.format or ""):
        counts[outcome.result] += 1
        if arguments.verbose or outcome.result == "refused":
            reason = f": {outcome.reason}" if outcome.reason else ""
            print(_plain(f"line {outcome.line}: {outcome.result}{reason}"))
    print(f"{counts['added']} added, {counts['already there']} already there, {counts['refused']} refused")
    return 1 if counts["refused"] else 0


def _stats(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.database)
    print(json.dumps(_figures(store), indent=2) if arguments.json else _table(store))
    return 0


def _figures(store: Store) -> dict[str, object]:
    stats, agreement = store.stats(), store.agreement()

    def rates(groups: Mapping[str, Group]) -> dict[str, object]:
        return {name: {**asdict(group), "edit_rate": group.edit_rate} for name, group in groups.items()}

    return {
        **asdict(stats),
        "all": {**asdict(stats.all), "edit_rate": stats.all.edit_rate},
        "annotators": rates(stats.annotators),
        "checkpoints": rates(stats.checkpoints),
        "agreement": asdict(agreement),
    }


def _table(store: Store) -> str:
    stats, agreement = store.stats(), store.agreement()
    counts = ", ".join(f"{count} {status}" for status, count in stats.statuses.items()) or "none"
    lines = [
        f"corrections  {counts}",
        f"prompts      {stats.prompts}, {stats.revisions} revisions",
        f"queue        {stats.queue.done} of {stats.queue.total} done, {stats.queue.assigned} in hands",
        f"agreement    {_agreement_line(agreement.alpha, agreement.same, len(agreement.prompts))}",
    ]
    for title, groups in (("annotator", stats.annotators), ("checkpoint", stats.checkpoints)):
        if groups:
            lines += ["", f"{title:<30} corrections   tokens  changed  seconds each"]
            lines += [_group_line(name, group) for name, group in groups.items()]
    return "\n".join(lines)


def _agreement_line(alpha: float | None, same: float | None, prompts: int) -> str:
    if same is None:
        return "no prompt was corrected by two people yet"
    figure = "not defined (all marks are the same)" if alpha is None else f"{alpha:.3f}"
    return f"Krippendorff's alpha {figure}, same mark {same:.1%}, over {prompts} prompt{'s' * (prompts != 1)}"


def _group_line(name: str, group: Group) -> str:
    shown = _plain(name if len(name) <= 30 else name[:27] + "...")
    each = group.seconds / group.corrections
    return f"{shown:<30} {group.corrections:>11} {group.tokens:>8} {group.edit_rate:>8.1%} {each:>13.1f}"
