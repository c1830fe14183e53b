"""The endpoints in a real Jupyter server: enabled by installing, behind the server's own doors."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

import pytest
from jupyter_process import wait_for_server
from ledgers import ROOT
from server.conftest import Rest

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Ledger

# Ada and the boss have names, by their tokens; Ada sees her own calls; the intern may not read at all.
_CONFIG: Final = """
from jupyter_server.auth import Authorizer, IdentityProvider, User

class People(IdentityProvider):
    def get_user(self, handler):
        name = handler.request.headers.get("Authorization", "").removeprefix("Bearer ")
        return User(name) if name in ("ada", "boss", "intern") else None

    def should_check_origin(self, handler):
        return False

class Rules(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        if resource == "nbtokens:all":
            return user.username == "boss"
        return user.username != "intern" and (action == "read" or user.username == "ada")

c.ServerApp.identity_provider_class = People
c.ServerApp.authorizer_class = Rules
c.ServerApp.disable_check_xsrf = True
"""


@pytest.fixture
def jupyter(ledger: Ledger, tmp_path: Path) -> Iterator[Rest]:
    """A Jupyter server in the test's project that finds what the wheel installs, and nothing else."""
    pytest.importorskip("jupyter_server", reason="jupyter-server is not installed")
    enabled = tmp_path / "config" / "jupyter_server_config.d"
    enabled.mkdir(parents=True)
    (enabled / "nbtokens.json").write_bytes((ROOT / "nbtokens" / "server" / "enable.json").read_bytes())
    (tmp_path / "config" / "jupyter_server_config.py").write_text(_CONFIG)
    for name, cost in (("ada", "1"), ("bob", "2")):
        nbtokens.record(model="m", input_tokens=1, user=name, cost_usd=cost, run_id="run")
    options = ["--allow-root", "--no-browser", "--ServerApp.port=0", "--ServerApp.base_url=/base/"]
    environment = {
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
    }
    output = tmp_path / "output.txt"
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options],
            cwd=ledger.folder.parent,
            env={**os.environ, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Rest(wait_for_server(tmp_path / "runtime", process, output)["url"] + "nbtokens")
    finally:
        process.terminate()
        process.wait()


def test_in_the_jupyter_server(jupyter: Rest, ledger: Ledger) -> None:
    """A stranger gets a 401, who may not read a 403; who may not see all sees their own calls."""
    assert jupyter.get("/token-usage", "boss").json()["summary"]["totals"]["total_cost_usd"] == 3
    assert jupyter.get("/token-usage", "ada").json()["summary"]["totals"]["total_cost_usd"] == 1
    assert jupyter.get("/token-usage/user/bob", "ada").status_code == 403
    for token, status in ((None, 401), ("nobody", 401), ("intern", 403)):
        for answer in (jupyter.get("/token-usage", token), jupyter.post("/records", token, json={})):
            assert (answer.status_code, list(answer.json())) == (status, ["message"])
            assert ("www-authenticate" in answer.headers) == (status == 401)
    assert jupyter.get("/token-usage", "boss", headers={"Host": "elsewhere.example"}).status_code == 403
    assert jupyter.get("/healthz", None).json() == {"status": "ok"}
    assert jupyter.get("/metrics", "boss").headers["content-type"].startswith("text/plain")
    assert jupyter.get("/openapi.json", "boss").json()["openapi"] == "3.1.0"
    record = {"id": "x", "model": "m", "started_at": "2026-11-20T10:00:00Z", "input_tokens": 1}
    assert jupyter.post("/records", "boss", json={"records": [record]}).status_code == 403
    assert jupyter.post("/records", "ada", json={"records": [record]}).json()["accepted"] == 1
    assert ledger.rows()[-1]["user"] == "ada"
    _refusals_and_etags(jupyter)


def _refusals_and_etags(jupyter: Rest) -> None:
    """The same as standing alone, also where the server's own handlers would answer otherwise."""
    assert jupyter.get("/token-usage?days=x", "boss").status_code == 400
    assert jupyter.get("/runs/none/token-metrics", "boss").json() == {"message": "There is no run 'none'."}
    for path in ("/none", "/token-usage/"):
        answer = jupyter.get(path, "boss")
        assert (answer.status_code, list(answer.json())) == (404, ["message"])
    answer = jupyter.request("DELETE", "/token-usage", "boss")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    for path in ("/token-usage", "/healthz", "/openapi.json", "/", "/page.js"):
        answer = jupyter.request("HEAD", path, "boss")
        assert (answer.status_code, answer.content) == (200, b"")
    first = jupyter.get("/overview", "boss")
    again = jupyter.get("/overview", "boss", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_wheel_enables_it(tmp_path: Path) -> None:
    """What the test above puts into the server's folder is what the wheel installs there."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        (name,) = (one for one in wheel.namelist() if one.endswith("jupyter_server_config.d/nbtokens.json"))
        assert wheel.read(name) == (ROOT / "nbtokens" / "server" / "enable.json").read_bytes()


def test_importing_nbtokens_loads_none_of_it() -> None:
    """Neither `import nbtokens` nor loading the extension imports the server."""
    source = (
        "import sys, nbtokens; from IPython.core.interactiveshell import InteractiveShell as S\n"
        "before = set(sys.modules); nbtokens.load_ipython_extension(S.instance())\n"
        "print([one for one in sys.modules if one.startswith(('nbtokens.server', 'jupyter_server', 'opentelemetry'))],"
        "'tornado.web' in set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split() == ["[]", "False"]
