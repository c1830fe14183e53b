"""From a provider's usage object to `Usage`: one convention, whatever theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nbtokens.call import Usage
from nbtokens.formats.paths import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from nbtokens.formats.table import Format

Object: TypeAlias = dict[str, Any]
Step: TypeAlias = str | tuple[str, str]
Way: TypeAlias = tuple[Step, ...]
Rows: TypeAlias = tuple[tuple[str, tuple[Way, ...]], ...]
Counting: TypeAlias = "Callable[[Object], dict[str, int]]"
"""The counts in an object of one shape, by field of `Usage`."""

_MOST_TOKENS: Final = 2**53
_MOST_SHAPES: Final = 256
_CONDITION: Final = re.compile(r"\[(\w+)=(\w+)\]\Z")
_PARTS: Final = "calls"
_ITERATIONS: Final = "iterations"
_REASONING: Final = "reasoning_tokens"
_PASSES: Final = frozenset({"message", "compaction", "fallback_message"})


class UsageReader:
    """Reads the usage objects of one format."""

    def __init__(self, table: Format) -> None:
        self._table = table
        self._rows: Rows = tuple(
            (name, tuple(_way(part.strip()) for part in path.split("|"))) for path, name in table.usage
        )
        self._counting: dict[tuple[str, ...], Counting] = {}
        self._scalars = [(path, steps(path)[-1]) for path in table.usage_scalars]

    def read(
        self, parts: list[Object], values: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[Usage | None, Object | None]:
        """The counts, and the object that they were read from, as it was sent.

        Args:
            parts: what stood at the format's `usage_at`, in order.
            values: what stood elsewhere, by path.
            headers: the response's.
        """
        raw = self._together(parts)
        usage = self._summed(parts) if self._table.usage_summed else self.of(raw)
        if usage is not None or not (self._table.usage_else or self._scalars or self._table.usage_headers):
            return usage, raw or None
        for other in self._elsewhere(values, headers):
            usage = self.of(other)
            if usage is not None:
                return usage, other
        return None, raw or None

    def of(self, raw: Object) -> Usage | None:
        """The counts of one usage object; None where it holds none."""
        counts = self._count(raw)
        if not counts:
            return None
        if _ITERATIONS in raw:
            counts = self._of_iterations(raw[_ITERATIONS]) or counts
        self._fill(counts)
        total = raw.get("total_tokens")
        if type(total) is int and 0 <= total < _MOST_TOKENS:
            _take_in(counts, raw, total, self._table.rest)
        return Usage(**counts)

    def _together(self, parts: list[Object]) -> Object:
        if self._table.usage_summed:
            return {_PARTS: parts} if parts else {}
        if len(parts) == 1 and None not in parts[0].values():
            return parts[0]
        raw: Object = {}
        for part in parts:
            raw.update({key: value for key, value in part.items() if value is not None})
        return raw

    def _summed(self, parts: Iterable[Object]) -> Usage | None:
        counts = self._sum(parts)
        if not counts:
            return None
        self._fill(counts)
        return Usage(**counts)

    def _fill(self, counts: dict[str, int]) -> None:
        """What is not said where it is known: an embedding writes nothing."""
        if self._table.omitted_is_zero:
            counts.setdefault("input_tokens", 0)
            counts.setdefault("output_tokens", 0)
        elif not self._table.text and "input_tokens" in counts:
            counts.setdefault("output_tokens", 0)

    def _sum(self, objects: Iterable[Object]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for one in objects:
            for name, value in self._count(one).items():
                counts[name] = counts.get(name, 0) + value
        return counts

    def _count(self, raw: Object) -> dict[str, int]:
        keys = tuple(raw)
        count = self._counting.get(keys)
        if count is None:
            if len(self._counting) >= _MOST_SHAPES:
                self._counting.clear()
            count = self._counting[keys] = _counter(self._rows, keys)
        return count(raw)

    def _elsewhere(self, values: Mapping[str, Any], headers: Mapping[str, str]) -> Iterable[Object]:
        for path in self._table.usage_else:
            if isinstance(values.get(path), dict):
                yield values[path]
        if self._scalars:
            yield {key: values[path] for path, key in self._scalars if path in values}
        if self._table.usage_headers:
            named = {key: headers.get(name, "") for name, key in self._table.usage_headers}
            yield {key: int(value) for key, value in named.items() if value.isdecimal()}

    def _of_iterations(self, iterations: Any) -> dict[str, int]:  # noqa: ANN401 - usage objects hold anything
        """The sum over the passes behind one answer, where one of them compacted the conversation.

        Anthropic bills all passes, but the outer counts leave the compaction out
        (https://docs.anthropic.com/en/docs/build-with-claude/compaction).
        """
        if not isinstance(iterations, list):
            return {}
        passes = [one for one in iterations if isinstance(one, dict) and one.get("type") in _PASSES]
        return self._sum(passes) if any(one.get("type") == "compaction" for one in passes) else {}


def _way(path: str) -> Way:
    way: list[Step] = []
    for name in path.split("."):
        condition = _CONDITION.search(name)
        if condition is None:
            way.append(name)
        else:
            way += [name[: condition.start()], (condition[1], condition[2])]
    return tuple(way)


def _counter(rows: Rows, keys: tuple[str, ...]) -> Counting:
    """A function that counts what an object with these keys holds: a few ways out of many, written out and compiled.

    Every call of a model waits for it; to go over a list of the ways takes twice as long.
    """
    there = [(name, [way for way in ways if way[0] in keys]) for name, ways in rows]
    lines = ["def count(raw):", "    counts = {}", *_lines([row for row in there if row[1]]), "    return counts"]
    made: dict[str, Any] = {"at": _at, "whole": _whole}
    exec("\n".join(lines), made)  # noqa: S102 - made of the format tables, of nothing else
    count: Counting = made["count"]
    return count


def _lines(rows: list[tuple[str, list[Way]]]) -> Iterator[str]:
    before: set[str] = set()
    for name, ways in rows:
        keep = f"counts[{name!r}] = value"
        if name in before:  # rows of one field are summed
            keep += f" + counts.get({name!r}, 0)"
        before.add(name)
        for depth, way in enumerate(ways, 1):  # the first way that leads somewhere counts
            indent = "    " * depth
            yield f"{indent}value = {_found(way)}"
            yield f"{indent}if value.__class__ is int and 0 <= value < {_MOST_TOKENS}: {keep}"
            yield f"{indent}elif value is not None and (value := whole(value)) is not None: {keep}"
            if depth < len(ways):
                yield f"{indent}else:"


def _found(way: Way) -> str:
    """What stands at the end of a way, as Python. Its first key is there."""
    key, *inside = way
    if not inside:
        return f"raw[{key!r}]"
    if len(inside) == 1 and isinstance(inside[0], str):
        return f"inside.get({inside[0]!r}) if (inside := raw[{key!r}]).__class__ is dict else None"
    return f"at(raw, {way!r})"


def _at(raw: Any, way: Way) -> Any:  # noqa: ANN401 - usage objects hold anything
    value = raw
    for number, step in enumerate(way):
        if type(step) is tuple:
            if type(value) is not list:
                return None
            found = [
                _at(element, way[number + 1 :])
                for element in value
                if type(element) is dict and element.get(step[0]) == step[1]
            ]
            whole = [one for one in map(_whole, found) if one is not None]
            return sum(whole) if whole else None
        value = value.get(step) if type(value) is dict else None
    return value


def _whole(value: Any) -> int | None:  # noqa: ANN401 - usage objects hold anything
    """A count of tokens; some providers send floats. What is negative, endless or no number is no count."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS:
        return int(value)  # NaN is not in the range
    return None


def _take_in(counts: dict[str, int], raw: Object, total: int, rest: str | None) -> None:
    """Include what a provider counts beside input and output, and only its own total tells.

    xAI's chat leaves reasoning out of `completion_tokens`, Mistral's leaves audio out of `prompt_tokens`. Perplexity's
    research reports reasoning apart from all, the total too; where it is among the details of the output, it is in it.
    """
    written = counts.get("output_tokens", 0)
    reasoning = counts.get("reasoning_output_tokens", 0)
    beside = total - counts.get("input_tokens", 0) - written
    if "output_tokens" not in counts and 0 <= beside < total:  # a prompt that was only echoed
        counts["output_tokens"] = beside
    elif reasoning and (reasoning == beside or (reasoning > written and _REASONING in raw)):
        counts["output_tokens"] = written + reasoning
    elif rest is not None and beside > 0:
        counts[rest] = counts.get(rest, 0) + beside
    elif beside > 0 and (beside == counts.get("input_audio_tokens") or raw.get("prompt_audio_seconds")):
        counts["input_tokens"] = counts.get("input_tokens", 0) + beside
        counts.setdefault("input_audio_tokens", beside)
