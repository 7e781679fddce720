"""`diffumask teach`: make training pairs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.fewshot import TRAIN_TASKS
from ..data.kinds import LEARNT
from ..errors import InputError
from .tools import Commands, add_device, add_workers, command, count, names

HELD_OUT = ("agnews", "yelp", "yahoo")  # for evaluation only: never taught, never trained on


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "teach",
        "make training pairs: which tokens of few-shot prompts a target LLM needs, which units answer a question",
        "  %(prog)s --data data --pairs 200 --out pairs.jsonl\n"
        "  %(prog)s --data data --tasks sst-2,trec --targets smollm2 --pairs 20 --out pairs.jsonl\n"
        "  %(prog)s --data data --kinds nq8,xquad-en,qmsum --out asked.jsonl\n"
        "the same command again goes on where the last one ended.",
        extra="train",
    )
    flag = parser.add_argument
    flag("--data", type=Path, required=True, metavar="DIR", help="folder that holds gsm8k/ and train_tasks/")
    flag("--out", type=Path, required=True, metavar="FILE", help="JSONL file that finished pairs are appended to")
    flag(
        "--tasks",
        type=names,
        default=TRAIN_TASKS,
        metavar="LIST",
        help=f"comma-separated data sets (default {','.join(TRAIN_TASKS)}); {', '.join(HELD_OUT)} are held out",
    )
    flag(
        "--targets",
        type=names,
        default=("smollm2", "gemma3"),
        metavar="LIST",
        help="comma-separated target LLMs: smollm2, gemma3, Hugging Face names or folders (default smollm2,gemma3)",
    )
    flag(
        "--kinds",
        type=names,
        metavar="LIST",
        help="instead of tasks: kinds of prompts that ask about documents, whose answers are known, so that no target "
        f"is needed ({', '.join(LEARNT)}; all: all of these)",
    )
    add_workers(parser, "kinds: ")
    flag("--pairs", type=count, default=100, metavar="N", help="how many there shall be in the end (default 100)")
    flag(
        "--method",
        default="hierarchical",
        metavar="NAME",
        help="hierarchical; explore, which only scores masks of many kinds; or a reference to compare them with: "
        "classic (TA-Pruning), random",
    )
    flag("--samples", type=count, default=8, metavar="N", help="explore: masks of each length (default 8)")
    flag("--checkpoint", type=Path, metavar="DIR", help="explore: the denoiser that proposes half of them")
    flag("--span", type=int, default=0, metavar="N", help="hierarchical: also prune left to right, N tokens at once")
    flag("--label-free", action="store_true", help="hold the full prompt's answers, not the gold ones")
    flag("--queries", type=count, default=16, metavar="N", help="held-out queries per prompt (default 16)")
    flag("--seed", type=int, default=0, metavar="N", help="of the prompts and queries drawn (default 0)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    if arguments.kinds:
        from ..devices import cores
        from ..teacher.answers import teach_answers

        kinds = LEARNT if arguments.kinds == ("all",) else arguments.kinds
        where = {"engine": arguments.engine, "workers": arguments.processes or cores(), "address": arguments.address}
        teach_answers(arguments.data, arguments.out, kinds, **where)
        return
    for task in arguments.tasks:
        _check_trainable(task)
    from ..teacher.pairs import TeachConfig, teach
    from ..teacher.search import TeacherConfig

    teach(
        TeachConfig(
            data=arguments.data,
            out=arguments.out,
            tasks=arguments.tasks,
            targets=arguments.targets,
            pairs=arguments.pairs,
            seed=arguments.seed,
            method=arguments.method,
            checkpoint=arguments.checkpoint,
            device=arguments.device,
            teacher=TeacherConfig(
                queries=arguments.queries,
                span=arguments.span,
                samples=arguments.samples,
                label_free=arguments.label_free,
            ),
        )
    )


def _check_trainable(task: str) -> None:
    if task in HELD_OUT:
        raise InputError(f"{task} is held out for evaluation and never trained on; use {', '.join(TRAIN_TASKS)}")
    if task not in TRAIN_TASKS:
        raise InputError(f"unknown task {task!r}; use {', '.join(TRAIN_TASKS)}")
