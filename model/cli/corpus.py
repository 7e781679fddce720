"""`diffumask corpus`: compress every row of a corpus."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .tools import Commands, add_device, add_workers, command, count, write_out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "corpus",
        "compress a column of a JSON Lines or Parquet corpus of any size",
        "  %(prog)s reviews.jsonl short/ --retention 0.4\n"
        "  %(prog)s folder/ short/ --text context --question question --processes 8\n"
        "  %(prog)s folder/ short/ --engine ray --address auto --processes 64\n"
        "the same command again goes on where the last one ended.",
        extra="corpus",
    )
    flag = parser.add_argument
    flag("source", type=Path, metavar="IN", help="a .jsonl or .parquet file, or a folder of such files")
    flag(
        "out",
        type=Path,
        metavar="OUT",
        help="folder that gets a file for each shard of the corpus, and broken/ with the rows that could not be read",
    )
    flag("--retention", type=float, default=0.5, metavar="R", help="share of tokens to keep at most, in (0, 1] (0.5)")
    flag("--text", default="text", metavar="COLUMN", help="what is compressed (default text)")
    flag("--question", metavar="COLUMN", help="what each text is compressed by")
    flag("--into", metavar="COLUMN", help="where the short text is written (default: in place of the text)")
    flag(
        "--granularity",
        choices=("token", "unit", "part"),
        default="unit",
        help="what is kept or dropped: words, sentences and lines, or whole parts (default unit)",
    )
    add_workers(parser)
    flag("--shard", type=count, default=256_000, metavar="BYTES", help="input of each shard, roughly (default 256,000)")
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..corpus.job import CorpusConfig, CorpusJob
    from ..corpus.work import Columns
    from ..devices import cores

    job = CorpusJob.of(
        CorpusConfig(
            source=arguments.source,
            out=arguments.out,
            columns=Columns(arguments.text, arguments.question, arguments.into or arguments.text),
            retention=arguments.retention,
            granularity=arguments.granularity,
            engine=arguments.engine,
            workers=arguments.processes or cores(),
            address=arguments.address,
            checkpoint=arguments.checkpoint,
            device=arguments.device,
            shard=arguments.shard,
        )
    )
    rows = broken = before = after = 0
    done = len(job.shards) - len(job.left)
    quiet = sys.stderr is None or not sys.stderr.isatty()
    with tqdm(total=len(job.shards), initial=done, unit="shard", disable=quiet) as bar:
        for shard in job.run():
            rows, broken = rows + shard.rows, broken + shard.broken
            before, after = before + shard.before, after + shard.after
            bar.update()
    lines = [f"{arguments.out}: {len(job.shards):,} shards" + (f", of which {done:,} were there" if done else "")]
    lines += [f"{rows:,} rows compressed, {after / before:.0%} of their characters kept"] if before else []
    lines += [f"{broken:,} broken rows in {arguments.out / 'broken'}"] if broken else []
    write_out("\n".join(lines))
