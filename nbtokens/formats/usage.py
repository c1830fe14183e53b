"""From a provider's usage object to `Usage`: one convention, whatever theirs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from nbtokens.call import Usage
from nbtokens.formats.paths import steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbtokens.formats.table import Format

Object: TypeAlias = dict[str, Any]
Step: TypeAlias = str | tuple[str, str]
Way: TypeAlias = tuple[Step, ...]
Rows: TypeAlias = tuple[tuple[str, tuple[Way, ...]], ...]
Finds: TypeAlias = tuple[tuple[int, str, str, str | None, Way | None], ...]
"""Where an object of one shape may hold counts: row, name, key, and where need be the key inside, or the whole way."""

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
        self._finds: dict[tuple[str, ...], Finds] = {}
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
        counts: dict[str, int] = {}
        self._count(raw, counts)
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
        counts: dict[str, int] = {}
        for part in parts:
            self._count(part, counts)
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

    def _count(self, raw: Object, counts: dict[str, int]) -> None:
        keys = tuple(raw)
        finds = self._finds.get(keys)
        done = -1
        for row, name, key, inside, way in self._finds_in(keys) if finds is None else finds:
            if row == done:  # of the ways of one row, the first counts that leads somewhere
                continue
            value = raw[key] if way is None else _at(raw, way)
            if inside is not None:
                value = value.get(inside) if type(value) is dict else None
            if type(value) is not int or not 0 <= value < _MOST_TOKENS:
                value = None if value is None else _whole(value)
                if value is None:
                    continue
            counts[name] = counts[name] + value if name in counts else value
            done = row

    def _finds_in(self, keys: tuple[str, ...]) -> Finds:
        """Where to look in an object with these keys: a few ways out of many, most of them one key or two."""
        if len(self._finds) >= _MOST_SHAPES:
            self._finds.clear()
        finds = self._finds[keys] = tuple(
            (number, name, *_taken_apart(way))
            for number, (name, ways) in enumerate(self._rows)
            for way in ways
            if way[0] in keys
        )
        return finds

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
        counts: dict[str, int] = {}
        if not isinstance(iterations, list):
            return counts
        passes = [one for one in iterations if isinstance(one, dict) and one.get("type") in _PASSES]
        if any(one.get("type") == "compaction" for one in passes):
            for one in passes:
                self._count(one, counts)
        return counts


def _way(path: str) -> Way:
    way: list[Step] = []
    for name in path.split("."):
        condition = _CONDITION.search(name)
        if condition is None:
            way.append(name)
        else:
            way += [name[: condition.start()], (condition[1], condition[2])]
    return tuple(way)


def _taken_apart(way: Way) -> tuple[str, str | None, Way | None]:
    """A way as a key, the key inside of that one's object, and, where it is longer or has conditions, all of it."""
    key, *rest = way
    assert isinstance(key, str)  # an object has keys; conditions are for lists inside
    if not rest:
        return key, None, None
    return (key, rest[0], None) if len(rest) == 1 and isinstance(rest[0], str) else (key, None, way)


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
