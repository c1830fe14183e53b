"""boto3 with Bedrock's operations: each attempt is one exchange, streams pass as they come, signatures stay."""

from __future__ import annotations

import gc
import json
import struct
import threading
import zlib
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from servers import PATIENCE, Answer, ScriptedServer, as_json
from wires import Recorder, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL: Final = "anthropic.claude-sonnet-4-20250514-v1:0"
MESSAGES: Final = [{"role": "user", "content": [{"text": "Why is the sky blue?"}]}]
USAGE: Final = {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}
CONVERSED: Final = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Because."}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 1},
}
INVOKED: Final = {"type": "message", "usage": {"input_tokens": 7, "output_tokens": 5}}
_NOT_THE_SAME: Final = ("authorization", "x-amz-date", "amz-sdk-invocation-id", "host")


def message(kind: str, document: Any) -> bytes:  # noqa: ANN401 - JSON
    """One message of an AWS event stream, as Amazon describes the format."""
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event"))
    )
    payload = json.dumps(document).encode()
    prelude = struct.pack("!II", len(headers) + len(payload) + 16, len(headers))
    checked = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return checked + struct.pack("!I", zlib.crc32(checked))


def as_messages(*pieces: bytes | threading.Event) -> Answer:
    return Answer(headers={"content-type": "application/vnd.amazon.eventstream"}, pieces=pieces)


STREAMED: Final = (
    message("messageStart", {"role": "assistant"}),
    message("contentBlockDelta", {"delta": {"text": "Because."}, "contentBlockIndex": 0}),
    message("metadata", {"usage": USAGE, "metrics": {"latencyMs": 1}}),
)
CHUNKS: Final = tuple(message("chunk", {"bytes": "e30="}) for _ in range(3))


def converse(client: Any) -> Any:  # noqa: ANN401 - boto3 has no types
    return client.converse(modelId=MODEL, messages=MESSAGES)["usage"]


def invoke(client: Any) -> Any:  # noqa: ANN401 - boto3 has no types
    return json.loads(client.invoke_model(modelId=MODEL, body=b"{}")["body"].read())


def invoke_in_chunks(client: Any) -> Any:  # noqa: ANN401 - boto3 has no types
    return json.loads(b"".join(client.invoke_model(modelId=MODEL, body=b"{}")["body"].iter_chunks(7)))


def converse_stream(client: Any) -> Any:  # noqa: ANN401 - boto3 has no types
    return list(client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])


def invoke_stream(client: Any) -> Any:  # noqa: ANN401 - boto3 has no types
    return list(client.invoke_model_with_response_stream(modelId=MODEL, body=b"{}")["body"])


OPERATIONS: Final[dict[Callable[[Any], Any], tuple[str, Answer]]] = {
    converse: ("converse", as_json(CONVERSED)),
    invoke: ("invoke", as_json(INVOKED)),
    invoke_in_chunks: ("invoke", as_json(INVOKED)),
    converse_stream: ("converse-stream", as_messages(*STREAMED)),
    invoke_stream: ("invoke-with-response-stream", as_messages(*CHUNKS)),
}


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Any]:
    """A client of Bedrock with made-up credentials. It tries twice."""
    running = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 2, "mode": "standard"}, read_timeout=PATIENCE),
    )
    yield running
    running.close()


@pytest.fixture
def recorder(client: Any) -> Iterator[Recorder]:  # noqa: ANN401 - boto3 has no types
    """All clients are hooked, after the client was made."""
    with recorded() as running:
        yield running


@pytest.mark.parametrize("operation", OPERATIONS)
def test_same_results(operation: Callable[[Any], Any], client: Any, server: ScriptedServer) -> None:  # noqa: ANN401
    """Each operation gives what it gives without nbtokens, sends what it sends without it, and is one exchange."""
    name, answer = OPERATIONS[operation]
    server.will(answer)
    without = operation(client)
    with recorded() as recorder:
        assert operation(client) == without
    exchange = recorder.only()
    assert exchange.body == (
        answer.body or b"".join(piece for piece in answer.pieces or () if isinstance(piece, bytes))
    )
    assert exchange.address.path == f"/model/{MODEL}/{name}"
    assert (exchange.status, exchange.complete, exchange.error) == (200, True, None)
    first, second = server.asked
    assert exchange.request_body == first.body == second.body
    assert (
        second.headers["authorization"].split("Signature=")[0] == first.headers["authorization"].split("Signature=")[0]
    )
    assert {k: v for k, v in second.headers.items() if k not in _NOT_THE_SAME} == {
        k: v for k, v in first.headers.items() if k not in _NOT_THE_SAME
    }


def test_retries(client: Any, server: ScriptedServer, recorder: Recorder) -> None:  # noqa: ANN401
    """Each of botocore's own retries is an exchange of its own."""
    server.will(Answer(b"{}", 503), as_json(CONVERSED))
    assert converse(client) == USAGE
    assert [exchange.status for exchange in recorder.exchanges] == [503, 200]


def test_refused(client: Any, server: ScriptedServer, recorder: Recorder) -> None:  # noqa: ANN401
    """A refusal is an exchange with its status."""
    server.will(as_json({"message": "no"}, 400))
    with pytest.raises(ClientError):
        converse(client)
    assert recorder.only().status == 400


def leave_loop(stream: Any) -> None:  # noqa: ANN401 - boto3 has no types
    for _ in stream:
        break
    stream.close()


def close(stream: Any) -> None:  # noqa: ANN401 - boto3 has no types
    stream.close()


@pytest.mark.parametrize("leave", [leave_loop, close])
def test_stream_left_early(
    leave: Callable[[Any], None],
    client: Any,  # noqa: ANN401 - boto3 has no types
    server: ScriptedServer,
    recorder: Recorder,
) -> None:
    """An event stream that is closed before its end is one exchange, not complete; its first event came at once."""
    over = threading.Event()
    server.will(as_messages(STREAMED[0], over, *STREAMED[1:]))
    leave(client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])
    over.set()
    exchange = recorder.only()
    assert (exchange.complete, exchange.status) == (False, 200)
    assert exchange.body == (STREAMED[0] if leave is leave_loop else b"")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of its socket, also without nbtokens
def test_stream_dropped(client: Any, server: ScriptedServer, recorder: Recorder) -> None:  # noqa: ANN401
    """An event stream that nobody holds any more is one exchange."""
    over = threading.Event()
    server.will(as_messages(STREAMED[0], over, *STREAMED[1:]))
    stream = iter(client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"])
    next(stream)
    del stream
    gc.collect()
    over.set()
    assert recorder.only().complete is False


def test_body_of_a_document(client: Any, server: ScriptedServer, recorder: Recorder) -> None:  # noqa: ANN401
    """The body of `invoke_model` keeps its own ways: a block gives the connection's response, closed at its end."""
    server.will(as_json(INVOKED))
    body = client.invoke_model(modelId=MODEL, body=b"{}")["body"]
    with body as raw:
        assert raw.read(5) == json.dumps(INVOKED).encode()[:5]
        assert recorder.exchanges == []
    exchange = recorder.only()
    assert (exchange.complete, exchange.body) == (False, json.dumps(INVOKED).encode()[:5])


def test_async_client(server: ScriptedServer) -> None:
    """The asynchronous client goes by aiohttp: plain and streamed, each call is one exchange."""
    session = pytest.importorskip("aiobotocore.session", reason="aiobotocore is not installed")
    import asyncio  # noqa: PLC0415 - only here

    async def call() -> list[Any]:
        options = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "none", "region_name": "us-east-1"}
        async with session.get_session().create_client("bedrock-runtime", endpoint_url=server.url, **options) as client:
            server.will(as_json(CONVERSED))
            whole = await client.converse(modelId=MODEL, messages=MESSAGES)
            server.will(as_messages(*STREAMED))
            streamed = await client.converse_stream(modelId=MODEL, messages=MESSAGES)
            return [whole["usage"], *[event async for event in streamed["stream"]]]

    without = asyncio.run(call())
    with recorded() as recorder:
        assert asyncio.run(call()) == without
    assert [exchange.body for exchange in recorder.exchanges] == [json.dumps(CONVERSED).encode(), b"".join(STREAMED)]
    assert all(exchange.complete for exchange in recorder.exchanges)
