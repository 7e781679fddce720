"""LLMLingua's `compress_json`: a JSON object, each value shortened at a rate of its own, and valid JSON again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import Compresses
from .lingua import compress_prompt

CONFIG_LIMIT = 1_000_000  # bytes of a file with the configuration
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "str": str,
    "string": str,
    "int": int,
    "integer": int,
    "float": (int, float),
    "number": (int, float),
    "bool": bool,
    "boolean": bool,
    "list": list,
    "List": list,
    "tuple": (list, tuple),
    "dict": dict,
    "dictionary": dict,
}


@dataclass(frozen=True)
class JsonField:
    """A value of the object and what may be done with it.

    Attributes:
        rate: share of it to keep; None = that of all. compress: whether it may be shortened. removable: or go.
    """

    key: str
    value: Any
    rate: float | None
    compress: bool
    removable: bool

    @property
    def text(self) -> str:
        """What is compressed: a text as it is, other values as JSON."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)

    def left(self, text: str) -> Any:
        """The value that a compressed text stands for."""
        return text if isinstance(self.value, str) else json.loads(text)


def compress_json(
    compressor: Compresses,
    json_data: Mapping[str, Any],
    json_config: str | Path | Mapping[str, Mapping[str, Any]],
    instruction: str | None = "",
    question: str | None = "",
    rate: float | None = 0.5,
    target_token: float | None = -1,
    *,
    use_keyvalue_level_filter: bool | None = False,
    reorder_keyvalue: str | None = "original",
    **options: Any,
) -> dict[str, Any]:
    """Compress the values of a JSON object. Texts lose sentences; lists and objects lose members, by their structure.

    Args:
        json_config: for each key {"rate": 0.5, "compress": True, "pair_remove": False, "value_type": "str"}, all of
            them optional, or a YAML file of this.
        instruction, question: are read, and not part of the result.
        use_keyvalue_level_filter: pairs with `pair_remove` may go as a whole.
        reorder_keyvalue: only "original"; an object has no order.
        options: as of `compress_prompt`.
    Returns what `compress_prompt` does, with the object as `compressed_prompt`.

    Raises InputError as it does, and when object and configuration do not go together.
    """
    if reorder_keyvalue not in (None, "original"):
        raise InputError(f"reorder_keyvalue={reorder_keyvalue!r} is not offered here; leave it out ('original')")
    fields = _fields(json_data, json_config, bool(use_keyvalue_level_filter))
    filled = [field for field in fields if field.text.strip()]
    result = compress_prompt(
        compressor,
        [field.text for field in filled],
        instruction,
        question,
        rate,
        target_token,
        context_segs=[[field.text] for field in filled],
        context_segs_rate=[[field.rate] for field in filled],
        context_segs_compress=[[field.compress or field.removable] for field in filled],
        force_context_ids=[i for i, field in enumerate(filled) if not field.removable],
        **options,
    )
    left = dict(zip((field.key for field in filled), result.pop("compressed_prompt_list"), strict=True))
    result["compressed_prompt"] = {
        field.key: field.left(left[field.key]) if field.key in left else field.value
        for field in fields
        if left.get(field.key, " ")
    }
    return result


def _fields(data: object, config: object, may_go: bool) -> list[JsonField]:
    said = _read(config) if isinstance(config, str | Path) else config
    if not (isinstance(data, Mapping) and isinstance(said, Mapping) and all(isinstance(key, str) for key in data)):
        raise InputError("json_data and json_config must be objects with texts as keys")
    if different := sorted(map(str, set(data) ^ set(said))):
        raise InputError(f"json_data and json_config do not have the same keys: {different[0][:60]!r} is only in one")
    return [_field(key, value, said[key], may_go) for key, value in data.items()]


def _field(key: str, value: Any, said: object, may_go: bool) -> JsonField:
    name = repr(key[:60])
    if not isinstance(said, Mapping) or set(said) - {"rate", "compress", "pair_remove", "value_type"}:
        raise InputError(f"json_config of {name} knows only rate, compress, pair_remove and value_type")
    kind = said.get("value_type")
    if kind is not None and kind not in _TYPES:
        raise InputError(f"value_type of {name} must be one of {', '.join(_TYPES)}")
    if kind is not None and not isinstance(value, _TYPES[kind]):
        raise InputError(f"the value of {name} is no {kind}: correct it or its value_type")
    rate = said.get("rate")
    if rate is not None and not (isinstance(rate, int | float) and 0 < rate <= 1):
        raise InputError(f"rate of {name} must be above 0 and at most 1")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InputError(f"the value of {name} cannot be written as JSON") from None
    may = bool(said.get("compress", True)) and isinstance(value, str | list | tuple | dict)
    return JsonField(key, value, rate if may else None, may, may_go and bool(said.get("pair_remove")))


def _read(path: str | Path) -> object:
    import yaml  # it comes with transformers; here, since only a configuration in a file needs it

    try:
        with open(path, "rb") as file:
            data = file.read(CONFIG_LIMIT + 1)
        if len(data) > CONFIG_LIMIT:
            raise InputError(f"json_config {path} has more than {CONFIG_LIMIT:,} bytes")
        return yaml.safe_load(data)
    except OSError as error:
        raise InputError(f"cannot read json_config {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"json_config {path} is not YAML: {str(error).splitlines()[0]}") from None
