"""`diffumask train`: train a denoiser on pairs."""

from __future__ import annotations

import argparse
from pathlib import Path

from .tools import Commands, command, count


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "train",
        "train a denoiser on pairs and write a new checkpoint",
        "  %(prog)s --pairs pairs.jsonl --data data --out checkpoints/mine\n"
        "  %(prog)s --pairs a.jsonl b.jsonl --data data --out checkpoints/mine --resume\n"
        "  %(prog)s --units --pairs asked.jsonl --data data --out checkpoints/mine",
        extra="train",
    )
    flag = parser.add_argument
    flag("--pairs", type=Path, required=True, nargs="+", metavar="FILE", help="JSONL files that `teach` made")
    flag("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets that the pairs refer to")
    flag("--out", type=Path, required=True, metavar="DIR", help="folder for the checkpoint; must not exist yet")
    flag(
        "--base",
        default="minilm",
        metavar="NAME",
        help="encoder to start from: minilm, a Hugging Face name or a folder (default minilm)",
    )
    flag("--parent", type=Path, metavar="DIR", help="checkpoint to go on from, instead of --base")
    flag("--warm-up", type=int, metavar="N",
         help="random coherent masks to learn first (default 2000; with --parent 0)")  # fmt: skip
    flag("--warm-up-rate", type=float, default=1e-4, metavar="R", help="peak learning rate of that (default 1e-4)")
    flag("--epochs", type=count, metavar="N", help="passes over the pairs at the most (default 30; units: 6)")
    flag("--tokens", type=count, default=512, metavar="N", help="prompt tokens per optimiser step (default 512)")
    flag("--rate", type=float, metavar="R", help="peak learning rate on the pairs (default 3e-5; units: 3e-3)")
    flag("--mask-temperature", "--warmth", type=float, default=0.5, metavar="T",
         help="of a prompt's masks, one that scores T standard deviations less is learnt 1/e times as often "
         "(default 0.5)")  # fmt: skip
    flag("--seed", type=int, default=0, metavar="N", help="of everything random (default 0)")
    flag(
        "--units",
        action="store_true",
        help="train the unit head, on the pairs of `teach --kinds`; the token denoiser stays as --parent has it. "
        "What the sentence encoder reads is kept in OUT.features, from where an interrupted run goes on",
    )
    flag("--share", type=_share, action="append", default=[], metavar="KIND=N",
         help="units: learn the prompts of a kind N times in an epoch (default qmsum=3 and redundant=3)")  # fmt: skip
    flag("--resume", action="store_true", help="go on with an interrupted run")
    parser.set_defaults(run=run)


def _share(text: str) -> tuple[str, int]:
    kind, _, times = text.partition("=")
    return kind, count(times)


def run(arguments: argparse.Namespace) -> None:
    (_train_units if arguments.units else _train_tokens)(arguments)


def _train_units(arguments: argparse.Namespace) -> None:
    from ..training.fit_units import UnitFitConfig
    from ..training.train_units import TrainUnitsConfig, train_units

    usual = UnitFitConfig()
    train_units(
        TrainUnitsConfig(
            pairs=tuple(arguments.pairs),
            data=arguments.data,
            out=arguments.out,
            parent=arguments.parent,
            fit=UnitFitConfig(
                epochs=arguments.epochs or usual.epochs,
                rate=arguments.rate or usual.rate,
                shares={**usual.shares, **dict(arguments.share)},
                seed=arguments.seed,
            ),
        )
    )


def _train_tokens(arguments: argparse.Namespace) -> None:
    from ..training.fit import FitConfig
    from ..training.train import TrainConfig, train

    train(
        TrainConfig(
            pairs=tuple(arguments.pairs),
            data=arguments.data,
            out=arguments.out,
            base=arguments.base,
            parent=arguments.parent,
            warm_up=arguments.warm_up,
            warm_up_rate=arguments.warm_up_rate,
            temperature=arguments.mask_temperature,
            resume=arguments.resume,
            fit=FitConfig(
                epochs=arguments.epochs or 30, tokens=arguments.tokens, rate=arguments.rate or 3e-5, seed=arguments.seed
            ),
        )
    )
