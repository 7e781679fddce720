"""What fitting and training are tested with: a rule that can be learnt, its opposite, and settings for toy prompts."""

from __future__ import annotations

from dataclasses import replace

from model.prompt import Token
from model.training.fit import FitConfig

# About three steps in an epoch of six toy prompts.
QUICK = FitConfig(epochs=4, patience=4, tokens=110, rate=0.01, head_factor=1.0)
ONE_STEP = replace(QUICK, tokens=10_000)  # in an epoch


def is_word(token: Token) -> bool:
    return token.text.isalpha()


def is_sign(token: Token) -> bool:
    return not is_word(token)
