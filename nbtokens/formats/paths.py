"""Paths into JSON documents, and decoders that build only what a set of paths asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from nbtokens.formats.json_stream import UNREADABLE, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

EACH: Final = "[]"
"""The step that goes into every element of a list."""

Steps: TypeAlias = tuple[str, ...]
_NUMBER: Final = int | float


def steps(path: str) -> Steps:
    """`choices[].finish_reason` as `("choices", "[]", "finish_reason")`."""
    return tuple(path.replace("[]", ".[]").split("."))


def walk(value: Any, way: Steps) -> Iterator[Any]:  # noqa: ANN401 - documents hold anything
    """Every value that is not null at the end of `way`. What has another shape holds nothing."""
    if not way:
        if value is not None:
            yield value
    elif way[0] == EACH:
        if isinstance(value, list):
            for element in value:
                yield from walk(element, way[1:])
    elif isinstance(value, dict):
        yield from walk(value.get(way[0]), way[1:])


def last(value: Any, way: Steps) -> Any:  # noqa: ANN401 - documents hold anything
    """The last value at the end of `way` that is neither null nor empty, or None."""
    found = None
    for found_here in walk(value, way):
        if found_here not in ("", [], {}):
            found = found_here
    return found


class Leaf(NamedTuple):
    """One thing to read: where it is, and its kind: `str`, `dict`, `float` for any number, `object` for anything."""

    path: str
    kind: type


class Selection:
    """Reads the same few paths out of many documents.

    A document is decoded into types made from the paths, so that the rest of it is skipped and not built: a
    fifth of the time of building it all, and next to no memory. A document of an unforeseen shape is decoded
    whole and walked.

    Args:
        leaves: what to read.
        every: whether a document counts that holds the same as the one before.
    """

    def __init__(self, leaves: list[Leaf], *, every: bool = False) -> None:
        self._every = every
        self._leaves = [(leaf.path, steps(leaf.path), leaf.kind) for leaf in leaves]
        kind = _type_of({way: kind for _, way, kind in self._leaves})
        self._decoder = msgspec.json.Decoder(kind)
        self._report = _reporter(
            {way: None if kind is dict else path for path, way, kind in self._leaves},
            frozenset(path for path, _, kind in self._leaves if kind is float),
        )

    def read(self, documents: Iterable[bytes], values: dict[str, Any], objects: list[dict[str, Any]]) -> bool:
        """Read document by document, so that the last value of each path stays.

        A document that holds the same as the one before is passed over, if not `every` one counts.

        Args:
            documents: JSON texts.
            values: is given the values of the paths, by path.
            objects: is given the values of kind `dict`, in their order, whatever their path.

        Returns:
            Whether every document was JSON.
        """
        read = self._decoder.decode
        before = None
        whole = True
        for document in documents:
            try:
                found = read(document)
            except UNREADABLE:
                whole = self._read_whole(document, values, objects) and whole
            else:
                if self._every or found != before:
                    before = found
                    self._report(found, values, objects)
        return whole

    def _read_whole(self, document: bytes, values: dict[str, Any], objects: list[dict[str, Any]]) -> bool:
        try:
            whole = decode(document)
        except UNREADABLE:
            return False
        for path, way, kind in self._leaves:
            value = last(whole, way)
            if kind is str and isinstance(value, int | float):
                value = str(value)
            if value is None or (kind is not object and not isinstance(value, _NUMBER if kind is float else kind)):
                continue
            if kind is dict:
                objects.append(value)
            else:
                values[path] = value
        return True


def _type_of(ways: dict[Steps, type]) -> Any:  # noqa: ANN401 - a type made at run time
    """The narrowest type that holds what all `ways` (steps -> leaf type) lead to."""
    if () in ways:
        kind = ways[()]
        return Any if kind is object else _NUMBER | None if kind is float else kind | None
    if all(way[0] == EACH for way in ways):
        element = _type_of({way[1:]: kind for way, kind in ways.items()})
        return list[element] | None  # type: ignore[valid-type]
    names = sorted({way[0] for way in ways})
    fields = [
        (_attribute(name), _type_of({way[1:]: kind for way, kind in ways.items() if way[0] == name}), None)
        for name in names
    ]
    return msgspec.defstruct("Selected", fields, rename={_attribute(name): name for name in names}) | None


def _attribute(key: str) -> str:
    """A key as the name of an attribute."""
    return re.sub(r"\W", "_", key)


def _reporter(
    paths: dict[Steps, str | None], numbers: frozenset[str]
) -> Callable[[Any, dict[str, Any], list[dict[str, Any]]], None]:
    """A function that puts what a decoded document holds into values by path, and objects into a list.

    It is written for these paths, one line for each, and compiled: to go over a list of them takes several times as
    long, and every call of a model waits for it. Inner objects come after outer ones.

    Args:
        paths: the steps to each value -> its whole path, or None for an object.
        numbers: the paths of numbers. A 0 counts where nothing else was said: watsonx repeats it in each event.
    """
    head = ["def report(found_0, values, objects):", "    if found_0 is None: return"]
    lines = [*head, *_lines(paths, numbers, 0)]
    made: dict[str, Any] = {}
    exec("\n".join(lines), made)  # noqa: S102 - made of the format tables, of nothing else
    report: Callable[[Any, dict[str, Any], list[dict[str, Any]]], None] = made["report"]
    return report


def _lines(paths: dict[Steps, str | None], numbers: frozenset[str], depth: int) -> Iterator[str]:
    indent, found, inside = "    " * (depth + 1), f"found_{depth}", f"found_{depth + 1}"
    for way, path in paths.items():
        if len(way) == 1:
            yield f"{indent}value = {found}.{_attribute(way[0])}"
            yield f"{indent}if value: {'objects.append(value)' if path is None else f'values[{path!r}] = value'}"
            if path in numbers:
                yield f"{indent}elif value == 0: values.setdefault({path!r}, 0)"
    for head in sorted({way[0] for way in paths if len(way) > 1}):
        below = {way[1:]: path for way, path in paths.items() if way[0] == head and len(way) > 1}
        if head == EACH:
            yield f"{indent}for {inside} in {found}:"
            yield f"{indent}    if {inside} is None: continue"
        else:
            yield f"{indent}{inside} = {found}.{_attribute(head)}"
            yield f"{indent}if {inside}:"
        yield from _lines(below, numbers, depth + 1)
