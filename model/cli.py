"""The command line: `python -m model compress|teach|train|finetune|evaluate|bench`.

Exit status: 0 done, 2 a mistake in the input (one line on stderr), 130 interrupted, 141 the reader of the
output went away. Only the sub-commands import torch, so that --help comes at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

from model.data import TRAIN_TASKS
from model.errors import InputError

HELD_OUT = ("agnews", "yelp", "yahoo")  # for evaluation only: never taught, never trained on
BYTES_PER_CHARACTER = 4  # at most, in UTF-8


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
        return 0
    except InputError as error:
        return _complain(str(error), 2)
    except BrokenPipeError:
        return _hang_up()
    except OSError as error:  # no space, no permission, ...
        return _complain(f"{error.filename or 'cannot write the result'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_complain(f"{message}; see `{self.prog} --help`", 2))


def _complain(message: str, status: int) -> int:
    print("diffumask:", " ".join(message.split()), file=sys.stderr)
    return status


def _hang_up() -> int:
    """End quietly when whoever read the output has closed it, as `| head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit does not fail, too
    return 141


# --- flags -------------------------------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """The parser; parsed arguments carry their sub-command's function as `run`."""
    parser = _Parser(
        prog="python -m model",
        allow_abbrev=False,
        description="DiffuMask: compress prompts by denoising a keep/drop mask over their tokens.",
        epilog="`python -m model COMMAND --help` shows a command's options and examples.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_compress, _add_teach, _add_train, _add_finetune, _add_evaluate, _add_bench):
        add(commands)
    return parser


def _command(commands: argparse._SubParsersAction, name: str, about: str, examples: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:\n{examples}",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_compress(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "compress",
        "drop tokens of a prompt until a share of them is left",
        "  python -m model compress prompt.txt --retention 0.35\n"
        "  cat prompt.txt | python -m model compress - --keep '\\d+' > short.txt\n"
        "  python -m model compress prompt.txt --json | jq .kept_tokens",
    )
    flag = parser.add_argument
    flag("file", metavar="FILE", help="UTF-8 text file with the prompt; - reads standard input")
    flag("--retention", type=float, default=0.5, metavar="R", help="share of tokens to keep, in (0, 1] (default 0.5)")
    flag("--steps", type=int, default=8, metavar="N", help="denoising steps, 1-64 (default 8)")
    flag(
        "--threshold",
        type=float,
        default=0.0,
        metavar="C",
        help="confidence in [0, 1) that a token needs to be decided before the last step (default 0)",
    )
    flag(
        "--temperature",
        type=float,
        default=0.0,
        metavar="T",
        help="of the noise that varies the mask, 0-10 (default 0: none)",
    )
    flag("--seed", type=int, default=0, metavar="N", help="of that noise (default 0)")
    flag("--keep", metavar="REGEX", help="keep every token that a match touches")
    flag("--exact", action="store_true", help="compute everything in every step: slower, nearly the same mask")
    flag("--drop-task", action="store_true", help="do not keep the instruction and an open question whole")
    flag("--json", action="store_true", help="print a JSON record with every token and its decision")
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    _add_device(parser)
    parser.set_defaults(run=_compress)


def _add_teach(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "teach",
        "make training pairs: find out which tokens of few-shot prompts a target LLM needs",
        "  python -m model teach --data data --pairs 200 --out pairs.jsonl\n"
        "  python -m model teach --data data --tasks sst-2,trec --targets smollm2 --pairs 20 --out pairs.jsonl\n"
        "the same command again goes on where the last one ended.",
    )
    flag = parser.add_argument
    flag("--data", type=Path, required=True, metavar="DIR", help="folder that holds gsm8k/ and train_tasks/")
    flag("--out", type=Path, required=True, metavar="FILE", help="JSONL file that finished pairs are appended to")
    flag(
        "--tasks",
        type=_names,
        default=TRAIN_TASKS,
        metavar="LIST",
        help=f"comma-separated data sets (default {','.join(TRAIN_TASKS)}); {', '.join(HELD_OUT)} are held out",
    )
    flag(
        "--targets",
        type=_names,
        default=("smollm2", "gemma3"),
        metavar="LIST",
        help="comma-separated target LLMs: smollm2, gemma3, Hugging Face names or folders (default smollm2,gemma3)",
    )
    flag("--pairs", type=_count, default=100, metavar="N", help="how many there shall be in the end (default 100)")
    flag(
        "--method",
        default="hierarchical",
        metavar="NAME",
        help="hierarchical, or a reference to compare it with: classic (TA-Pruning), random",
    )
    flag("--label-free", action="store_true", help="hold the full prompt's answers, not the gold ones")
    flag("--queries", type=_count, default=16, metavar="N", help="held-out queries per prompt (default 16)")
    flag("--seed", type=int, default=0, metavar="N", help="of the prompts and queries drawn (default 0)")
    _add_device(parser)
    parser.set_defaults(run=_teach)


def _add_train(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "train",
        "train a denoiser on pairs and write a new checkpoint",
        "  python -m model train --pairs pairs.jsonl --data data --out checkpoints/mine\n"
        "  python -m model train --pairs a.jsonl b.jsonl --data data --out checkpoints/mine --resume",
    )
    flag = parser.add_argument
    flag("--pairs", type=Path, required=True, nargs="+", metavar="FILE", help="JSONL files that `teach` made")
    flag("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets that the pairs refer to")
    flag("--out", type=Path, required=True, metavar="DIR", help="folder for the checkpoint; must not exist yet")
    flag(
        "--base",
        default="minilm",
        metavar="NAME",
        help="encoder to start from: minilm, a Hugging Face name or a folder (default minilm)",
    )
    flag("--parent", type=Path, metavar="DIR", help="checkpoint to go on from, instead of --base")
    flag("--warm-up", type=int, metavar="N",
         help="random coherent masks to learn first (default 2000; with --parent 0)")  # fmt: skip
    flag("--warm-up-rate", type=float, default=1e-4, metavar="R", help="peak learning rate of that (default 1e-4)")
    flag("--epochs", type=_count, default=30, metavar="N", help="passes over the pairs at the most (default 30)")
    flag("--tokens", type=_count, default=512, metavar="N", help="prompt tokens per optimiser step (default 512)")
    flag("--rate", type=float, default=3e-5, metavar="R", help="peak learning rate on the pairs (default 3e-5)")
    flag("--seed", type=int, default=0, metavar="N", help="of everything random (default 0)")
    flag("--resume", action="store_true", help="go on with an interrupted run")
    parser.set_defaults(run=_train)


def _add_finetune(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "finetune",
        "learn from people's corrections and write a new checkpoint",
        "  python -m annotations export corrections.jsonl\n"
        "  python -m model finetune --corrections corrections.jsonl --out checkpoints/corrected\n"
        "  python -m model compress prompt.txt --checkpoint checkpoints/corrected\n"
        "the same command again goes on where it was interrupted.",
    )
    flag = parser.add_argument
    flag("--corrections", type=Path, required=True, metavar="FILE", help="JSONL file that `annotations export` wrote")
    flag("--out", type=Path, required=True, metavar="DIR", help="folder for the checkpoint; must not exist yet")
    flag("--parent", "--checkpoint", type=Path, metavar="DIR", help="what to go on from (default: the shipped one)")
    flag("--epochs", type=_count, metavar="N", help="passes over the corrections at the most")
    flag("--rate", type=float, metavar="R", help="peak learning rate")
    flag("--validation", type=float, default=0.2, metavar="R",
         help="share of the prompts held out to measure with (default 0.2, at least one)")  # fmt: skip
    flag("--seed", type=int, default=0, metavar="N", help="of the noise and of what is held out (default 0)")
    flag("--json", action="store_true", help="print the result as a JSON record")
    parser.set_defaults(run=_finetune)


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "evaluate",
        "compare compressors on a held-out task, read by a target LLM",
        "  python -m model evaluate --task agnews --data data/agnews --methods full,zero,random,diffumask\n"
        "  python -m model evaluate --task gsm8k --data data/gsm8k --shots 4 --generate --json gsm8k.json",
    )
    flag = parser.add_argument
    flag("--task", required=True, metavar="NAME", help="agnews or gsm8k")
    flag("--data", type=Path, required=True, metavar="DIR", help="the task's folder")
    flag(
        "--target",
        default="smollm2",
        metavar="NAME",
        help="smollm2, gemma3, a Hugging Face name or a folder (default smollm2)",
    )
    flag(
        "--methods",
        type=_names,
        default=("full", "zero", "random", "selective-context", "diffumask", "one-pass"),
        metavar="LIST",
        help="comma-separated, any of full, zero, random, first, selective-context, llmlingua, llmlingua2, "
        "teacher, diffumask, exact (the same without acceleration), one-pass (default: those that need nothing more)",
    )
    flag(
        "--retention",
        type=float,
        nargs="+",
        default=[0.2, 0.35, 0.5],
        metavar="R",
        help="shares of tokens to keep (default 0.2 0.35 0.5)",
    )
    flag("--prompts", type=_count, default=10, metavar="N", help="prompts to compress (default 10)")
    flag("--queries", type=_count, default=100, metavar="N", help="queries after every prompt (default 100)")
    flag("--shots", type=_count, default=4, metavar="N", help="demonstrations in a gsm8k prompt (default 4)")
    flag("--generate", action="store_true", help="gsm8k: also generate answers and count exact matches (slow)")
    flag("--seed", type=int, default=0, metavar="N", help="of everything drawn (default 0)")
    flag("--checkpoint", type=Path, metavar="DIR", help="for diffumask, exact and one-pass (default: the shipped one)")
    flag("--fp32", action="store_true", help="compute in fp32 even where bfloat16 is faster")
    flag("--json", type=Path, metavar="OUT", help="write the report here, and finished cells beside it")
    flag("--resume", action="store_true", help="go on with the finished cells beside --json")
    _add_device(parser)
    parser.set_defaults(run=_evaluate)


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = _command(
        commands,
        "bench",
        "time the compressor and its peers side by side, on prompts of many lengths",
        "  python -m model bench --json bench.json\n"
        "  python -m model bench --tokens 128 512 --methods diffumask,exact --repeat 3\n"
        "what would take longer than --limit in one run is extrapolated from a shorter prompt, and marked with ~.",
    )
    flag = parser.add_argument
    flag("--tokens", type=_count, nargs="+", metavar="N",
         help="lengths of the prompts, in prompt tokens (default 128 512 2048 8192 32768)")  # fmt: skip
    flag("--steps", type=_count, nargs="+", metavar="N",
         help="of DiffuMask (default 1 4 8 16 64)")  # fmt: skip
    flag("--methods", type=_names, metavar="LIST",
         help="comma-separated, any of diffumask, exact, llmlingua, ta-pruning, bert-base, xlm-roberta-large "
         "(default: all)")  # fmt: skip
    flag("--retention", type=float, metavar="R", help="share of tokens to keep (default 0.35)")
    flag("--repeat", type=_count, metavar="N", help="rounds to take the median of (default 5)")
    flag("--limit", type=float, metavar="S",
         help="seconds that one method may take at one length (default 120)")  # fmt: skip
    flag("--checkpoint", type=Path, metavar="DIR", help="folder of a checkpoint (default: the shipped one)")
    flag("--json", type=Path, metavar="OUT", help="write the report here, after each length")
    _add_device(parser)
    parser.set_defaults(run=_bench)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps (default: the best there is)")


def _names(text: str) -> tuple[str, ...]:
    """ "a, b" -> ("a", "b")"""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one")
    return names


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {count}")
    return count


# --- sub-commands ------------------------------------------------------------------------------------------


def _compress(arguments: argparse.Namespace) -> None:
    from model.compress import MAX_CHARACTERS, Compressor

    text = _read_text(arguments.file, MAX_CHARACTERS)
    compressed = Compressor.load(arguments.checkpoint, arguments.device).compress(
        text,
        arguments.retention,
        arguments.steps,
        threshold=arguments.threshold,
        temperature=arguments.temperature,
        seed=arguments.seed,
        keep=arguments.keep,
        keep_task=not arguments.drop_task,
        exact=arguments.exact,
    )
    _print(json.dumps(compressed.to_json(), ensure_ascii=False) if arguments.json else compressed.text)


def _teach(arguments: argparse.Namespace) -> None:
    for task in arguments.tasks:
        _check_trainable(task)
    from model.pairs import TeachConfig, teach
    from model.teacher import TeacherConfig

    teach(
        TeachConfig(
            data=arguments.data,
            out=arguments.out,
            tasks=arguments.tasks,
            targets=arguments.targets,
            pairs=arguments.pairs,
            seed=arguments.seed,
            method=arguments.method,
            device=arguments.device,
            teacher=TeacherConfig(queries=arguments.queries, label_free=arguments.label_free),
        )
    )


def _train(arguments: argparse.Namespace) -> None:
    from model.fit import FitConfig
    from model.train import TrainConfig, train

    train(
        TrainConfig(
            pairs=tuple(arguments.pairs),
            data=arguments.data,
            out=arguments.out,
            base=arguments.base,
            parent=arguments.parent,
            warm_up=arguments.warm_up,
            warm_up_rate=arguments.warm_up_rate,
            resume=arguments.resume,
            fit=FitConfig(epochs=arguments.epochs, tokens=arguments.tokens, rate=arguments.rate, seed=arguments.seed),
        )
    )


def _finetune(arguments: argparse.Namespace) -> None:
    from dataclasses import replace

    from tqdm import tqdm

    from model.finetune import FinetuneConfig, finetune

    config = FinetuneConfig(
        arguments.corrections, arguments.out, arguments.parent, arguments.validation, arguments.seed, resumable=True
    )
    given = {"epochs": arguments.epochs, "rate": arguments.rate}
    fit = replace(config.fit, **{name: value for name, value in given.items() if value is not None})
    with tqdm(unit="step", desc="learning") as bar:

        def progress(step: int, total: int, loss: float) -> None:
            bar.total, bar.n = total, step
            bar.set_postfix(loss=f"{loss:.3f}")

        made = finetune(replace(config, fit=fit), progress)
    _print(json.dumps(made.to_json()) if arguments.json else made.summary())


def _evaluate(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from model.evaluate import EvaluateConfig, evaluate

    config = EvaluateConfig(
        task=arguments.task,
        data=arguments.data,
        target=arguments.target,
        methods=arguments.methods,
        retention=tuple(arguments.retention),
        prompts=arguments.prompts,
        queries=arguments.queries,
        seed=arguments.seed,
        json=arguments.json,
        generate=arguments.generate,
        checkpoint=arguments.checkpoint,
        resume=arguments.resume,
        shots=arguments.shots,
        device=arguments.device,
        fp32=arguments.fp32,
    )
    _print(evaluate(config, tqdm).table())


def _bench(arguments: argparse.Namespace) -> None:
    from model.bench import BenchConfig, bench

    given = {name: value for name, value in vars(arguments).items() if name != "run" and value is not None}
    given |= {name: tuple(given[name]) for name in ("tokens", "steps") if name in given}
    _print(bench(BenchConfig(**given)).table())


def _check_trainable(task: str) -> None:
    if task in HELD_OUT:
        raise InputError(f"{task} is held out for evaluation and never trained on; use {', '.join(TRAIN_TASKS)}")
    if task not in TRAIN_TASKS:
        raise InputError(f"unknown task {task!r}; use {', '.join(TRAIN_TASKS)}")


# --- text in and out ---------------------------------------------------------------------------------------


def _read_text(name: str, limit: int) -> str:
    """The text of a file or of standard input ("-"), with its line breaks as they are.

    Raises InputError when it cannot be read, has more than `limit` characters for certain, or is not UTF-8 text.
    """
    what = "standard input" if name == "-" else name
    most = limit * BYTES_PER_CHARACTER
    if name == "-" and sys.stdin is None:
        raise InputError("standard input is closed; give a text file")
    try:
        with open(name, "rb") if name != "-" else nullcontext(sys.stdin.buffer) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read {what}: {error.strerror}; give a text file, or - for standard input") from None
    if b"\0" in data:
        raise InputError(f"{what} holds NUL bytes, so it is no text; give UTF-8 text")
    if len(data) > most:
        raise InputError(f"{what} has more than the {limit:,} characters that are compressed at once: split it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise InputError(f"{what} is not UTF-8 text (byte 0x{byte:02x} at offset {error.start}); convert it") from None


def _print(text: str) -> None:
    """Write the text as UTF-8, whatever the locale; a line break only if it ends without one."""
    if sys.stdout is None:
        raise InputError("standard output is closed, so there is nowhere to print the result")
    sys.stdout.buffer.write(text.encode("utf-8") + (b"" if text.endswith("\n") else b"\n"))
    sys.stdout.buffer.flush()
