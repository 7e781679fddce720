"""Evaluation tasks from files, from the hub, and a user's own: what is drawn, and which mistakes are named."""

from __future__ import annotations

import json
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

import model.evaluation.tasks.sources
from model.errors import InputError
from model.evaluation.metrics.answers import right_or_wrong
from model.evaluation.tasks.kinds import FEW_SHOT
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.task import EvaluationPrompt, Task
from model.llm.causal import Target
from model.pretrained import cache_dir
from model.prompt import parse
from tests.support.toy_rows import NEWS, reviews, sums, write_tsv

DRAWN = ("yelp", "yahoo")


def labelled(folder: Path, task: str, splits: tuple[str, ...] = ("train", "dev")) -> Path:
    """48 rows per split, every class of the task in each; no text stands in two splits."""
    for split in splits:
        rows = [(f"{split} {text}", i % len(FEW_SHOT[task].labels)) for i, (text, _) in enumerate(reviews())]
        write_tsv(folder / task / f"{split}.tsv", rows)
    return folder / task


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def capitals(prompt: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"prompt": prompt, "query": f"Capital {i}?", "answer": f"Town {i}", **more} for i in range(count)]


# --- yelp and yahoo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRAWN)
def test_one_demonstration_of_each_class_unless_fewer_are_asked_for(name: str, tmp_path: Path) -> None:
    folder, labels = labelled(tmp_path, name), FEW_SHOT[name].labels
    frame = FEW_SHOT[name].frame
    assert frame is not None
    for shots in (None, 3):
        task = load_task(name, folder, 4, 20, shots, 0)
        assert task == load_task(name, folder, 4, 20, shots, 0) != load_task(name, folder, 4, 20, shots, 1)
        assert len({prompt.context for prompt in task.prompts}) == 4
        for prompt in task.prompts:
            answers = [line.removeprefix(frame[1].strip() + " ") for line in prompt.context.split("\n")[1::3]]
            assert len(parse(prompt.context).parts) == len(answers) == (shots or len(labels))
            assert len(set(answers)) == len(answers) and set(answers) <= set(labels)
        assert {query.label for query in task.queries} == set(range(len(labels)))
        assert all(query.row.startswith("dev:") for query in task.queries)


def test_queries_come_from_test_rows_where_there_are_some(tmp_path: Path) -> None:
    folder = labelled(tmp_path, "yelp", ("train", "dev", "test"))
    assert all(query.row.startswith("test:") for query in load_task("yelp", folder, 1, 8, None, 0).queries)


def test_held_out_queries_are_train_rows_that_the_prompt_does_not_show(tmp_path: Path) -> None:
    task = load_task("yelp", labelled(tmp_path, "yelp"), 2, 8, None, 0)
    for prompt in task.prompts:
        found = {query.row for query in task.held_out(prompt)}
        assert found == {f"train:{i}" for i in range(48)} - set(prompt.rows) and len(found) == 43


def test_labels_begin_with_subwords_of_their_own() -> None:
    folders = [cache_dir() / "targets" / name for name in ("smollm2", "gemma3")]
    if not all((folder / "tokenizer.json").exists() for folder in folders):
        pytest.skip("the targets are not in the cache")
    for folder in folders:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        for kind in FEW_SHOT.values():
            first = [tokenizer.encode(f" {label}", add_special_tokens=False).ids[0] for label in kind.labels]
            assert len(set(first)) == len(kind.labels)


# --- summary -----------------------------------------------------------------------------------------------


def documents(count: int) -> list[dict[str, str]]:
    texts = [(f"On day {i} rain fell.\n\nThe fair went on.", f"Wet fair, day {i}.") for i in range(count)]
    return [{"document": document, "summary": summary} for document, summary in texts]


def test_a_summary_file_gives_demonstrations_and_other_queries(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "news.jsonl", *documents(12))
    task = load_task("summary", path, 3, 5, 3, 0)
    asked = {query.row for query in task.queries}
    for prompt in task.prompts:
        assert len(parse(prompt.context).parts) == len(prompt.rows) == 3 and not asked & set(prompt.rows)
        assert not {query.row for query in task.held_out(prompt)} & (asked | set(prompt.rows))
    assert task.queries[0].text.startswith("Document: On day ") and task.queries[0].text.endswith("\nSummary:")
    with pytest.raises(InputError, match="8 shots asked for, but summary has 7 rows"):
        load_task("summary", path, 3, 5, 8, 0)
    with pytest.raises(InputError, match="13 queries asked for"):
        load_task("summary", path, 3, 13, 3, 0)


def test_generated_answers_are_kept_and_scored(
    tmp_path: Path, tiny_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rouge_score")
    task = load_task("summary", jsonl(tmp_path / "a.jsonl", *documents(6)), 1, 3, 2, 0)
    said = ["nothing", *(query.answer for query in task.queries[1:])]
    monkeypatch.setattr("model.evaluation.tasks.task.greedy_answers", lambda *_: said)
    scores = task.score(tiny_target, task.prompts[0].context, True)
    assert scores.answers == said and scores.graded == {"ROUGE-L": [0.0, 1.0, 1.0]}
    own = load_task("jsonl", jsonl(tmp_path / "b.jsonl", *capitals("Towns.", 3)), 1, 3, None, 0)
    monkeypatch.setattr("model.evaluation.tasks.task.greedy_answers", lambda *_: ["town 0.", "Town 2", "TOWN  2"])
    assert own.score(tiny_target, "", True).graded == {"exact match": [1, 0, 1]}


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("so 7", "3 + 4 = 7\n#### 7", True),
        ("so 8", "#### 7", False),
        (" paris.", "Paris", True),
        ("", "Paris", False),
        ("Paris\nCapital: Rome", "Paris", True),
        ("Rome\nParis", "Paris", False),
        ("a\nB\nc", "a\nb", True),
    ],
)
def test_what_counts_as_right(answer: str, gold: str, right: bool) -> None:
    assert right_or_wrong(answer, gold) is right


# --- a user's own ------------------------------------------------------------------------------------------


def test_rows_that_share_a_prompt_are_its_queries(tmp_path: Path) -> None:
    rows = [*capitals("First.", 6), *({**row, "query": f"Other {row['query']}"} for row in capitals("Second.", 4))]
    task = load_task("jsonl", jsonl(tmp_path / "mine.jsonl", *rows), 10, 3, None, 0)
    assert [prompt.context for prompt in task.prompts] == ["First.", "Second."] and task.asked == 3
    for prompt, count in zip(task.prompts, (6, 4), strict=True):
        asked, other = task.queries_of(prompt), task.held_out(prompt)
        assert (len(asked), len(other)) == (3, count - 3)
        assert {query.text for query in (*asked, *other)} == {r["query"] for r in rows if r["prompt"] == prompt.context}
    assert load_task("jsonl", tmp_path / "mine.jsonl", 10, 100, None, 0).asked == 4  # as many of each prompt
    assert len(load_task("jsonl", tmp_path / "mine.jsonl", 1, 100, None, 0).prompts) == 1


def test_prompts_with_the_same_rows_share_their_queries(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "mine.jsonl", *capitals("First.", 4), *capitals("Second.", 4))
    task = load_task("jsonl", path, 10, 4, None, 0)
    assert len(task.queries) == 4 and task.queries_of(task.prompts[1]) == task.queries_of(None) == task.queries


def test_labels_make_a_classification(tmp_path: Path) -> None:
    words = list(NEWS)
    rows = [{"prompt": "Sort.", "query": f"News {i}", "answer": words[i % 4], "labels": words} for i in range(12)]
    task = load_task("jsonl", jsonl(tmp_path / "mine.jsonl", *rows), 1, 8, None, 0)
    assert task.labels == tuple(words) and Counter(q.label for q in task.queries) == Counter({i: 2 for i in range(4)})


GOOD = {"prompt": "p", "query": "q", "answer": "a"}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[1]", "line 2 is not an object"),
        ({"prompt": "p", "query": "q"}, "line 2 has no field 'answer'"),
        (GOOD | {"query": 3}, "line 2: the field 'query' is not a text"),
        (GOOD | {"prompt": " "}, "line 2: the field 'prompt' is not a text, or empty"),
        (GOOD | {"answer": "\ud800"}, "line 2: the field 'answer' holds half a character"),
        (GOOD | {"labels": "a"}, "line 2: the field 'labels' is not a list"),
        (GOOD | {"labels": ["a", "a"]}, "line 2: the field 'labels' needs at least two, each once"),
        (GOOD | {"labels": ["a", "b"]}, "line 2: the field 'labels' is not that of .* line 1"),
    ],
)
def test_a_bad_row_of_a_users_task_is_named(tmp_path: Path, bad: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"mine.jsonl {message}"):
        load_task("jsonl", jsonl(tmp_path / "mine.jsonl", GOOD, bad), 1, 1, None, 0)


def test_an_answer_that_is_no_label_and_an_empty_file(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "mine.jsonl", GOOD | {"labels": ["b", "c"]})
    with pytest.raises(InputError, match="line 1: the field 'answer' is none of the labels"):
        load_task("jsonl", path, 1, 1, None, 0)
    with pytest.raises(InputError, match="mine.jsonl has no rows"):
        load_task("jsonl", jsonl(path, ""), 1, 1, None, 0)


# --- the hub -----------------------------------------------------------------------------------------------


def hub(monkeypatch: pytest.MonkeyPatch, **splits: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Splits in memory instead of the hub; returns what is asked for."""
    datasets, asked = pytest.importorskip("datasets"), []

    def load_dataset(name: str, config: str | None, split: str) -> Any:
        asked.append((name, config, split))
        return datasets.Dataset.from_list(splits[split])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_gsm8k_and_labels_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hub(monkeypatch, train=sums("train"), test=sums("test"))
    task = load_task("gsm8k", "hub:openai/gsm8k", 2, 5, 3, 0)
    assert asked == [("openai/gsm8k", "main", "train"), ("openai/gsm8k", "main", "test")]
    assert "In train box" in task.prompts[0].context and all("In test box" in query.text for query in task.queries)
    rows = [{"text": f"Shop\n\n{i}", "label": i % 5} for i in range(20)]
    asked = hub(monkeypatch, train=rows, validation=rows)
    task = load_task("yelp", "hub:some/reviews/small:validation", 1, 5, None, 0)
    assert [a[1:] for a in asked] == [("small", "train"), ("small", "validation")]
    assert len(parse(task.prompts[0].context).parts) == 5  # blank lines inside a text do not part it


def test_a_users_task_from_the_hub_and_a_field_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, test=capitals("Towns.", 3))
    assert load_task("jsonl", "hub:me/towns", 1, 3, None, 0).asked == 3
    hub(monkeypatch, train=[{"question": "1 + 1?"}] * 4, test=sums("test"))
    with pytest.raises(InputError, match="me/sums train row 0 has no field 'answer'"):
        load_task("gsm8k", "hub:me/sums", 1, 2, 2, 0)


def test_a_large_split_is_sampled_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, test=sums("test"))
    some = model.evaluation.tasks.sources.read_hub("hub:me/sums", "test", 5)
    assert some == model.evaluation.tasks.sources.read_hub("hub:me/sums", "test", 5) and len(some) == 5
    for where, row in some:
        assert row == sums("test")[int(where.split()[-1])]


@pytest.mark.parametrize("place", ["hub:", "hub:../secret", "hub:/etc", "hub:a/b/c/d", "hub:a b", "hub:a/..", "x"])
def test_what_is_no_place_on_the_hub(place: str) -> None:
    with pytest.raises(InputError, match="is not hub:OWNER/NAME"):
        load_task("jsonl", place, 1, 1, None, 0)


def test_without_the_package_or_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    def offline(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(model.evaluation.tasks.sources.importlib, "import_module", missing)
    with pytest.raises(InputError, match=r"pip install -e .\.\[eval\]"):
        load_task("jsonl", "hub:me/mine", 1, 1, None, 0)
    package = types.SimpleNamespace(load_dataset=offline)
    monkeypatch.setattr(model.evaluation.tasks.sources.importlib, "import_module", lambda _: package)
    with pytest.raises(InputError, match=r"cannot read 'test' of 'me/mine' .*\(no route\); check the name and"):
        load_task("jsonl", "hub:me/mine", 1, 1, None, 0)


# --- questions ---------------------------------------------------------------------------------------------


def test_every_task_has_a_question_in_words(tmp_path: Path) -> None:
    own = load_task("jsonl", jsonl(tmp_path / "mine.jsonl", *capitals("Towns.", 1)), 1, 1, None, 0)
    assert own.question(own.prompts[0]) == "Capital 0?"
    for name, kind in FEW_SHOT.items():
        if name != "jsonl":
            task = Task(name, (EvaluationPrompt(0, "x"),), (), kind.labels)
            assert task.question(task.prompts[0]).endswith("?")
