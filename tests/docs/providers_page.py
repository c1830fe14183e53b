"""Writes docs/providers.md from the catalogue of exchanges and the tests that hold it.

python tests/docs/providers_page.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from catalogue.cells import ANYWHERE, FAULTS, ROWS, TRANSPORTS, Row  # noqa: E402 - the path comes first

PAGE: Final = ROOT / "docs" / "providers.md"
_CELL: Final = "tests/replay/test_providers.py::test_cell"
_FAULTS: Final = "tests/replay/test_providers.py::test_faults"
_BOTO: Final = "tests/transports/test_botocore.py::test_same_results"
BOTOCORE: Final = {
    ("aws.bedrock.converse", False): f"{_BOTO}[converse]",
    ("aws.bedrock.converse", True): f"{_BOTO}[converse_stream]",
    ("aws.bedrock.invoke", False): f"{_BOTO}[invoke]",
    ("aws.bedrock.invoke", True): f"{_BOTO}[invoke_stream]",
}
"""The tests in which boto3 itself makes the call, by format and whether it streams."""

_HEAD: Final = f"""\
# Providers, wire formats and clients

What is read, and which test holds it. nbtokens sees a call in the HTTP client, whichever SDK made it, and reads what
the provider reports from the bytes of the answer.

Each ✓ is a test: a real client sends the request to a server on the same machine under the provider's host name, and
gets an answer as the provider's documentation describes it, read at once or bit by bit, plain or gzipped, whole or in
small pieces. There is one record, and its tokens, model and provider are exactly those of the answer. A row's test is
`{_CELL}[ROW-CLIENT]`; for botocore, it is the one of boto3 in `tests/transports/test_botocore.py`.

`{ANYWHERE}` stands for hosts that nobody knows: local servers, gateways, proxies. There the request's shape tells, too.

This page is generated from `tests/catalogue`: `python tests/docs/providers_page.py`.

| provider | wire format | answer | {" | ".join(TRANSPORTS)} | botocore | row |
|---|---|---|{"---|" * len(TRANSPORTS)}---|---|
"""
_FOOT: Final = """
## What a row holds

Rows hold these cases; in some of them the provider reports no tokens, and the record says so.

{cases}

## What went wrong

A failed call is one record with its error's name, also where the HTTP status is 200 (`{test}[error-CLIENT]`):
{errors}.

## What is no call

Nothing is recorded of these (`{test}[not_a_call-CLIENT]`): {others}.
"""


def tests_of(row: Row) -> list[str]:
    """The tests that hold a row, one for each cell."""
    held = [f"{_CELL}[{row}-{transport}]" for transport in TRANSPORTS]
    boto = BOTOCORE.get((row.api, row.streamed))
    return held if boto is None else [*held, boto]


def all_tests() -> list[str]:
    """Every test that the page speaks of."""
    faults = [f"{_FAULTS}[{kind}-{transport}]" for kind in FAULTS for transport in TRANSPORTS]
    return [*(test for row in ROWS for test in tests_of(row)), *faults]


def page() -> str:
    """The page's text."""
    table = []
    for row in ROWS:
        boto = "✓" if (row.api, row.streamed) in BOTOCORE else ""
        answer = "streamed" if row.streamed else "plain"
        table.append(f"| {row.provider} | {row.api} | {answer} | {'✓ | ' * len(TRANSPORTS)}{boto} | `{row}` |")
    cases = [f"* `{row}`: {', '.join(sorted(case.name for case in found))}" for row, found in ROWS.items()]
    names = {kind: ", ".join(case.name for case in found) for kind, found in FAULTS.items()}
    foot = _FOOT.format(cases="\n".join(cases), test=_FAULTS, errors=names["error"], others=names["not_a_call"])
    return _HEAD + "\n".join(table) + "\n" + foot


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
