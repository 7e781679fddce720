"""Small files with questions over texts, laid out like the real ones; every row is written for these tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TOWNS = ("Arle", "Brod", "Cust", "Dorn", "Esk", "Fell", "Gant", "Hove", "Ilm", "Jarn", "Kell", "Lund")
TRAINED = 1200  # rows of nq that may be trained on


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def nq_rows() -> list[dict[str, Any]]:
    """1,200 short rows, then twelve that ask for the founders of towns; each passage names another."""
    before = [
        {"question": f"what is {i}", "answers": [f"thing{i}"], "title": f"T{i}", "text": f"It is thing{i}."}
        for i in range(TRAINED)
    ]
    asked = [
        {
            "question": f"who founded the town of {town}",
            "answers": [f"Count {town}ius", f"{town}ius the Old"],
            "title": f"History of {town}",
            "text": f"The town of {town} was founded by Count {town}ius in {1200 + i}. It has a lake. Rain is rare.",
        }
        for i, town in enumerate(TOWNS)
    ]
    return [*before, *asked]


def xquad_rows(language: str) -> list[dict[str, Any]]:
    """Articles 1 to 6 of two paragraphs and two questions each, the same in every language."""
    texts = {
        "en": ("The tower is {n} feet high. It was built of stone.", "How high is the tower?", "{n} feet"),
        "zh": ("这座塔高{n}尺。它是石头建的。", "这座塔有多高？", "{n}尺"),
    }
    text, question, answer = texts[language]
    return [
        {
            "article": article,
            "paragraph": paragraph,
            "question": question,
            "answers": [answer.format(n=100 * article + paragraph)],
            "text": text.format(n=100 * article + paragraph),
        }
        for article in range(1, 7)
        for paragraph in range(2)
    ]


def meeting(name: str) -> dict[str, Any]:
    """Ten turns; the query is answered by turns 4 to 6."""
    turns = [["Ann" if i % 2 else "Bo", f"We talk about point {i} for a while . Yes ."] for i in range(10)]
    specific = {"query": "What about point 5 ?", "answer": "They talked.", "relevant_text_span": [["4", "6"]]}
    general = [{"query": "Summarize the meeting", "answer": "Ten points."}]
    return {"name": name, "turns": turns, "general": general, "specific": [specific]}


def write_questions(folder: Path) -> Path:
    """qa/, qmsum/, prompts/. Returns the folder."""
    write_rows(folder / "qa" / "nq.jsonl.gz", nq_rows())
    for language in ("en", "zh"):
        write_rows(folder / "qa" / f"xquad.{language}.jsonl", xquad_rows(language))
    answers = ("yes", "no", "maybe", "yes", "yes", "yes")
    abstracts = [
        {
            "question": f"Does salt {i} melt ice?",
            "contexts": ["We asked.", f"Salt {i} was strewn."],
            "labels": ["AIM", "METHODS"],
            "answer": answer,
        }
        for i, answer in enumerate(answers)
    ]
    write_rows(folder / "qa" / "pubmedqa.jsonl", abstracts)
    for split in ("train", "val"):
        write_rows(folder / "qmsum" / f"{split}.jsonl", [meeting(f"{split}-{i}") for i in range(2)])
    demonstrations = "\n\n".join(
        f"Q: Add {i} and 1.\nA: Let's think step by step.\n{i} + 1 = {i + 1}. So the answer is {i + 1}."
        for i in range(3)
    )
    bbh = [
        {
            "task": task,
            "cot_prompt": f"Not for training.\n-----\nAdd numbers.\n\n{demonstrations}",
            "examples": [{"input": f"Add {i} and 2.", "target": str(i + 2)} for i in range(4 + extra)],
        }
        for extra, task in enumerate(("sums", "more_sums"))
    ]
    write_rows(folder / "prompts" / "bbh.jsonl", bbh)
    hops = [
        f'# METADATA: {{"qid": "{i}"}}\nWikipedia Title: Tower {i}\nTower {i} stands in {town}.\n\n'
        f"Q: Where does tower {i} stand?\nA: Tower {i} stands in {town}. So the answer is: {town}.\n\n"
        for i, town in enumerate(TOWNS)
    ]
    (folder / "prompts" / "ircot_hotpotqa.txt").write_text("".join(hops), encoding="utf-8")
    return folder
