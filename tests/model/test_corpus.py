"""`diffumask corpus`: every row comes out once, whatever is broken, killed or begun again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.cli import main
from model.compress import Compressor
from model.corpus.engines import ATTEMPTS, run_tasks
from model.corpus.job import CorpusConfig, CorpusJob
from model.corpus.rows import rows_of
from model.corpus.shards import Shard, shards_of
from model.corpus.work import Columns
from model.errors import InputError
from tests.support.corpora import (
    ROWS,
    contents,
    read_all,
    read_broken,
    tiny_folder,
    write_jsonl,
    write_parquet,
)
from tests.support.deadly import Deadly, Unable
from tests.support.tiny import tiny_checkpoint

COMPRESSOR = Compressor(tiny_checkpoint())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("corpus") / "tiny")


def done(config: CorpusConfig) -> CorpusConfig:
    """Everything in this process, which is what a worker does."""
    job = CorpusJob.of(config)
    work = config.work
    for shard in job.left:
        work.compress_shard(COMPRESSOR, shard)
    return config


def short(text: str, retention: float = 0.5) -> str:
    return COMPRESSOR.compress(text, retention).text


# --- rows ----------------------------------------------------------------------------------------------------------


def test_json_lines_come_out_in_order_with_all_that_they_had(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", ROWS)
    config = done(CorpusConfig(source, tmp_path / "out", shard=700))
    assert len(list((tmp_path / "out").glob("shard-*.jsonl"))) > 3
    assert read_all(config.out) == [{**row, "text": short(row["text"])} for row in ROWS]
    assert not (config.out / "broken").exists()


def test_parquet_keeps_its_schema(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    rows = [{**row, "tags": ["a", str(i)], "score": i / 7} for i, row in enumerate(ROWS)]
    source = write_parquet(tmp_path / "in.parquet", rows)
    config = done(CorpusConfig(source, tmp_path / "out", shard=300))
    shards = sorted(config.out.glob("shard-*.parquet"))
    assert len(shards) > 4 and pq.read_table(shards[0]).schema == pq.read_table(source).schema
    assert read_all(config.out) == [{**row, "text": short(row["text"])} for row in rows]


def test_a_folder_a_question_and_a_column_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_jsonl(tmp_path / "in" / "b.jsonl", ROWS[20:])
    write_jsonl(tmp_path / "in" / "a.jsonl", ROWS[:20])
    columns = Columns("text", "question", "short")
    config = done(CorpusConfig(tmp_path / "in", tmp_path / "out", columns, retention=0.4))
    rows = read_all(config.out)
    assert [{k: v for k, v in row.items() if k != "short"} for row in rows] == ROWS
    (place,) = COMPRESSOR.rank("Who lives there?", [ROWS[7]["text"]], 0.4)
    assert rows[7]["short"] == place.text and len(place.text) < len(ROWS[7]["text"])
    source = write_parquet(tmp_path / "in.parquet", ROWS)
    again = done(CorpusConfig(source, tmp_path / "parquet", columns, retention=0.4))
    assert read_all(again.out) == rows


def test_broken_rows_are_put_aside_with_the_reason(tmp_path: Path) -> None:
    broken = [
        ('{"text": "cut off', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([1, 2], "not a JSON object"),
        ({"id": 1}, "there is no column 'text'"),
        ({"text": 7}, "column 'text' holds no text but int"),
        ({"text": None}, "column 'text' holds no text but nothing"),
        ({"text": " "}, "column 'text' is empty"),
        ({"text": "word " * 50_000}, "at most 200,000 are compressed"),
        ('{"text": "half \\ud800."}', "lone surrogate"),
        ('{"text": "One. Two.", "n": NaN}', "not JSON compliant"),
    ]
    rows = [each for pair in zip(ROWS, [row for row, _ in broken], strict=False) for each in pair]
    source = write_jsonl(tmp_path / "in.jsonl", [*rows, "", "  "])
    config = done(CorpusConfig(source, tmp_path / "out"))
    assert [row["id"] for row in read_all(config.out)] == list(range(len(broken)))
    aside = read_broken(config.out)
    for put, (row, reason) in zip(aside, broken, strict=True):
        assert reason in put["reason"] and put["file"] == "in.jsonl"
        line = source.read_bytes()[put["byte"] :].split(b"\n")[0].decode()
        assert line == (row if isinstance(row, str) else json.dumps(row))
    assert aside[4]["row"] == {"text": 7}


def test_rows_of_parquet_without_text_are_put_aside(tmp_path: Path) -> None:
    rows = [{"text": None if i % 3 == 0 else row["text"]} for i, row in enumerate(ROWS)]
    config = done(CorpusConfig(write_parquet(tmp_path / "in.parquet", rows), tmp_path / "out"))
    assert len(read_all(config.out)) == 26
    aside = read_broken(config.out)
    assert [10 * put["row_group"] + put["row_number"] for put in aside] == list(range(0, 40, 3))


LINES = st.lists(st.text("ab\r[é", max_size=12), max_size=12)


@settings(max_examples=100, deadline=None)
@given(LINES, st.integers(1, 30), st.booleans())
def test_every_line_is_in_one_part(tmp_path_factory: Any, lines: list[str], size: int, ends: bool) -> None:
    file = tmp_path_factory.mktemp("lines") / "in.jsonl"
    file.write_text("\n".join(lines) + "\n" * ends, encoding="utf-8", newline="")
    found = [row for shard in shards_of([file], size) for row in rows_of(shard)]
    assert [getattr(row, "row", None) for row in found] == [line.strip() for line in lines if line.strip()]
    assert sorted({row.place["byte"] for row in found}) == [row.place["byte"] for row in found]


# --- beginning again -----------------------------------------------------------------------------------------------


def test_the_same_job_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", ROWS)
    config = done(CorpusConfig(source, tmp_path / "out", shard=700))
    whole = contents(config.out)
    (config.out / "shard-00002.jsonl").unlink()
    assert [shard.number for shard in CorpusJob.of(config).left] == [2]
    done(config)
    assert contents(config.out) == whole
    for dtype in ("bfloat16", "float32"):  # whatever is the fastest now
        job = json.loads((config.out / "job.json").read_text(encoding="utf-8")) | {"dtype": dtype}
        (config.out / "job.json").write_text(json.dumps(job), encoding="utf-8")
        assert CorpusJob.of(config).work.dtype == dtype
    with pytest.raises(InputError, match="holds another corpus"):
        CorpusJob.of(replace(config, retention=0.3))
    write_jsonl(source, ROWS[:-1])
    with pytest.raises(InputError, match="holds another corpus"):
        CorpusJob.of(config)


# --- several processes ---------------------------------------------------------------------------------------------


def test_the_command_gives_what_one_process_gives(
    tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*ROWS, "none"])
    flags = ["--checkpoint", str(checkpoint), "--shard", "700", "--processes", "2"]
    assert main(["corpus", str(source), str(tmp_path / "out"), *flags]) == 0
    said = capsys.readouterr().out
    assert "40 rows compressed" in said and "1 broken rows in" in said
    alone = done(CorpusConfig(source, tmp_path / "alone", shard=700, checkpoint=checkpoint))
    assert contents(tmp_path / "out") == contents(alone.out)
    assert main(["corpus", str(source), str(tmp_path / "out"), *flags]) == 0
    assert "were there" in capsys.readouterr().out


def test_a_worker_that_dies_costs_nothing(tmp_path: Path) -> None:
    assert sorted(run_tasks(Deadly(str(tmp_path)), range(8), workers=2)) == [n * n for n in range(8)]


def test_work_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"workers died {ATTEMPTS} times"):
        list(run_tasks(Deadly(str(tmp_path), always=True), range(4), workers=1))


def test_output_after_a_killed_worker_is_that_of_an_undisturbed_run(tmp_path: Path, checkpoint: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*ROWS, "none"] * 4)
    calm = done(CorpusConfig(source, tmp_path / "calm", shard=2000, checkpoint=checkpoint))
    config = replace(calm, out=tmp_path / "killed", workers=1)  # each that starts takes seconds of its own
    results = CorpusJob.of(config).run()
    numbers = [next(results).number]
    os.kill(_a_worker(), signal.SIGKILL)
    numbers += [shard.number for shard in results]
    assert sorted(numbers) == [shard.number for shard in CorpusJob.of(calm).shards]
    assert contents(config.out) == contents(calm.out)


def _a_worker() -> int:
    """A process that computes for this one."""
    import psutil  # type: ignore[import-untyped]

    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in psutil.Process().children():
            if "spawn_main" in " ".join(child.cmdline()):
                return int(child.pid)
    raise AssertionError("no worker")


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="ray is not installed")
    ray.init(num_cpus=2, log_to_driver=False, include_dashboard=False)
    yield
    ray.shutdown()


def test_ray_gives_the_same(tmp_path: Path, checkpoint: Path, ray_here: None) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", [*ROWS, "none"])
    calm = done(CorpusConfig(source, tmp_path / "calm", shard=700, checkpoint=checkpoint))
    config = replace(calm, out=tmp_path / "ray", engine="ray", workers=1)
    assert sum(shard.rows for shard in CorpusJob.of(config).run()) == 40
    assert contents(config.out) == contents(calm.out)


def test_rays_workers_may_die(tmp_path: Path, ray_here: None) -> None:
    squares = run_tasks(Deadly(str(tmp_path)), range(6), engine="ray", workers=2)
    assert sorted(squares) == [n * n for n in range(6)]


# --- mistakes ------------------------------------------------------------------------------------------------------


def test_mistakes_are_said(tmp_path: Path) -> None:
    jsonl = write_jsonl(tmp_path / "in.jsonl", ROWS)
    parquet = write_parquet(tmp_path / "in.parquet", ROWS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    (tmp_path / "none.parquet").write_text("no")
    out = tmp_path / "out"
    for config, message in (
        (CorpusConfig(tmp_path / "missing", out), "there is no file or folder"),
        (CorpusConfig(tmp_path, out), "and of one kind"),
        (CorpusConfig(tmp_path / "full", out), "must be a file or folder of"),
        (CorpusConfig(tmp_path / "none.parquet", out), "is not a Parquet file"),
        (CorpusConfig(parquet, out, Columns("body")), "has no column 'body', only id, text, question"),
        (CorpusConfig(parquet, out, Columns("id")), "column 'id' of in.parquet is int64, not text"),
        (CorpusConfig(jsonl, tmp_path / "full"), "is not an empty folder"),
    ):
        with pytest.raises(InputError, match=message):
            CorpusJob.of(config)
    with pytest.raises(InputError, match="retention 0 must be"):
        CorpusConfig(jsonl, out, retention=0)
    with pytest.raises(InputError, match="unknown engine 'spark'"):
        list(CorpusJob.of(CorpusConfig(jsonl, out, engine="spark")).run())
    with pytest.raises(InputError, match="there is no model"):  # as a worker says it
        list(run_tasks(Unable(), range(2)))


def test_a_line_that_is_too_long_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.corpus.rows.LINE", 100)
    file = write_jsonl(tmp_path / "in.jsonl", ["x" * 1000, {"text": "One."}])
    long, row = rows_of(Shard(0, str(file), 0, file.stat().st_size))
    assert "more than 100 bytes" in getattr(long, "reason", "") and getattr(row, "values", None) == {"text": "One."}
