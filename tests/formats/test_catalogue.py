"""Each exchange of the catalogue is read as the provider's documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from catalogue import CASES

from nbtokens.exchange import Address, Exchange
from nbtokens.formats.recognise import FORMATS
from nbtokens.record import decode, encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from catalogue.case import Case


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
    assert case.trouble(records) is None
    assert [decode(encode(record)).id for record in records] == [record.id for record in records]


def test_every_format_has_a_case() -> None:
    """No format is read that the catalogue knows nothing of."""
    assert {table.api for table in FORMATS} <= {case.api for case in CASES}


def test_names() -> None:
    """Each case has a name of its own."""
    assert len({case.name for case in CASES}) == len(CASES)
