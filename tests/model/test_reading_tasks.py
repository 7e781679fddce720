"""Tasks over documents and chains of thought: how prompts are built, and that nothing trained on is asked."""

from __future__ import annotations

import doctest
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import model.evaluation.tasks.layouts
from model.errors import InputError
from model.evaluation.metrics.answers import contains
from model.evaluation.tasks.grading import after_thought
from model.evaluation.tasks.layouts import LAYOUTS, arrange
from model.evaluation.tasks.load import load_task
from model.evaluation.tasks.request import TaskOptions
from model.evaluation.tasks.task import EvaluationPrompt, Task
from tests.support.questions import TOWNS, TRAINED, nq_rows, write_questions, write_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_questions(tmp_path_factory.mktemp("questions"))


def load(folder: Path | None, name: str, prompts: int = 3, queries: int = 100, **options: Any) -> Task:
    return load_task(name, folder, prompts, queries, options=TaskOptions(**options))


def gold_of(prompt: EvaluationPrompt) -> list[int]:
    """Which documents hold an answer."""
    accepted = prompt.queries[0].accepted
    return [i for i, part in enumerate(prompt.parts) if contains(prompt.context[part.start : part.end], accepted)]


# --- nq ----------------------------------------------------------------------------------------------------


def test_one_of_the_documents_answers_and_the_others_are_near(folder: Path) -> None:
    task = load(folder / "qa", "nq", len(TOWNS), documents=5)
    assert task == load(folder / "qa", "nq", len(TOWNS), documents=5) and task.extractive
    asked = {prompt.queries[0].row for prompt in task.prompts}
    assert asked == {f"row:{i}" for i in range(TRAINED, TRAINED + len(TOWNS))}, "rows before may be trained on"
    places = Counter[int]()
    for prompt in task.prompts:
        assert len(prompt.parts) == 5 and len(gold_of(prompt)) == 1
        assert all("The town of" in prompt.context[slice(*part.body)] for part in prompt.parts), "hard distractors"
        places.update(gold_of(prompt))
    assert len(places) > 2, "its place is drawn"
    assert [p.context for p in load(folder / "qa", "nq", 4, documents=5).prompts] == [
        p.context for p in task.prompts[:4]
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_places(folder: Path, layout: str) -> None:
    for place in (1, 3):
        for prompt in load(folder / "qa", "nq", 2, documents=3, layout=layout, place=place).prompts:
            assert gold_of(prompt) == [place - 1]
            bodies = [prompt.context[slice(*part.body)] for part in prompt.parts]
            assert all(body.startswith("The town of") and body.endswith("rare.") for body in bodies)
            if layout != "markdown":
                assert all("History of" in prompt.context[part.start : part.body[0]] for part in prompt.parts)


def test_what_a_reader_gets_of_the_question(folder: Path) -> None:
    last, first = (load(folder / "qa", "nq", 1, question_first=which).prompts[0] for which in (False, True))
    question = last.question
    assert question.endswith("?") and question == first.question
    assert last.queries[0].text == f"Question: {question}\nAnswer:" and question not in last.instruction
    assert first.queries[0].text == "Answer:" and first.instruction.endswith(f"Question: {question}")
    for prompt in (last, first):
        whole, start = prompt.whole
        assert whole[start:].startswith(prompt.context) and whole.endswith(prompt.queries[0].text)
        assert whole.count(question) == 1


def test_the_trained_split_must_be_named(folder: Path) -> None:
    task = load(folder / "qa", "nq", 2, split="train", documents=2)
    assert all(int(prompt.queries[0].row.split(":")[1]) < TRAINED for prompt in task.prompts)
    with pytest.raises(InputError, match="nq has no split 'dev'; known: test, train"):
        load(folder / "qa", "nq", 2, split="dev")


# --- xquad -------------------------------------------------------------------------------------------------


def test_articles_are_held_out_in_every_language(folder: Path) -> None:
    tasks = {language: load(folder / "qa", "xquad", 4, language=language) for language in ("en", "zh")}
    for task in tasks.values():
        assert task.extractive
        assert all(len(prompt.parts) == 2 for prompt in task.prompts), "all paragraphs of the article"
        assert {prompt.queries[0].answer[0] for prompt in task.prompts} == {"3", "6"}
    rows = [[prompt.rows[0].split(" line ")[1] for prompt in task.prompts] for task in tasks.values()]
    assert rows[0] == rows[1], "the same questions in each"
    assert tasks["zh"].prompts[0].queries[0].text.endswith("\n回答：")
    trained = load(folder / "qa", "xquad", 8, split="train").prompts
    assert {prompt.queries[0].answer[0] for prompt in trained} == {"1", "2", "4", "5"}
    with pytest.raises(InputError, match="xquad has no language 'tlh'; known: en, de"):
        load(folder / "qa", "xquad", language="tlh")


# --- qmsum and pubmedqa ------------------------------------------------------------------------------------


def test_gold_turns_of_a_meeting(folder: Path) -> None:
    task = load(folder / "qmsum", "qmsum", 2)
    assert not task.extractive
    for prompt in task.prompts:
        (start, end), *more = prompt.gold
        lines = prompt.context[start:end].split("\n")
        assert not more and [line[:28] for line in lines] == [
            "Bo: We talk about point 4 fo",
            "Ann: We talk about point 5 f",
            "Bo: We talk about point 6 fo",
        ]
        assert len(prompt.parts) == 10 and prompt.context[slice(*prompt.parts[1].body)].startswith("We talk")
    assert {row for prompt in task.prompts for row in prompt.rows} == {"val.jsonl line 1", "val.jsonl line 2"}
    general = load(folder / "qmsum", "qmsum-general", 2)
    assert general.prompts[0].gold == () and general.prompts[0].question == "Summarize the meeting"


def test_answers_of_abstracts_are_balanced(folder: Path) -> None:
    task = load(folder / "qa", "pubmedqa", 3)
    assert sorted(prompt.queries[0].answer for prompt in task.prompts) == ["maybe", "no", "yes"]
    assert task.labels == ("yes", "no", "maybe")
    assert [task.labels[p.queries[0].label or 0] for p in task.prompts] == [p.queries[0].answer for p in task.prompts]
    assert task.prompts[0].context.startswith("AIM: We asked.\n\nMETHODS: Salt")


# --- chains of thought -------------------------------------------------------------------------------------


def test_big_bench_prompts_and_their_examples(folder: Path) -> None:
    task = load(folder / "prompts", "bbh", 2, queries=3)
    for prompt in task.prompts:
        assert prompt.instruction == "Add numbers." and prompt.context.startswith("Q: Add 0") and not prompt.question
        assert [prompt.context[part.start : part.start + 8] for part in prompt.parts] == [
            f"Q: Add {i}" for i in range(3)
        ]
        assert len(prompt.queries) == 3
        assert {query.row for query in task.held_out(prompt)}.isdisjoint(query.row for query in prompt.queries)
    query = task.prompts[0].queries[0]
    assert query.text.endswith("A: Let's think step by step.") and query.cue == "\nSo the answer is"
    assert after_thought(f"One more. So the answer is ({query.answer}).", query)["exact match"] == 1


def test_multi_hop_demonstrations_come_from_the_second_half(folder: Path) -> None:
    task = load(folder / "prompts", "hotpotqa", 5)
    for prompt in task.prompts:
        shown, asked = set(prompt.rows), {query.row for query in prompt.queries}
        assert len(shown) == len(prompt.parts) == 3 and len(asked) == 3 and not shown & asked
        assert all(int(row.rpartition(":")[2]) >= 6 for row in shown | asked)
        assert all(prompt.context[part.start : part.end].startswith("Wikipedia Title:") for part in prompt.parts)
    query = task.prompts[0].queries[0]
    assert query.text.endswith("\nA:") and after_thought(query.answer, query)["F1"] == 1


# --- needle ------------------------------------------------------------------------------------------------


def test_only_one_paragraph_holds_the_needle() -> None:
    task = load(None, "needle", 6, documents=30)
    assert task.extractive and task == load(None, "needle", 6, documents=30)
    assert all(len(gold_of(prompt)) == 1 and len(prompt.parts) == 30 for prompt in task.prompts)
    placed = load(None, "needle", 3, documents=30, place=30)
    assert all(gold_of(prompt) == [29] for prompt in placed.prompts)
    long = load(None, "needle", 1, documents=300).prompts[0].context
    assert 20_000 < len(long.split()) < 40_000


# --- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("nq", {"prompts": 13}, "13 prompts asked for, but the 12 rows"),
        ("nq", {"place": 9}, "place 9 lies behind the last of 8 documents"),
        ("nq", {"documents": 2000}, "2000 documents asked for, but"),
        ("qmsum", {"split": "dev"}, "qmsum has no split 'dev'"),
        ("bbh", {"prompts": 3}, "3 prompts asked for, but the tasks of bbh are 2"),
        ("hotpotqa", {"split": "dev"}, "hotpotqa has no split 'dev'"),
        ("needle", {"documents": 1001}, "1001 documents are more than"),
    ],
)
def test_asking_for_what_is_not_there(folder: Path, name: str, options: dict[str, Any], says: str) -> None:
    at = {"nq": "qa", "qmsum": "qmsum", "bbh": "prompts", "hotpotqa": "prompts", "needle": "qa"}[name]
    with pytest.raises(InputError, match=says):
        load(folder / at, name, **options)


@pytest.mark.parametrize(
    ("name", "file", "row", "says"),
    [
        ("nq", "nq.jsonl", nq_rows()[0] | {"answers": []}, "line 1: the field 'answers' is not a list of texts"),
        ("nq", "nq.jsonl", nq_rows()[0] | {"answers": [3]}, "line 1: the field 'answers' is not a text"),
        ("nq", "nq.jsonl", {"question": "who"}, "line 1 has no field 'title'"),
        ("xquad", "xquad.en.jsonl", {"article": "1"}, "line 1: the field 'article' is not a whole number"),
        ("qmsum", "val.jsonl", {"turns": 3}, "line 1: the field 'specific' is not a list"),
        (
            "qmsum",
            "val.jsonl",
            {"turns": [["Ann"]], "specific": [{"query": "a", "answer": "b"}]},
            "line 1: a turn is not a speaker and a text",
        ),
        (
            "qmsum",
            "val.jsonl",
            {"turns": [], "specific": [{"query": "a", "answer": "b", "relevant_text_span": [["x", "y"]]}]},
            "the field 'relevant_text_span' is not a list of turn numbers",
        ),
        ("pubmedqa", "pubmedqa.jsonl", {"answer": "perhaps"}, "line 1: the field 'answer' is none of yes, no, maybe"),
        ("bbh", "bbh.jsonl", {"examples": []}, "line 1: the field 'examples' is empty"),
        ("bbh", "bbh.jsonl", {"task": "a", "examples": 3}, "line 1: the field 'examples' is not a list"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, name: str, file: str, row: dict[str, Any], says: str) -> None:
    write_rows(tmp_path / file, [row])
    with pytest.raises(InputError, match=says):
        load(tmp_path, name, 1)


@pytest.mark.parametrize("name", ["nq", "xquad", "qmsum", "pubmedqa", "bbh", "hotpotqa"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not there; --data must name it"):
        load(tmp_path, name)
    with pytest.raises(InputError, match=f"{name} needs --data"):
        load(None, name)


def test_a_damaged_archive_and_a_broken_demonstration(tmp_path: Path) -> None:
    (tmp_path / "nq.jsonl.gz").write_bytes(b"\x1f\x8b not an archive")
    with pytest.raises(InputError, match="cannot read .*nq.jsonl.gz"):
        load(tmp_path, "nq")
    (tmp_path / "ircot_hotpotqa.txt").write_text("# METADATA: {}\nNo question here.\n")
    with pytest.raises(InputError, match="demonstration 1 has no question after 'Q: '"):
        load(tmp_path, "hotpotqa")


def test_titles_may_hold_anything() -> None:
    for layout in LAYOUTS:
        context, documents = arrange([("{n} {title} {{", "{x}"), ("", "b")], layout)
        assert [context[slice(*document.body)] for document in documents] == ["{x}", "b"]


def test_examples() -> None:
    assert doctest.testmod(model.evaluation.tasks.layouts).failed == 0
