"""The card of an exported data set: README.md with the YAML header that the Hugging Face Hub and `datasets` read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_PRIVATE = (
    "Before you publish it: $private of them $were never contributed by $their annotators (their `licence` is empty);\n"
    "the prompts and the names of annotators and reviewers are in it as they were entered."
)
_CONSENTED = (
    "Each was contributed by its annotator under the licence in its row, who could take it back until the export. The\n"
    "names of annotators and reviewers are in it."
)


def dataset_card(statuses: Mapping[str, int], licences: Mapping[str, int]) -> str:
    """The card of a data set.

    statuses, licences: how many corrections have each; the licence of those that were not contributed is "".
    """
    total = sum(statuses.values())
    return _CARD.substitute(
        licence_line=_licence_line([licence for licence in licences if licence]),
        consent=_consent(licences.get("", 0)),
        size=next((name for limit, name in SIZES if total < limit), "n>1M"),
        rows="1 correction" if total == 1 else f"{total:,} corrections",
        statuses=_listed(statuses),
        fields=fields_table(CorrectionRecord),
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


def _licence_line(licences: Sequence[str]) -> str:
    """For the header, where one licence is named for all; of several only that there are some."""
    if not licences:
        return ""
    return f"license: {licences[0].lower() if len(licences) == 1 else 'other'}\n"


def _consent(private: int) -> str:
    if not private:
        return _CONSENTED
    one = private == 1
    return Template(_PRIVATE).substitute(
        private=f"{private:,}", were="was" if one else "were", their="its" if one else "their"
    )
