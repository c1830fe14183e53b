"""Streams that report their usage because they were asked to: OpenAI's `stream_options.include_usage`. Off by default.

The option is put into requests to hosts that are known to support it, and what the answer holds because of it is
taken out of what the client sees. httpx and httpx2 are served, which is what the SDKs of these hosts use.

Mistral, OpenRouter, Together and llama.cpp are not asked: they tell their counts in events that every client gets
anyway. DeepSeek neither: there the option changes an event that holds text as well.

Sources: https://platform.openai.com/docs/api-reference/chat/create#chat_create-stream_options ("All other chunks
will also include a usage field, but with a null value"), https://learn.microsoft.com/azure/ai-services/openai/reference
(since 2024-09-01), https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html,
https://docs.ollama.com/openai, https://console.groq.com/docs/api-reference, https://docs.x.ai/docs/api-reference,
https://docs.fireworks.ai/api-reference/post-chatcompletions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nbtokens.context import is_observed
from nbtokens.exchange import Address
from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nbtokens.exchange import Observer
    from nbtokens.record import Record

_PATH: Final = re.compile(r"/(chat/)?completions/?\Z")
_AZURE: Final = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_AZURE_SINCE: Final = "2024-09-01"
_AZURE_V1: Final = "/openai/v1/"
_OPENAI: Final = "api.openai.com"
_OTHERS: Final = frozenset({"api.fireworks.ai", "api.groq.com", "api.x.ai"})
"""These add one event and change no other."""
ENGINES: Final = frozenset({"ollama", "vllm"})
"""Local engines that add one event and change no other. They are known by an earlier answer of theirs."""

_OPTION: Final = b',"stream_options":{"include_usage":true}}'
_SIGNED: Final = re.compile(rb"signature|digest|sha256|md5|hmac", re.IGNORECASE)
_NOT_WHOLE: Final = frozenset({b"content-encoding", b"transfer-encoding"})
_SIGNING: Final = (b"aws4-", b"signature ", b"hmac ")
REFUSALS: Final = frozenset({400, 422})
"""The statuses by which a server may refuse an option that it does not know."""


class Ask(NamedTuple):
    """How a host is asked.

    Attributes:
        server: `host` or `host:port`.
        nulls: whether all its other events get a `"usage":null` by it.
    """

    server: str
    nulls: bool


class Switch:
    """Whether streams are asked for their usage, and which servers can be.

    Attributes:
        on: False until the user switches it on.
    """

    def __init__(self) -> None:
        self.on = False
        self._recognised: set[str] = set()
        self._refused: set[str] = set()

    def learn(self, record: Record) -> None:
        """Remember the engine that an answer gave away. A subscriber to the records."""
        if record.provider in ENGINES and record.server_address:
            self._recognised.add(record.server_address)

    def refused(self, server: str) -> None:
        """Ask a server no more: it answered only without the option."""
        self._refused.add(server)

    def ask_of(self, address: Address, version: str) -> Ask | None:
        """How the server at an address is asked; None where it is not.

        Args:
            address: where a request goes.
            version: the `api-version` of its query, if any.
        """
        server = address.server
        if not _PATH.search(address.path) or server in self._refused:
            return None
        if address.host == _OPENAI:
            return Ask(server, nulls=True)
        if address.host.endswith(_AZURE):
            new = _AZURE_V1 in address.path or _AZURE_SINCE <= version[: len(_AZURE_SINCE)] < "3"
            return Ask(server, nulls=True) if new else None
        return Ask(server, nulls=False) if address.host in _OTHERS or server in self._recognised else None


switch: Final = Switch()
"""The one switch of this process."""


def asked(body: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The body with the option; None where it is left alone.

    That is: no JSON object, no stream, a choice of the user's own about `stream_options`, or a body that is packed
    or signed.
    """
    is_json = False
    for name, value in headers:
        lower = name.lower()
        if _SIGNED.search(name) or lower in _NOT_WHOLE:
            return None
        if lower == b"authorization" and value.lower().startswith(_SIGNING):
            return None
        is_json = is_json or (lower == b"content-type" and b"json" in value.lower())
    text = body.rstrip()
    if not is_json or not text.endswith(b"}") or b'"stream"' not in text:
        return None
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or read.get("stream") is not True or "stream_options" in read:
        return None
    return text[:-1] + _OPTION


_EVENT_END: Final = re.compile(rb"\r?\n\r?\n")
_NO_CHOICE: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_NULL: Final = re.compile(rb',\s*"usage"\s*:\s*null(?=\s*[,}])|(?<=\{)\s*"usage"\s*:\s*null\s*,')
_LONGEST_EVENT: Final = 4 * 1024 * 1024


class EventFilter:
    """Takes the usage event out of a stream; all other bytes pass as they would have come.

    An event passes when its last byte has come. What is no stream of events passes at its end.

    Args:
        nulls: whether other events carry a `"usage":null` that has to go.
    """

    __slots__ = ("_held", "_nulls", "_passing")

    def __init__(self, *, nulls: bool) -> None:
        self._nulls = nulls
        self._held = b""
        self._passing = False

    def feed(self, chunk: bytes) -> bytes:
        """What may pass once these bytes have come."""
        if self._passing:
            return chunk
        data = self._held + chunk
        try:
            return self._passed(data)
        except Exception as error:  # noqa: BLE001 - inside of the user's stream: nothing of ours may come out of it
            guarded.note(error)
            self._passing, self._held = True, b""
            return data

    def _passed(self, data: bytes) -> bytes:
        passed, start = [], 0
        # An end may have begun in what was held: three bytes of it at most.
        for end in _EVENT_END.finditer(data, max(len(self._held) - 3, 0)):
            passed.append(self._seen(data[start : end.end()]))
            start = end.end()
        self._held = data[start:]
        if len(self._held) > _LONGEST_EVENT:
            self._passing = True
            passed.append(self.rest())
        return b"".join(passed)

    def rest(self) -> bytes:
        """What was held when the stream ended."""
        held, self._held = self._held, b""
        with guarded:
            return self._seen(held)
        return held

    def _seen(self, event: bytes) -> bytes:
        if b'"usage"' not in event:
            return event
        if _NO_CHOICE.search(event) and _is_usage_event(event):
            return b""
        return _NULL.sub(b"", event, count=1) if self._nulls else event


def _is_usage_event(event: bytes) -> bool:
    """Whether an event holds nothing but the usage: there is one, and no choice."""
    lines = [line for line in event.splitlines() if line]
    if len(lines) != 1 or not lines[0].startswith(b"data:"):
        return False
    try:
        document = json.loads(lines[0].removeprefix(b"data:"))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("choices") == [] and isinstance(document.get("usage"), dict)


def ask_of_request(request: Any, observer: Observer) -> tuple[Ask, bytes] | None:  # noqa: ANN401 - httpx's types
    """How the server of an httpx request is asked, and the request's body for it; None where it is left alone."""
    with guarded:
        url, body = request.url, getattr(request, "_content", None)
        address = Address(url.scheme, url.host, url.port, url.path)
        query: Mapping[str, str] = url.params
        ask = switch.ask_of(address, query.get("api-version", ""))
        if ask is None or not body or is_observed() or not observer.wants(request.method, address):
            return None
        changed = asked(body, request.headers.raw)
        return None if changed is None else (ask, changed)
    return None
