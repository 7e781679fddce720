"""How far the masks of `--backend onnx` agree with torch's, and how long both take, in seconds of one core.

    python -m benchmarks.onnx --data DATA/qa --prompts 20

By kind of prompt: the examples, and, with --data, questions of NaturalQuestions over eight documents each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from model.compress import Compressor
from model.evaluation.tasks.load import load_task
from model.onnx.compressor import OnnxCompressor

EXAMPLES = Path(__file__).parents[1] / "examples"
RETENTIONS = (0.1, 0.2, 0.35, 0.5)


def asked(data: Path, prompts: int) -> list[str]:
    """Documents, and a question below them."""
    task = load_task("nq", data, prompts, 1)
    return [f"{each.context}\n\nQuestion: {each.question}\nAnswer:" for each in task.prompts]


def report(name: str, texts: Sequence[str], compressors: tuple[Compressor, Compressor]) -> None:
    seconds, same, tokens = [0.0, 0.0], 0, 0
    for text in texts:
        for retention in RETENTIONS:
            masks = []
            for i, compressor in enumerate(compressors):
                reader = compressor.reader
                for encoder in (compressor.encoder, reader.encoder if reader else None):
                    if encoder is not None:
                        encoder.remember(2**26)  # forget what was read before
                start = time.process_time()
                masks.append(compressor.compress(text, retention).trace.keep)
                seconds[i] += time.process_time() - start
            same += sum(a == b for a, b in zip(*masks, strict=True))
            tokens += len(masks[0])
    ratio = seconds[0] / seconds[1]
    print(f"{name}: {same / tokens:.4f} of {tokens:,} tokens equal; torch {seconds[0]:.1f} s, onnx x {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--prompts", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    compressors = Compressor.load(device="cpu"), OnnxCompressor.load()
    report("examples", [file.read_text(encoding="utf-8") for file in sorted(EXAMPLES.rglob("*.txt"))], compressors)
    if arguments.data is not None:
        report("nq", asked(arguments.data, arguments.prompts), compressors)


if __name__ == "__main__":
    main()
