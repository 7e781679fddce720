"""Code -> its statements, headers and comments, each with how deep it is.

A scanner instead of a parser: prompts hold fragments, half files and made-up languages, which no parser reads. Strings,
comments, brackets and indentation are enough to see where a statement ends: it goes on while a bracket is open, and a
string over several lines is never split.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .languages import Language
from .lines import HEAD
from .nest import CLOSE, FOLLOW, FRAME, PLAIN, Level, NestEntry
from .scan import Piece, pieces

_FOLLOWS = re.compile(
    r"[})\]\s]*(?:else|elif|elsif|elseif|except|catch|finally|rescue|ensure)\b|(?:then|do)\s*$", re.IGNORECASE
)
_ENDS = re.compile(r"(?:end|fi|done|esac|endif|endwhile|endfor|endfunction)\b[\s;,.)]*(?:#.*)?$", re.IGNORECASE)
_DECORATOR = re.compile(r"(?:@[A-Za-z_][\w.]*(?:\s*\(.*\))?|#!?\[.*\]|\[[A-Z]\w*.*\])\s*$", re.DOTALL)
_DOCSTRING = re.compile(r"[rRuU]?(?:\"\"\".*\"\"\"|'''.*'''|\"[^\"]*\"|'[^']*')$")
_FRESH = re.compile(r"(?:async\s+)?(?:def|class|function|import|from|return|public|private|func|fn|if|for|while)\s+\S")
_GOES_ON = re.compile(r"\.\w|\?\.|&&|\|\||\|>|[|?:+*/%]\s|(?:and|or)\b")
_UNFINISHED = re.compile(r"(?:(?<!\+)\+|(?<!-)-|(?<!\*/)[,=*/%&^<?(\[]|(?<=\s)\||\b(?:and|or|not))$")
_NEXT_LINE = re.compile(r"([^\S\r\n]*)([^\r\n]{0,80})")


@dataclass(slots=True)
class _Statement:
    """What is being read."""

    start: int
    indent: int
    level: Level
    code: int  # behind the last character of it that is no comment
    head: int  # up to here there are only closing brackets
    closes: bool = False


@dataclass(slots=True)
class _Reader:
    text: str
    end: int
    language: Language
    entries: list[NestEntry] = field(default_factory=list)
    brackets: list[tuple[str, int, Level]] = field(default_factory=list)  # each with its statement's indent and level
    depth: int = 0  # how many of them open blocks
    edge: int = 0  # where the line begins
    now: _Statement | None = None
    tail: str = ""  # how the statement before ended
    decorated: int = -1  # where the decorators begin that wait for what they decorate

    def read(self, start: int) -> list[NestEntry]:
        self.edge = at = start
        for piece in pieces(self.text, start, self.end, self.language):
            self._plain(at, piece.start)
            if piece.kind == "line":
                self._line_break(piece)
            else:
                self._take(piece)
            at = piece.end
        self._plain(at, self.end)
        self._finish(self.end)
        if self.decorated >= 0:
            end = self.decorated + len(self.text[self.decorated : self.end].rstrip())
            self.entries.append(NestEntry("statement", self.decorated, end, (0, 0)))
        return self.entries

    # --- inside a line -------------------------------------------------------------------------------------------

    def _plain(self, start: int, end: int) -> None:
        """Code and white space between two pieces."""
        code = self.text[start:end]
        if bare := code.strip():
            first = start + len(code) - len(code.lstrip())
            self._statement(first).code = first + len(bare)

    def _take(self, piece: Piece) -> None:
        statement = self._statement(piece.start)
        if piece.kind == "comment":
            return
        if piece.kind in ")]}":
            self._close(piece, statement)
        elif piece.kind in "([{":
            self._open(piece.kind, statement)
        statement.code = piece.end

    def _statement(self, at: int) -> _Statement:
        """The statement being read, begun here if there is none."""
        if self.now is None:
            white = self.text[self.edge : at]
            indent = len(white.expandtabs(8)) if self.edge <= at else 0
            self.now = _Statement(at, indent, (self.depth, indent), at, at)
        return self.now

    def _open(self, bracket: str, statement: _Statement) -> None:
        self.brackets.append((bracket, statement.indent, statement.level))
        self.depth += self.language.braces and bracket == "{"

    def _close(self, piece: Piece, statement: _Statement) -> None:
        """Take brackets off up to the one that fits; a statement that begins with it ends that bracket's block."""
        leading = statement.code <= statement.head
        if leading:
            statement.head = piece.end
        partner = {")": "(", "]": "[", "}": "{"}[piece.kind]
        while self.brackets and (self.brackets[-1][0] != "{" or partner == "{"):
            bracket, _, level = self.brackets.pop()
            self.depth -= self.language.braces and bracket == "{"
            if bracket == partner:
                if leading:
                    statement.level, statement.closes = level, True
                return

    # --- between lines -------------------------------------------------------------------------------------------

    def _line_break(self, piece: Piece) -> None:
        self.edge = piece.end
        if self.now is not None and not self._continues(piece):
            self._finish(piece.start)

    def _continues(self, piece: Piece) -> bool:
        following = _NEXT_LINE.match(self.text, piece.end, self.end)
        indent, rest = (len(following[1].expandtabs(8)), following[2]) if following else (0, "")
        if self.now and self.language.semicolon:
            return bool(rest.strip()) and self.now.code > self.now.start and self.text[self.now.code - 1] != ";"
        if not self.brackets or (self.brackets[-1][0] == "{" and self.language.braces):
            return False
        if rest.strip() and rest[0] not in ")]}\"'`":
            opened = self.brackets[-1][1]
            if indent < opened or (indent == opened and _FRESH.match(rest)):
                self._forget()
                return False
        return True

    def _forget(self) -> None:
        """Brackets that were never closed: what follows is not in them."""
        while self.brackets and not (self.brackets[-1][0] == "{" and self.language.braces):
            self.brackets.pop()

    def _finish(self, end: int) -> None:
        """Put the statement on the list, or add it to the entry that it belongs to."""
        statement, self.now = self.now, None
        if statement is None:
            return
        end = statement.start + len(self.text[statement.start : end].rstrip())
        comment = statement.code == statement.start
        head = self.text[statement.start : min(end, statement.start + HEAD)]
        tail = self.text[max(statement.start, statement.code - 8) : statement.code]
        if self._belongs_above(statement, head, comment):
            self.entries[-1].end = end
        elif self._decorates(statement, end, comment):
            return
        else:
            self._append(statement, end, head, comment)
        if not comment:
            self.tail = tail

    def _belongs_above(self, statement: _Statement, head: str, comment: bool) -> bool:
        """Whether the entry before goes on here: "{" on a line of its own, a chained call, an operator in between."""
        if comment or not self.entries or self.entries[-1].kind == "comment" or self.decorated >= 0:
            return False
        above = self.entries[-1]
        if self.language.braces and self.text[statement.start : statement.code] == "{":
            if above.level == statement.level and self.tail[-1:] not in (";", "{", "}"):
                return True
        if not self.language.operators or above.level[0] != statement.level[0] or statement.closes:
            return False
        deeper = statement.level > above.level
        goes_on = (deeper or statement.level == above.level) and _GOES_ON.match(head)
        return bool(goes_on) or bool(deeper and _UNFINISHED.search(self.tail))

    def _decorates(self, statement: _Statement, end: int, comment: bool) -> bool:
        """Whether the statement waits for the next one: a decorator, or a comment below one."""
        if not self.language.decorators:
            return False
        if comment:
            return self.decorated >= 0
        if end - statement.start > HEAD or not _DECORATOR.match(self.text[statement.start : statement.code]):
            return False
        self.decorated = statement.start if self.decorated < 0 else self.decorated
        return True

    def _append(self, statement: _Statement, end: int, head: str, comment: bool) -> None:
        start = statement.start if self.decorated < 0 else self.decorated
        self.decorated = -1
        level = statement.level
        if self.entries and self.tail.endswith(";") and self.entries[-1].level < level:
            above = self.entries[-1].level
            level = above if above[0] == level[0] else level  # deeper, but below nothing that opens a block
        kind = "comment" if comment else "statement"
        self.entries.append(NestEntry(kind, start, end, level, self._role(statement, end, head, comment)))

    def _role(self, statement: _Statement, end: int, head: str, comment: bool) -> str:
        if comment:
            return PLAIN
        if _FOLLOWS.match(head):
            return FOLLOW
        if head[0] in ")]}":
            opens = bool(self.brackets) and self.brackets[-1][2] is statement.level and self.text[end - 1] in "([{"
            return FOLLOW if opens else CLOSE
        if _ENDS.match(head):
            return CLOSE
        if not self.language.braces and end - statement.start < HEAD and _DOCSTRING.match(head):
            return FRAME
        return PLAIN


def statements(text: str, start: int, end: int, language: Language) -> list[NestEntry]:
    """The statements and comments of text[start:end] in order, for `nest`."""
    entries = _Reader(text, end, language).read(start)
    for comment, below in zip(reversed(entries[:-1]), reversed(entries[1:]), strict=True):
        if comment.kind == "comment" and below.role == PLAIN:
            comment.level = max(comment.level, below.level)  # a comment says something about what follows
    return entries
