"""A history as its user would read it: a table of what `json.load` gives."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from nbtokens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Ask = Callable[..., Any]


_OTHERS: Final = (
    "id", "kind", "ref", "status", "complete", "scores", "calls", "model", "request_model", "started_at",
)  # fmt: skip
_TEXTS: Final = (
    "request_hash",
    "cell",
    "operation",
    "call_type",
    "notebook",
    "user",
    "session",
    "run_id",
    "finish_reason",
    "error",
)
_NUMBERS: Final = (
    "input_tokens", "output_tokens", "total_tokens", "duration_s", "max_tokens", "retry_count", "retry_after_s",
    "http_status", "cost_usd",
)  # fmt: skip
LEAST: Final = 20
"""Fewer calls than these say nothing about speeds and durations."""
WORDS_FOR_CUT: Final = frozenset({"length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_length"})
"""Of an answer that ended at its ceiling."""


class Raw:
    """A history as a table, made by nobody's code but this.

    Args:
        path: the history's file.
    """

    def __init__(self, path: Path) -> None:
        rows = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        assert not {row["kind"] for row in rows} & {"amend", "rollup"}
        for row in rows:
            row["money"] = None if row.get("cost_usd") is None else Decimal(row["cost_usd"])
        made = pd.DataFrame(rows).reindex(columns=["money", *_OTHERS, *_TEXTS, *_NUMBERS])
        for name in _NUMBERS:
            made[name] = made[name].astype(float)
        for name in ("model", "request_model", *_TEXTS):
            made[name] = made[name].astype(object)
        made["model"] = made["model"].where(made["model"].notna(), made["request_model"])
        made["label"] = made["operation"]
        made["operation"] = made["label"].where(made["label"].notna(), made["call_type"])  # as answers show it
        made["at"] = pd.to_datetime(made["started_at"], format="ISO8601")
        made["day"] = made["at"].dt.strftime("%Y-%m-%d")
        made["written"] = made["output_tokens"].where(made["output_tokens"] > 0)
        made["speed"] = made["written"] / made["duration_s"].where(made["duration_s"] > 0)
        self.rows = made
        self.calls = made[made["kind"] == "call"]
        self.ok = self.calls[self.calls["status"] == "ok"]

    def groups(self, of: pd.DataFrame, by: str) -> dict[str | None, pd.DataFrame]:
        """The rows of each value."""
        return {None if pd.isna(name) else name: part for name, part in of.groupby(by, dropna=False)}


def asking(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Asks as a person does, and reads the answer; what calls cost comes as exact decimals."""

    def ask(*words: str) -> Any:  # noqa: ANN401 - what JSON holds
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out, parse_float=Decimal, object_hook=_only_costs_exact)

    return ask


def _only_costs_exact(read: dict[str, Any]) -> dict[str, Any]:
    return {
        name: float(value) if isinstance(value, Decimal) and not re.match(r"cost_usd$|\d{4}-", name) else value
        for name, value in read.items()
    }
