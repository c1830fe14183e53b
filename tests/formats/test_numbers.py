"""What is no count of tokens is never counted, whatever a server sends in its place."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from reading import counts, exchange, read

from nbtokens.record import decode, encode
from nbtokens.runtime import runtime

PATH: Final = "/v1/chat/completions"
NO_COUNTS: Final = [
    "-1",
    "-0.5",
    "true",
    "false",
    "null",
    '"7"',
    '"many"',
    "[7]",
    '{"a": 7}',
    "9007199254740993",
    "1e300",
]
NO_NUMBERS: Final = ["1e400", "-1e400", "NaN", "Infinity", "-Infinity", "07", "0x7"]
"""What JSON does not know, or no machine number holds."""


def with_number(number: str, way: str = "plain") -> bytes:
    """A body whose `completion_tokens` is this text."""
    document = json.dumps({"model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": "HERE"}})
    document = document.replace('"HERE"', number)
    return f"data: {document}\n\ndata: [DONE]\n\n".encode() if way == "streamed" else document.encode()


@pytest.mark.parametrize("number", NO_COUNTS)
def test_no_count(number: str) -> None:
    """Negative numbers, texts, truth values and other shapes are no counts; the other counts stand."""
    call = read(PATH, with_number(number))
    assert counts(call) == {"input_tokens": 7}
    assert (call.usage_source, call.error) == ("reported", None)


@pytest.mark.parametrize(
    ("number", "count"), [("7.0", 7), ("0", 0), ("0.0", 0), ("9007199254740991", 2**53 - 1), ("1e3", 1000)]
)
def test_counts(number: str, count: int) -> None:
    """Whole numbers count, also where a server writes them as floats."""
    assert counts(read(PATH, with_number(number)))["output_tokens"] == count


@pytest.mark.parametrize("way", ["plain", "streamed"])
@pytest.mark.parametrize("number", [*NO_COUNTS, *NO_NUMBERS])
def test_record_is_made_all_the_same(number: str, way: str) -> None:
    """A call whose usage can't be read is a record that can be written; nothing of it is counted as reported."""
    record = runtime().meter.to_record(exchange(PATH, with_number(number, way)))
    assert record is not None
    assert decode(encode(record)).id == record.id
    if number in NO_NUMBERS:
        assert (record.output_tokens or 0) == 0


@pytest.mark.parametrize("number", ["1e400", "123456789012345678901234567890", "1E-400", "-0"])
def test_other_values_do_no_harm(number: str) -> None:
    """A value that nobody counts may be as large, or as odd, as it likes."""
    body = {"model": "m", "created": "HERE", "choices": [{"message": {"content": "HERE"}}]}
    body["usage"] = {"prompt_tokens": 7, "completion_tokens": 5, "queue_time": 0.1}
    record = runtime().meter.to_record(exchange(PATH, json.dumps(body).replace('"HERE"', number).encode()))
    assert record is not None
    assert (record.input_tokens, record.output_tokens, record.status) == (7, 5, "ok")


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "1E-400", "1e300"])
def test_raw_usage_keeps_any_number(number: str) -> None:
    """The provider's usage object is kept with all that is in it, and can be written."""
    body = '{"model": "m", "usage": {"prompt_tokens": 7, "completion_tokens": 5, "queue_time": HERE}}'
    record = runtime().meter.to_record(exchange(PATH, body.replace("HERE", number).encode()))
    assert record is not None
    kept = decode(encode(record))
    assert (kept.input_tokens, kept.output_tokens) == (7, 5)
    assert kept.usage is not None
    assert float(kept.usage["queue_time"]) == float(number)


@pytest.mark.parametrize(
    "usage", [[], "many", 7, True, {}, {"prompt_tokens": None}, {"prompt_tokens_details": 5}, {"total_tokens": 9}, None]
)
def test_usage_of_another_shape(usage: Any) -> None:  # noqa: ANN401 - any JSON value
    """A usage that is no object with counts reports nothing."""
    call = read(PATH, {"model": "m", "choices": [], "usage": usage})
    assert (call.usage_source, counts(call), call.error) == ("none", {}, None)


@pytest.mark.parametrize(
    "others",
    [
        {"model": 7},
        {"model": ["m"]},
        {"id": {"a": 1}},
        {"choices": {}},
        {"choices": "none"},
        {"choices": [None, 7, "x", []]},
        {"choices": [{"finish_reason": 7}]},
        {"service_tier": [1]},
    ],
    ids=str,
)
def test_unforeseen_shapes(others: dict[str, Any]) -> None:
    """Where a field has a shape that nobody has foreseen, the usage is read all the same."""
    body = {"model": "m", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}, **others}
    call = read(PATH, json.dumps(body).encode())
    assert counts(call) == {"input_tokens": 7, "output_tokens": 5}
    assert call.error is None


@pytest.mark.parametrize("total", [10**30, 2**53, -1])
def test_total_that_is_no_count(total: int) -> None:
    """What a total has beside the counts is looked at only where it is a count itself."""
    usage = {"prompt_tokens": 5, "total_tokens": total}
    assert counts(read(PATH, {"model": "m", "choices": [], "usage": usage})) == {"input_tokens": 5}
