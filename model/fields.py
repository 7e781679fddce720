"""Records of what people said: strict pydantic models, the types of their fields, and one line for each mistake.

A record comes from a browser or from a file, so every value is hostile until it has been checked. pydantic finds what
is wrong; `first_mistake` is the only place that puts it into words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from .errors import RecordError

TEXT_LIMIT = 1_000_000  # characters of a prompt
NOTE_LIMIT = 10_000
NAME_LIMIT = 200  # characters of an annotator, reviewer or checkpoint
SECONDS_LIMIT = 366 * 24 * 3600.0

ID_PATTERN = r"^[0-9a-f]{32}$"
MASK_PATTERN = r"^[01]+$"

_R = TypeVar("_R", bound="Record")

# --- what is wrong, in words -------------------------------------------------------------------------------

_WORDS = {  # by pydantic's type of error
    "missing": "is missing",
    "string_type": "{shown} is not a text",
    "string_unicode": "is not a text",
    "string_too_short": "is empty",
    "string_too_long": "has {length:,} characters; at most {max_length:,} are allowed",
    "int_type": "{shown} is not a whole number",
    "float_type": "{shown} is not a number",
    "finite_number": "{shown} is not a number",
    "bool_type": "{shown} is not true or false",
    "literal_error": "{shown} is not one of {expected}",
    "greater_than_equal": "{shown} is less than {ge}",
    "less_than_equal": "{shown} is more than {le}",
}
_PATTERN_WORDS = {
    ID_PATTERN: "{shown} is not 32 hexadecimal digits, small letters, as uuid4().hex gives",
    MASK_PATTERN: "is not a text of 0 and 1",
}


def first_mistake(error: ValidationError) -> str:
    """The first mistake that pydantic found, as "field: what is wrong"; a field that is missing comes before others."""
    errors = error.errors(include_url=False)
    first = next((item for item in errors if item["type"] == "missing"), errors[0])
    name = ".".join(str(part) for part in first["loc"]) or "record"
    return f"{name}: {_in_words(first['type'], first['input'], first.get('ctx', {}), first['msg'])}"


def _in_words(kind: str, value: object, context: Mapping[str, Any], message: str) -> str:
    if kind == "value_error":  # raised by a validator of ours, which found the words itself
        return str(context["error"])
    words = _PATTERN_WORDS.get(context.get("pattern", ""), _WORDS.get(kind, ""))
    length = len(value) if isinstance(value, str) else 0
    return words.format(shown=quoted(value), length=length, **context) if words else message


def quoted(value: object) -> str:
    """A value as it may stand in a message: short, and without anything that could write to a terminal.

    >>> quoted("\\x1b[31m"), quoted([1, 2])
    ("'\\\\x1b[31m'", 'a value of type list')
    """
    is_plain = isinstance(value, (str, float, type(None))) or (isinstance(value, int) and abs(value) < 2**70)
    text = ascii(value) if is_plain else f"a value of type {type(value).__name__}"
    return text if len(text) <= 40 else text[:40] + "..."


def mistake(field: str, what: str) -> ValidationError:
    """What a validator of a whole record raises when a single field is to blame."""
    error = PydanticCustomError("mistake", "{what}", {"what": what})
    return ValidationError.from_exception_data("record", [InitErrorDetails(type=error, loc=(field,), input=None)])


# --- single values -----------------------------------------------------------------------------------------


def _storable(value: object) -> object:
    """Refuse texts that some database or file cannot hold: those with NUL, and those with half a character."""
    if not isinstance(value, str):
        return value
    if (at := value.find("\0")) >= 0:
        raise ValueError(f"holds a NUL character at position {at:,}; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"half a character (lone surrogate U+{ord(value[error.start]):04X} at position {error.start:,})"
        raise ValueError(f"holds {half} or is not UTF-8; remove it") from None
    return value


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def utc(time: str) -> str:
    """An ISO 8601 time with a zone, in UTC with microseconds and Z; ValueError when it is none.

    >>> utc("2026-11-22T04:05:00+01:00")
    '2026-11-22T03:05:00.000000Z'
    """
    try:
        if len(time) > 40:
            raise ValueError
        moment = datetime.fromisoformat(time[:-1] + "+00:00" if time.endswith("Z") else time)
        if moment.tzinfo is None:
            raise ValueError
        return utc_of(moment)
    except (ValueError, OverflowError):
        raise ValueError(f"{quoted(time)} is not a time such as 2026-11-22T03:05:00Z") from None


def utc_of(moment: datetime) -> str:
    """A moment as records hold it: in UTC, with microseconds, so that texts sort as times do."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def now() -> str:
    """The time, as records hold it: "2026-11-22T03:05:00.000000Z"."""
    return utc_of(datetime.now(timezone.utc))


def now_after(earlier: str | None) -> str:
    """The time, or the least that comes after an earlier one, where the clock was set back."""
    at = now()
    if earlier is None or at > earlier:
        return at
    return utc_of(datetime.fromisoformat(earlier.replace("Z", "+00:00")) + timedelta(microseconds=1))


STORABLE, FILLED = BeforeValidator(_storable), AfterValidator(_not_blank)

PromptText = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT), STORABLE, FILLED]
OptionalText = Annotated[str, Field(max_length=TEXT_LIMIT), STORABLE]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LIMIT), STORABLE, FILLED]
OptionalName = Annotated[str, Field(max_length=NAME_LIMIT), STORABLE]
Note = Annotated[str, Field(max_length=NOTE_LIMIT), STORABLE]
Identifier = Annotated[str, Field(pattern=ID_PATTERN)]
Mask = Annotated[str, Field(pattern=MASK_PATTERN)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=SECONDS_LIMIT, allow_inf_nan=False)]
UtcTime = Annotated[str, AfterValidator(utc), Field(json_schema_extra={"format": "date-time"})]
OptionalTime = Annotated[str, AfterValidator(lambda time: utc(time) if time else time)]


def text_field(name: str, value: object, limit: int, blank: bool = True) -> str:
    """A single text, checked as in a record: at most `limit` characters, and not empty unless `blank` allows it.

    Raises RecordError, which begins with the name.
    """
    try:
        return _text_adapter(limit, blank).validate_python(value, strict=True)
    except ValidationError as error:
        raise RecordError(f"{name}: {first_mistake(error).removeprefix('record: ')}") from None


@lru_cache(maxsize=32)
def _text_adapter(limit: int, blank: bool) -> TypeAdapter[str]:
    if blank:
        return TypeAdapter(Annotated[str, Field(max_length=limit), STORABLE])
    return TypeAdapter(Annotated[str, Field(min_length=1, max_length=limit), STORABLE, FILLED])


# --- records -----------------------------------------------------------------------------------------------


class Record(BaseModel):
    """What a person said: checked when it is made by `from_fields`, and never changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    what: ClassVar[str] = "a record"  # as messages call it

    @classmethod
    def from_fields(cls: type[_R], fields: Mapping[str, Any]) -> _R:
        """The record that a mapping of fields describes, in canonical form.

        Raises RecordError, one line that begins with the field's name, for the first thing wrong.
        """
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise RecordError(first_mistake(error)) from None

    @classmethod
    def from_line(cls: type[_R], line: str) -> _R:
        """The record in one line of JSON. RecordError when it is not JSON, or not a valid record."""
        return cls.from_fields(from_json("record", line))

    def to_fields(self) -> dict[str, Any]:
        """The fields, fit for JSON."""
        return self.model_dump(mode="json")

    def to_line(self) -> str:
        """The record as one line of ASCII JSON, without the line break; no reader splits it in the wrong place."""
        return json.dumps(self.to_fields(), separators=(",", ":"), allow_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _has_known_fields(cls, fields: object) -> object:
        """Name one unknown field; pydantic alone would list all of them, and a hostile object may have millions."""
        if not isinstance(fields, Mapping):
            raise ValueError("is not an object with fields")
        for name in fields:
            if name not in cls.model_fields:
                raise mistake(quoted(name), f"is not a field of {cls.what}")
        return dict(fields)


def fields_table(record: type[Record]) -> str:
    """The fields of a record and what they mean, as a table in Markdown."""
    rows = (f"| {name} | {field.description} |" for name, field in record.model_fields.items())
    return "\n".join(("| field | meaning |", "|---|---|", *rows))


# --- JSON --------------------------------------------------------------------------------------------------


def from_json(name: str, text: str) -> Any:
    """The value of a JSON text, however hostile: no NaN, no doubled fields, no giant numbers, no endless nesting.

    Raises RecordError with the name in front.
    """
    try:
        return json.loads(text, parse_int=_bounded_int, parse_constant=_no_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise RecordError(f"{name}: is not JSON ({error.msg} at character {error.pos})") from None
    except ValueError as error:
        raise RecordError(f"{name}: {error}") from None
    except RecursionError:
        raise RecordError(f"{name}: is nested too deeply") from None


def _bounded_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"holds a number of {len(digits)} digits")
    return int(digits)


def _no_constant(constant: str) -> float:
    raise ValueError(f"holds {constant}, which is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("has a field twice")
    return fields
