"""A real Prometheus server that scrapes `nbtokens serve`, as the document tells to set it up."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from ledgers import ROOT
from server.conftest import TOKEN
from server.test_serve import serving
from servers import wait_until
from telemetry.conftest import started

import nbtokens

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger

DOCUMENT: Final = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
STRANGE: Final = 'quo"te\\and\nline, {x="y"} ü'

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus is not installed: apt-get install prometheus",
)


def some_calls() -> None:
    """With and without a price, an error, two models, and an operation of which each character must be kept."""
    nbtokens.record(model="m-1", provider="openai", input_tokens=100, output_tokens=20, cost_usd="0.25", duration_s=1.5)
    nbtokens.record(model="m-2", provider="here", input_tokens=7, output_tokens=3, operation=STRANGE)
    nbtokens.record(model="m-1", provider="openai", input_tokens=0, status="error", cost_usd=0, duration_s=0.25)


def sums(rows: list[dict[str, Any]]) -> dict[str, dict[tuple[str, ...], float]]:
    """What the history's rows come to: a question in PromQL -> the labels' values -> the sum."""
    calls = Counter((row["model"], row.get("operation") or row["call_type"]) for row in rows)
    return {
        "sum by (model, operation) (nbtokens_calls_total)": dict(calls),
        "sum by (type) (nbtokens_tokens_total)": {
            (kind,): sum(row[f"{kind}_tokens"] for row in rows) for kind in ("input", "output")
        },
        "sum by (user) (nbtokens_cost_usd_total)": {
            (rows[0]["user"],): sum(float(row.get("cost_usd", 0)) for row in rows)
        },
        "sum(nbtokens_failed_calls_total)": {(): sum(row["status"] == "error" for row in rows)},
        "sum(nbtokens_unpriced_calls_total)": {(): sum("cost_usd" not in row for row in rows)},
        "sum(nbtokens_call_duration_seconds_total)": {(): sum(row.get("duration_s", 0) for row in rows)},
        'up{job="nbtokens"}': {("up", "nbtokens"): 1},
    }


@needs_prometheus
def test_prometheus_scrapes(tmp_path: Path, ledger: Ledger) -> None:
    """With the document's settings its questions give the history's sums, also those of a call that comes later."""
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    some_calls()
    with serving(NBTOKENS_TOKEN=TOKEN) as url:
        (tmp_path / "nbtokens.token").write_text(TOKEN)
        here = example.replace("127.0.0.1:8899", httpx.URL(url).netloc.decode())
        assert here != example
        settings = tmp_path / "prometheus.yml"
        settings.write_text(f"global:\n  scrape_interval: 2s\n{here}")
        subprocess.run(["promtool", "check", "config", settings], capture_output=True, check=True)

        def command(addresses: list[str]) -> list[str]:
            own = [f"--config.file={settings}", f"--storage.tsdb.path={tmp_path / 'data'}"]
            return ["prometheus", *own, *(f"--web.listen-address={one}" for one in addresses)]

        with (
            started(command, 1, tmp_path / "prometheus.log") as (_, (address,)),
            httpx.Client(trust_env=False, timeout=60) as client,
        ):

            def asked(question: str) -> dict[tuple[str, ...], float]:
                answer = client.get(f"http://{address}/api/v1/query", params={"query": question})
                if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # it is still starting
                    return {}
                found = answer.json()["data"]["result"]
                return {labels(one["metric"]): float(one["value"][1]) for one in found}

            def knows_all() -> None:
                expected = sums(ledger.rows())
                with suppress(AssertionError):
                    wait_until(lambda: {question: asked(question) for question in expected} == expected)
                assert {question: asked(question) for question in expected} == expected

            knows_all()
            nbtokens.record(model="m-3", provider="openai", input_tokens=1, output_tokens=1, cost_usd="0.125")
            assert len(ledger.rows()) == 4
            knows_all()
            (of_the_document,) = re.findall(r"`(sum by.*)` is", DOCUMENT)
            assert ("m-1",) in asked(of_the_document)


def labels(metric: dict[str, str]) -> tuple[str, ...]:
    """The values of what was asked for, in the order in which it was."""
    return tuple(metric[name] for name in ("__name__", "job", "model", "operation", "type", "user") if name in metric)


@needs_prometheus
def test_promtool_has_nothing_to_say(ledger: Ledger) -> None:
    """Prometheus' own check of names, help and types finds nothing to complain of, with a history and without one."""
    with serving(NBTOKENS_TOKEN=TOKEN) as url:
        for _ in range(2):
            answer = httpx.get(
                httpx.URL(url).copy_with(path="/nbtokens/metrics", query=None),
                headers={"Authorization": f"Bearer {TOKEN}"},
                trust_env=False,
                timeout=60,
            )
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=answer.content, capture_output=True, check=False
            )
            assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
            some_calls()
