"""How far the estimates are off: what providers reported, against what would be counted had they not.

    python benchmarks/estimates.py SAMPLE.jsonl

SAMPLE.jsonl holds recorded calls, one JSON object a line: `method`, `url`, `request_body`, `status`,
`response_body` (or `response_body_b64`), and `expected` with `kind`, `provider`, `stream`, `model`,
`request_model`, `input_tokens`, `output_tokens` and `reasoning_tokens`. Of the rows of kind `usage`, the error of
input and of output is shown by provider: the median and the 95th percentile of |counted / reported - 1|.
Reasoning that is not shown can't be counted; rows with reasoning are left out of the output's figures, and their
number is shown; so are calls whose input the request does not hold (sound, earlier turns), which are recorded as not
known. Each encoding must be on this machine; "by characters" is what holds where none is.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

from nbtokens.estimates import Estimates
from nbtokens.exchange import Address, Exchange
from nbtokens.formats.recognise import recognise
from nbtokens.formats.request import Request
from nbtokens.tokenizers import Tokenizers

WAIT = 30.0
MARKS = re.compile(r'"(?:tools|functions|image_url|input_image|audio|previous_response_id|reasoning_effort)"')


class Row(NamedTuple):
    """One call: what was reported and what is counted, with an encoding and by characters."""

    group: str
    text_chat: bool
    stream: bool
    reasoning: bool
    reported: tuple[int, int]
    counted: tuple[int, int]
    by_characters: tuple[int, int]


class NoEncodings(Tokenizers):
    """The tokenizers of a machine without ranks."""

    def _get(self, name: str, until: float) -> None:
        """There is none."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sample", type=Path)
    counters = Estimates(Tokenizers()), Estimates(NoEncodings())
    rows = []
    with parser.parse_args().sample.open(encoding="utf-8") as lines:
        for line in lines:
            row = read(json.loads(line), counters)
            if row is not None:
                rows.append(row)
    print(f"{'':28} {'input %':>23} {'output %':>29} {'by characters':>21}")
    heads = f"{'p50':>7} {'p95':>7} {'rows (reasoning)':>17} {'p50':>5} {'p95':>5} {'in p50':>10} {'out p50':>8}"
    print(f"{'':28} {'rows':>7} {heads}")
    chat = [row for row in rows if row.text_chat]
    show("OpenAI text chat", chat)
    show("OpenAI text chat, streams", [row for row in chat if row.stream])
    groups = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    for group in sorted(groups):
        show(group, groups[group])


def read(line: dict[str, Any], counters: tuple[Estimates, Estimates]) -> Row | None:
    """Count one recorded call; None where it reports nothing, or its format is not known."""
    expected = line["expected"]
    url = urlsplit(line["url"])
    reader = recognise(line["method"], url.path)
    if expected["kind"] != "usage" or reader is None or not expected["input_tokens"]:
        return None
    exchange = Exchange(
        line["method"],
        Address(url.scheme, url.hostname or "", url.port, url.path),
        request_body=bytes_of(line, "request_body"),
        status=line["status"],
        body=bytes_of(line, "response_body"),
    )
    request, model = Request(exchange.request_body), expected["model"] or expected["request_model"]
    counted, by_characters = (
        (
            counter.input_tokens(request, reader.table, model, wait=WAIT),
            counter.output_tokens(exchange, reader, model, complete=True, wait=WAIT),
        )
        for counter in counters
    )
    is_chat = reader.table.api in {"openai.chat", "openai.responses"} and re.search(r"gpt-(3|4)", model or "")
    reported = expected["input_tokens"], expected["output_tokens"] or 0
    reasoning = bool(expected.get("reasoning_tokens"))
    marked = MARKS.search((exchange.request_body or b"").decode(errors="replace"))
    text_chat = bool(is_chat and not marked and not reasoning and not url.path.endswith("/compact"))
    return Row(expected["provider"], text_chat, bool(expected["stream"]), reasoning, reported, counted, by_characters)


def bytes_of(line: dict[str, Any], key: str) -> bytes:
    """A body of a recorded call."""
    encoded = line.get(f"{key}_b64")
    return base64.b64decode(encoded) if encoded else (line.get(key) or "").encode()


def show(name: str, rows: list[Row]) -> None:
    """Print one line of the table."""
    inputs = errors(rows, 0)
    outputs = errors([row for row in rows if not row.reasoning], 1)
    plain = [row._replace(counted=row.by_characters) for row in rows]
    rough = errors(plain, 0), errors([row for row in plain if not row.reasoning], 1)
    hidden = sum(row.reasoning for row in rows)
    print(
        f"{name:28} {len(inputs):7} {at(inputs, 50):>7} {at(inputs, 95):>7} {len(outputs):9} ({hidden:3})   "
        f"{at(outputs, 50):>5} {at(outputs, 95):>5} {at(rough[0], 50):>10} {at(rough[1], 50):>8}"
    )


def errors(rows: list[Row], which: int) -> list[float]:
    """|counted / reported - 1| of input (0) or output (1), in percent, ascending; of calls that can be counted."""
    return sorted(
        abs(row.counted[which] / row.reported[which] - 1) * 100
        for row in rows
        if row.reported[which] and row.counted[0]
    )


def at(values: list[float], percentile: int) -> str:
    """The nearest-rank percentile."""
    if not values:
        return "-"
    return f"{values[min(-(-len(values) * percentile // 100), len(values)) - 1]:.1f}"


if __name__ == "__main__":
    main()
