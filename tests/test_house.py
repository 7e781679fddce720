"""Rules of the house: what may import what, how long a file may be, which names are taken, where tests lie.

Everything is read from the source, so that imports inside functions and for type checkers count as well.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "annotations", "model")  # from top to bottom
MOST_LINES = 400

# From top to bottom. A module imports from its own floor and from those below, never from above.
FLOORS = (
    {"app.ui"},
    {
        "app.account",
        "app.api",
        "app.compare",
        "app.correct",
        "app.review",
        "app.explore",
        "app.learn",
        "app.results",
    },
    {"app.studio"},
    {"app.answering", "app.background"},
    {"app.components", "app.opened"},
    {"app", "app.examples", "app.settings", "app.web"},
    {"app.hosting"},
    {"annotations"},
    {"model.__main__"},
    {"model.cli"},
    {"model.service"},
    {"model.evaluation"},
    {"model.training"},
    {"model.teacher"},
    {"model", "model.corpus", "model.llm", "model.llmlingua"},  # model/__init__.py itself, not what lies below it
    {"model.onnx"},
    {"model.compress"},
    {"model.messages", "model.ranking"},
    {"model.request"},
    {"model.integrations"},  # they are handed a compressor
    {"model.denoiser"},
    {"model.diffusion"},
    {"model.data", "model.relevance"},
    {"model.layers"},
    {"model.devices", "model.linear", "model.memory", "model.turns"},
    {"model.verdict", "model.reader"},
    {"model.pretrained", "model.hub"},
    {"model.record"},
    {"model.fields"},
    {"model.prompt"},
    {"model.bounded"},
    {"model.errors"},
)
TORCH_FREE = (
    "model.errors",
    "model.fields",
    "model.record",
    "model.prompt",
    "model.verdict",
    "model.hub",
    "annotations",
)  # those that are there, and all below

# Names that several modules give on purpose, with the reason.
SHARED_NAMES = {
    "add": "every command of model/cli adds its parser so",
    "run": "every command of model/cli is run so",
    "load": "every task of model/evaluation/tasks is loaded so",
    "main": "model/cli and annotations/cli are two programs",
    "build_parser": "model/cli and annotations/cli are two programs",
}

Graph = Mapping[str, set[str]]


# --- what the source says ----------------------------------------------------------------------------------


@cache
def modules() -> dict[str, Path]:
    """Name -> file of every module: {"model.prompt": .../model/prompt/__init__.py, ...}."""
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path, package: str = "") -> frozenset[str]:
    """Every dotted name that a file imports anywhere, relative ones counted from its `package`.

    `from a.b import c` gives a.b.c, for c may be a module; `module_of` cuts what is none.
    """
    names = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imports_of(module: str) -> frozenset[str]:
    """Every dotted name that a module of ours imports."""
    file = modules()[module]
    return imports(file, module if file.name == "__init__.py" else module.rpartition(".")[0])


def module_of(name: str) -> str:
    """The longest beginning of a dotted name that is a module here; "" for other people's."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name


@cache
def graph() -> dict[str, set[str]]:
    """Module -> the modules here that it imports."""
    return {module: {module_of(name) for name in imports_of(module)} - {"", module} for module in modules()}


def folder(module: str) -> str:
    """The folder or file right below the package: "model.llm.causal" -> "model.llm"."""
    return ".".join(module.split(".")[:2])


def folders(graph: Graph) -> dict[str, set[str]]:
    """The same graph between folders."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for module, imported in graph.items():
        arrows[folder(module)] |= {folder(name) for name in imported} - {folder(module)}
    return arrows


def circle(graph: Graph) -> list[str]:
    """One circle of imports, as a, b, ..., a; [] where there is none."""
    innocent: set[str] = set()  # no circle can be reached from these

    def search(path: list[str]) -> list[str]:
        for name in sorted(graph.get(path[-1], ())):
            if name in path:
                return [*path[path.index(name) :], name]
            if name not in innocent and (way_round := search([*path, name])):
                return way_round
        innocent.add(path[-1])
        return []

    return next(filter(None, (search([name]) for name in sorted(graph))), [])


def floor(module: str) -> int:
    """How far from the top a module lies, by its longest beginning in FLOORS."""
    while module:
        for number, names in enumerate(FLOORS):
            if module in names:
                return number
        module = module.rpartition(".")[0]
    raise LookupError(module)


# --- imports -----------------------------------------------------------------------------------------------


def test_the_search_finds_circles() -> None:
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_that_are_late_relative_or_for_types_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text("from ..x import y\nif TYPE_CHECKING:\n    from . import z\ndef f():\n    import q.r\n")
    assert sorted(imports(file, "a.b")) == ["a.b.z", "a.x.y", "q.r"]


def test_no_module_imports_itself_round_a_circle() -> None:
    assert not (names := circle(graph())), " -> ".join(names)


def test_no_folder_imports_itself_round_a_circle() -> None:
    assert not (names := circle(folders(graph()))), " -> ".join(names)


def test_arrows_point_down() -> None:
    arrows = [(module, imported) for module, names in graph().items() for imported in names]
    up = [f"{module} -> {other}" for module, other in arrows if floor(other) < floor(module)]
    assert not up, "\n".join(up)


def test_every_folder_has_its_floor() -> None:
    assert {folder(module) for module in modules() if module.startswith(("app.", "model."))} <= set().union(*FLOORS)


def test_inside_model_imports_are_relative() -> None:
    """So that the same files are the package `diffumask` where they are installed."""
    own = [(module, file) for module, file in modules().items() if module.partition(".")[0] == "model"]
    assert [module for module, file in own for name in imports(file) if name.partition(".")[0] in PACKAGES] == []


def test_prompts_and_annotations_need_no_torch() -> None:
    names = [name for name in modules() if name.startswith(tuple(f"{free}." for free in TORCH_FREE))]
    names += [name for name in TORCH_FREE if name in modules()]
    code = "import sys, importlib\nsys.modules['torch'] = sys.modules['transformers'] = None\n" + "\n".join(
        f"importlib.import_module({name!r})" for name in sorted(names) if not name.endswith("__main__")
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- files and names ---------------------------------------------------------------------------------------


def test_files_are_short() -> None:
    files = [file for folder in (*PACKAGES, "tests", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    lines = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    assert {file: count for file, count in lines.items() if count > MOST_LINES} == {}


def definitions(file: Path) -> Iterator[tuple[str, bool]]:
    """The names that a module defines, and whether each is a class or function (else a constant)."""
    for node in tree(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, True
        elif isinstance(node, ast.Assign):
            yield from ((target.id, False) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, False


def taken() -> dict[str, set[str]]:
    """Public name -> the modules that define it. A constant is public once another module imports it."""
    imported = set().union(*(imports_of(module) for module in modules()))
    where: dict[str, set[str]] = defaultdict(set)
    for module, file in modules().items():
        for name, is_code in definitions(file):
            if not name.startswith("_") and (is_code or f"{module}.{name}" in imported):
                where[name].add(module)
    return where


def test_a_public_name_is_given_once() -> None:
    twice = {name: sorted(where) for name, where in taken().items() if len(where) > 1 and name not in SHARED_NAMES}
    assert not twice, "\n".join(f"{name}: {', '.join(where)}" for name, where in sorted(twice.items()))


# --- documents ---------------------------------------------------------------------------------------------

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUOTED_PATH = re.compile(r"`((?:app|annotations|model|tests|benchmarks|docs|results|examples)/[\w./-]*|[\w-]+\.py)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
MOST_README_LINES = 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_files_that_documents_name_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = {file.name for package in PACKAGES for file in (ROOT / package).rglob("*.py")} | {"app.py", "setup.py"}
    named = set(QUOTED_PATH.findall(text))
    named |= {f"{module.replace('.', '/')}.py" for module in re.findall(r"benchmarks\.\w+", text)}
    assert {path for path in named if path not in code and not (ROOT / path).exists()} == set()
    assert {link for link in LINK.findall(text) if not (document.parent / link).exists()} == set()


def test_a_stranger_reads_the_readme_to_the_end() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MOST_README_LINES


def test_the_reference_shows_all_of_the_model() -> None:
    pages = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "docs" / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    assert {folder(module) for module in modules() if module.startswith("model.")} - {"model.__main__"} <= shown


# --- tests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_are_called_like_what_they_test(package: str) -> None:
    """test_store.py and test_store_safety.py test a module or folder `store`; or they lie in a folder of that name."""
    words = {part for module in modules() if module.startswith(package) for part in module.split(".")}
    folder = ROOT / "tests" / package
    files = [file for file in folder.rglob("test_*.py") if file.parent == folder or file.parent.name not in words]
    assert [file.name for file in files if not words & set(beginnings(file.stem.removeprefix("test_")))] == []


def beginnings(stem: str) -> list[str]:
    """What comes before each underscore: "store_safety" -> ["store", "store_safety"]."""
    parts = stem.split("_")
    return ["_".join(parts[:count]) for count in range(1, len(parts) + 1)]


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_import_nothing_from_above(package: str) -> None:
    """Tests of the model know no annotations, and neither know the app."""
    above = PACKAGES[: PACKAGES.index(package)]
    files = sorted((ROOT / "tests" / package).rglob("*.py"))
    assert [file.name for file in files if {name.partition(".")[0] for name in imports(file)} & {*above}] == []
