"""A task of two prompts and four queries."""

from __future__ import annotations

from model.evaluation.tasks.task import EvaluationPrompt, Query, Task

WORDS = ("World", "Sports")
NEWS = "Article: Rain fell on 2 towns.\nAnswer: World\n\nArticle: Ann won, not Bo.\nAnswer: Sports"


SUMS = "Question: Tom has 3 apples and buys 4 more. How many?\nAnswer: 3 + 4 = <<3+4=7>>7\n#### 7"


def small_task(labelled: bool) -> Task:
    rows = [("A storm closed the port", 0), ("The keeper saved it", 1), ("Ministers met", 0), ("Rain stopped play", 1)]
    queries = tuple(Query(f"Article: {text}\nAnswer:", WORDS[i], i if labelled else None) for text, i in rows)
    prompts = tuple(EvaluationPrompt(i, text, WORDS if labelled else ()) for i, text in enumerate((NEWS, SUMS)))
    return Task("agnews", prompts, queries, WORDS if labelled else ())
