"""Each exchange of the catalogue is read as the provider's documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import pytest
from catalogue import CASES

from nbtokens.exchange import Address, Exchange
from nbtokens.formats.recognise import FORMATS
from nbtokens.record import decode, encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from catalogue.case import Case

_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_output_tokens",
)


def exchange_of(case: Case, body: bytes | None = None) -> Exchange:
    """The case as a transport would hand it over."""
    url = urlsplit(case.url)
    return Exchange(
        case.method,
        Address(url.scheme, url.hostname or "", url.port, unquote(url.path)),
        request_body=case.request_body or None,
        response_headers=dict(case.headers),
        status=case.status,
        body=case.body if body is None else body,
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_record(case: Case) -> None:
    """The one record of an exchange has its tokens, its model, its provider and what went wrong; or there is none."""
    meter = runtime().meter
    meter.observe_deferred(exchange_of(case))
    meter.settle_pending()
    records = list(runtime().store.records())
    assert len(records) == (case.kind != "not_a_call")
    for record in records:
        assert (record.api, record.provider, record.model) == (case.api, case.provider, case.model)
        assert record.call_type == (case.call_type or record.call_type)
        assert (record.status, record.error) == ("ok" if case.error is None else "error", case.error)
        assert decode(encode(record)).id == record.id
        if case.kind == "usage":
            read = {name: getattr(record, name) for name in _COUNTS}
            assert {name: count for name, count in read.items() if count is not None} == case.tokens
            assert (record.usage_source, record.complete, record.stream) == ("reported", True, case.streamed)
        elif case.kind == "error":
            assert record.complete is False
            assert record.usage_source != "reported" or not case.tokens
        else:
            assert record.usage_source in ("none", "estimated") or record.total_tokens is None


def test_every_format_has_a_case() -> None:
    """No format is read that the catalogue knows nothing of."""
    missing = {table.api for table in FORMATS} - {case.api for case in CASES}
    assert missing <= {"speech"}, missing


def test_names() -> None:
    """Each case has a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES)
