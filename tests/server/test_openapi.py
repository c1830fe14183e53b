"""The OpenAPI document says what the interface does: schemathesis finds no difference."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from server.conftest import TOKEN

import nbtokens
from nbtokens.server.endpoints import ROUTES

if TYPE_CHECKING:
    from server.conftest import Rest

SETTINGS = Path(__file__).with_name("schemathesis.toml")


def test_schemathesis_finds_nothing(rest: Rest, tmp_path: Path) -> None:
    """Hundreds of requests, good and bad, of each kind: every answer is as the document says, and none is a 500."""
    command = shutil.which("st", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("schemathesis is not installed")
    for n in range(3):
        nbtokens.record(model="m", input_tokens=n, user="0", run_id="0", cost_usd=None if n else "1")
    options = ["-H", f"Authorization: Bearer {TOKEN}", "--max-examples", "20", "--seed", "1", "--no-color"]
    done = subprocess.run(
        [command, "--config-file", str(SETTINGS), "run", rest.url + "/openapi.json", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert f"{len(ROUTES)} selected" in done.stdout


def test_the_document(rest: Rest) -> None:
    """It names every path, where these stand, and for each answer and each refusal its schema; money is a number."""
    document = rest.get("/openapi.json").json()
    assert document["servers"] == [{"url": "/nbtokens"}]
    assert set(document["paths"]) == {route.path for route in ROUTES}
    schemas = document["components"]["schemas"]
    assert schemas["Totals"]["properties"]["total_cost_usd"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert set(schemas["Problem"]["required"]) == {"message"}
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            for status, answer in operation["responses"].items():
                assert status == "304" or answer["content"]
