"""The script that shows how far the estimates are off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from ledgers import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def recorded(written: str, **usage: int) -> dict[str, Any]:
    """A recorded call that reports some usage."""
    request = {"model": "gpt-4", "messages": [{"role": "user", "content": "Say this is a test"}]}
    answer = {"model": "gpt-4", "choices": [{"message": {"content": written}}]}
    return {
        "method": "POST",
        "url": "https://api.openai.com/v1/chat/completions",
        "request_body": json.dumps(request),
        "status": 200,
        "response_body": json.dumps(answer),
        "expected": {"kind": "usage", "provider": "openai", "stream": False, "model": "gpt-4", **usage},
    }


def test_errors_by_provider(tmp_path: Path) -> None:
    """It prints the median and the 95th percentile of input and output, of OpenAI's text chat and by provider."""
    rows = [
        recorded("This is a test.", input_tokens=12, output_tokens=5),
        recorded("This is a test.", input_tokens=12, output_tokens=4),
        recorded("This is a test.", input_tokens=24, output_tokens=5, reasoning_tokens=3),
    ]
    rows.append({**rows[0], "expected": {**rows[0]["expected"], "kind": "error"}})
    sample = tmp_path / "sample.jsonl"
    sample.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    script = [sys.executable, "-W", "error", str(ROOT / "benchmarks" / "estimates.py"), str(sample)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    lines = {line[:28].strip(): line[28:].split() for line in done.stdout.splitlines()}
    assert lines["OpenAI text chat"][:7] == ["2", "0.0", "0.0", "2", "(", "0)", "0.0"]
    assert lines["openai"][:8] == ["3", "0.0", "50.0", "2", "(", "1)", "0.0", "25.0"]
