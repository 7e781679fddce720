"""Likeness of texts: BLEU and ROUGE by hand and against their packages, BERTScore against a plain double loop."""

from __future__ import annotations

import doctest
import math
import string
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

import model.evaluation.metrics.text_metrics
from model.errors import InputError
from model.evaluation.metrics.text_metrics import BertScore, _spans, bleu, corpus_bleu, exact_match, rouge, rouge_l
from tests.support.tiny import tiny_checkpoint

TEXT = "The ministers met again in the capital to discuss the trade agreement after three days of talks."
EXCERPT = "The ministers met again in the capital"
OTHER = "My cat likes to sleep on the warm kitchen floor in winter."


@pytest.fixture(scope="module")
def bert() -> BertScore:
    return BertScore("tiny", tiny_checkpoint(window=16, overlap=4), torch.device("cpu"))


# --- words in common ---------------------------------------------------------------------------------------


def test_bleu_of_an_excerpt_is_its_brevity_penalty() -> None:
    assert bleu("the cat sat on the", "the cat sat on the mat today") == pytest.approx(100 * math.exp(1 - 7 / 5))
    assert bleu(TEXT, TEXT) == pytest.approx(100) and bleu("", TEXT) == 0


def test_corpus_bleu_weighs_texts_by_their_length() -> None:
    pairs = (TEXT, "a b c d e"), (TEXT, "v w x y z")
    both = corpus_bleu(*pairs)
    assert (bleu(TEXT, TEXT) + bleu(pairs[0][1], pairs[1][1])) / 2 + 5 < both < 100
    with pytest.raises(InputError, match="1 hypotheses for 2 references"):
        corpus_bleu(["a"], ["a", "b"])


def test_rouge_of_a_case_computed_by_hand() -> None:
    # "the cat on the mat sat" holds all 3 words (P 1, R 3/6), 1 of 2 pairs (P 1/2, R 1/5), all 3 in order
    found = rouge("the cat sat", "the cat on the mat sat")
    assert (found.rouge1, found.rouge2, found.rouge_l) == pytest.approx((2 / 3, 2 / 7, 2 / 3))
    assert rouge_l("sat cat the", "the cat on the mat sat") == pytest.approx(4 / 9)  # "cat the"; P 2/3, R 2/6


@given(st.text(string.printable, max_size=40), st.text(string.printable, max_size=40))
def test_rouge_is_that_of_the_package_on_ascii(a: str, b: str) -> None:
    wanted = rouge_scorer.RougeScorer(["rouge1", "rougeL"]).score(b, a)
    assert (rouge(a, b).rouge1, rouge_l(a, b)) == (wanted["rouge1"].fmeasure, wanted["rougeL"].fmeasure)


@pytest.mark.parametrize("text", ["Ο ποταμός είναι βαθύς", "東京は今日も雨です", "река глубока"])
def test_rouge_reads_every_script(text: str) -> None:
    assert rouge_l(text, text) == 1 and 0 < rouge_l(text[:4], text) < 1


def test_exact_match_minds_everything_but_white_space() -> None:
    assert exact_match(" a  b\n", "a b") and not exact_match("a b", "a B") and not exact_match("ab", "a b")


def test_texts_too_long_to_compare_are_an_input_error(monkeypatch: pytest.MonkeyPatch, bert: BertScore) -> None:
    monkeypatch.setattr(model.evaluation.metrics.text_metrics, "MOST_WORD_PAIRS", 20)
    assert rouge_l("a b c d", "a b c d e") == pytest.approx(8 / 9)
    with pytest.raises(InputError, match="texts of 3 and 7 words are too long to compare"):
        rouge_l("a b c", "a b c d e f g")
    with pytest.raises(InputError, match="subwords are too long"):
        bert.score(["abcde"], ["abcde"])


# --- BERTScore ---------------------------------------------------------------------------------------------


def plain_match(bert: BertScore, hypothesis: str, reference: str) -> tuple[float, float]:
    """Precision and recall by the definition, one text and one subword at a time."""
    rows = []
    for text in (hypothesis, reference):
        ids = torch.tensor([bert.tokenizer(text).input_ids])
        if ids[0, 0] != bert.tokenizer.cls_token_id:
            ids = torch.cat([torch.tensor([[bert.tokenizer.cls_token_id]]), ids], 1)
            ids = torch.cat([ids, torch.tensor([[bert.tokenizer.sep_token_id]])], 1)
        with torch.inference_mode():
            rows.append(list(bert.backbone(ids).last_hidden_state[0, 1:-1]))
    same = [[float(torch.cosine_similarity(x, y, dim=0)) for y in rows[1]] for x in rows[0]]
    precision = sum(max(row) for row in same) / len(same)
    recall = sum(max(row[j] for row in same) for j in range(len(rows[1]))) / len(rows[1])
    return precision, recall


@pytest.mark.parametrize(("a", "b"), [("a cat", "the dog sat"), ("see him", "see it"), ("x", "abc def 12")])
def test_bert_score_is_its_definition(bert: BertScore, a: str, b: str) -> None:
    [(precision, recall, f1)] = bert.score([a], [b])
    assert (precision, recall) == pytest.approx(plain_match(bert, a, b), abs=1e-5)
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    [swapped] = bert.score([b], [a])
    assert (swapped.precision, swapped.recall) == pytest.approx((recall, precision), abs=1e-5)
    assert max(precision, recall) < 0.999  # else any order of the two would pass


def test_many_long_texts_score_as_each_alone(bert: BertScore) -> None:
    hypotheses = [TEXT[: 3 * i] for i in range(20)]  # up to 4 windows; the first is empty
    together = bert.score(hypotheses, [TEXT] * 20)
    alone = [bert.score([text], [TEXT])[0] for text in hypotheses]
    torch.testing.assert_close(torch.tensor(together), torch.tensor(alone), atol=1e-5, rtol=0)
    assert together[0] == (0, 0, 0) and len({round(f1, 4) for _, _, f1 in together}) > 15
    assert bert.score([TEXT], [TEXT])[0] == pytest.approx((1, 1, 1), abs=1e-5)


def test_windows_put_together_are_the_text(bert: BertScore, monkeypatch: pytest.MonkeyPatch) -> None:
    def themselves(windows: list[list[int]]) -> torch.Tensor:
        rows = [torch.nn.functional.one_hot(torch.tensor(window), 999).float() for window in windows]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)

    monkeypatch.setattr(bert, "_hidden", themselves)
    texts = [TEXT, EXCERPT, OTHER]
    for text, vectors in bert._embed(texts).items():
        ids = bert.tokenizer(text, add_special_tokens=False).input_ids
        assert vectors.argmax(1).tolist() == ids and len(ids) > bert.window


@given(st.integers(0, 200), st.integers(1, 40))
def test_windows_tile_the_text_and_fit(length: int, width: int) -> None:
    spans = list(_spans(length, width))
    assert [i for _, _, first, last in spans for i in range(first, last)] == list(range(length))
    assert all(start <= first < last <= end and end - start <= width for start, end, first, last in spans)


def test_the_shipped_encoder_finds_an_excerpt_more_alike_than_another_text() -> None:
    bert = BertScore.load("shipped", "cpu")
    same, excerpt, other = bert.score([TEXT, EXCERPT, OTHER], [TEXT] * 3)
    assert same == pytest.approx((1, 1, 1), abs=1e-4) and excerpt.f1 > other.f1 + 0.1
    assert excerpt.precision > excerpt.recall + 0.1  # what is missing is a matter of recall
    assert bert.name.startswith("diffumask-")


def test_an_unknown_encoder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot load the encoder"):
        BertScore.load(tmp_path, "cpu")


def test_spans_example() -> None:
    example = doctest.DocTestFinder().find(_spans, globs=vars(model.evaluation.metrics.text_metrics))
    assert doctest.DocTestRunner().run(example[0]).failed == 0
