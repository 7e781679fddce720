"""LongBench (Bai et al. 2023, arXiv 2308.14508) from the hub or a folder: its published fields and metrics.

What frames a context is worded here, the same for all methods, so figures compare with each other, not with published
ones. Code completion, whose metric is an edit distance, is left out. ROUGE-L and F1 of Chinese are by characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from . import grading
from .reading import chosen
from .request import TaskRequest
from .sources import SourceRow, read_rows, text_of, texts_of
from .task import EvaluationPrompt, Grade, Query, Task

_QUESTION = "\n\n".join(("Question: {input}", "Answer:"))
_BRIEFLY = "Answer the question from the text in a few words, without an explanation."
_ARTICLE = "Answer the question from the article in a few words; or with yes, no or unanswerable."
_BRIEFLY_ZH, _QUESTION_ZH = "请根据文章用几个词回答问题。", "问题：{input}\n回答："
_WHICH = "{input}\n\nWhich paragraph is this the abstract of? Answer like: Paragraph 1\n\nAnswer:"
_WHICH_ZH = "{input}\n\n这是哪一段的摘要？请像这样回答：段落1\n\n回答："


@dataclass(frozen=True)
class Subset:
    """One of its data sets.

    Attributes:
        before, after: what stands around the context; `after` holds {input}, the question.
        new_tokens: of an answer, at most.
    """

    before: str
    after: str
    grade: Grade
    new_tokens: int


def _questions(new_tokens: int, before: str = _BRIEFLY, after: str = _QUESTION) -> Subset:
    return Subset(before, after, grading.f1, new_tokens)


def _summaries(before: str = "Summarize the text in about a page.", after: str = "Summary:") -> Subset:
    return Subset(before, after, grading.summary, 512)


def _as_shown(grade: Grade, new_tokens: int, before: str = "Go on as in the examples.") -> Subset:
    return Subset(before, "{input}", grade, new_tokens)


SUBSETS: Mapping[str, Subset] = {
    "narrativeqa": _questions(128),
    "qasper": _questions(128, _ARTICLE),
    "multifieldqa_en": _questions(64),
    "multifieldqa_zh": _questions(64, _BRIEFLY_ZH, _QUESTION_ZH),
    **dict.fromkeys(("hotpotqa", "2wikimqa", "musique"), _questions(32)),
    "dureader": Subset("请根据文章回答问题。", _QUESTION_ZH, grading.summary, 128),
    **dict.fromkeys(("gov_report", "multi_news"), _summaries()),
    "qmsum": _summaries("Answer the query from the transcript of the meeting, in one or more sentences.", _QUESTION),
    "vcsum": _summaries("请总结下面的会议记录。", "会议总结："),
    "trec": _as_shown(grading.one_of_the_classes, 64),
    "lsht": _as_shown(grading.one_of_the_classes, 64, "请按照例子判断新闻的类别。"),
    "triviaqa": _as_shown(grading.f1, 32),
    "samsum": _as_shown(grading.summary, 128),
    "passage_count": Subset(
        "How many different paragraphs are there, each counted once?", "Number:", grading.number, 32
    ),
    "passage_retrieval_en": Subset("Read the numbered paragraphs.", _WHICH, grading.number, 32),
    "passage_retrieval_zh": Subset("请阅读下面编号的段落。", _WHICH_ZH, grading.number, 32),
}


def load(request: TaskRequest) -> Task:
    """A file of one data set, such as qasper.jsonl, or "hub:THUDM/LongBench/qasper": input, context, answers, dataset,
    all_classes. The same rows with every method.

    Raises InputError when a row is not one, the data set is unknown, or there are too few rows.
    """
    rows = read_rows(request.place)
    name = _name(rows[0], request)
    subset = SUBSETS[name]
    drawn = chosen(request, rows, f"the rows of {name}")
    prompts = tuple(_prompt(i, row, subset) for i, row in enumerate(drawn))
    return Task(request.name, prompts, (), (), grade=subset.grade, new_tokens=subset.new_tokens)


def _name(row: SourceRow, request: TaskRequest) -> str:
    of_file = request.place.name.split(".")[0] if isinstance(request.place, Path) else ""
    name = str(row[1].get("dataset") or of_file).removesuffix("_e")
    if name not in SUBSETS:
        raise InputError(f"{row[0]}: {name!r} is none of LongBench's data sets that are scored: {', '.join(SUBSETS)}")
    return name


def _prompt(index: int, row: SourceRow, subset: Subset) -> EvaluationPrompt:
    asked = str(row[1].get("input") or "").strip()
    answers = texts_of(row, "answers")
    classes = row[1].get("all_classes") or ()
    if not all(isinstance(name, str) for name in classes):
        raise InputError(f"{row[0]}: the field 'all_classes' is not a list of words")
    after = subset.after.replace("{input}", asked)
    return EvaluationPrompt(
        index,
        text_of(row, "context"),
        rows=(row[0].rpartition("/")[2],),
        queries=(Query(after, answers[0], None, answers=answers, classes=tuple(classes)),),
        instruction=subset.before,
        question=asked or after,
    )
