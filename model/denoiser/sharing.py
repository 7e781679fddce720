"""Checkpoints on the Hugging Face Hub: the same files as on disk, with a card.

What comes from the Hub is a stranger's: only the files of a checkpoint are taken, none above its size, each checked by
the sha256 in meta.json; weights are safetensors, and nothing is ever unpickled or run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..hub import NAME, Contents, HubRepo, MovedError, UnreachableError
from .card import model_card
from .checkpoint import META, TOKENIZER, UNITS, WEIGHTS, file_sha256, load_checkpoint, new_denoiser
from .config import DenoiserConfig
from .unit_head import UnitHeadConfig

TOKENIZER_CONFIG = "tokenizer_config.json"
CARD = "README.md"
MOST = {META: 2**20, TOKENIZER_CONFIG: 2**20, TOKENIZER: 64 * 2**20, WEIGHTS: 4 * 2**30, UNITS: 64 * 2**20}  # bytes
_REVISION = re.compile(r"[\w./-]{0,200}", re.ASCII)
_ENCODERS = ("bert", "camembert", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta")
_MOST_LAYERS, _MOST_WIDTH = 200, 10**7  # of an encoder from the Hub


def is_hub_name(source: str) -> bool:
    """Whether this may be a name on the Hub, "owner/name" or "owner/name@revision", and is no folder here.

    >>> is_hub_name("ann/short"), is_hub_name("ann/short@v1"), is_hub_name("/ann/short")
    (True, True, False)
    """
    name, _, revision = source.partition("@")
    named = NAME.fullmatch(name) and _REVISION.fullmatch(revision)
    return bool(named) and not Path(source).exists()


def fetch_checkpoint(name: str) -> Path:
    """The folder with the files of the checkpoint "owner/name", or "owner/name@revision", in huggingface_hub's cache.

    They are fetched when they are not there; where the Hub cannot be reached, those that were fetched last are taken.
    Raises InputError when it is not there, damaged, or asks for what a stranger may not ask.
    """
    repo, _, revision = name.partition("@")
    hub = HubRepo(repo)
    try:
        contents = hub.contents(revision or None)
    except UnreachableError:
        known = hub.cached(META, revision or None)
        if known is None:
            raise
        return known.parent
    return _download(hub, contents, revision or "main")


def push_to_hub(
    folder: str | Path, name: str, *, private: bool = True, results: Mapping[str, Any] | None = None
) -> str:
    """Put a checkpoint and its card on the Hub as "owner/name"; returns the commit's id.

    private: where the repository is new. results: what `evaluate --json` or `report` wrote about this checkpoint; they
    become the card's model-index. Raises InputError when the checkpoint is damaged or the Hub does not take it.
    """
    folder, hub = Path(folder), HubRepo(name)
    checkpoint = load_checkpoint(folder)
    files: dict[str, bytes | Path] = {file: folder / file for file in MOST if (folder / file).exists()}
    prose = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).exists() else ""
    card = model_card(name, checkpoint.meta, prose, results, folder)
    hub.create(private)
    return hub.commit({**files, CARD: card.encode()}, f"Checkpoint {checkpoint.id}")


def _download(hub: HubRepo, contents: Contents, revision: str) -> Path:
    _check_size(hub, contents, META)
    meta_file = hub.download(META, revision)  # by the revision's name, so that it is found again without the Hub
    if meta_file.parent.name != contents.commit:
        raise MovedError(f"{hub.name} was changed on the Hub meanwhile: try again")
    meta = _meta(hub, meta_file)
    named = [TOKENIZER_CONFIG, *(name for name in (TOKENIZER, WEIGHTS, UNITS) if name in meta["sha256"])]
    for name in named:
        _check_size(hub, contents, name)
    _check_shape(hub, meta, contents.sizes[WEIGHTS])
    for name in named:
        _checked(hub, contents, name, meta["sha256"].get(name))
    return meta_file.parent


def _meta(hub: HubRepo, file: Path) -> dict[str, Any]:
    try:
        meta: dict[str, Any] = json.loads(file.read_bytes())
        if {WEIGHTS, TOKENIZER} <= set(meta["sha256"]) and isinstance(meta["config"], dict):
            return meta
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise InputError(f"{hub.name} on the Hub is no checkpoint of DiffuMask: its {META} is another program's")


def _file(hub: HubRepo, contents: Contents, name: str, again: bool = False) -> Path:
    _check_size(hub, contents, name)
    return hub.download(name, contents.commit, again)


def _check_size(hub: HubRepo, contents: Contents, name: str) -> None:
    if name not in contents.sizes:
        raise InputError(f"{hub.name} on the Hub is no checkpoint of DiffuMask: it has no {name}")
    if contents.sizes[name] > MOST[name]:
        raise InputError(f"{name} of {hub.name} has more than the {MOST[name]:,} bytes that are fetched: not used")


def _checked(hub: HubRepo, contents: Contents, name: str, sha256: str | None) -> None:
    """Fetch a file; once more when the cache holds other bytes than meta.json says."""
    if sha256 is None:
        _file(hub, contents, name)
    elif not any(file_sha256(_file(hub, contents, name, again)) == sha256 for again in (False, True)):
        raise InputError(f"{name} of {hub.name} is not what its {META} names by its sha256: not used")


def _check_shape(hub: HubRepo, meta: Mapping[str, Any], weights: int) -> None:
    """Raise InputError for a network that is larger than its file of weights, or reads what only its maker has."""
    try:
        config = DenoiserConfig(**meta["config"])
        units = UnitHeadConfig(**meta["units"]) if meta.get("units") is not None else UnitHeadConfig()
        numbers = {key: value for key, value in config.encoder.items() if isinstance(value, int)}
        modest = config.encoder["model_type"] in _ENCODERS and all(
            value <= (_MOST_LAYERS if "layer" in key else _MOST_WIDTH) for key, value in numbers.items()
        )
        with torch.device("meta"):
            size = sum(weight.numel() for weight in new_denoiser(config).parameters()) if modest else weights + 1
        modest = modest and size <= weights and max(units.width, units.hidden, units.rank, units.features) <= 10_000
    except (TypeError, ValueError, KeyError, AttributeError, RuntimeError, ArithmeticError) as error:
        raise InputError(f"{hub.name}'s {META} describes no network that there is: not used") from error
    if not modest:
        raise InputError(f"{hub.name}'s {META} describes a larger network than its weights are: not used")
    if units.encoder != UnitHeadConfig.encoder:
        raise InputError(f"{hub.name} reads with the encoder {units.encoder!a}, which does not come with it: not used")
