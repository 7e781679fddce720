"""The card of a checkpoint on the Hub: README.md, whose header names licence, base and results for the Hub to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from ..errors import InputError
from . import checkpoint

TAGS = ["prompt-compression", "masked-diffusion", "diffumask"]
METHOD = "diffumask"  # as results name what this package does

_USE = """
## Use

```python
from diffumask import Compressor

Compressor.load("{name}").compress(prompt, retention=0.35).text
```
"""
_LINEAGE = ("base", "parent", "data", "created_at")


def model_card(name: str, meta: Mapping[str, Any], prose: str, results: Mapping[str, Any] | None, folder: Path) -> str:
    """README.md of the checkpoint "owner/name".

    Args:
        meta: what its meta.json says.
        prose: the README.md in its folder, or "": then the card says what meta.json does.
        results: as `evaluate --json` or `report` writes them. Raises InputError when none are of this checkpoint.
        folder: of the checkpoint, by which results name it.
    """
    found = [] if results is None else list(_eval_results(results, folder))
    if results is not None and not found:
        raise InputError(
            "the results hold no figures of this checkpoint: measure it with `evaluate --checkpoint` first"
        )
    header = ModelCardData(
        license=str(meta.get("licence") or "").lower() or None,
        base_model=_base(meta),
        library_name="diffumask",
        tags=TAGS,
        model_name=name,
        eval_results=found or None,
    )
    return f"---\n{header.to_yaml()}\n---\n\n{_without_header(prose) or _described(name, meta)}{_USE.format(name=name)}"


def _base(meta: Mapping[str, Any]) -> str | None:
    """The base, where it is a repository on the Hub."""
    base = str(meta.get("base") or "")
    return base if re.fullmatch(r"[\w.-]+/[\w.-]+", base) else None


def _without_header(prose: str) -> str:
    return re.sub(r"\A---\n.*?\n---\n+", "", prose, flags=re.DOTALL)


def _described(name: str, meta: Mapping[str, Any]) -> str:
    lines = [f"- {key}: `{meta[key]}`" for key in _LINEAGE if meta.get(key)]
    return f"# {name}\n\nA masked-diffusion denoiser over the keep/drop mask of a prompt.\n\n" + "\n".join(lines) + "\n"


# --- results -----------------------------------------------------------------------------------------------


def _eval_results(results: Mapping[str, Any], folder: Path) -> Iterator[EvalResult]:
    runs: Sequence[Mapping[str, Any]] = results["runs"] if "runs" in results else [results]
    for run in runs:
        if _is_of(run["config"].get("checkpoint"), folder):
            for row in run["rows"]:
                if row["method"] == METHOD:
                    yield from _of_row(run["config"], row)


def _is_of(measured: str | None, folder: Path) -> bool:
    """Whether results that name this checkpoint (None: the shipped one) are of the one in the folder."""
    return Path(measured or checkpoint.SHIPPED).resolve() == folder.resolve()


def _of_row(config: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[EvalResult]:
    share, reader = row["retention"], config.get("target")
    where = f"at {share:.0%}" + (f", read by {reader}" if reader and reader != "none" else "")
    for measure, (value, low, high) in row["measures"].items():
        yield EvalResult(
            task_type="prompt-compression",
            dataset_type=str(config["task"]),
            dataset_name=f"{config['task']}, {row['prompts']} prompts",
            metric_type=re.sub(r"\W+", "_", measure.lower()).strip("_"),
            metric_name=f"{measure} {where} [{low}, {high}]",
            metric_value=value,
            metric_args={"retention": share, "target": reader},
        )
