"""Replacing methods of other libraries' classes: once, and so that it can be undone without a trace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Target:
    """One method to replace.

    Attributes:
        owner: the class whose own attribute it is; subclasses and existing instances inherit the replacement. A
            module, where it is a function that the module itself looks up.
        name: the method's name.
        make: given the original function, makes the replacement.
    """

    owner: type | ModuleType
    name: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]


class Patches:
    """The replacements that are in force."""

    def __init__(self) -> None:
        self._applied: dict[tuple[type | ModuleType, str], tuple[Any, Any]] = {}

    def apply(self, target: Target) -> None:
        """Replace the method, unless that was done already (two module names may lead to one class)."""
        key = (target.owner, target.name)
        if key in self._applied:
            return
        original = target.owner.__dict__[target.name]
        replacement = wraps(original)(target.make(original))
        setattr(target.owner, target.name, replacement)
        self._applied[key] = (original, replacement)

    def undo(self) -> None:
        """Put every original back. What somebody else has wrapped since is left as it is: it is theirs."""
        while self._applied:
            (owner, name), (original, replacement) = self._applied.popitem()
            if owner.__dict__.get(name) is replacement:
                setattr(owner, name, original)

    def names(self) -> list[str]:
        """What is replaced, as `module.Class.method`."""
        return [f"{_name(owner)}.{name}" for owner, name in self._applied]


def _name(owner: type | ModuleType) -> str:
    return f"{owner.__module__}.{owner.__qualname__}" if isinstance(owner, type) else owner.__name__
