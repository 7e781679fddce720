"""The packages of the wheel: model/ and all below it, under the name `diffumask`. All else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(packages=["diffumask", *(f"diffumask.{package}" for package in find_packages("model"))])
