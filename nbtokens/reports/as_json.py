"""A report as JSON, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from nbtokens.reports.report import Layout, Part, Table

if TYPE_CHECKING:
    from nbtokens.reports.report import Report

_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def as_json(report: Report) -> str:
    """The report's figures as a JSON object, money in exact decimal digits; of one without figures, its texts."""
    data = report.data or {"title": report.title, "parts": [_plain(part) for part in report.parts]}
    return msgspec.json.format(_encoder.encode(data), indent=2).decode()


def json_line(**outcome: object) -> str:
    """What a command came to, as a JSON object on one line; paths are texts."""
    return _encoder.encode(outcome).decode()


def _plain(part: Part) -> dict[str, Any]:
    if isinstance(part, Table):
        return {"heading": part.heading, "columns": part.names, "rows": part.rows}
    return {"lines": part.lines if isinstance(part, Layout) else (part,)}
