"""docs/rest.md and docs/telemetry.md say what is so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ledgers import ROOT

from nbtokens.server import alone
from nbtokens.server.endpoints import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

    from server.conftest import Rest

PAGE = (ROOT / "docs" / "rest.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")


def test_every_path_is_described() -> None:
    """The table has the endpoints that there are, and no others."""
    described = set(re.findall(r"^\| `(GET|POST) (/\S+)` \|", PAGE, flags=re.MULTILINE))
    assert described == {(route.method, route.path) for route in ROUTES} | {("GET", "/openapi.json")}


def test_the_examples_work(rest: Rest, tmp_path: Path) -> None:
    """The file of tokens is read, and the batch is recorded, once."""
    (people,) = re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "people.toml").write_text(people)
    assert [caller.name for caller in alone.read_tokens(tmp_path / "people.toml").values()] == ["ada"]
    (batch,) = re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert [rest.post("/records", json=json.loads(batch)).json()["accepted"] for _ in range(2)] == [1, 0]


def test_every_metric_is_described() -> None:
    """The names in the table are those in the code."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nbtokens" / "telemetry").glob("*.py"))
    named = set(re.findall(r'"((?:gen_ai|nbtokens)\.client\.[\w.]+)"', source))
    assert set(re.findall(r"^\| `((?:gen_ai|nbtokens)\.[\w.]+)` \|", METRICS, flags=re.MULTILINE)) == named
