"""`nbtokens serve`: the command, as one types it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from ledgers import ROOT
from server.conftest import ADAS, TOKEN

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is not a signal there")


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[str]:
    """Run the command to the Ctrl-C that ends it; the URL that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nbtokens", "serve", "--port", "0", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        where = "team.db" if "NBTOKENS_DATABASE" in environment else ".metrics"
        if "--json" in options:
            said = json.loads(first)
            assert set(said) == {"url", "token", "history"}
            assert said["history"].endswith(where)
            url = f"{said['url']}/?token={said['token']}"
        else:
            (url,) = re.findall(r"http://127\.0\.0\.1:\d+/nbtokens/\?token=\S+", process.stdout.readline())
            assert where in first
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        assert process.stdout.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_served_on_this_machine_behind_a_token() -> None:
    """The printed URL's token opens the interface; it is another one at the next start, and nothing goes without."""
    nbtokens.record(model="m", input_tokens=1, cost_usd="0.5")
    with serving() as url:
        base, _, token = url.partition("/?token=")
        answer = httpx.get(f"{base}/token-usage", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
        assert answer.json()["summary"]["totals"]["total_cost_usd"] == 0.5
        assert httpx.get(f"{base}/token-usage", trust_env=False).status_code == 401
    with serving() as other:
        assert other.partition("token=")[2] != token
        assert len(token) >= 40


def test_a_token_of_ones_own_and_people(tmp_path: Path) -> None:
    """NBTOKENS_TOKEN is the owner's token, and people of a file see their own calls; `--json` says where, on a line."""
    nbtokens.record(model="m", input_tokens=1, cost_usd="0.5", user="bob")
    people = tmp_path / "people.toml"
    people.write_text(f'[users]\nada = "{ADAS}"\n')
    with serving("--json", "--users", str(people), NBTOKENS_TOKEN=TOKEN) as url:
        base, _, token = url.partition("/?token=")
        assert token == TOKEN
        for one, calls in ((TOKEN, 1), (ADAS, 0)):
            answer = httpx.get(f"{base}/overview", headers={"Authorization": f"Bearer {one}"}, trust_env=False)
            assert answer.json()["totals"]["total_operations"] == calls


def test_over_a_database(tmp_path: Path) -> None:
    """Where a team's database is set it answers, and what is posted is there when the command has ended."""
    one = {"id": "p", "model": "m", "started_at": datetime.now(UTC).isoformat(), "input_tokens": 7, "cost_usd": 1}
    for posts, calls in ((True, None), (False, 1)):
        with serving(NBTOKENS_DATABASE=f"sqlite:///{tmp_path / 'team.db'}") as url:
            base, _, token = url.partition("/?token=")
            with httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
                if posts:
                    assert client.post(f"{base}/records", json={"records": [one]}).json()["accepted"] == 1
                else:
                    totals = client.get(f"{base}/token-usage").json()["summary"]["totals"]
                    assert totals["total_operations"] == calls
