"""One attempt is one record, however many layers of clients it passes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import httpx2
from clients import CHAT_REQUEST, MESSAGES, SDKS, Http, entered, items, settled
from servers import ScriptedServer, as_events, as_json, event

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
