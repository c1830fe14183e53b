"""The scripts that replay a file of traffic, and that mutate the catalogue, run and tell what they found."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from catalogue import CASES
from ledgers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from catalogue.case import Case

_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
    "reasoning_tokens": "reasoning_output_tokens",
}


def row(case: Case, **expected: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A case as a line of a file of traffic."""
    kind = "not_llm" if case.kind == "not_a_call" else case.kind
    counts = {theirs: case.tokens.get(ours) for theirs, ours in _COUNTS.items()}
    return {
        "id": case.name,
        "method": case.method,
        "url": case.url,
        "request_body_b64": base64.b64encode(case.request_body).decode(),
        "status": case.status,
        "content_type": case.headers.get("content-type"),
        "response_headers": dict(case.headers),
        "response_body_b64": base64.b64encode(case.body).decode(),
        "expected": {"kind": kind, "provider": case.provider, "model": case.model, **counts, **expected},
    }


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the benchmarks."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)


def test_replay(tmp_path: Path) -> None:
    """Right pairs are counted as such, by provider and by kind."""
    cases = [case for case in CASES if case.kind in ("usage", "not_a_call")][::9]
    traffic = tmp_path / "traffic.jsonl"
    traffic.write_text("\n".join(json.dumps(row(case)) for case in cases), encoding="utf-8")
    done = run("replay.py", str(traffic), "--ways", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all usage" in done.stdout
    assert f"{len(cases)} pairs" in done.stdout


def test_replay_tells_what_is_wrong(tmp_path: Path) -> None:
    """A pair that is not read as it should be is named, and the script fails."""
    traffic = tmp_path / "traffic.jsonl"
    traffic.write_text(json.dumps(row(CASES[0], input_tokens=7)), encoding="utf-8")
    done = run("replay.py", str(traffic), "--ways", "1")
    assert done.returncode == 1
    assert "'input_tokens': (19, 7)" in done.stdout
    assert "openai all" in done.stdout


def test_fuzz() -> None:
    """Nothing is raised, nothing swallowed."""
    done = run("fuzz.py", "--count", "500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "swallowed by the guard: 0" in done.stdout
