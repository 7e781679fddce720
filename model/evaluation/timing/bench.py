"""What compressing costs, side by side: seconds, ratios to one plain encoder pass, and agreement with the exact mask.

All methods run in turn, round after round, so that a slow minute of the machine slows all of them. Every round takes
another prompt of the length: how often the model is asked, and whether its mask is the exact one, hangs on the prompt.
A ratio is the median over the rounds of seconds / seconds of the plain pass in the same round.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ...compress import Compressed, Compressor
from ...devices import pick_device
from ...diffusion.trace import SamplerConfig
from ...errors import InputError
from ...llm.load import load_target
from ...prompt import Prompt, parse

REFERENCE_STEPS = 64
TA_EVALUATIONS = 3  # of s(z) that classic TA-Pruning is extrapolated from
TA_QUERIES = 16
PLAIN_PASS, EXACT = "plain encoder pass", f"DiffuMask, {REFERENCE_STEPS} steps, exact"
SHAPES = {  # name -> layers, width, heads, inner width
    "bert-base": (12, 768, 12, 3072),
    "xlm-roberta-large": (24, 1024, 16, 4096),
}
TIMED_METHODS = ("diffumask", "exact", "llmlingua", "ta-pruning", *SHAPES)


@dataclass(frozen=True)
class BenchConfig:
    """What to measure.

    Attributes:
        tokens: lengths of the prompts, in prompt tokens.
        steps: of DiffuMask.
        methods: any of TIMED_METHODS; the plain pass is always there.
        retention: share of tokens to keep.
        repeat: rounds; medians are over these.
        limit: seconds that one method may take at one length: what takes longer runs in fewer rounds, and what would
            take longer in one round is extrapolated from a shorter run, and said so.
        json: where the report goes.
    """

    tokens: tuple[int, ...] = (128, 512, 2048, 8192, 32768)
    steps: tuple[int, ...] = (1, 4, 8, 16, 64)
    methods: tuple[str, ...] = TIMED_METHODS
    retention: float = 0.35
    repeat: int = 5
    limit: float = 120.0
    checkpoint: Path | None = None
    device: str | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.methods) - set(TIMED_METHODS):
            raise InputError(f"unknown method {', '.join(sorted(unknown))}; known: {', '.join(TIMED_METHODS)}")
        for steps in self.steps:
            SamplerConfig(self.retention, steps)  # refuses what cannot be
        if self.repeat < 1 or not self.limit > 0:
            raise InputError("there must be at least one round, and a limit above 0 seconds")


@dataclass(frozen=True)
class TimedRow:
    """One method at one length.

    Attributes:
        seconds: median.
        ratio: to the plain pass.
        rounds: how often it ran; 0 = extrapolated.
        passes: of the model, mean over the rounds, where it was counted.
        equal, f1: share of equal tokens, and F1 on kept tokens, against the exact 64-step mask, means over the rounds;
            None = not compared.
    """

    tokens: int
    method: str
    seconds: float
    ratio: float
    rounds: int
    passes: float | None = None
    equal: float | None = None
    f1: float | None = None


@dataclass(frozen=True)
class BenchTable:
    """All rows; per length the peak memory in MB of a fresh process that compresses in 8 steps; seconds to load."""

    rows: list[TimedRow]
    memory: dict[int, float]
    load: float
    setting: dict[str, Any] = field(default_factory=dict)

    def table(self) -> str:
        lines = [
            "| tokens | method | seconds | plain passes | model asked | equal tokens | F1 of kept |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in self.rows:
            about = "~" if not row.rounds else ""
            asked = "" if row.passes is None else f"{row.passes:.1f}"
            agree = ["" if value is None else f"{value:.3f}" for value in (row.equal, row.f1)]
            cost = [f"{about}{row.seconds:.3g}", f"{about}{row.ratio:.2f}"]
            lines.append("| " + " | ".join([f"{row.tokens:,}", row.method, *cost, asked, *agree]) + " |")
        memory = ", ".join(f"{peak:,.0f} MB at {n:,} tokens" for n, peak in self.memory.items())
        return "\n".join(
            [
                *lines,
                "",
                f"Medians of at most {self.setting['repeat']} rounds; ~ = extrapolated from a shorter run.",
                f"import and load: {self.load:.1f} s; peak memory, 8 steps: {memory}",
            ]
        )


@dataclass
class TimedJob:
    """One method at one length: what to time of a prompt, and the rounds so far."""

    method: str
    prepare: Callable[[Prompt], Callable[[], Any]]
    times: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    def once(self, prompt: Prompt) -> None:
        run = self.prepare(prompt)
        start = time.perf_counter()
        self.results.append(run())
        self.times.append(time.perf_counter() - start)


def bench(config: BenchConfig) -> BenchTable:
    """Measure, length after length, with a progress bar; the JSON is written anew after each."""
    torch.manual_seed(0)
    compressor = Compressor.load(config.checkpoint, config.device)
    compressor.compress(few_shot(64), config.retention, 2)
    peers = Peers(config)
    memory: dict[int, float] = {}
    load = 0.0
    rows: list[TimedRow] = []
    known: dict[str, Known] = {}
    setting = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items() if k != "json"}
    setting |= {
        "device": str(compressor.checkpoint.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    setting |= {"checkpoint": compressor.checkpoint.id}
    report = BenchTable(rows, memory, load, setting)
    with tqdm(config.tokens, unit="length") as bar:
        for length in bar:
            prompts = [few_shot(length, seed) for seed in range(config.repeat)]
            bar.set_description(f"{length:,} tokens")
            rows += _measure(config, _jobs(config, compressor, peers), prompts, known)
            memory[length], load = _alone(config, prompts[0].text)
            report = BenchTable(rows, memory, load, setting)
            if config.json:
                config.json.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    return report


def _jobs(config: BenchConfig, compressor: Compressor, peers: Peers) -> list[TimedJob]:
    def diffumask(steps: int, exact: bool) -> Callable[[Prompt], Callable[[], Any]]:
        return lambda prompt: lambda: compressor.compress(prompt, config.retention, steps, exact=exact)

    jobs = [TimedJob(PLAIN_PASS, partial(plain_pass, compressor))]
    if "exact" in config.methods:
        jobs += [TimedJob(f"DiffuMask, {n} steps, exact", diffumask(n, True)) for n in config.steps]
    if "diffumask" in config.methods:
        jobs += [TimedJob(f"DiffuMask, {n} steps", diffumask(n, False)) for n in config.steps]
    return jobs + [TimedJob(name, partial(partial, run)) for name, run in peers.jobs()]


@dataclass(frozen=True)
class Known:
    """Of a method at the last length at which it ran: seconds per token of a round, and a guess for other lengths."""

    round: float
    whole: Extrapolated


def _measure(
    config: BenchConfig, jobs: list[TimedJob], prompts: Sequence[Prompt], known: dict[str, Known]
) -> list[TimedRow]:
    """Run the jobs in turn, in each round on another prompt. known: by method, kept up to date."""
    n = len(prompts[0])
    live = [j for j in jobs if j is jobs[0] or j.method not in known or known[j.method].round * n <= config.limit]
    for prompt in prompts:
        for job in live:
            if job is jobs[0] or not job.times or sum(job.times) + job.times[-1] <= config.limit:
                job.once(prompt)
    plain, rows = jobs[0].times, []
    reference = next((job.results for job in live if job.method == EXACT), [])
    for job in jobs:
        if job in live:
            seconds = statistics.median(job.times)
            guess = job.results[-1]
            if not isinstance(guess, Extrapolated):
                guess = Extrapolated(seconds, n, power=1)
            known[job.method] = Known(seconds / n, guess)
        if job not in live or isinstance(job.results[-1], Extrapolated):
            whole = known[job.method].whole.at(n)
            rows.append(TimedRow(n, job.method, whole, whole / statistics.median(plain), 0))
            continue
        ratio = statistics.median(t / p for t, p in zip(job.times, plain, strict=False))
        rows.append(TimedRow(n, job.method, seconds, ratio, len(job.times), *_counted(job.results, reference)))
    return rows


def _counted(results: list[Any], reference: list[Any]) -> tuple[float | None, float | None, float | None]:
    """Of compressed prompts, means: how often the model was asked; share of tokens as in the reference, F1 on kept."""
    if not isinstance(results[0], Compressed):
        return None, None, None
    passes = statistics.mean(sum(step.predicted for step in result.trace.steps) for result in results)
    pairs = [(a.trace.keep, b.trace.keep) for a, b in zip(results, reference, strict=False)]
    if not pairs:
        return passes, None, None
    equal = statistics.mean(sum(a == b for a, b in zip(*pair, strict=True)) / len(pair[0]) for pair in pairs)
    f1 = statistics.mean(
        2 * sum(a and b for a, b in zip(*pair, strict=True)) / max(sum(map(sum, pair)), 1) for pair in pairs
    )
    return passes, equal, f1


def plain_pass(compressor: Compressor, prompt: Prompt) -> Callable[[], Any]:
    """One pass of the plain encoder over the prompt's windows, as transformers runs it."""
    backbone: Any = compressor.checkpoint.denoiser.backbone
    encoded = compressor.checkpoint.collator([prompt]).to(compressor.checkpoint.device)

    @torch.inference_mode()
    def run() -> None:
        for ids, attention in zip(encoded.ids.split(8), encoded.attention.split(8), strict=True):
            backbone(ids, attention_mask=attention.long())
        if compressor.checkpoint.device.type == "cuda":
            torch.cuda.synchronize()

    return run


# ---- the others


@dataclass(frozen=True)
class Extrapolated:
    """Seconds that a whole run would take at a length, and how they grow with it: as tokens ** power."""

    seconds: float
    tokens: int
    power: int

    def at(self, tokens: int) -> float:
        return self.seconds * (tokens / self.tokens) ** self.power


class Peers:
    """What DiffuMask is compared with, loaded once."""

    def __init__(self, config: BenchConfig):
        self.config = config
        self.lingua: Callable[[str, float], str] | None = None
        self.target: Any = None
        self.shapes: dict[str, Any] = {}

    def jobs(self) -> Iterator[tuple[str, Callable[[Prompt], Any]]]:
        if "llmlingua" in self.config.methods:
            yield "LLMLingua (real package, SmolLM2)", self._lingua
        if "ta-pruning" in self.config.methods:
            yield f"classic TA-Pruning (SmolLM2, from {TA_EVALUATIONS} evaluations)", self._ta_pruning
        for name in SHAPES:
            if name in self.config.methods:
                yield f"{name} shape, one pass (random weights)", partial(self._shape, name)

    def _lingua(self, prompt: Prompt) -> str:
        if self.lingua is None:
            from ..methods.baselines import llmlingua

            self.lingua = llmlingua()
            self.lingua(few_shot(64).text, 0.5)
        return self.lingua(prompt.text, self.config.retention)

    @torch.inference_mode()
    def _ta_pruning(self, prompt: Prompt) -> Extrapolated:
        """One sweep scores a mask for each token; the time of a mask is that of reading the prompt and the queries."""
        if self.target is None:
            self.target = load_target("smollm2", self.config.device, fast=True)
        target, rng = self.target, random.Random(0)
        queries = [target.encode("\n\n" + problem(rng)[0]) for _ in range(TA_QUERIES)]
        start = time.perf_counter()
        for i in range(TA_EVALUATIONS):
            text = prompt.render([j != i for j in range(len(prompt))])
            target.label_log_probs(target.read(target.encode(text)), queries, [0, 1])
        return Extrapolated((time.perf_counter() - start) / TA_EVALUATIONS * len(prompt), len(prompt), power=2)

    @torch.inference_mode()
    def _shape(self, name: str, prompt: Prompt) -> None:
        """LLMLingua-2 reads a prompt once, in windows of 512 subwords, with an encoder of this shape."""
        if name not in self.shapes:
            from transformers import BertConfig, BertModel

            layers, width, heads, inner = SHAPES[name]
            shape = BertConfig(
                vocab_size=8,
                num_hidden_layers=layers,
                hidden_size=width,
                num_attention_heads=heads,
                intermediate_size=inner,
            )
            self.shapes[name] = BertModel(shape, add_pooling_layer=False).eval().to(pick_device(self.config.device))
        model = self.shapes[name]
        subwords = round(1.3 * len(prompt))  # about what xlm-roberta's tokenizer makes of English
        for first in range(0, subwords, 512):
            model(torch.zeros(1, min(512, subwords - first), dtype=torch.long, device=model.device))


# ---- a fresh process


def _alone(config: BenchConfig, text: str) -> tuple[float, float]:
    """Peak memory in MB and seconds of import and load, of a process that does nothing but compress the text."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_in_fresh_process, (config.checkpoint, config.device, text, config.retention))


def _in_fresh_process(checkpoint: Path | None, device: str | None, text: str, retention: float) -> tuple[float, float]:
    start = time.perf_counter()
    compressor = Compressor.load(checkpoint, device)
    load = time.perf_counter() - start
    compressor.compress(text, retention, 8)
    return _peak_memory(), load


def _peak_memory() -> float:
    """In MB. On Linux getrusage would count what the parent held when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes


# ---- prompts

_NAMES = "Ana Boris Chen Dana Emeka Farah Goran Hana Iris Jonas Kofi Lena Mateo Nadia Omar Priya".split()
_THINGS = "apples bricks candles drums envelopes figs gloves hats jars kites lamps mugs notebooks pears".split()
_PROBLEMS = (
    ("{n} buys {a} {t} at {b} coins each and pays with {c} coins. How much is the change?",
     "The {t} cost {a} * {b} = {ab} coins. The change is {c} - {ab} = {c_ab} coins.\n#### {c_ab}"),
    ("A shelf holds {a} boxes of {b} {t}. {n} takes {d} {t} away. How many {t} are left on the shelf?",
     "There are {a} * {b} = {ab} {t} on the shelf. After {n} takes some, {ab} - {d} = {ab_d} are left.\n#### {ab_d}"),
    ("{n} reads {a} pages a day for {b} days, and then, because the book is long, {d} more on Sunday. How many pages?",
     "In {b} days that is {a} * {b} = {ab} pages. With Sunday it is {ab} + {d} = {abd} pages.\n#### {abd}"),
    ("In a village shop {n} sells {a} {t} on Monday, and {d} of them on each of the next {b} days. How many?",
     "On the {b} days after Monday {n} sells {b} * {d} = {bd}. With Monday: {a} + {bd} = {abd2}.\n#### {abd2}"),
)  # fmt: skip


def problem(rng: random.Random) -> tuple[str, str]:
    """A word problem up to its "Answer:", and its worked answer."""
    question, answer = rng.choice(_PROBLEMS)
    a, b, d = rng.randint(3, 40), rng.randint(2, 12), rng.randint(2, 30)
    values = {"n": rng.choice(_NAMES), "t": rng.choice(_THINGS), "a": a, "b": b, "d": d, "ab": a * b, "bd": b * d}
    values |= {"c": a * b + d, "c_ab": d, "ab_d": a * b - d, "abd": a * b + d, "abd2": a + b * d}
    return f"Question: {question.format(**values)}\nAnswer:", " " + answer.format(**values)


def few_shot(tokens: int, seed: int = 0) -> Prompt:
    """Worked word problems, exactly so many prompt tokens of them; every seed has its own."""
    rng, text = random.Random(seed), ""
    while len(text) < 8 * tokens:
        text += "".join(problem(rng)) + "\n\n"
    whole = parse(text)
    return parse(text[: whole.tokens[tokens - 1].end])
