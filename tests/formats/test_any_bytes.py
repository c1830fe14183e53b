"""Whatever bytes a server sends: the same call however they are cut, and never an exception."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import REQUESTS, STREAMED, events, exchange, read, simulated_body
from servers import Answer, ScriptedServer

from nbtokens.record import decode, encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.record import Record

BODIES: Final = [
    (path, simulated_body(path, **options)) for path in REQUESTS for options in ({}, STREAMED) if "embed" not in path
]
UNKNOWN_KEYS: Final = st.text(max_size=4).map("zz{}".format)
SCALARS: Final = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
ANY_JSON: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5
)
SOME: Final = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY: Final = settings(SOME, max_examples=150)


def same_but_for_its_id(record: Record) -> dict[str, Any]:
    """What of a record does not depend on when the call was made."""
    own = {"id", "started_at", "duration_s", "time_to_first_chunk_s"}
    return {name: value for name, value in json.loads(encode(record)).items() if name not in own}


@pytest.mark.parametrize(("path", "body"), BODIES[1::2], ids=[path for path, _ in BODIES[1::2]])
def test_any_split(path: str, body: bytes, server: ScriptedServer, recording: Ledger) -> None:
    """However a body is cut into chunks on its way, its record is the same."""
    records: list[Record] = []
    runtime().subscribers.append(records.append)
    headers = {"content-type": "text/event-stream"}

    @given(st.lists(st.integers(0, len(body)), max_size=12))
    @SOME
    def check(cuts: list[int]) -> None:
        ends = [0, *sorted(cuts), len(body)]
        pieces = [body[start:end] for start, end in itertools.pairwise(ends) if start < end]
        server.will(Answer(headers=headers, pieces=pieces))
        with client.stream("POST", server.url + path, json=REQUESTS[path]) as response:
            assert b"".join(response.iter_raw()) == body
        assert same_but_for_its_id(records[-1]) == same_but_for_its_id(records[0])
        assert records[-1].usage_source == "reported"

    with httpx2.Client() as client:
        check()
    assert len(records) == len(recording.rows()) == len(server.asked)


@st.composite
def disturbed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document with its keys in another order, and unknown ones among them."""
    found = {key: draw(disturbed(value)) if isinstance(value, dict) else value for key, value in document.items()}
    found.update(draw(st.dictionaries(UNKNOWN_KEYS, ANY_JSON, max_size=2)))
    return {key: found[key] for key in draw(st.permutations(sorted(found)))}


@pytest.mark.parametrize(("path", "body"), BODIES[::2], ids=[path for path, _ in BODIES[::2]])
def test_unknown_keys(path: str, body: bytes) -> None:
    """Unknown keys, with whatever in them, and keys in any order change nothing; the raw usage keeps them."""
    document = json.loads(body)
    expected = read(path, document)

    @given(disturbed(document))
    @SOME
    def check(other: dict[str, Any]) -> None:
        for raw in (
            json.dumps(other).encode(),
            json.dumps(other, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
        ):
            call = read(path, raw)
            assert {name: getattr(call, name) for name in names} == {name: getattr(expected, name) for name in names}
        assert call.raw_usage is not None
        assert call.raw_usage.keys() >= {key for key, value in other["usage"].items() if value is not None}

    names = [name for name in expected.__struct_fields__ if name != "raw_usage"]
    check()


@st.composite
def mutated(draw: st.DrawFn, body: bytes) -> bytes:
    """A body with bytes changed, cut out, put in or doubled."""
    changed = bytearray(body)
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(changed)))
        end = min(start + draw(st.integers(0, 40)), len(changed))
        junk = draw(st.binary(max_size=6) | st.sampled_from(TOKENS))
        changed[start:end] = draw(st.sampled_from([junk, b"", bytes(changed[start:end]) * 2]))
    return bytes(changed)


TOKENS: Final = [
    b"null",
    b"[]",
    b"{}",
    b"1e999",
    b"-1",
    b'"',
    b"\n\n",
    b"data: ",
    b"[DONE]",
    b"\\ud800",
    b"\x00",
    b"}",
    b"[",
]


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[f"{path}-{n % 2}" for n, (path, _) in enumerate(BODIES)])
def test_mutated_bodies(path: str, body: bytes) -> None:
    """No body makes the meter raise, and what it makes of it can be written and read back."""

    @given(mutated(body), st.booleans())
    @MANY
    def check(other: bytes, complete: bool) -> None:  # noqa: FBT001 - drawn
        record = runtime().meter.to_record(exchange(path, other, complete=complete))
        assert record is not None
        assert decode(encode(record)).id == record.id

    check()


@pytest.mark.parametrize("path", REQUESTS)
def test_mutated_requests(path: str) -> None:
    """The same for what the user sends: it need not be JSON, nor of any shape."""
    sent = json.dumps({**REQUESTS[path], "stream": True, "tools": [{"name": "f"}]}).encode()

    @given(mutated(sent))
    @SOME
    def check(other: bytes) -> None:
        seen = exchange(path, b'{"model": "m"}', host="api.openai.com", request_body=other)
        record = runtime().meter.to_record(seen)
        assert record is not None
        assert decode(encode(record)).id == record.id

    check()


DEEP: Final = 100_000
NASTY: Final = {
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep usage": b'{"model": "m", "usage": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "deep error": b'{"error": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep unknown key": b'{"usage": {"prompt_tokens": 1}, "other": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    **{f"{depth} deep": b'{"choices": ' + b"[" * depth + b"]" * depth + b"}" for depth in (300, 900)},
    **{
        f"text {depth} deep": b'{"choices": [{"message": {"content": ' + b"[" * depth + b'"a"' + b"]" * depth + b"}}]}"
        for depth in (300, 600, 900)
    },
    "lone surrogate": b'{"model": "m\\ud800", "usage": {"prompt_tokens": 1}}',
    "not UTF-8": b'{"model": "m\xff", "usage": {"prompt_tokens": 1}}',
    "endless number": b'{"usage": {"prompt_tokens": ' + b"9" * 10_000 + b"}}",
    "keys twice": b'{"usage": {"prompt_tokens": 1, "prompt_tokens": 2}, "usage": null}',
    "array of lists": b"[[[]], [{}], 1, null]",
    "one event a thousand times": events({}) * 1000,
    "NUL": b"\x00" * 1000,
}


@pytest.mark.parametrize("way", ["plain", "event"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("name", NASTY)
def test_nasty_bodies(name: str, path: str, way: str) -> None:
    """Bodies made to break readers break nothing."""
    body = NASTY[name] if way == "plain" else b"data: " + NASTY[name] + b"\n\n"
    record = runtime().meter.to_record(exchange(path, body, host="api.openai.com"))
    assert record is not None
    assert decode(encode(record)).id == record.id


@pytest.mark.parametrize("depth", [300, 600, 900, DEEP])
def test_nasty_prompts(depth: int) -> None:
    """The same for a prompt that must be counted."""
    sent = b'{"model": "m", "messages": ' + b"[" * depth + b'"a"' + b"]" * depth + b"}"
    seen = exchange("/v1/chat/completions", b'{"model": "m"}', host="api.openai.com", request_body=sent)
    record = runtime().meter.to_record(seen)
    assert record is not None
    assert record.usage_source == ("none" if depth == DEEP else "estimated")  # so deep, nobody reads it


def test_readers_share_nothing() -> None:
    """Many threads may read at once."""
    expected = read(*BODIES[0])
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.extend(read(*BODIES[0]) == expected for _ in range(50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 400
