"""What is no call of a model passes through untouched and leaves no record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import CHAT_REQUEST, MESSAGES, SDKS, Http, entered, items, settled
from servers import Answer, ScriptedServer, as_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

OTHERS: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("GET", "/v1/chat/completions", {}),
    ("GET", "/v1/responses/resp_1", {}),
    ("GET", "/v1/models", {}),
    ("DELETE", "/v1/responses/resp_1", {}),
    ("PUT", "/v1/messages", {"json": {**CHAT_REQUEST, "max_tokens": 1}}),
    ("POST", "/v1/messages/count_tokens", {"json": CHAT_REQUEST}),
    ("POST", "/v1/messages/batches", {"json": {"requests": []}}),
    ("POST", "/v1/chat/completions/extra", {"json": CHAT_REQUEST}),
    ("POST", "/v1/files", {"json": CHAT_REQUEST}),
    ("POST", "/", {"json": CHAT_REQUEST}),
    ("POST", "/messages", {"json": {"to": "somebody", "text": "Hello"}}),
    ("POST", "/messages", {"json": {"messages": ["Hello"]}}),
    ("POST", "/messages", {"json": ["Hello"]}),
    ("POST", "/messages", {"data": {"model": "Corsa", "messages": "1"}}),
    ("POST", "/messages", {"content": b"\x00\xff not JSON"}),
    ("POST", "/messages", {}),
    ("POST", "/embeddings", {"json": {"url": "https://example.com"}}),
    ("POST", "/api/responses", {"json": {"answer": 42}}),
    ("POST", "/completions", {"json": {"prefix": "imp"}}),
]


@pytest.mark.parametrize(
    ("method", "path", "sent"), OTHERS, ids=[f"{one[0]} {one[1]} {n}" for n, one in enumerate(OTHERS)]
)
async def test_not_recorded(  # noqa: PLR0913, PLR0917 - a request has parts
    http: Http, method: str, path: str, sent: dict[str, Any], server: ScriptedServer, recording: Ledger
) -> None:
    """Other methods, other paths, and somebody's own service on a known path with a body of its own."""
    server.will(as_json({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "model": "gpt-5"}))
    async with entered(http.client()) as client:
        response = await settled(client.request(method, server.url + path, **sent))
        async with entered(client.stream(method, server.url + path, **sent)) as streamed:
            content = b"".join([part async for part in items(http.method(streamed, "iter_raw")())])
    assert response.content == content == server.answers[0].body
    assert recording.rows(None) == []


async def test_stream_is_left_alone(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """The stream of what is no call is the transport's own, with nothing of ours around it."""
    server.will(as_json({}))
    async with entered(http.client()) as client:
        for path, ours in (("/v1/files", False), ("/v1/chat/completions", True)):
            async with entered(client.stream("POST", server.url + path, json=CHAT_REQUEST)) as response:
                assert type(response.stream._stream).__module__.startswith("nbtokens") is ours


def test_other_methods_of_the_sdks(simulated: Endpoint, recording: Ledger) -> None:
    """Listing models and counting tokens are no calls."""
    chat, claude = SDKS[0], SDKS[-2]
    with chat.client(simulated.base_url) as client:
        client.models.list()
    with claude.client(simulated.base_url) as client:
        client.messages.count_tokens(model="claude", messages=MESSAGES)
        client.models.list()
    assert recording.rows(None) == []


@pytest.mark.parametrize("path", ["/v1/files", "/v1/chat/completions"])
async def test_uploads_are_untouched(http: Http, path: str, server: ScriptedServer, recording: Ledger) -> None:
    """A request body that is a generator is sent piece by piece and read by nobody else."""
    server.will(as_json({}))
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            taken.append(number)
            yield b"%d" % number

    async def async_pieces() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    async with entered(http.client()) as client:
        content = async_pieces() if http.asynchronous else pieces()
        response = await settled(client.post(server.url + path, content=content))
    assert response.status_code == 200
    assert taken == [0, 1, 2]
    assert server.asked[0].body == b"012"
    assert server.asked[0].headers["transfer-encoding"] == "chunked"
    assert recording.rows(None) == []


async def test_upload_to_a_provider(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A call whose request nobody may read is recorded where its host tells that it is one."""
    server.will(as_json({"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}))

    async def async_pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    async with entered(http.client(transport=http.transport(server))) as client:
        content = async_pieces() if http.asynchronous else iter([b"{}"])
        await settled(client.post("https://api.openai.com/v1/chat/completions", content=content))
    row = recording.only()
    assert (row["provider"], row["model"], row["input_tokens"], row["output_tokens"]) == ("openai", "gpt-5", 7, 5)
    assert "request_hash" not in row


async def test_redirects(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A call that is sent on to another address is one record, of the address that the user has called."""
    answered = as_json({"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}})
    server.will(Answer(status=307, headers={"location": f"{server.url}/v2/chat/completions"}), answered)
    async with entered(http.client(follow_redirects=True)) as client:
        response = await settled(client.post(f"{server.url}/v1/chat/completions", json=CHAT_REQUEST))
    assert [one.status_code for one in [*response.history, response]] == [307, 200]
    row = recording.only()
    assert (row["http_status"], row["input_tokens"], row["status"]) == (200, 7, "ok")


async def test_redirect_not_followed(http: Http, server: ScriptedServer, recording: Ledger) -> None:
    """A redirect that the client does not follow is one record, and no model has answered."""
    server.will(Answer(status=307, headers={"location": f"{server.url}/v2/chat/completions"}))
    async with entered(http.client()) as client:
        response = await settled(client.post(f"{server.url}/v1/chat/completions", json=CHAT_REQUEST))
    assert response.next_request is not None
    row = recording.only()
    assert (row["http_status"], row["status"], row["usage_source"]) == (307, "error", "none")
