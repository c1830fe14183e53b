"""One exchange of the catalogue: written from a provider's documentation, with what must be recorded of it."""

from __future__ import annotations

import binascii
import json
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbtokens.record import Record

Kind: TypeAlias = Literal["usage", "error", "no_usage", "not_a_call"]
COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)
JSON: Final = {"content-type": "application/json"}


@dataclass(frozen=True)
class Case:
    """An exchange, and what is recorded of it.

    Attributes:
        name: says what is special about it.
        sent: the request's object, its bytes, or None where there are none.
        body: the response's bytes.
        provider: the name in the record.
        api: the wire format's name in the record.
        kind: `usage` is reported; it is an `error`; it reports `no_usage`; it is `not_a_call`, and no record is made.
        tokens: the counts, by the record's names; what is not here is None.
        model: the record's.
    """

    name: str
    url: str
    sent: Mapping[str, Any] | bytes | None
    body: bytes
    provider: str | None = None
    api: str = ""
    kind: Kind = "usage"
    tokens: Mapping[str, int] = field(default_factory=dict)
    model: str | None = None
    call_type: str | None = None
    error: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    @property
    def request_body(self) -> bytes:
        """What is sent."""
        if self.sent is None:
            return b""
        return self.sent if isinstance(self.sent, bytes) else json.dumps(self.sent).encode()

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream."""
        start = self.body.lstrip()[:1]
        return start not in (b"{", b"[", b"<", b"") or b'}\n{"' in self.body or "stream" in self.url.lower()

    def trouble(self, records: Sequence[Record]) -> str | None:
        """What is wrong with the records that came of it; None if nothing is."""
        if len(records) != (self.kind != "not_a_call"):
            return f"{len(records)} records"
        for record in records:
            wanted = self._wanted(record)
            differing = {
                name: (getattr(record, name), one) for name, one in wanted.items() if getattr(record, name) != one
            }
            if differing:
                return f"{self.name}: {differing}"
        return None

    def _wanted(self, record: Record) -> dict[str, Any]:
        who = {"api": self.api, "provider": self.provider, "model": self.model, "error": self.error}
        who["call_type"] = self.call_type or record.call_type
        if self.kind == "usage":
            counts = {name: self.tokens.get(name) for name in COUNTS}
            return {
                **who,
                **counts,
                "usage_source": "reported",
                "complete": True,
                "stream": self.streamed,
                "status": "ok",
            }
        if self.kind == "error":
            return {**who, "status": "error", "complete": False}
        if record.usage_source == "reported":  # in other units
            return {**who, "input_tokens": None, "output_tokens": None, "status": "ok"}
        return {**who, "status": "ok"}


def tokens(read: int | None, written: int | None, *, cached: int | None = None, **others: int) -> dict[str, int]:
    """Counts by the record's names; `others` are `cache_creation` and `reasoning`."""
    named = {
        "input_tokens": read,
        "output_tokens": written,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": others.get("cache_creation"),
        "reasoning_output_tokens": others.get("reasoning"),
    }
    return {name: count for name, count in named.items() if count is not None}


def plain(document: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """A JSON body."""
    return json.dumps(document).encode()


def lines(*documents: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """A JSON document on each line, as Ollama and Cohere send it."""
    return b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in documents)


def events(*documents: Any, done: bool = True) -> bytes:  # noqa: ANN401 - any JSON value
    """Server-sent events as OpenAI sends them."""
    parts = [b"data: " + json.dumps(one, separators=(",", ":")).encode() + b"\n\n" for one in documents]
    return b"".join(parts) + (b"data: [DONE]\n\n" if done else b"")


def named_events(*documents: Mapping[str, Any]) -> bytes:
    """Server-sent events as Anthropic sends them, each with its type for a name."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode()) for one in documents)


def frame(payload: bytes, **headers: str) -> bytes:
    """A frame of AWS' event stream. Underscores in the names of headers stand for dashes."""
    packed = b""
    for key, value in headers.items():
        name = f":{key.replace('_', '-')}".encode()
        packed += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + packed + payload
    return message + struct.pack(">I", binascii.crc32(message))


def frames(**payloads: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Frames by the type of their event, as converse sends them."""
    parts = (
        frame(json.dumps(one).encode(), event_type=kind, content_type="application/json", message_type="event")
        for kind, one in payloads.items()
    )
    return b"".join(parts)


def chunk_frames(*documents: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Frames that carry documents inside, as invoke sends them."""
    return b"".join(frames(chunk={"bytes": b64encode(json.dumps(one).encode()).decode()}) for one in documents)
