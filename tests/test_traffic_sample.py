"""Real traffic of providers, where a sample of it lies beside the repository: every figure is read exactly."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from nbtokens.exchange import Address, Exchange
from nbtokens.formats.recognise import FORMATS, recognise
from nbtokens.runtime import runtime

SAMPLE: Final = Path(__file__).parents[2] / "shared" / "traffic" / "sample.jsonl"
pytestmark = pytest.mark.skipif(not SAMPLE.is_file(), reason="there is no sample of traffic beside the repository")

_LEAST_ROWS: Final = 100
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
        response_headers={"content-type": row["content_type"] or ""},
        status=row["status"],
        body=_body(row, "response"),
    )


def _body(row: dict[str, Any], which: str) -> bytes:
    if f"{which}_body_b64" in row:
        return base64.b64decode(row[f"{which}_body_b64"])
    return (row.get(f"{which}_body") or "").encode()


def is_readable(row: dict[str, Any]) -> bool:
    """Whether there is a format for the row's path."""
    return recognise(row["method"], urlsplit(row["url"]).path) is not None


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
    assert record.model == (expected["model"] or expected["request_model"])
    assert record.request_model in {expected["request_model"], None}  # None: the URL alone names a deployment
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


@pytest.mark.parametrize("row", sample("not_llm", "retrieval", "batch_results"), ids=named)
def test_others_are_not_recorded(row: dict[str, Any]) -> None:
    """What is no call of a model, or no new one, is not recorded."""
    exchange = exchange_of(row)
    meter = runtime().meter
    assert not meter.wants(exchange.method, exchange.address) or meter.to_record(exchange) is None


@pytest.mark.parametrize("row", [row for row in sample("stream_no_usage", "no_usage") if is_readable(row)], ids=named)
def test_without_figures(row: dict[str, Any]) -> None:
    """An answer without figures is never taken for one that reported them."""
    record = runtime().meter.to_record(exchange_of(row))
    assert record is not None
    assert record.usage_source in {"estimated", "none"}
    assert record.usage is None


def test_the_sample_is_used() -> None:
    """Every format has rows in the sample, and there are as many as there were."""
    rows = [row for row in sample("usage") if is_readable(row)]
    assert len(rows) >= _LEAST_ROWS
    readers = [recognise(row["method"], urlsplit(row["url"]).path) for row in rows]
    assert {reader.table.api for reader in readers if reader} == {table.api for table in FORMATS}
