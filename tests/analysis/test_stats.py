"""`stats`: every figure against numpy and pandas on the raw rows; the form that people know; the words."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from made_up import BEGAN

import nbtokens
from nbtokens.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.record import Record

    Write = Callable[[list[Record]], None]

MEASURES = ("input_tokens", "output_tokens", "total_tokens", "duration_s", "tokens_per_second", "cost_usd")


def frame(records: list[Record]) -> pd.DataFrame:
    """The fields that matter, read by nobody's code but the test's."""
    names = ("kind", "status", "model", "operation", "notebook", "user", "session", "run_id", "started_at")
    rows: list[dict[str, Any]] = []
    for one in records:
        row = {name: getattr(one, name) for name in names}
        row["operation"] = one.operation or one.call_type  # as it is shown
        row |= {name: getattr(one, name) for name in ("input_tokens", "output_tokens", "total_tokens", "duration_s")}
        row["cost_usd"] = None if one.cost_usd is None else float(one.cost_usd)
        row["team"] = (one.tags or {}).get("team")
        row["cell"] = f"{one.notebook or ''} [{one.cell}]".strip()
        row["calls"] = one.calls
        rows.append(row)
    made = pd.DataFrame(rows)
    made["written"] = made["output_tokens"].where(made["output_tokens"] > 0)
    made["tokens_per_second"] = made["written"] / made["duration_s"]
    made["day"] = made["started_at"].dt.strftime("%Y-%m-%d")
    made["week"] = made["started_at"].dt.strftime("%G-W%V")
    made["month"] = made["started_at"].dt.strftime("%Y-%m")
    return made


def succeeded(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["kind"] == "call") & (table["status"] == "ok")]


def check_summaries(found: Any, table: pd.DataFrame) -> None:  # noqa: ANN401 - what stats() returns
    """Count, sum, average, least and most exactly; percentiles within 1 % of the lower order statistic."""
    assert set(found) == set(MEASURES)
    for name in MEASURES:
        column = "written" if name == "output_tokens" else name
        values = np.array(table[column].dropna(), dtype=float)
        summary = found[name]
        assert summary["count"] == len(values)
        if not len(values):
            assert {summary[one] for one in ("avg", "min", "max", "p50", "p95", "p99")} == {None}
            continue
        for what, expected in (("sum", values.sum()), ("avg", values.mean()), ("min", values.min())):
            assert summary[what] == pytest.approx(expected)
        assert summary["max"] == pytest.approx(values.max())
        for share in (50, 95, 99):
            exact = np.percentile(values, share, method="lower")
            assert summary[f"p{share}"] == pytest.approx(exact, rel=0.0101)


def test_of_everything(mixed: list[Record], write: Write) -> None:
    """Over the calls that succeeded and no others."""
    write(mixed)
    check_summaries(nbtokens.stats(), succeeded(frame(mixed)))


@pytest.mark.parametrize(
    "by", ["model", "operation", "notebook", "cell", "user", "day", "week", "month", "session", "run_id", "team"]
)
def test_by(by: str, mixed: list[Record], write: Write) -> None:
    """The same for each group, whether totals keep it or not; a name that is no field is a tag."""
    write(mixed)
    found = nbtokens.stats(by)
    table = succeeded(frame(mixed))
    groups = {None if pd.isna(name) else name: part for name, part in table.groupby(by, dropna=False)}
    assert {name for name, one in found.items() if one["input_tokens"]["count"]} == set(groups)
    for name, part in groups.items():
        check_summaries(found[name], part)


@pytest.mark.parametrize(
    ("only", "holds"),
    [
        ({"since": BEGAN + timedelta(hours=100)}, lambda table: table["started_at"] >= BEGAN + timedelta(hours=100)),
        ({"until": "2026-11-05"}, lambda table: table["started_at"] < pd.Timestamp("2026-11-05", tz="UTC")),
        ({"run": "r1"}, lambda table: table["run_id"] == "r1"),
        ({"model": "claude"}, lambda table: table["model"] == "claude"),
        ({"operation": "ask"}, lambda table: table["operation"] == "ask"),
        ({"operation": "embeddings"}, lambda table: table["operation"] == "embeddings"),
        ({"user": "ada", "notebook": "b.ipynb"}, lambda t: (t["user"] == "ada") & (t["notebook"] == "b.ipynb")),
        ({"session": "s2"}, lambda table: table["session"] == "s2"),
        ({"session": "no such"}, lambda table: table["session"] == "no such"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_only_some_calls(only: dict[str, Any], holds: Any, mixed: list[Record], write: Write) -> None:  # noqa: ANN401
    """Selected by time, run, model and so on."""
    write(mixed)
    table = succeeded(frame(mixed))
    check_summaries(nbtokens.stats(**only), table[holds(table)])


@pytest.mark.parametrize("when", ["soon", "", "7", "7y", "2026-13-01", "99999999999d"])
def test_what_is_no_time(when: str) -> None:
    """A text that says no time is refused with what would be one."""
    if when:
        with pytest.raises(nbtokens.NbtokensError, match="is no time: give 7d"):
            nbtokens.stats(since=when)
        assert main(["stats", "--since", when]) == 2


def test_a_wrong_type_of_time() -> None:
    """So is anything that is neither text nor a time."""
    with pytest.raises(TypeError, match="is no time"):
        nbtokens.stats(since=7)  # type: ignore[arg-type]


def test_known_form(make: Callable[..., Record], write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """The report's first lines have the layout that people know, to the letter."""
    write(
        [
            *(make(model="gpt-4.1-nano", input_tokens=10, output_tokens=2850, duration_s=50.0) for _ in range(3)),
            make(model="gpt-5", input_tokens=10, output_tokens=5700, duration_s=50.0),
            make(model="gpt-5", status="error", duration_s=1.0),
            make(kind="cache_hit", output_tokens=7, input_tokens=1),
            make(kind="run", calls=0),
            make(kind="run", calls=2),
            make(kind="run", calls=1),
        ]
    )
    assert main(["stats"]) == 0
    printed = capsys.readouterr().out
    assert printed.split("\n\n")[0].splitlines() == [
        "=== API Token Statistics ===",
        "  Samples: 4",
        "  Total completion tokens: 14,250",
        "  Avg completion tokens: 3,562.5",
        "  Avg tokens/sec: 71.25",
        "  Completion tokens percentiles - p50: 2,850, p95: 2,850, p99: 2,850",
        "  Tokens/sec percentiles - p50: 57.40, p95: 57.40, p99: 57.40",
        "  Per-model breakdown:",
        "    gpt-4.1-nano: 3 calls, 2,850 avg tokens, 57.00 tokens/sec",
        "    gpt-5: 1 call, 5,700 avg tokens, 114.00 tokens/sec",
    ]
    assert "1 of 5 calls failed." in printed
    assert "1 answer came from a cache; it is no call." in printed
    assert "2 of 3 runs used the LLM, 67 %." in printed


def test_embeddings_have_no_answers(
    make: Callable[..., Record], write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are calls, and no samples of completion tokens: what answers had on average is over answers."""
    embeddings = {"input_tokens": 10, "output_tokens": 0, "call_type": "embeddings", "duration_s": 1.0}
    write(
        [
            *(make(model="local", input_tokens=10, output_tokens=length, duration_s=10.0) for length in (30, 50)),
            make(model="local", **embeddings),
            *(make(model="embedder", **embeddings) for _ in range(3)),
        ]
    )
    assert main(["stats"]) == 0
    assert capsys.readouterr().out.split("\n\n")[0].splitlines() == [
        "=== API Token Statistics ===",
        "  Samples: 2",
        "  Total completion tokens: 80",
        "  Avg completion tokens: 40.0",
        "  Avg tokens/sec: 4.00",
        "  Completion tokens percentiles - p50: 30, p95: 30, p99: 30",
        "  Tokens/sec percentiles - p50: 3.00, p95: 3.00, p99: 3.00",
        "  Per-model breakdown:",
        "    local: 2 calls, 40 avg tokens, 4.00 tokens/sec",
        "    embedder: 3 calls, n/a avg tokens, n/a tokens/sec",
    ]
    assert nbtokens.stats()["input_tokens"]["count"] == 6
    assert nbtokens.stats()["output_tokens"]["count"] == nbtokens.stats()["tokens_per_second"]["count"] == 2


def test_nothing_to_tell(capsys: pytest.CaptureFixture[str]) -> None:
    """Without calls it says so."""
    assert main(["stats"]) == 0
    assert "No calls are recorded that this asks for." in capsys.readouterr().out


def test_json(mixed: list[Record], write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has the figures of the whole and of each group."""
    write(mixed)
    assert main(["stats", "--json", "--by", "operation", "--by", "team"]) == 0
    data = json.loads(capsys.readouterr().out)
    table = frame(mixed)
    calls, ok = table[table["kind"] == "call"], succeeded(table)
    runs = table[table["kind"] == "run"]
    assert data["calls"] == len(calls)
    assert data["ok_calls"] == len(ok)
    assert data["failed_calls"] == (calls["status"] == "error").sum()
    assert data["cache_hits"] == (table["kind"] == "cache_hit").sum()
    assert (data["runs"], data["runs_without_calls"]) == (len(runs), (runs["calls"] == 0).sum())
    assert data["output_tokens"] == ok["output_tokens"].sum()
    timed = ok[ok["written"].notna()]
    assert data["tokens_per_second"] == pytest.approx(timed["written"].sum() / timed["duration_s"].sum())
    check_summaries(data["measures"], ok)
    for by in ("operation", "team"):
        for group in data["by"][by]:
            part = ok[ok[by].isna() if group["name"] is None else ok[by] == group["name"]]
            assert group["total_tokens"] == part["total_tokens"].sum()
            assert group["ok_calls"] == len(part)


@pytest.mark.parametrize("style", ["text", "html", "markdown", "json"])
def test_formats(style: str, mixed: list[Record], write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """One answer, written in each of the formats."""
    write(mixed)
    assert main(["stats", "--format", style, "--by", "user"]) == 0
    printed = capsys.readouterr().out
    marks = {"text": "By user\n", "html": "<table", "markdown": "## By user", "json": '"by": {'}
    assert marks[style] in printed
    assert "ada" in printed


def test_days_come_in_order(mixed: list[Record], write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Groups of time stand in the order of time."""
    write(mixed)
    assert main(["stats", "--by", "day", "--since", "2026-11-03"]) == 0
    days = re.findall(r"^  (2026-\d\d-\d\d) ", capsys.readouterr().out, flags=re.MULTILINE)
    assert days == sorted(days)
    assert len(days) > 5
    assert datetime.fromisoformat(days[0]).day == 3
