"""Looking into objects of libraries that are not imported here: pydantic models, dataclasses, mappings, anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias

Object: TypeAlias = dict[str, Any]

_DEEPEST: Final = 6
_LEAVES: Final = (str, int, float, type(None))


def held(value: Any, name: str) -> Any:  # noqa: ANN401 - anything
    """What an object has under a name, as a key or as an attribute; None where it has nothing, or only a method."""
    if isinstance(value, Mapping) and name in value:
        return value[name]
    try:
        found = getattr(value, name, None)
    except Exception:  # noqa: BLE001 - a property may raise anything
        return None
    if not callable(found):
        return found
    # pydantic-ai's results had a method where they have a property now.
    return found() if name == "usage" and type(value).__module__.startswith("pydantic_ai.") else None


def text_held(value: Any, *names: str) -> str | None:  # noqa: ANN401 - anything
    """The first of these that is a text."""
    for name in names:
        found = held(value, name)
        if isinstance(found, str) and found:
            return str(found)
    return None


def plain(value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - anything
    """The same as JSON has it, by the names that are used on the wire; what JSON can't hold is None."""
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, _LEAVES):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if depth > _DEEPEST:
        return None
    if isinstance(value, list | tuple):
        return [plain(element, depth + 1) for element in value]
    fields = _fields(value)
    return None if fields is None else {str(name): plain(element, depth + 1) for name, element in fields.items()}


def _fields(value: Any) -> Mapping[Any, Any] | None:  # noqa: ANN401 - anything
    dump = getattr(type(value), "model_dump", None)
    if dump is not None:  # pydantic
        dumped = dump(value, mode="json", by_alias=True, warnings=False)
        return dumped if isinstance(dumped, dict) else None
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name, None) for one in dataclasses.fields(value)}
    members = getattr(value, "__dict__", None)
    if not isinstance(members, dict):
        return None
    return {name: member for name, member in members.items() if not name.startswith("_")}
