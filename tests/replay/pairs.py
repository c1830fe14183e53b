"""Recorded exchanges, the ways to deliver their answers, and what must be recorded of them."""

from __future__ import annotations

import base64
import gzip
import itertools
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from clients import HTTP
from servers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nbtokens.record import Record

BODILESS: Final = frozenset({204, 304})
"""Statuses whose answers have no body (RFC 9110, 15.3.5 and 15.4.5)."""
_MOST_PIECES: Final = 60
_COUNTS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_input_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}


@dataclass(frozen=True)
class Pair:
    """A request and the answer to it.

    Attributes:
        headers: the response's, those that matter.
        expected: `kind` and what is to be read, as a file of traffic has it.
    """

    name: str
    method: str
    url: str
    sent: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    expected: Mapping[str, Any]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Pair:
        """A row of a file of traffic."""
        headers = dict(row.get("response_headers") or {})
        if row.get("content_type"):
            headers["content-type"] = row["content_type"]
        sent, body = _bytes(row, "request_body"), _bytes(row, "response_body")
        return cls(row["id"], row["method"], row["url"], sent, row["status"], headers, body, row["expected"])

    def trouble(self, records: Sequence[Record]) -> str | None:
        """What is wrong with the records that came of it; None if nothing is."""
        kind = self.expected["kind"]
        if kind == "not_llm":
            return f"recorded: {records[0].api}" if records else None
        if kind == "retrieval" and not self.expected.get("output_tokens"):
            return "recorded without figures" if records else None
        if kind == "batch_results":
            return None if all(one.usage_source == "reported" for one in records) else "a line without figures"
        if len(records) != 1:
            return f"{len(records)} records"
        return self._trouble_with(records[0], kind)

    def _trouble_with(self, record: Record, kind: str) -> str | None:
        if kind == "error":
            wrong = record.status != "error" or record.total_tokens is not None
            return f"no error: {record.status}, {record.usage_source}" if wrong else None
        if kind in ("usage", "retrieval"):
            return self._difference(record)
        wrong = record.usage_source == "reported" and record.total_tokens is not None
        return f"reported {record.input_tokens} + {record.output_tokens}" if wrong else None

    def _difference(self, record: Record) -> str | None:
        wanted = {ours: self.expected.get(theirs) for ours, theirs in _COUNTS.items()}
        wanted["model"] = self.expected.get("model") or self.expected.get("request_model") or record.request_model
        read = {name: getattr(record, name) for name in wanted}
        if read == wanted and record.usage_source == "reported" and record.status == "ok" and record.complete:
            return None
        differing = {name: (read[name], wanted[name]) for name in wanted if read[name] != wanted[name]}
        return f"{record.usage_source}, {record.status} {record.error or ''}: {differing}"


def _bytes(row: Mapping[str, Any], key: str) -> bytes:
    packed = row.get(f"{key}_b64")
    return (row.get(key) or "").encode() if packed is None else base64.b64decode(packed)


@dataclass(frozen=True)
class Delivery:
    """How an answer goes over the wire, and how it is read.

    Attributes:
        client: one of `CLIENTS`.
        streamed: whether the client reads it bit by bit.
        encoding: `identity` or `gzip`.
        cut: `whole`, or in small `pieces`.
    """

    client: str
    streamed: bool
    encoding: str
    cut: str

    def __str__(self) -> str:
        return f"{self.client}-{'stream' if self.streamed else 'plain'}-{self.encoding}-{self.cut}"

    def answer(self, pair: Pair) -> Answer:
        """What the server sends."""
        headers = dict(pair.headers)
        if pair.status in BODILESS:
            return Answer(b"", pair.status, headers)
        body = pair.body
        if self.encoding == "gzip":
            body = gzip.compress(body, 1)
            headers["content-encoding"] = "gzip"
        if self.cut == "whole":
            return Answer(body, pair.status, headers)
        return Answer(b"", pair.status, headers, pieces=pieces(body, pair.name))


def pieces(body: bytes, seed: str) -> list[bytes]:
    """The body cut at random places, always the same ones; a short one, byte by byte."""
    inside = range(1, len(body))
    chance = random.Random(seed)
    cuts = sorted(chance.sample(inside, _MOST_PIECES)) if len(inside) > _MOST_PIECES else list(inside)
    return [body[start:end] for start, end in itertools.pairwise([0, *cuts, len(body)]) if start < end]


CLIENTS: Final = (*map(str, HTTP), "requests", "aiohttp")
DELIVERIES: Final = tuple(
    Delivery(client, streamed, encoding, cut)
    for client in CLIENTS
    for streamed in (False, True)
    for encoding in ("identity", "gzip")
    for cut in ("whole", "pieces")
)
"""The whole matrix."""


def some(name: str, deliveries: Sequence[Delivery] = DELIVERIES, count: int = 1) -> list[Delivery]:
    """A few deliveries for a name: others for other names, and always the same ones."""
    start = zlib.crc32(name.encode())
    return [deliveries[(start + number * 7) % len(deliveries)] for number in range(count)]
