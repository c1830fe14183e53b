"""One attempt is one record, however many layers of clients it passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
from clients import CHAT_REQUEST, MESSAGES, SDKS, Http, entered, items, settled
from requests.adapters import HTTPAdapter
from servers import PATIENCE, Answer, ScriptedServer, as_events, as_json, event, refusing_url

if TYPE_CHECKING:
    from ledgers import Ledger

PATH: Final = "/v1/chat/completions"
DOCUMENT: Final = {"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}


class OverHttpx(httpx2.BaseTransport):
    """A transport of httpx2 that itself calls with httpx, and hands its stream on."""

    def __init__(self) -> None:
        self._inner = httpx.Client()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it with the other library."""
        sent = self._inner.build_request(
            request.method, str(request.url), headers=request.headers.raw, content=request.read()
        )
        got = self._inner.send(sent, stream=True)
        return httpx2.Response(got.status_code, headers=got.headers.raw, stream=_Handed(got))

    def close(self) -> None:
        """Close the inner client."""
        self._inner.close()


class _Handed(httpx2.SyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __iter__(self) -> Any:  # noqa: ANN401 - bytes
        return self._response.iter_raw()

    def close(self) -> None:
        self._response.close()


def test_transport_that_calls_itself(server: ScriptedServer, recording: Ledger) -> None:
    """A client whose transport is another client: one record for each call, plain and streamed."""
    with httpx2.Client(transport=OverHttpx()) as client:
        server.will(as_json(DOCUMENT))
        assert client.post(server.url + PATH, json=CHAT_REQUEST).json() == DOCUMENT
        server.will(as_events(event(DOCUMENT), b"data: [DONE]\n\n"))
        with client.stream("POST", server.url + PATH, json=CHAT_REQUEST) as response:
            response.read()
    assert [row["output_tokens"] for row in recording.rows()] == [5, 5]


async def test_response_hooks(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A response that the user's own event hook has read already is recorded, with its whole body."""
    server.will(as_json(DOCUMENT))

    def read(response: Any) -> None:  # noqa: ANN401 - the client's type
        response.read()

    async def aread(response: Any) -> None:  # noqa: ANN401 - the client's type
        await response.aread()

    hooks = {"response": [aread if http.asynchronous else read]}
    async with (
        entered(http.client(event_hooks=hooks)) as client,
        entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response,
    ):
        assert await settled(http.method(response, "read")()) == server.answers[0].body
    assert recording.only()["input_tokens"] == 7


async def test_calls_while_a_stream_is_read(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A call that is made between two chunks of a stream is a record of its own."""
    async with entered(http.client()) as client:
        server.will(as_events(event(DOCUMENT), b"data: [DONE]\n\n"), as_json(DOCUMENT))
        async with entered(client.stream("POST", server.url + PATH, json=CHAT_REQUEST)) as response:
            async for _ in items(http.method(response, "iter_raw")()):
                await settled(client.post(server.url + PATH, json=CHAT_REQUEST))
                break
    assert len(recording.rows()) == 2


def test_sdk_over_the_users_client(server: ScriptedServer, recording: Ledger) -> None:
    """An SDK that is given a client of the user's own: one record."""
    server.will(as_json(DOCUMENT))
    with httpx2.Client(headers={"x-team": "blue"}) as own, SDKS[0].client(server.url, http_client=own) as client:
        client.chat.completions.create(model="gpt-5", messages=MESSAGES)
    assert server.asked[0].headers["x-team"] == "blue"
    assert len(recording.rows()) == 1


@pytest.mark.parametrize("theirs", [httpx, httpx2], ids=lambda module: module.__name__)
@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.api in ("openai.chat", "anthropic.messages")], ids=str)
async def test_sdk_over_either_client(sdk: Any, theirs: Any, server: ScriptedServer, recording: Ledger) -> None:  # noqa: ANN401
    """An SDK takes a client of httpx or of httpx2, whichever it was made for, as far as it does: one record."""
    server.will(as_json({**DOCUMENT, "content": [], "type": "message"}))
    try:
        client = sdk.client(server.url, http_client=theirs.AsyncClient() if sdk.asynchronous else theirs.Client())
    except TypeError:
        pytest.skip(f"it refuses a client of {theirs.__name__}")
    async with entered(client):
        await settled(sdk.ask(client))
    assert len(recording.rows()) == 1


class OverAiohttp(httpx.AsyncBaseTransport):
    """A transport of httpx over aiohttp, as openai and litellm have them."""

    def __init__(self) -> None:
        self._session: Any = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it with aiohttp."""
        self._session = self._session or aiohttp.ClientSession(auto_decompress=False)
        got = await self._session.post(str(request.url), data=request.content, headers=request.headers)
        return httpx.Response(got.status, headers=list(got.headers.items()), stream=_OfAiohttp(got))

    async def aclose(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()


class _OfAiohttp(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> Any:  # noqa: ANN401 - bytes
        async for chunk in self._response.content.iter_chunked(1024):
            yield chunk

    async def aclose(self) -> None:
        self._response.release()


@pytest.mark.parametrize("early", [False, True])
async def test_httpx_over_aiohttp(early: bool, server: ScriptedServer, recording: Ledger) -> None:  # noqa: FBT001
    """Httpx over aiohttp: one record for each call, plain, streamed and left early."""
    async with httpx.AsyncClient(transport=OverAiohttp()) as client:
        server.will(as_json(DOCUMENT))
        assert (await client.post(server.url + PATH, json=CHAT_REQUEST)).json() == DOCUMENT
        server.will(as_events(event(DOCUMENT), b"data: [DONE]\n\n"))
        async with client.stream("POST", server.url + PATH, json=CHAT_REQUEST) as response:
            async for _ in response.aiter_raw():
                if early:
                    break
    assert len(recording.rows()) == 2


@pytest.mark.parametrize("client", ["requests", "urllib3", "pool"])
def test_retries_inside_of_urllib3(client: str, server: ScriptedServer, recording: Ledger) -> None:
    """Each attempt of urllib3's own retries is a record with its status, below requests as well."""
    server.will(Answer(b"{}", 503), Answer(b"{}", 429), as_json(DOCUMENT))
    retries = urllib3.Retry(3, status_forcelist=(429, 503), allowed_methods=None, backoff_factor=0)
    if client == "requests":
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=retries))
            response = session.post(server.url + PATH, json=CHAT_REQUEST, timeout=PATIENCE)
            assert response.json() == DOCUMENT
    elif client == "urllib3":
        with urllib3.PoolManager() as manager:
            answered = manager.request("POST", server.url + PATH, json=CHAT_REQUEST, retries=retries)
            assert answered.json() == DOCUMENT
    else:
        with urllib3.HTTPConnectionPool(*server.server_address[:2]) as pool:
            answered = pool.request("POST", PATH, json=CHAT_REQUEST, retries=retries)
            assert answered.json() == DOCUMENT
    rows = recording.rows()
    assert [(row["http_status"], row["status"]) for row in rows] == [(503, "error"), (429, "error"), (200, "ok")]
    assert rows[0]["started_at"] < rows[1]["started_at"] < rows[2]["started_at"]
    assert [row.get("output_tokens") for row in rows] == [None, None, 5]


def test_urllib3_that_nobody_answers(recording: Ledger) -> None:
    """Each attempt to reach a server that is not there is a record, the first as the last."""
    with urllib3.PoolManager() as manager, pytest.raises(urllib3.exceptions.MaxRetryError):
        manager.request("POST", refusing_url() + PATH, json=CHAT_REQUEST, retries=urllib3.Retry(2, backoff_factor=0))
    assert [row["error"] for row in recording.rows()] == ["NewConnectionError", "NewConnectionError", "MaxRetryError"]


def test_urllib3_redirects(server: ScriptedServer, recording: Ledger) -> None:
    """A call that urllib3 sends on to another address is one record, of the address that the user has called."""
    server.will(Answer(status=307, headers={"location": f"{server.url}/v2/chat/completions"}), as_json(DOCUMENT))
    with urllib3.PoolManager() as manager:
        assert manager.request("POST", server.url + PATH, json=CHAT_REQUEST).json() == DOCUMENT
    row = recording.only()
    assert (row["http_status"], row["input_tokens"], row["status"]) == (200, 7, "ok")


def test_urllib3_preloaded_and_not(server: ScriptedServer, recording: Ledger) -> None:
    """What urllib3 reads at once, and what its caller reads, is one record each."""
    server.will(as_json(DOCUMENT))
    with urllib3.PoolManager() as manager:
        manager.request("POST", server.url + PATH, json=CHAT_REQUEST)
        assert len(recording.rows()) == 1
        response = manager.request("POST", server.url + PATH, json=CHAT_REQUEST, preload_content=False)
        assert len(recording.rows()) == 1
        assert response.json() == DOCUMENT
    assert [row["output_tokens"] for row in recording.rows()] == [5, 5]
