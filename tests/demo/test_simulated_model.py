"""The simulated model, asked by the real clients over real HTTP."""

from __future__ import annotations

import http.client
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anthropic
import openai
import pytest

from nbtokens.demo import simulated_model
from nbtokens.demo.simulated_text import count_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.demo.endpoint import Endpoint

QUESTION: Any = [{"role": "user", "content": "Why is the sky blue?"}]
QUESTION_TOKENS = 6


@pytest.fixture
def gpt(simulated: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{simulated.base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(simulated: Endpoint) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=simulated.base_url, api_key="none", max_retries=0) as client:
        yield client


def post(endpoint: Endpoint, path: str, body: object) -> tuple[http.client.HTTPResponse, bytes]:
    """Send `body` as it is, past all clients, and read the whole response."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.base_url).netloc)
    try:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, raw)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_chat(gpt: openai.OpenAI) -> None:
    """A chat completion names the simulated model, and its usage counts words and marks, in and out."""
    completion = gpt.chat.completions.create(model="gpt-5", messages=QUESTION)
    text = completion.choices[0].message.content
    assert text
    assert "simulated" in text
    assert completion.model == "simulated-model"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == QUESTION_TOKENS
    assert completion.usage.completion_tokens == count_tokens(text)
    assert completion.usage.total_tokens == QUESTION_TOKENS + count_tokens(text)


def test_same_request_same_answer(gpt: openai.OpenAI) -> None:
    """The same request brings the same text under another id; other requests bring other texts."""

    def ask(question: str) -> tuple[str | None, str]:
        completion = gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])
        return completion.choices[0].message.content, completion.id

    first, again = ask("tea?"), ask("tea?")
    assert first[0] == again[0]
    assert first[1] != again[1]
    assert len({ask(f"tea {number}?")[0] for number in range(20)}) > 1


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_chat_limit(gpt: openai.OpenAI, limit: str) -> None:
    """An answer ends at the request's token limit, and says that it did."""
    completion = gpt.chat.completions.create(model="m", messages=QUESTION, **{limit: 5})  # type: ignore[call-overload]
    assert completion.usage.completion_tokens == 5
    assert completion.choices[0].finish_reason == "length"


def test_streamed_chat_is_the_same_text(gpt: openai.OpenAI) -> None:
    """A stream brings the plain answer token by token; without being asked it reports no usage."""
    plain = gpt.chat.completions.create(model="m", messages=QUESTION)
    chunks = list(gpt.chat.completions.create(model="m", messages=QUESTION, stream=True))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == plain.choices[0].message.content
    assert plain.usage is not None
    assert len([piece for piece in pieces if piece]) == plain.usage.completion_tokens
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert {chunk.id for chunk in chunks} == {chunks[0].id}


def test_streamed_chat_with_usage(gpt: openai.OpenAI) -> None:
    """Asked for usage, a stream reports it once, in a last chunk without choices."""
    plain = gpt.chat.completions.create(model="m", messages=QUESTION)
    options: Any = {"include_usage": True}
    chunks = list(gpt.chat.completions.create(model="m", messages=QUESTION, stream=True, stream_options=options))
    assert [chunk.usage for chunk in chunks if chunk.usage] == [plain.usage]
    assert chunks[-1].usage == plain.usage
    assert chunks[-1].choices == []


def test_streamed_chat_on_the_wire(simulated: Endpoint) -> None:
    """OpenAI's events have no names, and the stream ends with `[DONE]`."""
    response, raw = post(simulated, "/v1/chat/completions", {"model": "m", "messages": QUESTION, "stream": True})
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert raw.endswith(b"\n\ndata: [DONE]\n\n")
    assert all(event.startswith(b"data: ") for event in raw.removesuffix(b"\n\n").split(b"\n\n"))


def test_completions(gpt: openai.OpenAI) -> None:
    """The older completions work plain and streamed, and stop at 16 tokens unless told otherwise."""
    plain = gpt.completions.create(model="m", prompt="Once upon a time")
    assert plain.usage is not None
    assert (plain.usage.prompt_tokens, plain.usage.completion_tokens) == (4, 16)
    assert plain.choices[0].finish_reason == "length"
    options: Any = {"include_usage": True}
    chunks = list(gpt.completions.create(model="m", prompt="Once upon a time", stream=True, stream_options=options))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == plain.choices[0].text
    assert chunks[-1].usage == plain.usage


def test_responses(gpt: openai.OpenAI) -> None:
    """A response counts its instructions too, and is incomplete where the limit ended it."""
    whole = gpt.responses.create(model="m", instructions="Be brief.", input="Why is the sky blue?")
    assert (whole.status, whole.incomplete_details) == ("completed", None)
    assert whole.usage is not None
    assert whole.usage.input_tokens == QUESTION_TOKENS + 3
    assert whole.usage.output_tokens == count_tokens(whole.output_text)
    cut = gpt.responses.create(model="m", input="Why is the sky blue?", max_output_tokens=4)
    assert cut.usage is not None
    assert (cut.status, cut.usage.output_tokens) == ("incomplete", 4)


def test_streamed_responses(gpt: openai.OpenAI) -> None:
    """The events of a streamed response come in OpenAI's order, numbered, and the last one holds the usage."""
    plain = gpt.responses.create(model="m", input="Why is the sky blue?")
    events = list(gpt.responses.create(model="m", input="Why is the sky blue?", stream=True))
    kinds = [event.type for event in events]
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    assert plain.usage is not None
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * plain.usage.output_tokens,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in deltas) == plain.output_text
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage == plain.usage
    assert events[0].type == "response.created"
    assert events[0].response.usage is None


def test_embeddings(gpt: openai.OpenAI) -> None:
    """Each text gets one vector, the same as floats and in the client's base64, and only input is counted."""
    texts = ["a cup of tea", "coffee"]
    encoded = gpt.embeddings.create(model="m", input=texts)
    floats = gpt.embeddings.create(model="m", input=texts, encoding_format="float", dimensions=64)
    assert len(encoded.data) == 2
    assert encoded.data[0].embedding != encoded.data[1].embedding
    assert encoded.data[1].embedding == pytest.approx(floats.data[1].embedding, abs=1e-6)
    assert encoded.usage.prompt_tokens == encoded.usage.total_tokens == 5
    assert len(gpt.embeddings.create(model="m", input="tea", dimensions=7).data[0].embedding) == 7
    assert gpt.embeddings.create(model="m", input=[101, 102, 103]).usage.prompt_tokens == 3


def test_messages(claude: anthropic.Anthropic) -> None:
    """A message counts its system prompt too, and says why it stopped."""
    whole = claude.messages.create(model="m", max_tokens=200, system="Be brief.", messages=QUESTION)
    assert whole.model == "simulated-model"
    assert whole.stop_reason == "end_turn"
    assert whole.usage.input_tokens == QUESTION_TOKENS + 3
    assert whole.content[0].type == "text"
    assert whole.usage.output_tokens == count_tokens(whole.content[0].text)
    cut = claude.messages.create(model="m", max_tokens=4, messages=QUESTION)
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 4)


def test_streamed_messages(claude: anthropic.Anthropic) -> None:
    """The client rebuilds from the stream what the plain call gives."""
    plain = claude.messages.create(model="m", max_tokens=200, messages=QUESTION)
    with claude.messages.stream(model="m", max_tokens=200, messages=QUESTION) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert plain.content[0].type == "text"
    assert text == plain.content[0].text
    assert final.usage == plain.usage
    assert final.stop_reason == plain.stop_reason


def test_streamed_messages_on_the_wire(simulated: Endpoint) -> None:
    """Anthropic's events come named and in its order: input tokens first, the whole of the output tokens last."""
    body = {"model": "m", "max_tokens": 3, "messages": QUESTION, "stream": True}
    raw = post(simulated, "/v1/messages", body)[1].decode()
    events = [(name, json.loads(data)) for name, data in re.findall(r"event: (.*)\ndata: (.*)\n\n", raw)]
    assert [name for name, _ in events] == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(data["type"] == name for name, data in events)
    assert events[0][1]["message"]["usage"]["input_tokens"] == QUESTION_TOKENS
    assert events[-2][1]["usage"]["output_tokens"] == 3
    assert events[-2][1]["delta"]["stop_reason"] == "max_tokens"


def test_anthropic_token_count(claude: anthropic.Anthropic) -> None:
    """The tokens of a message can be counted without sending it, tools and system prompt included."""
    assert claude.messages.count_tokens(model="m", messages=QUESTION).input_tokens == QUESTION_TOKENS
    tools: Any = [{"name": "sky", "input_schema": {"type": "object"}}]
    assert claude.messages.count_tokens(model="m", messages=QUESTION, tools=tools).input_tokens > QUESTION_TOKENS


def test_only_text_counts(gpt: openai.OpenAI) -> None:
    """Of a message in parts the texts are counted, and an image is not."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]
    usage = gpt.chat.completions.create(model="m", messages=parts).usage
    assert usage is not None
    assert usage.prompt_tokens == 4


def test_models(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Both clients find the one model in their provider's list."""
    assert [model.id for model in gpt.models.list()] == ["simulated-model"]
    assert [model.id for model in claude.models.list()] == ["simulated-model"]


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": QUESTION, "max_tokens": 0}, "max_tokens"),
        ({"messages": QUESTION, "max_completion_tokens": "many"}, "max_completion_tokens"),
        ({"messages": {"role": "user"}}, "messages"),
    ],
)
def test_openai_refusal(gpt: openai.OpenAI, arguments: dict[str, Any], param: str) -> None:
    """A bad request is refused with 400, and OpenAI's client finds the field that is wrong."""
    with pytest.raises(openai.BadRequestError) as refusal:
        gpt.chat.completions.create(model="m", **arguments)
    assert refusal.value.param == param
    assert refusal.value.type == "invalid_request_error"
    assert refusal.value.request_id


def test_anthropic_refusal(claude: anthropic.Anthropic) -> None:
    """A bad request is refused with 400 in Anthropic's shape."""
    with pytest.raises(anthropic.BadRequestError, match="at least one message is required") as refusal:
        claude.messages.create(model="m", max_tokens=5, messages=[])
    assert isinstance(refusal.value.body, dict)
    assert refusal.value.body["error"]["type"] == "invalid_request_error"
    assert refusal.value.request_id


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_body_that_is_no_object(simulated: Endpoint, body: bytes) -> None:
    """What isn't a JSON object is refused, and the connection stays usable."""
    response, raw = post(simulated, "/v1/chat/completions", body)
    assert response.status == 400
    assert "could not parse" in json.loads(raw)["error"]["message"]


def test_missing_fields(simulated: Endpoint) -> None:
    """A request without a required field is told which."""
    for path, body, field in [
        ("/v1/chat/completions", {"messages": QUESTION}, "model"),
        ("/v1/completions", {"model": "m"}, "prompt"),
        ("/v1/responses", {"model": "m"}, "input"),
        ("/v1/embeddings", {"model": "m"}, "input"),
        ("/v1/messages", {"model": "m", "messages": QUESTION}, "max_tokens"),
    ]:
        response, raw = post(simulated, path, body)
        assert response.status == 400
        assert field in json.loads(raw)["error"]["message"]


def test_unknown_address(gpt: openai.OpenAI, simulated: Endpoint) -> None:
    """What the server doesn't offer is not found, to read and to post to."""
    with pytest.raises(openai.NotFoundError, match="Invalid URL"):
        gpt.models.retrieve("other")
    assert post(simulated, "/v1/images/generations", {})[0].status == 404


def test_every_response_says_simulated(simulated: Endpoint) -> None:
    """Each response names its server, refusals included."""
    for path, body in [("/v1/embeddings", {"model": "m", "input": "a"}), ("/v1/messages", {}), ("/nowhere", {})]:
        assert post(simulated, path, body)[0].headers["Server"] == "nbtokens-simulated"


def test_connection_is_kept(simulated: Endpoint) -> None:
    """One connection serves request after request, streams and refusals among them."""
    connection = http.client.HTTPConnection(urlsplit(simulated.base_url).netloc)
    connection.connect()
    kept = connection.sock
    for stream in (False, True, None, False):
        body = {} if stream is None else {"model": "m", "messages": QUESTION, "stream": stream}
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        connection.getresponse().read()
        assert connection.sock is kept
    connection.close()


def test_many_at_once(gpt: openai.OpenAI) -> None:
    """32 requests at once are each answered with their own text."""

    def ask(number: int) -> int:
        question = "word " * number
        usage = gpt.chat.completions.create(model="m", messages=[{"role": "user", "content": question}]).usage
        assert usage is not None
        return usage.prompt_tokens

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, range(1, 65))) == list(range(1, 65))


def test_client_that_leaves_early(capfd: pytest.CaptureFixture[str]) -> None:
    """A stream that its reader abandons leaves no noise, and the server goes on."""
    with simulated_model.serve(speed=1000.0) as endpoint:
        where = urlsplit(endpoint.base_url)
        body = json.dumps({"model": "m", "messages": QUESTION, "stream": True}).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(body)
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(head + body)
            assert connection.recv(10)
        response, _ = post(endpoint, "/v1/embeddings", {"model": "m", "input": "still there?"})
        assert response.status == 200
    assert capfd.readouterr() == ("", "")


def test_server_ends_with_its_block() -> None:
    """After the block the port is closed, and connections that clients kept open are ended."""
    with simulated_model.serve() as endpoint:
        kept = http.client.HTTPConnection(urlsplit(endpoint.base_url).netloc)
        kept.request("GET", "/v1/models")
        kept.getresponse().read()
        raw_socket = kept.sock
    assert raw_socket.recv(1) == b""
    kept.close()
    with pytest.raises(ConnectionRefusedError):
        post(endpoint, "/v1/models", {})
