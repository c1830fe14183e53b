"""Who may see what, and what becomes of requests that nobody should send."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from server.conftest import ADAS, TOKEN, running

import nbtokens
from nbtokens.errors import NbtokensError
from nbtokens.server import alone

if TYPE_CHECKING:
    from pathlib import Path

    from ledgers import Ledger
    from server.conftest import Rest

READING = ("/token-usage", "/token-usage/user/ada", "/overview", "/metrics", "/runs/run/token-metrics", "/openapi.json")


@pytest.fixture
def of_two() -> None:
    """A call of Ada's and one of Bob's, in one run."""
    for user, cost in (("ada", "1"), ("bob", "2")):
        nbtokens.record(model="m", input_tokens=1, user=user, cost_usd=cost, run_id="run", cell="c", notebook=user)


@pytest.mark.usefixtures("of_two")
@pytest.mark.parametrize("path", READING)
@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "x", TOKEN[:-1], "é"])
def test_no_token_no_answer(path: str, token: str | None, rest: Rest) -> None:
    """Without a token that is known there is a 401, JSON, and no figure."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    answer = rest.get(path, None, headers=headers)
    assert answer.status_code == 401
    assert list(answer.json()) == ["message"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.usefixtures("of_two")
def test_ways_to_give_the_token(rest: Rest) -> None:
    """As a header in two ways, in the URL, or as a cookie; the last two for reading only."""
    for given in (
        {"headers": {"Authorization": f"bearer {TOKEN}"}},
        {"headers": {"Authorization": f"token {TOKEN}"}},
        {"params": {"token": TOKEN}},
        {"headers": {"Cookie": f"nbtokens-{urlsplit(rest.url).port}={TOKEN}"}},
    ):
        assert rest.get("/token-usage", None, **given).status_code == 200
    cookie = {"headers": {"Cookie": f"nbtokens-{urlsplit(rest.url).port}={TOKEN}"}}
    for given in ({"params": {"token": TOKEN}}, cookie):
        assert rest.post("/records", None, json={}, **given).status_code == 401


@pytest.mark.usefixtures("of_two")
def test_ones_own_data(rest: Rest) -> None:
    """Who may not see all sees their own calls everywhere, and nobody else's."""
    assert rest.get("/token-usage", ADAS).json()["summary"]["totals"]["total_cost_usd"] == 1
    assert rest.get("/token-usage/cost-analysis", ADAS).json()["cost_analysis"]["total_cost_usd"] == 1
    assert rest.get("/token-usage/user/ada", ADAS).json()["user_usage"]["totals"]["total_cost_usd"] == 1
    assert rest.get("/token-usage/user/bob", ADAS).status_code == 403
    assert rest.get("/runs/run/token-metrics", ADAS).json()["total_cost_usd"] == 1
    assert [one["user"] for one in rest.get("/runs/run/token-metrics/detailed", ADAS).json()["calls"]] == ["ada"]
    assert "bob" not in rest.get("/overview", ADAS).text + rest.get("/metrics", ADAS).text
    assert "bob" in rest.get("/overview").text
    assert rest.get("/token-usage").json()["summary"]["totals"]["total_cost_usd"] == 3


def test_a_run_of_others_is_unknown(rest: Rest) -> None:
    """Not even that there is such a run is told."""
    nbtokens.record(model="m", input_tokens=1, user="bob", run_id="bobs")
    assert rest.get("/runs/bobs/token-metrics", ADAS).status_code == 404


def test_health_is_open(rest: Rest) -> None:
    """That the server answers is told to anybody, on two paths; the short path of the metrics wants the token."""
    assert rest.get("/healthz", None).json() == {"status": "ok"}
    rest.url = rest.url.removesuffix("/nbtokens")
    assert rest.get("/healthz", None).json() == {"status": "ok"}
    assert (rest.get("/metrics", None).status_code, rest.get("/metrics").status_code) == (401, 200)


@pytest.mark.parametrize(
    "query",
    [
        "days=0", "days=-1", "days=1e3", "days=٣", "days=99999999999999999999", "days=3661", "days=1&days=2", "days=x",
        "days=%00", "days=%FF", "start_date=2026-13-01", "start_date=20261101", "start_date=2026-W01-1",
        "start_date=yesterday", "start_date=2026-02-30", "end_date=0000-01-01", "end_date=10000-01-01",
        "start_date=2026-01-02&end_date=2026-01-01", "start_date='%20OR%201=1--", "end_date=2026-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_hostile_periods(query: str, rest: Rest) -> None:
    """A period that can't be one is refused with a sentence."""
    for path in ("/token-usage", "/token-usage/user/x", "/token-usage/cost-analysis", "/overview"):
        answer = rest.get(f"{path}?{query}")
        assert answer.status_code == 400
        assert answer.json()["message"]


def test_the_ends_of_the_calendar(rest: Rest) -> None:
    """The first and the last day that there are can be asked for."""
    for day in ("0001-01-01", "9999-12-31"):
        for path in ("/token-usage", "/token-usage/cost-analysis", "/overview"):
            assert rest.get(f"{path}?start_date={day}&end_date={day}").status_code == 200
            assert rest.get(f"{path}?days=&start_date={day}&end_date={day}").status_code == 200
            assert rest.get(f"{path}?end_date={day}&days=3660").status_code == 200


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=1.0", "per_page=0", "per_page=1001", "page=9" * 9]
)
def test_hostile_pages(query: str, rest: Rest) -> None:
    """A page that can't be one is refused."""
    nbtokens.record(model="m", input_tokens=1, run_id="run")
    assert rest.get(f"/runs/run/token-metrics/detailed?{query}").status_code == 400


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("x" * 257, 400), ("%00", 400), ("%0d%0aX:%20y", 400), ("%FF", 400), ("..%2F..%2Fetc%2Fpasswd", 404),
        ("%E2%80%AE", 404), ("'; DROP TABLE token_usage;--", 404), ("<script>alert(1)</script>", 404), ("", 404),
    ],
)  # fmt: skip
def test_hostile_names(name: str, status: int, rest: Rest) -> None:
    """A name that can't be one is refused, any other is unknown; nothing else happens."""
    assert rest.get(f"/runs/{name}/token-metrics").status_code == status


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "POST", "TRACE"])
def test_other_methods(method: str, rest: Rest) -> None:
    """What is only read can't be written; the answer says what can be done."""
    for path in ("/token-usage", "/healthz", "/openapi.json", "/", "/page.js"):
        answer = rest.request(method, path)
        assert (answer.status_code, answer.headers.get("allow")) == (405, "GET, HEAD")
    if method != "POST":
        assert rest.request(method, "/records").headers["allow"] == "POST"


def test_headers_alone(rest: Rest) -> None:
    """HEAD is answered as GET is, without the body; it too needs a token."""
    for path in ("/token-usage", "/healthz", "/openapi.json", "/", "/page.js"):
        told, got = rest.request("HEAD", path), rest.get(path)
        assert (told.status_code, told.content, told.headers["etag"]) == (200, b"", got.headers["etag"])
        assert int(told.headers["content-length"]) == len(got.content)
    assert rest.request("HEAD", "/token-usage", None).status_code == 401
    assert rest.request("HEAD", "/records").status_code == 405


def test_to_the_page(rest: Rest) -> None:
    """The server's other addresses lead to the page, the token with them; no browser and no cache keeps either."""
    server = rest.url.removesuffix("/nbtokens")
    for url in (f"{server}/", f"{server}/nbtokens", f"{server}/nbtokens/"):
        answer = httpx.get(url, params={"token": TOKEN}, trust_env=False)
        last = url.endswith("/nbtokens/")
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
        assert answer.headers["location"] == "/nbtokens/" + ("" if last else f"?token={TOKEN}")
        assert ("set-cookie" in answer.headers) == last
        assert "server" not in answer.headers


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for the rest of a body less long."""
    monkeypatch.setattr("nbtokens.server.alone._BODY_S", 0.2)


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_never_comes(ledger: Ledger) -> None:
    """Whoever sends the half of a body and no more is hung up on."""
    with running() as rest:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(rest.url).port)
        writer.write(b"POST /nbtokens/records HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        assert await reader.read() == b""
        writer.close()


def test_unknown_paths(rest: Rest) -> None:
    """A path that there is not is answered with JSON."""
    for path in ("", "/none", "/token-usage/", "/records/x", "/../etc/passwd", "/%2e%2e/x"):
        if path:
            answer = rest.get(path)
            assert answer.status_code == 404
            assert "message" in answer.json()


async def test_what_is_no_http(rest: Rest) -> None:
    """Bytes that are no request, and headers without end, end that connection only."""
    port = urlsplit(rest.url).port
    for sent in (
        b"\x16\x03\x01\x00\xa5\x01\x00",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 99_999,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.write_eof()
        got = await reader.read()
        assert got == b"" or b" 40" in got.split(b"\r\n")[0]
        writer.close()
    assert rest.get("/healthz").status_code == 200


def test_etag(rest: Rest) -> None:
    """Asked again with the ETag of the answer: 304 while nothing is new, then the new answer."""
    nbtokens.record(model="m", input_tokens=1)
    for path in ("/token-usage", "/overview", "/metrics", "/openapi.json"):
        first = rest.get(path)
        known = {"If-None-Match": first.headers["etag"]}
        again = rest.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
    nbtokens.record(model="m", input_tokens=1)
    assert rest.get("/overview", headers={"If-None-Match": rest.get("/token-usage").headers["etag"]}).status_code == 200


def test_tokens_of_people(tmp_path: Path) -> None:
    """A file of tokens is read, and each that can't be used is refused with what to do."""
    path = tmp_path / "people.toml"
    path.write_text(f'[users]\nada = "{ADAS}"\n')
    callers = alone.admitted(TOKEN, path)
    assert (callers[ADAS].name, callers[ADAS].sees_all, callers[TOKEN].sees_all) == ("ada", False, True)
    for text in ("", "[users]", '[users]\nada = "short"', "users = 1", "[users", f'[users]\na="{ADAS}"\nb="{ADAS}"'):
        path.write_text(text)
        with pytest.raises(NbtokensError, match=r"people\.toml"):
            alone.read_tokens(path)
    for token in ("x" * 15, "with spaces in it", "tökén-of-16-letters", "line-break-at-end\n"):
        path.write_text(f"[users]\nada = {json.dumps(token)}\n")
        with pytest.raises(NbtokensError, match=r"people\.toml.*'ada' must be text of at least 16 characters"):
            alone.read_tokens(path)
        with pytest.raises(NbtokensError, match="NBTOKENS_TOKEN must be text of at least 16"):
            alone.admitted(token, None)
    path.write_text(f'[users]\nada = "{TOKEN}"\n')
    with pytest.raises(NbtokensError, match=r"the token of 'ada' is the one of NBTOKENS_TOKEN, which sees all"):
        alone.admitted(TOKEN, path)
    path.unlink()
    with pytest.raises(NbtokensError, match="can't be read"):
        alone.read_tokens(path)


def test_a_port_that_is_taken(rest: Rest) -> None:
    """The error says which, and what to do."""
    port = urlsplit(rest.url).port
    assert port is not None
    with pytest.raises(NbtokensError, match=rf"127.0.0.1:{port} .*--port 0"):
        alone.listen(alone.application(None, {}), "127.0.0.1", port)  # type: ignore[arg-type]


def test_a_ledger_that_cannot_be_read(rest: Rest) -> None:
    """An archive that is damaged is told as a 503, in JSON, and not as an empty history."""
    folder = nbtokens.history().path.parent / "archive"
    folder.mkdir()
    (folder / "part.parquet").write_bytes(b"no parquet")
    (folder / "_manifest.json").write_text(json.dumps([{"marker": "", "files": ["part.parquet"]}]))
    answer = rest.get("/runs/run/token-metrics")
    assert answer.status_code == 503
    assert "part.parquet" in answer.json()["message"]
