"""XQuAD (Artetxe et al. 2020): the same questions in several languages, each over all paragraphs of its article."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import InputError
from ..metrics.answers import contains
from . import grading
from .layouts import arrange
from .reading import SHORT_ANSWER, chosen, question_prompt, split_of
from .request import TaskRequest
from .sources import SourceRow, find_file, read_jsonl_rows, text_of, texts_of
from .task import Task

LAYOUT = "plain"
HELD_OUT = 3  # articles whose number is a multiple of this one are never trained on, in no language

# What to do, and what stands before question and answer.
LANGUAGES: Mapping[str, tuple[str, str, str]] = {
    "en": ("Answer the question from the text.", "Question: ", "Answer:"),
    "de": ("Beantworte die Frage anhand des Textes.", "Frage: ", "Antwort:"),
    "es": ("Responde a la pregunta a partir del texto.", "Pregunta: ", "Respuesta:"),
    "zh": ("请根据文章回答问题。", "问题：", "回答："),
    "ar": ("أجب عن السؤال من النص.", "السؤال: ", "الإجابة:"),
    "ru": ("Ответь на вопрос по тексту.", "Вопрос: ", "Ответ:"),
    "hi": ("पाठ के आधार पर प्रश्न का उत्तर दें।", "प्रश्न: ", "उत्तर:"),
    "th": ("ตอบคำถามจากข้อความ", "คำถาม: ", "คำตอบ:"),
}


def load(request: TaskRequest) -> Task:
    """A file xquad.LANGUAGE.jsonl of article, paragraph, question, answers, text.

    Split test (the default): articles whose number is a multiple of three; train: the others; the same in every
    language. Raises InputError when a row is not one, or there are too few.
    """
    language = request.options.language
    if language not in LANGUAGES:
        raise InputError(f"xquad has no language {language!r}; known: {', '.join(LANGUAGES)}")
    path = find_file(request.folder(), f"xquad.{language}.jsonl")
    rows = read_jsonl_rows(path)
    held = [_number(row, "article") % HELD_OUT == 0 for row in rows]
    test, train = ([row for row, out in zip(rows, held, strict=True) if out is which] for which in (True, False))
    split = split_of(request, {"test": test, "train": train}, "test")
    articles = _articles(rows)
    usable = [row for row in split if contains(text_of(row, "text"), texts_of(row, "answers"))]
    instruction, question, answer = LANGUAGES[language]
    prompts = [
        question_prompt(
            i,
            arrange(articles[_number(row, "article")], request.options.layout or LAYOUT),
            text_of(row, "question"),
            texts_of(row, "answers"),
            instruction=instruction,
            words=(question, answer),
            first=request.options.question_first,
            row=row[0].rpartition("/")[2],
        )
        for i, row in enumerate(chosen(request, usable, f"the questions of that split in {path.name}"))
    ]
    return Task(request.name, tuple(prompts), (), (), grade=grading.short_answer, new_tokens=SHORT_ANSWER)


def _articles(rows: Sequence[SourceRow]) -> dict[int, list[tuple[str, str]]]:
    """The paragraphs of each article in their order, untitled."""
    found: dict[int, dict[int, str]] = {}
    for row in rows:
        found.setdefault(_number(row, "article"), {})[_number(row, "paragraph")] = text_of(row, "text")
    return {article: [("", texts[i]) for i in sorted(texts)] for article, texts in found.items()}


def _number(row: SourceRow, name: str) -> int:
    value = row[1].get(name)
    if type(value) is not int:
        raise InputError(f"{row[0]}: the field {name!r} is not a whole number")
    return value
