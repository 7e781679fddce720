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
        "  %(prog)s --task nq --data data/qa --methods full,zero,bm25,dense,diffumask\n"
        "  %(prog)s --task nq --data data/qa --target none --methods bm25,dense --retention .05 .1 .2\n"
        "  %(prog)s --task agnews --data data/agnews --methods full,zero,random,diffumask\n"
        "  %(prog)s --task gsm8k --data data/gsm8k --shots 4 --generate --json gsm8k.json\n"
        "  %(prog)s --task jsonl --data mine.jsonl --methods zero,teacher@smollm2+gemma3,diffumask\n"
        "  %(prog)s --task jsonl --data mine.jsonl --methods zero,human,uncorrected --human c.jsonl\n"
        "  %(prog)s --task longbench --data hub:THUDM/LongBench/qasper "
        "--target llama3.2@http://localhost:11434/v1\n"
        "tasks of demonstrations, and what --data names:\n"
        "  agnews, gsm8k, yelp, yahoo   a folder with the task's TSV or JSONL files\n"
        "  summary                      a JSONL file of document, summary\n"
        "  jsonl                        your own: a JSONL file of prompt, query, answer and, to classify, labels;\n"
        "                               rows that share a prompt are its queries\n"
        "  bbh, hotpotqa                a file with chains of thought: bbh.jsonl, ircot_hotpotqa.txt\n"
        "tasks with a question over documents (a folder, or a file of it, also as .gz):\n"
        "  nq                           nq.jsonl; --documents, --layout, --place, --question-first\n"
        "  xquad                        xquad.LANGUAGE.jsonl; --language, --layout, --question-first\n"
        "  qmsum, qmsum-general         val.jsonl: queries about parts of a meeting, and about the whole\n"
        "  pubmedqa                     pubmedqa.jsonl\n"
        "  needle                       nothing: a fact in --documents paragraphs of invented text\n"
        "  longbench, zeroscrolls       a file of one of their data sets\n"
        "  meetingbank                  a JSONL file of transcript, summary\n"
        "agnews to jsonl and the last three also from the Hugging Face hub: hub:OWNER/NAME[/CONFIG][:SPLIT]",
        extra="eval",
    )
    flag = parser.add_argument
    flag("--task", required=True, metavar="NAME", help="which task (see below)")
    flag("--data", type=_place, metavar="PLACE", help="the task's folder or file (see below)")
    flag(
        "--target",
        default="smollm2",
        metavar="NAME",
        help="who reads: smollm2, gemma3, a Hugging Face name, a folder, MODEL@URL of an OpenAI-compatible endpoint "
        "(its key: $OPENAI_API_KEY), or none, to measure what the compressed contexts still hold (default smollm2)",
    )
    flag(
        "--methods",
        type=names,
        default=("full", "zero", "random", "selective-context", "diffumask", "one-pass"),
        metavar="LIST",
        help="comma-separated, any of full, zero, random, random-sentences, random-parts, first, bm25, bm25-smoothed "
        "(over neighbouring parts, such as turns), dense, dense-smoothed, selective-context, llmlingua, longllmlingua, "
        "llmlingua2, ta-pruning, teacher, diffumask, diffumask-parts (whole parts), diffumask-tokens (thinned "
        "sentences), paper (DiffuMask's own), exact (without acceleration), one-pass, human, uncorrected ("
        "default: those that need nothing more). NAME@LLM or NAME@LLM+LLM: other LLMs than the target "
        "make the masks of selective-context, ta-pruning or teacher",
    )
    flag(
        "--retention",
        type=float,
        nargs="+",
        default=[0.2, 0.35, 0.5],
        metavar="R",
        help="shares of the context to keep (default 0.2 0.35 0.5)",
    )
    flag(
        "--budget",
        metavar="UNIT",
        help="what they are shares of: words, tokens (each method counts as it does) or reader, the target's "
        "subwords, of which none keeps more (default: reader; words without a local target; tokens where queries "
        "share their prompts)",
    )
    flag("--prompts", type=count, default=10, metavar="N", help="prompts to compress (default 10)")
    flag("--queries", type=count, default=100, metavar="N", help="queries after every prompt (default 100)")
    flag("--shots", type=count, metavar="N", help="demonstrations in a drawn prompt (default: 4, or one per class)")
    flag(
        "--tokenizer",
        metavar="NAME",
        help="how the reader counts: a model, folder or tiktoken:NAME (default: the target)",
    )
    flag("--documents", type=count, default=8, metavar="N", help="nq, needle: documents in a prompt (default 8)")
    flag("--layout", default="", metavar="NAME", help="how documents stand in a prompt, as in xml, numbered, markdown")
    flag("--place", type=count, metavar="N", help="nq, needle: which document holds the answer (default: drawn)")
    flag("--question-first", action="store_true", help="the question stands before the documents")
    flag("--language", default="en", metavar="CODE", help="xquad: en, de, es, zh, ar, ru, hi or th (default en)")
    flag("--split", default="", metavar="NAME", help="rows to draw from (default: those that nothing is trained on)")
    flag("--chat", action="store_true", help="the target reads each prompt in its chat template")
    flag("--generate", action="store_true", help="free answers: also generate and record them, and score them (slow)")
    flag("--seed", type=int, default=0, metavar="N", help="of everything drawn (default 0)")
    flag("--checkpoint", type=Path, metavar="DIR", help="for diffumask, exact and one-pass (default: the shipped one)")
    flag("--encoder", metavar="NAME", help="for dense: a sentence encoder (default: the shipped one)")
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
        encoder=arguments.encoder,
        budget=arguments.budget,
        tokenizer=arguments.tokenizer,
        chat=arguments.chat,
        documents=arguments.documents,
        layout=arguments.layout,
        place=arguments.place,
        question_first=arguments.question_first,
        language=arguments.language,
        split=arguments.split,
    )
    write_out(evaluate(config, tqdm).table())
