"""The card of an exported data set: README.md with the YAML header that the Hugging Face Hub and `datasets` read."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from model.fields import fields_table
from model.record import CorrectionRecord

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

_CARD = Template(
    """---
pretty_name: DiffuMask corrections
${licence_line}task_categories:
- token-classification
tags:
- prompt-compression
- human-feedback
- diffumask
size_categories:
- $size
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# DiffuMask corrections

Prompts in which people corrected, token by token, what a prompt compressor keeps and drops.
Exported by DiffuMask Studio: $rows ($statuses).

```python
from datasets import load_dataset
rows = load_dataset("THIS FOLDER", split="train")
row = rows[0]
kept = [row["prompt"][a:b] for (a, b), bit in zip(row["offsets"], row["human_mask"]) if bit == "1"]
```

$fields

In Parquet, offsets are lists of two integers, and pins a list of {token, keep}.

$consent
"""
)
_UNASKED = (
    "Before you publish it: the prompts and the names of annotators and reviewers are in it as they were entered, and\n"
    "no licence is set."
)
_ASKED = (
    "These corrections were contributed by their annotators under $licence, who could take them back until the\n"
    "export, or are the exporting person's own. The names of annotators and reviewers are in it."
)


def dataset_card(statuses: Mapping[str, int], licence: str = "") -> str:
    """The card of a data set with so many corrections of each status.

    licence: under which all of them were contributed; "": nobody was asked.
    """
    total = sum(statuses.values())
    size = next((name for limit, name in SIZES if total < limit), "n>1M")
    listed = ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())) or "none"
    rows = "1 correction" if total == 1 else f"{total:,} corrections"
    consent = Template(_ASKED).substitute(licence=licence) if licence else _UNASKED
    line = f"license: {licence.lower()}\n" if licence else ""
    return _CARD.substitute(
        licence_line=line, consent=consent, size=size, rows=rows, statuses=listed, fields=fields_table(CorrectionRecord)
    )
