"""`python -m model evaluate`: compare compressors on a held-out task."""

from __future__ import annotations

import argparse
from pathlib import Path

from model.cli.tools import add_device, command, count, names, write_out


def add(commands: argparse._SubParsersAction) -> None:
    parser = command(
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
        type=names,
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
    flag("--prompts", type=count, default=10, metavar="N", help="prompts to compress (default 10)")
    flag("--queries", type=count, default=100, metavar="N", help="queries after every prompt (default 100)")
    flag("--shots", type=count, default=4, metavar="N", help="demonstrations in a gsm8k prompt (default 4)")
    flag("--generate", action="store_true", help="gsm8k: also generate answers and count exact matches (slow)")
    flag("--seed", type=int, default=0, metavar="N", help="of everything drawn (default 0)")
    flag("--checkpoint", type=Path, metavar="DIR", help="for diffumask, exact and one-pass (default: the shipped one)")
    flag("--fp32", action="store_true", help="compute in fp32 even where bfloat16 is faster")
    flag("--json", type=Path, metavar="OUT", help="write the report here, and finished cells beside it")
    flag("--resume", action="store_true", help="go on with the finished cells beside --json")
    add_device(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from model.study.evaluate import EvaluateConfig, evaluate

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
    write_out(evaluate(config, tqdm).table())
