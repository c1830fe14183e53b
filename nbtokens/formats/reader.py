"""The one interpreter of the format tables: from an exchange to a `Call`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from nbtokens.call import Call, Usage
from nbtokens.formats.json_stream import UNREADABLE, Documents, decode, documents
from nbtokens.formats.paths import Leaf, Selection, steps, walk
from nbtokens.formats.request import Request, texts_of
from nbtokens.formats.table import PENDING
from nbtokens.formats.usage import UsageReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.exchange import Exchange
    from nbtokens.formats.table import Format

_ERROR: Final = "error"
_EVENT_TYPE: Final = "type"
_OBJECT: Final = "object"
_CODE: Final = "code"
_WRITE_NOTHING: Final = frozenset({"embeddings", "rerank"})
_PROGRESS: Final = "progress"
_FIRST_ERROR_STATUS: Final = 400
_DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)/")
_ERROR_NAME: Final = "x-amzn-errortype"


class Reader:
    """Reads the exchanges of one format."""

    def __init__(self, table: Format) -> None:
        self.table = table
        self.pattern = re.compile(rf"(?:{table.path})/?\Z")
        prefixes = ("", *(f"{envelope}." for envelope in table.envelopes))
        self._fields = [
            (name, f"{inside}{path}")
            for name, paths in table.fields.items()
            if name != _PROGRESS
            for path in reversed(paths)  # the most telling last, so that it stays
            for inside in reversed(prefixes)
        ]
        self._progress = [f"{inside}{path}" for path in table.fields.get(_PROGRESS, ()) for inside in prefixes]
        self._errors = [*(f"{inside}{_ERROR}" for inside in prefixes), *table.errors]
        self._usage_at = [f"{inside}{path}" for path in table.usage_at for inside in prefixes]
        self._made: tuple[Selection, UsageReader] | None = None
        self._text = [steps(path) for path in table.text]
        self._text_streamed = [steps(path) for path in table.text_streamed]

    def _make(self) -> tuple[Selection, UsageReader]:
        """What reads the bodies. Of some sixty formats a notebook speaks one or two; the others cost nothing.

        Not a `cached_property`: before Python 3.12 these share a lock, which a forked child may find held for ever.
        """
        table = self.table
        named = (path for _, path in self._fields)
        scalars = dict.fromkeys([*named, *self._progress, _EVENT_TYPE, _OBJECT])
        leaves = [
            *(Leaf(path, str) for path in scalars),
            *(Leaf(path, dict) for path in self._usage_at),
            *(Leaf(path, object) for path in (*self._errors, *table.usage_else, _CODE)),
            *(Leaf(path, float) for path in table.usage_scalars),
        ]
        self._made = made = (Selection(leaves, every=table.usage_summed), UsageReader(table))
        return made

    def model_in(self, path: str) -> str | None:
        """The model that the path of a URL names, or the deployment of one."""
        found = self.pattern.search(path)
        named = found.groupdict().get("model") if found is not None else None
        if named is None:
            deployment = _DEPLOYMENT.search(path)
            named = deployment[1] if deployment is not None else None
        return unquote(named) if named else None

    def read(self, exchange: Exchange, request: Request, asked: str | None = None) -> Call:
        """What the exchange tells, with the usage that the provider reports and no estimate.

        Args:
            exchange: what went over the wire.
            request: its request.
            asked: the model that its URL names.
        """
        table = self.table
        found = documents(exchange.body)
        values: dict[str, Any] = {}
        parts: list[dict[str, Any]] = []
        selection, usages = self._made or self._make()
        whole = selection.read(found.texts, values, parts) and bool(found.texts)
        error = self._error(exchange, values, readable=whole or bool(values))
        asked = self._asked(request) or asked
        call_type = self._call_type(request, asked)
        usage, raw = usages.read(parts, values, exchange.response_headers)
        if usage is not None and usage.output_tokens is None and call_type in _WRITE_NOTHING:
            usage = msgspec.structs.replace(usage, output_tokens=0)
        ended = found.done or values.get(_EVENT_TYPE) in table.last_events
        return Call(
            api=table.api,
            call_type=call_type,
            request_model=asked,
            max_tokens=request.number(table.max_tokens),
            stream=self._is_stream(found, exchange, request),
            usage=usage or _NO_USAGE,
            usage_source="none" if usage is None else "reported",
            raw_usage=raw,
            complete=(exchange.complete or ended) and error is None,
            error=error,
            pending=usage is None and error is None and not found.streamed and self._is_pending(values),
            **self._texts_of_fields(values, raw),
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

    def _asked(self, request: Request) -> str | None:
        for key in self.table.request_models:
            name = request.text(key)
            if name is not None:
                return name
        return None

    def _call_type(self, request: Request, model: str | None) -> str:
        table = self.table
        for part, kind in table.call_types_by_model:
            if model is not None and part in model:
                return kind
        for key, kind in table.call_types:
            if request.holds(key):
                return kind
        return table.call_type

    @staticmethod
    def _is_stream(found: Documents, exchange: Exchange, request: Request) -> bool:
        if found.streamed or request.says_true("stream"):
            return True
        return found.array and "stream" in exchange.address.path.lower()

    def _is_pending(self, values: dict[str, Any]) -> bool:
        return any(values.get(path) in PENDING for path in self._progress)

    def _texts_of_fields(self, values: dict[str, Any], usage: dict[str, Any] | None) -> dict[str, str]:
        texts = {name: values[path] for name, path in self._fields if path in values}
        if usage is not None:
            for key in self.table.usage_fields:
                value = usage.get(key)
                if isinstance(value, str) and value:
                    texts.setdefault(key, value)
        return texts

    def _error(self, exchange: Exchange, values: dict[str, Any], *, readable: bool) -> str | None:
        if exchange.error is not None:
            return exchange.error
        failed = exchange.status is not None and exchange.status >= _FIRST_ERROR_STATUS
        for path in self._errors:
            if path in values:
                named = _error_name(values[path]) or _error_name({_CODE: values.get(_CODE)})
                return named or (f"HTTP {exchange.status}" if failed else "error in the answer")
        if _ERROR in (values.get(_EVENT_TYPE), values.get(_OBJECT)):
            return _error_name({_CODE: values.get(_CODE)}) or "error in the answer"
        if failed:
            return exchange.response_headers.get(_ERROR_NAME, "").partition(":")[0] or f"HTTP {exchange.status}"
        if not readable and exchange.complete and not self.table.opaque:
            kind = exchange.response_headers.get("content-type", "no content type").partition(";")[0]
            return f"unreadable body ({kind})"
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
_NO_USAGE: Final = Usage()
