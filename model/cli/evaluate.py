"""`diffumask evaluate`: compare compressors on a held-out task."""

from __future__ import annotations

import argparse
from pathlib import Path

from .tools import Commands, add_device, command, count, names, write_out


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "evaluate",
        "compare compressors on a held-out task, read by a target LLM",
        "  %(prog)s --task agnews --data data/agnews --methods full,zero,random,diffumask\n"
        "  %(prog)s --task gsm8k --data data/gsm8k --shots 4 --generate --json gsm8k.json\n"
        "  %(prog)s --task jsonl --data mine.jsonl --methods zero,teacher@smollm2+gemma3,diffumask\n"
        "  %(prog)s --task jsonl --data mine.jsonl --methods zero,human,uncorrected --human c.jsonl\n"
        "tasks and what --data names:\n"
        "  agnews, gsm8k, yelp, yahoo   a folder with the task's TSV or JSONL files\n"
        "  summary                      a JSONL file of document, summary\n"
        "  jsonl                        your own: a JSONL file of prompt, query, answer and, to classify, labels;\n"
        "                               rows that share a prompt are its queries\n"
        "  any of them                  hub:OWNER/NAME[/CONFIG][:SPLIT], on the Hugging Face hub",
        extra="eval",
    )
    flag = parser.add_argument
    flag("--task", required=True, metavar="NAME", help="agnews, gsm8k, yelp, yahoo, summary or jsonl (see below)")
    flag("--data", type=_place, required=True, metavar="PLACE", help="the task's folder or file (see below)")
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
        help="comma-separated, any of full, zero, random, first, selective-context, llmlingua, longllmlingua, "
        "llmlingua2, ta-pruning, teacher, diffumask, exact (the same without acceleration), one-pass, human, "
        "uncorrected (default: those that need nothing more). NAME@LLM or NAME@LLM+LLM: other LLMs than the target "
        "make the masks of selective-context, ta-pruning or teacher",
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
    flag("--shots", type=count, metavar="N", help="demonstrations in a drawn prompt (default: 4, or one per class)")
    flag("--generate", action="store_true", help="free answers: also generate and record them, and score them (slow)")
    flag("--seed", type=int, default=0, metavar="N", help="of everything drawn (default 0)")
    flag("--checkpoint", type=Path, metavar="DIR", help="for diffumask, exact and one-pass (default: the shipped one)")
    flag("--human", type=Path, metavar="FILE", help="for human, uncorrected: what `python -m annotations export` wrote")
    flag("--llmlingua-model", type=Path, metavar="DIR", help="for both LLMLinguas: a causal LM (default SmolLM2)")
    flag("--llmlingua2-model", type=Path, metavar="DIR", help="for llmlingua2 (default: outputs recorded for agnews)")
    flag("--evaluations", type=count, default=200, metavar="N", help="for ta-pruning: masks it may score (default 200)")
    flag("--fp32", action="store_true", help="compute in fp32 even where bfloat16 is faster")
    flag("--json", type=Path, metavar="OUT", help="write the report here, and finished cells beside it")
    flag("--cells", type=Path, metavar="FILE", help="write finished cells here instead")
    flag("--resume", action="store_true", help="go on with the finished cells of an earlier run")
    add_device(parser)
    parser.set_defaults(run=run)


def _place(text: str) -> Path | str:
    return text if text.startswith("hub:") else Path(text)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from ..evaluation.config import EvaluateConfig
    from ..evaluation.evaluate import evaluate

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
        cells=arguments.cells,
        generate=arguments.generate,
        checkpoint=arguments.checkpoint,
        resume=arguments.resume,
        shots=arguments.shots,
        device=arguments.device,
        fp32=arguments.fp32,
        human=arguments.human,
        llmlingua_model=arguments.llmlingua_model,
        llmlingua2_model=arguments.llmlingua2_model,
        evaluations=arguments.evaluations,
    )
    write_out(evaluate(config, tqdm).table())
