"""Real traffic of providers, where a sample of it lies beside the repository: every figure is read exactly."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from nbtokens.exchange import Address, Exchange
from nbtokens.formats.providers import provider_of
from nbtokens.formats.recognise import recognise
from nbtokens.runtime import runtime

SAMPLE: Final = Path(__file__).parents[2] / "shared" / "traffic" / "sample.jsonl"
pytestmark = pytest.mark.skipif(not SAMPLE.is_file(), reason="there is no sample of traffic beside the repository")

_LEAST_ROWS: Final = 175
_COUNTS: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_input_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}


def sample(*kinds: str) -> list[dict[str, Any]]:
    """The rows of these kinds."""
    if not SAMPLE.is_file():
        return []
    with SAMPLE.open(encoding="utf-8") as file:
        return [row for row in map(json.loads, file) if row["expected"]["kind"] in kinds]


def exchange_of(row: dict[str, Any]) -> Exchange:
    """The row as a transport would hand it over."""
    url = urlsplit(row["url"])
    return Exchange(
        row["method"],
        Address(url.scheme, url.hostname or "", url.port, url.path),
        request_body=_body(row, "request"),
        response_headers={"content-type": row["content_type"] or "", **(row["response_headers"] or {})},
        status=row["status"],
        body=_body(row, "response"),
    )


def _body(row: dict[str, Any], which: str) -> bytes:
    if f"{which}_body_b64" in row:
        return base64.b64decode(row[f"{which}_body_b64"])
    return (row.get(f"{which}_body") or "").encode()


def is_readable(row: dict[str, Any]) -> bool:
    """Whether there is a format for the row's URL."""
    url = urlsplit(row["url"])
    return recognise(row["method"], url.path, provider_of(url.hostname or "")) is not None


def named(row: dict[str, Any]) -> str:
    return f"{row['id']}-{row['expected']['provider']}-{row['expected']['api']}"


@pytest.mark.parametrize("row", [row for row in sample("usage") if is_readable(row)], ids=named)
def test_usage(row: dict[str, Any]) -> None:
    """Input, output, cached, cache-write and reasoning tokens and the model are read exactly as they were sent."""
    expected = row["expected"]
    record = runtime().meter.to_record(exchange_of(row))
    assert record is not None
    read = {ours: getattr(record, ours) for ours in _COUNTS}
    assert read == {ours: expected[theirs] for ours, theirs in _COUNTS.items()}
    # The sample does not know the models that forms ask for.
    assert record.model == (expected["model"] or expected["request_model"] or record.request_model)
    if expected["api"] not in {"transcription", "watsonx", "hf_inference"}:
        assert record.request_model == expected["request_model"]
    assert record.stream is expected["stream"]
    assert (record.status, record.complete, record.usage_source) == ("ok", True, "reported")


@pytest.mark.parametrize("row", [row for row in sample("error") if is_readable(row)], ids=named)
def test_errors(row: dict[str, Any]) -> None:
    """A refused call is an error without tokens."""
    record = runtime().meter.to_record(exchange_of(row))
    assert record is not None
    assert (record.status, record.complete, record.usage_source) == ("error", False, "none")
    assert record.error
    assert record.total_tokens is None


@pytest.mark.parametrize("row", sample("not_llm"), ids=named)
def test_others_are_not_recorded(row: dict[str, Any]) -> None:
    """What is no call of a model is not recorded."""
    exchange = exchange_of(row)
    meter = runtime().meter
    meter.observe_deferred(exchange)
    runtime().settle(at_exit=True)
    assert not list(runtime().store.records())


@pytest.mark.parametrize("row", sample("retrieval", "batch_results"), ids=named)
def test_what_is_fetched_later(row: dict[str, Any]) -> None:
    """An answer that is fetched is a call if it reports its usage, and only once."""
    meter = runtime().meter
    for _ in range(2):
        meter.observe_deferred(exchange_of(row))
    records = list(runtime().store.records())
    expected = row["expected"]
    if expected.get("input_tokens"):
        assert [record.input_tokens for record in records] == [expected["input_tokens"]]
        assert [record.output_tokens for record in records] == [expected["output_tokens"]]
    assert len(records) <= 1
    assert all(record.usage_source == "reported" and record.duration_s is None for record in records)


@pytest.mark.parametrize("row", [row for row in sample("stream_no_usage", "no_usage") if is_readable(row)], ids=named)
def test_without_figures(row: dict[str, Any]) -> None:
    """An answer without figures is never taken for one that reported them."""
    meter = runtime().meter
    record = meter.to_record(exchange_of(row))
    if record is None:  # accepted, to be fetched later
        assert b'"status"' in exchange_of(row).body
        meter.settle_pending()
        record = next(iter(runtime().store.records()))
    assert record.usage_source in {"estimated", "none"}


def test_the_sample_is_used() -> None:
    """There are as many rows as there were, and a format for every one."""
    rows = [row for row in sample("usage") if is_readable(row)]
    assert len(rows) >= _LEAST_ROWS
    assert len(rows) == len(sample("usage"))
