"""The card of an exported data set: README.md with the YAML header that the Hugging Face Hub and `datasets` read."""

from __future__ import annotations

from collections.abc import Mapping

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))

_CARD = """---
pretty_name: DiffuMask corrections
task_categories:
- token-classification
tags:
- prompt-compression
- human-feedback
- diffumask
size_categories:
- {size}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---

# DiffuMask corrections

Prompts in which people corrected, token by token, what a prompt compressor keeps and drops.
Exported by DiffuMask Studio: {rows} ({statuses}).

```python
from datasets import load_dataset
rows = load_dataset("THIS FOLDER", split="train")
row = rows[0]
kept = [row["prompt"][a:b] for (a, b), bit in zip(row["offsets"], row["human_mask"]) if bit == "1"]
```

| column | meaning |
|---|---|
| id, revision | the correction (uuid4), and which version of it; 0 = a draft |
| status | draft, submitted, accepted, rejected |
| prompt, prompt_sha256 | the full text, and the SHA-256 of its UTF-8 bytes |
| offsets | [start, end] of each prompt token, in characters (Unicode code points) |
| shot_starts | characters where the blocks of the prompt begin |
| model_mask | a text of 1 (keep) and 0 (drop), one per token: what the model decided |
| human_mask | the same, as the person wants it |
| pins | tokens that the person fixed |
| retention, steps, threshold, seed | what the model was asked |
| checkpoint | the model that made model_mask |
| annotator, seconds, note | who corrected, how long it took, a remark |
| reviewer, review_note | who accepted or rejected it, a remark |
| created_at | when this revision was made (UTC) |

Before you publish it: the prompts and the names of annotators and reviewers are in it as they were entered, and no
licence is set.
"""


def card(statuses: Mapping[str, int]) -> str:
    """The card for so many corrections of each status."""
    total = sum(statuses.values())
    size = next((name for limit, name in SIZES if total < limit), "n>1M")
    listed = ", ".join(f"{count:,} {status}" for status, count in sorted(statuses.items())) or "none"
    rows = "1 correction" if total == 1 else f"{total:,} corrections"
    return _CARD.replace("{size}", size).replace("{rows}", rows).replace("{statuses}", listed)
