"""The command line: `python -m annotations export|import|stats|votes|audit|sync|publish`.

Exit status: 0 done, 1 imported but some rows were refused, 2 a mistake in the input (one line on stderr), 130
interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from annotations.errors import ExportError, RecordError, StoreError
from annotations.files.export import CORRECTION_FORMATS, VOTE_FORMATS, export, export_votes, format_of
from annotations.files.importing import import_rows
from annotations.files.publish import publish
from annotations.files.scratch import temporary_folder
from annotations.results import TO_LEARN, Filter
from annotations.stats import printable, stats_fields, stats_table
from annotations.store import open_store
from annotations.store.settings import DATA_VARIABLE, URL_VARIABLE
from annotations.sync.log import Sync
from annotations.sync.places import log_place
from model.record import STATUSES

_WHERE = f"The database is a SQLite file in the user's data folder, unless ${DATA_VARIABLE} names a folder or \
${URL_VARIABLE} (or --database) a SQLAlchemy URL, for example postgresql://user@host/name."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except (ExportError, RecordError, StoreError) as error:
        return _comprintable(str(error), 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail, too
        return 141
    except KeyboardInterrupt:
        return _comprintable("interrupted", 130)


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_comprintable(f"{message}; see `{self.prog} --help`", 2))


def _comprintable(message: str, status: int) -> int:
    print("diffumask:", printable(" ".join(message.split())), file=sys.stderr)
    return status


# --- flags -------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    """The parser, with a sub-command for each."""
    parser = _Parser(
        prog="python -m annotations",
        description="Corrections of masks, and votes on answers: out of and into the database.",
        epilog=_WHERE,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _export_flags(commands.add_parser("export", help="write corrections to a file or data set folder", epilog=_WHERE))
    _import_flags(commands.add_parser("import", help="read corrections from such a file or folder", epilog=_WHERE))
    stats = commands.add_parser("stats", help="counts, edit rates, agreement, standings of votes", epilog=_WHERE)
    stats.add_argument("--json", action="store_true", help="print one JSON object")
    stats.set_defaults(run=_stats)
    _vote_flags(commands.add_parser("votes", help="write votes on answers to a file", epilog=_WHERE))
    audit = commands.add_parser("audit", help="what reviewers and admins did, and what was erased", epilog=_WHERE)
    audit.add_argument("--last", type=int, default=100, metavar="N", help="so many entries (100)")
    audit.set_defaults(run=_audit)
    _sync_flags(commands.add_parser("sync", help="make the database and a log of it hold the same", epilog=_WHERE))
    _publish_flags(
        commands.add_parser("publish", help="put what was contributed and accepted on the Hub", epilog=_WHERE)
    )
    for command in commands.choices.values():
        command.add_argument("--database", metavar="URL", help="use this database")
    return parser


def _export_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write corrections, of each the newest revision. Drafts are left out unless --status names them. What is there "
        "is replaced whole or not at all. JSONL is what `python -m model finetune --corrections FILE` reads."
    )
    parser.add_argument("path", metavar="PATH", help="file or folder to write; - = standard output (JSONL or CSV)")
    parser.add_argument(
        "--format", choices=CORRECTION_FORMATS, help="default: by suffix; a folder or no suffix = dataset"
    )
    parser.add_argument("--status", action="append", choices=STATUSES, help="only these (give it again for more)")
    parser.add_argument("--annotator", default="", metavar="NAME", help="only by this annotator")
    parser.add_argument("--checkpoint", default="", metavar="ID", help="only corrections of this model's masks")
    parser.add_argument("--since", default="", metavar="DATE", help="2026-11-22, or a time: from then on")
    parser.add_argument("--until", default="", metavar="DATE", help="up to then; a date counts with its whole day")
    parser.add_argument("--text", default="", metavar="WORDS", help="only with these words in prompt, note or name")
    unused = "only submitted or accepted ones that this checkpoint and its ancestors were not trained on"
    parser.add_argument("--unused-by", default="", metavar="ID", help=unused)
    parser.add_argument("--history", action="store_true", help="all revisions instead of the newest")
    parser.add_argument(
        "--contributed", action="store_true", help="only what its annotators contributed, to publish it"
    )
    parser.set_defaults(run=_export)


def _import_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Read corrections. Importing a file twice adds nothing; nothing in the database is ever replaced. Refused rows "
        "are printed with line number and reason, and make the exit status 1."
    )
    parser.add_argument("path", metavar="PATH", type=Path, help="JSONL, CSV or Parquet file, or data set folder")
    parser.add_argument("--format", choices=CORRECTION_FORMATS, help="default: by suffix; a folder = dataset")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every row, not only the refused ones")
    parser.set_defaults(run=_import)


def _vote_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the votes of side-by-side comparisons, oldest first. What is there is replaced whole or not at all."
    )
    parser.add_argument("path", metavar="FILE", help="file to write; - = standard output")
    parser.add_argument("--format", choices=VOTE_FORMATS, help="default: by suffix")
    parser.add_argument("--annotator", default="", metavar="NAME", help="only by this annotator")
    parser.set_defaults(run=_votes)


def _sync_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Append to the log what it lacks of the database, and take over what the database lacks. The log is a folder "
        "of JSON lines or a private data set on the Hugging Face Hub; a database has one log, a log one database."
    )
    parser.add_argument("place", metavar="PLACE", help="a folder, or hf://datasets/OWNER/NAME")
    parser.set_defaults(run=_sync)


def _publish_flags(parser: argparse.ArgumentParser) -> None:
    parser.description = "Make a data set on the Hugging Face Hub hold the accepted contributions, and nothing else."
    parser.add_argument("name", metavar="OWNER/NAME", help="of the data set; it is made if it is not there")
    parser.add_argument("--public", action="store_true", help="where the data set is new, let everybody see it")
    parser.set_defaults(run=_publish)


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
        contributed=arguments.contributed,
    )

    def write(path: Path, format: str) -> int:
        store = open_store(arguments.database)
        return export(store.fetch(store.keys(chosen, arguments.history)), path, format)

    return _write(arguments, "correction", write)


def _votes(arguments: argparse.Namespace) -> int:
    def write(path: Path, format: str) -> int:
        return export_votes(open_store(arguments.database).all_votes(arguments.annotator), path, format)

    return _write(arguments, "vote", write)


def _write(arguments: argparse.Namespace, what: str, write: Callable[[Path, str], int]) -> int:
    """Have `write(path, format)` write the file that the arguments name, or standard output."""
    if arguments.path == "-":
        _to_stdout(arguments.format, write)
        return 0
    path = Path(arguments.path)
    count = write(path, format_of(path, arguments.format or ""))
    print(f"{count} {what}{'s' * (count != 1)} written to {printable(str(path))}")
    return 0


def _to_stdout(format: str, write: Callable[[Path, str], int]) -> None:
    if format not in ("jsonl", "csv"):
        raise ExportError("standard output takes --format jsonl or --format csv")
    with temporary_folder() as folder:
        whole = folder / "export"
        write(whole, format)
        with open(whole, "rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _import(arguments: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    for outcome in import_rows(open_store(arguments.database), arguments.path, arguments.format or ""):
        counts[outcome.result] += 1
        if arguments.verbose or outcome.result == "refused":
            reason = f": {outcome.reason}" if outcome.reason else ""
            print(printable(f"line {outcome.line}: {outcome.result}{reason}"))
    print(f"{counts['added']} added, {counts['already there']} already there, {counts['refused']} refused")
    return 1 if counts["refused"] else 0


def _audit(arguments: argparse.Namespace) -> int:
    for entry in reversed(open_store(arguments.database).audit(max(0, arguments.last))):
        print(printable("  ".join(filter(None, (entry.at, entry.actor, entry.action, entry.subject, entry.detail)))))
    return 0


def _sync(arguments: argparse.Namespace) -> int:
    report = Sync(open_store(arguments.database), log_place(arguments.place)).once()
    print(f"{report.taken} taken from the log, {report.given} given to it, {report.erased} erased")
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    count = publish(open_store(arguments.database), arguments.name, private=not arguments.public)
    print(f"{count} correction{'s' * (count != 1)} published as {printable(arguments.name)}")
    return 0


def _stats(arguments: argparse.Namespace) -> int:
    store = open_store(arguments.database)
    print(json.dumps(stats_fields(store), indent=2) if arguments.json else stats_table(store))
    return 0
