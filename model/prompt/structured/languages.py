"""What a scanner has to know of a programming language: comments, strings, and what opens a block."""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = {
    "hash": "sh bash zsh shell fish console perl pl r elixir ex exs julia jl tcl cmake nim ps1 powershell",
    "ruby": "ruby rb crystal",
    "python": "python py python3 py3 pyi pycon ipython starlark",
    "build": "make makefile dockerfile docker hcl terraform tf nginx",
    "slash": "c h cpp c++ cc hpp java kotlin kt scala go golang swift dart groovy zig solidity sol proto protobuf "
    "php csharp cs c# glsl hlsl cuda objc objective-c v d verilog graphql",
    "script": "js javascript jsx ts typescript tsx mjs cjs json5 jsonc svelte vue",
    "style": "css scss sass less",
    "rust": "rust rs",
    "sql": "sql mysql postgres postgresql psql plsql tsql sqlite bigquery",
    "dash": "lua haskell hs ada vhdl elm purescript",
    "semicolon": "lisp clojure clj cljs scheme racket elisp asm nasm",
}


@dataclass(frozen=True, slots=True)
class Language:
    """How to read a language's lines.

    Attributes:
        comments: what begins a comment that ends with its line, as a regular expression.
        strings: quotes of strings that end on their line.
        long: what begins a string or comment that may span lines, and what ends it.
        braces: "{" at the end of a line opens a block; otherwise it is a bracket like others.
        operators: a line may go on below because it ends, or the next one begins, with an operator.
        heredoc: "<<EOF" begins a string that ends with the line "EOF".
        semicolon: a statement goes on to its semicolon or an empty line, whatever its lines look like.
        decorators: a line "@name" belongs to the next one.
    """

    comments: str
    strings: str = "\"'"
    long: tuple[tuple[str, str], ...] = ()
    braces: bool = True
    operators: bool = True
    heredoc: bool = False
    semicolon: bool = False
    decorators: bool = True


_HASH = r"(?<![^\s;(){}\[\],])\#"  # not "$#", "a#b"
_C = ("/*", "*/")
_TRIPLE = (('"""', '"""'), ("'''", "'''"))

_FAMILIES = {
    "hash": Language(_HASH, heredoc=True),
    "ruby": Language(_HASH, heredoc=True, decorators=False),
    "python": Language(r"\#", long=_TRIPLE, braces=False, operators=False),
    "build": Language(_HASH, long=_TRIPLE),
    "slash": Language(r"//", long=(_C, _TRIPLE[0])),
    "script": Language(r"(?<![:\\])//", long=(_C, ("`", "`"))),
    "style": Language(r"(?<![:\\])//(?=\s)", long=(_C,), decorators=False),
    "rust": Language(r"//", strings='"', long=(_C,)),
    "sql": Language(r"--", long=(_C,), braces=False, semicolon=True),
    "dash": Language(r"--", strings='"', long=(("--[[", "]]"), ("[[", "]]"), ("{-", "-}")), braces=False),
    "semicolon": Language(r";", strings='"', braces=False),
}
_ANY = Language(r"(?<![:\\])//|(?<!\S)\#(?=[\s!\#])|(?<!\S)--(?=\s)", long=(_C, _TRIPLE[0]))
_BY_NAME = {name: _FAMILIES[family] for family, names in _NAMES.items() for name in names.split()}


def language(name: str) -> Language:
    """The language of a fence's name; one that fits most where the name says nothing."""
    return _BY_NAME.get(name, _ANY)


def is_language(name: str) -> bool:
    """Whether code in this language goes by this name."""
    return name == "code" or name in _BY_NAME
