"""LongBench, ZeroSCROLLS and MeetingBank: their published fields, on rows written for these tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import InputError
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.longbench import SUBSETS
from model.evaluation.tasks.zeroscrolls import METRICS
from tests.support.questions import write_rows

PAPER: dict[str, Any] = {
    "input": "How many trees were measured?",
    "context": "We measured trees.\n\nThere were 40 oaks and 2 elms.",
    "answers": ["42", "forty-two trees"],
    "length": 10,
    "dataset": "qasper",
    "language": "en",
    "all_classes": None,
    "_id": "1",
}


def graded(name: str, file: Path, said: str) -> dict[str, float]:
    task = load_task(name, file, 1, 1)
    return {measure: values[0] for measure, values in task.graded([said], task.prompts[0].queries).items()}


# --- LongBench ---------------------------------------------------------------------------------------------


def test_a_longbench_row(tmp_path: Path) -> None:
    task = load_task("longbench", write_rows(tmp_path / "qasper.jsonl", [PAPER, PAPER | {"_id": "2"}]), 2, 1)
    prompt = task.prompts[0]
    assert prompt.context == PAPER["context"] and prompt.question == PAPER["input"] and task.new_tokens == 128
    whole, start = prompt.whole
    assert whole[:start].strip() == prompt.instruction and "Question: How many trees were measured?" in whole[start:]
    assert prompt.queries[0].accepted == ("42", "forty-two trees") and not task.extractive


@pytest.mark.parametrize(
    ("dataset", "answers", "classes", "said", "measures"),
    [
        ("hotpotqa", ["forty two trees"], None, "two trees", {"F1": 0.8}),
        ("multifieldqa_zh", ["北京市"], None, "北京", {"F1": 0.8}),
        ("gov_report", ["a b c d"], None, "a b", {"ROUGE-L": 2 / 3}),
        ("trec", ["Date"], ["Date", "Dates of birth", "Food"], "It is a Date", {"accuracy": 1.0}),
        ("trec", ["Date"], ["Date", "Food"], "Food or Date", {"accuracy": 0.5}),
        ("trec", ["Date"], ["Date", "Food"], "Food", {"accuracy": 0.0}),
        ("passage_retrieval_en", ["Paragraph 12"], None, "Paragraph 12", {"accuracy": 1.0}),
        ("passage_retrieval_zh", ["段落12"], None, "段落12或段落3", {"accuracy": 0.5}),
        ("passage_count", ["7"], None, "none", {"accuracy": 0.0}),
    ],
)
def test_longbench_metrics(
    tmp_path: Path, dataset: str, answers: list[str], classes: Any, said: str, measures: dict[str, float]
) -> None:
    row = PAPER | {"dataset": dataset, "answers": answers, "all_classes": classes}
    assert graded("longbench", write_rows(tmp_path / "rows.jsonl", [row]), said) == pytest.approx(measures, abs=1e-4)


def test_every_longbench_data_set_has_its_frame(tmp_path: Path) -> None:
    for name in SUBSETS:
        rows = [{key: value for key, value in PAPER.items() if key != "dataset"}]
        task = load_task("longbench", write_rows(tmp_path / f"{name}.jsonl", rows), 1, 1)  # named by its file
        assert "{" not in task.prompts[0].whole[0] and PAPER["context"] in task.prompts[0].whole[0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dataset": "lcc"}, "'lcc' is none of LongBench's data sets that are scored: narrativeqa"),
        ({"context": ""}, "line 1: the field 'context' is not a text, or empty"),
        ({"answers": None}, "line 1: the field 'answers' is not a list of texts"),
        ({"all_classes": [1]}, "line 1: the field 'all_classes' is not a list of words"),
    ],
)
def test_a_bad_longbench_row(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_task("longbench", write_rows(tmp_path / "rows.jsonl", [PAPER | change]), 1, 1)


def test_longbench_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets, asked = pytest.importorskip("datasets"), []

    def load_dataset(name: str, config: str | None, split: str) -> Any:
        asked.append((name, config, split))
        return datasets.Dataset.from_list([PAPER])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert load_task("longbench", "hub:THUDM/LongBench/qasper", 1, 1).prompts[0].question == PAPER["input"]
    assert asked == [("THUDM/LongBench", "qasper", "test")]


# --- ZeroSCROLLS -------------------------------------------------------------------------------------------


def scroll(**change: Any) -> dict[str, Any]:
    parts = [
        "You are given a story and a question.\n\nQuestion:\n",
        "Who sings?",
        "\n\nStory:\n",
        "Ann sings.",
        "\n\nAnswer:",
    ]
    at = [sum(map(len, parts[:i])) for i in range(len(parts) + 1)]
    indices = {
        "query_start_index": at[1],
        "query_end_index": at[2],
        "document_start_index": at[3],
        "document_end_index": at[4],
    }
    return {"id": "7", "pid": "7_0", "input": "".join(parts), "output": "Ann", **indices, **change}


def test_a_scroll_and_its_answers(tmp_path: Path) -> None:
    rows = [scroll(), scroll(pid="7_1", output="Ann does"), scroll(id="8", pid="8_0", output="Bo")]
    file = write_rows(tmp_path / "narrative_qa" / "validation.jsonl", rows)
    task = load_task("zeroscrolls", file, 2, 1)
    prompt = next(prompt for prompt in task.prompts if prompt.queries[0].answer == "Ann")
    assert (prompt.context, prompt.question) == ("Ann sings.", "Who sings?")
    assert prompt.instruction.endswith("Story:") and prompt.queries[0].text == "Answer:"
    assert prompt.queries[0].accepted == ("Ann", "Ann does")


@pytest.mark.parametrize(
    ("name", "output", "said", "measures"),
    [
        ("musique", "Ann Berg", "Berg", {"F1": 2 / 3}),
        ("quality", "(B) a dog", "I think B.", {"accuracy": 1.0}),
        ("quality", "(B) a dog", "C", {"accuracy": 0.0}),
        ("gov_report", "a b", "a b", {"ROUGE-1": 1, "ROUGE-2": 1, "ROUGE-L": 1, "ROUGE mean": 1}),
    ],
)
def test_zeroscrolls_metrics(tmp_path: Path, name: str, output: str, said: str, measures: dict[str, float]) -> None:
    assert name in METRICS
    file = write_rows(tmp_path / name / "validation.jsonl", [scroll(output=output)])
    assert graded("zeroscrolls", file, said) == pytest.approx(measures, abs=1e-4)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (scroll(document_end_index=10_000), "document_start_index and document_end_index do not lie in the input"),
        (scroll(query_start_index=None), "query_start_index and query_end_index do not lie in the input"),
        (scroll(input=3), "line 1: the field 'input' is not a text"),
        (scroll(output=None), "line 1: the field 'output' is not a text"),
    ],
)
def test_a_bad_scroll(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_task("zeroscrolls", write_rows(tmp_path / "qasper" / "validation.jsonl", [row]), 1, 1)


def test_a_scroll_of_a_data_set_that_is_not_scored(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of ZeroSCROLLS' data sets that are scored is named: gov_report"):
        load_task("zeroscrolls", write_rows(tmp_path / "space_digest" / "validation.jsonl", [scroll()]), 1, 1)


# --- MeetingBank -------------------------------------------------------------------------------------------


def test_a_meeting_and_its_summary(tmp_path: Path) -> None:
    rows = [{"id": i, "transcript": f"We vote on item {i}. Passed.", "summary": f"Item {i} passed."} for i in range(3)]
    file = tmp_path / "test.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = load_task("meetingbank", file, 2, 1)
    prompt = task.prompts[0]
    assert prompt.context.startswith("We vote on item") and prompt.queries[0].text.endswith("\nSummary:")
    assert task.graded([prompt.queries[0].answer], prompt.queries)["ROUGE mean"] == [1]
    with pytest.raises(InputError, match="4 prompts asked for, but the rows of meetingbank are 3"):
        load_task("meetingbank", file, 4, 1)
