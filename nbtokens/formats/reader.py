"""The one interpreter of the format tables: from an exchange to a `Call`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nbtokens.call import Call, Usage, UsageSource
from nbtokens.formats.json_stream import UNREADABLE, Documents, decode, documents
from nbtokens.formats.paths import Leaf, Selection, steps, walk
from nbtokens.formats.request import Request, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.exchange import Exchange
    from nbtokens.formats.paths import Steps
    from nbtokens.formats.table import Format

_ERROR: Final = "error"
_EVENT_TYPE: Final = "type"
_FIRST_ERROR_STATUS: Final = 400
_MOST_TOKENS: Final = 2**53


class Reader:
    """Reads the exchanges of one format."""

    def __init__(self, table: Format) -> None:
        self.table = table
        self._fields = [
            (name, [f"{inside}{path}" for path in paths for inside in ("", *_prefixes(table))])
            for name, paths in table.fields.items()
        ]
        self._usage_at = [f"{inside}{path}" for path in table.usage_at for inside in ("", *_prefixes(table))]
        self._usage_rows = [(_alternatives(path), name) for path, name in table.usage]
        self._errors = [f"{inside}{_ERROR}" for inside in ("", *_prefixes(table))]
        scalars = [path for _, paths in self._fields for path in paths]
        self._selection = Selection(
            [
                *(Leaf(path, str) for path in [*scalars, _EVENT_TYPE]),
                *(Leaf(path, dict) for path in self._usage_at),
                *(Leaf(path, object) for path in self._errors),
            ]
        )
        self._text = [steps(path) for path in table.text]
        self._text_streamed = [steps(path) for path in table.text_streamed]

    def read(self, exchange: Exchange, request: Request) -> Call:
        """What the exchange tells, with the usage that the provider reports and no estimate."""
        found = documents(exchange.body)
        values, usage, whole = self._gather(found)
        error = self._error(exchange, values, readable=whole or bool(values))
        reported = self._usage(usage) if usage else None
        ended = found.done or values.get(_EVENT_TYPE) in self.table.last_events
        source: UsageSource = "reported" if reported is not None else "none"
        return Call(
            api=self.table.api,
            call_type=self.table.call_type,
            request_model=request.text("model"),
            max_tokens=request.number(self.table.max_tokens),
            stream=found.streamed or request.get("stream") is True,
            usage=reported or Usage(),
            usage_source=source,
            raw_usage=usage or None,
            complete=(exchange.complete or ended) and error is None,
            error=error,
            **self._texts_of_fields(values, usage),
        )

    def written(self, exchange: Exchange) -> Iterator[str]:
        """The pieces of text that the model wrote, for counting them."""
        found = documents(exchange.body)
        ways = self._text_streamed if found.streamed else self._text
        for text in found.texts:
            try:
                document = decode(text)
            except UNREADABLE:
                continue
            for way in ways:
                for value in walk(document, way):
                    yield from texts_of(value)

    def _gather(self, found: Documents) -> tuple[dict[str, Any], dict[str, Any], bool]:
        """The last value at each path, the merged usage object, and whether every document could be read."""
        values: dict[str, Any] = {}
        parts: list[dict[str, Any]] = []
        whole = self._selection.read(found.texts, values, parts) and bool(found.texts)
        usage: dict[str, Any] = {}
        for part in parts:
            usage.update({key: value for key, value in part.items() if value is not None})
        return values, usage, whole

    def _usage(self, raw: dict[str, Any]) -> Usage | None:
        counts: dict[str, int] = {}
        for alternatives, name in self._usage_rows:
            for way in alternatives:
                value: Any = raw
                for key in way:
                    value = value.get(key) if type(value) is dict else None
                if value is None:
                    continue
                if type(value) is not int or not 0 <= value < _MOST_TOKENS:
                    value = _count(value)
                    if value is None:
                        continue
                counts[name] = counts[name] + value if name in counts else value
                break
        if not counts:
            return None
        if "output_tokens" not in counts and "input_tokens" in counts and not self.table.text:
            counts["output_tokens"] = 0  # nothing is written by an embedding
        return Usage(**counts)

    def _texts_of_fields(self, values: dict[str, Any], usage: dict[str, Any]) -> dict[str, str]:
        texts = {}
        for name, paths in self._fields:
            for path in paths:
                value = values.get(path)
                if value:
                    texts[name] = value
                    break
        for key in self.table.usage_fields:
            value = usage.get(key)
            if isinstance(value, str) and value:
                texts.setdefault(key, value)
        return texts

    def _error(self, exchange: Exchange, values: dict[str, Any], *, readable: bool) -> str | None:
        if exchange.error is not None:
            return exchange.error
        for path in self._errors:
            if path in values:
                return _error_name(values[path]) or f"HTTP {exchange.status}"
        if exchange.status is not None and exchange.status >= _FIRST_ERROR_STATUS:
            return f"HTTP {exchange.status}"
        if not readable and exchange.complete:
            kind = exchange.response_headers.get("content-type", "no content type").partition(";")[0]
            return f"unreadable body ({kind})"
        return None


def _prefixes(table: Format) -> tuple[str, ...]:
    return tuple(f"{envelope}." for envelope in table.envelopes)


def _alternatives(path: str) -> tuple[Steps, ...]:
    return tuple(steps(part.strip()) for part in path.split("|"))


def _count(value: Any) -> int | None:  # noqa: ANN401 - usage objects hold anything
    """A count of tokens; some providers send floats. What is negative, endless or no number is no count."""
    if isinstance(value, float) and 0 <= value < _MOST_TOKENS:  # also false for NaN
        return int(value)
    return None


def _error_name(error: Any) -> str | None:  # noqa: ANN401 - error bodies hold anything
    """The provider's name for an error: its `type` or `code`, never its prose."""
    if isinstance(error, dict):
        for key in ("type", "code", "status"):
            value = error.get(key)
            if isinstance(value, str | int) and value and len(str(value)) <= _LONGEST_NAME:
                return str(value)
    return None


_LONGEST_NAME: Final = 80
