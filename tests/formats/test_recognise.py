"""Which requests are calls of a model, who answers them, and what a request tells."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from reading import REQUESTS, events, exchange

from nbtokens.exchange import Address, kept_headers
from nbtokens.formats.providers import engine_of, is_private, provider_of
from nbtokens.formats.recognise import recognise
from nbtokens.formats.request import Request
from nbtokens.runtime import runtime

TEXT: Final = "Why is the sky blue?"


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", "openai.chat"),
        ("/v1/chat/completions/", "openai.chat"),
        ("/openai/deployments/my-gpt/chat/completions", "openai.chat"),
        ("/api/v1/chat/completions", "openai.chat"),
        ("/v1/completions", "openai.completions"),
        ("/v1/responses", "openai.responses"),
        ("/v1/responses/compact", "openai.responses"),
        ("/v1/embeddings", "openai.embeddings"),
        ("/v1/messages", "anthropic.messages"),
        ("/anthropic/v1/messages", "anthropic.messages"),
        ("/v1/messages/count_tokens", None),
        ("/v1/messages/batches", None),
        ("/v1/threads/thread_1/messages", None),
        ("/v1/responses/resp_1", None),
        ("/v1/responses/resp_1/cancel", None),
        ("/v1/my-embeddings-are-here", None),
        ("/v1/chat", None),
        ("/", None),
        ("", None),
    ],
)
def test_paths(path: str, api: str | None) -> None:
    """A format is known by the end of its path, whatever stands before it, and only for its method."""
    reader = recognise("POST", path)
    assert (reader.table.api if reader else None) == api
    assert all(recognise(method, path) is None for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "post"))


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/responses/resp_1", "openai.responses"),
        ("/v1/responses/resp_1/input_items", None),
        ("/v1/chat/completions/chatcmpl-1", "openai.chat"),
        ("/v1/chat/completions", None),
        ("/v1/threads/thread_1/runs/run_1", "openai.runs"),
        ("/v1/threads/thread_1/runs", None),
        ("/v1/messages/batches/msgbatch_1/results", None),
        ("/v1/models", None),
    ],
)
def test_what_is_got(path: str, api: str | None) -> None:
    """Answers that are fetched later are known by their own paths."""
    reader = recognise("GET", path)
    assert (reader.table.api if reader else None) == api


@pytest.mark.parametrize("path", REQUESTS)
def test_shapes(path: str) -> None:
    """At a host that nobody knows, the request's own keys decide whether it is a call."""
    reader = recognise("POST", path)
    assert reader is not None
    assert Request(json.dumps(REQUESTS[path]).encode()).has_shape(reader.table)
    for body in (b"", b"{}", b"[1]", b"null", b"not JSON", b'{"model": "m"}', b"\xff", None):
        assert not Request(body).has_shape(reader.table)


@pytest.mark.parametrize("host", ["api.openai.com", "API.OpenAI.com", "api.openai.com."])
def test_known_host_needs_no_shape(host: str) -> None:
    """At a provider's host the path is enough."""
    assert runtime().meter.to_record(exchange("/v1/chat/completions", b"{}", {}, host=host)) is not None
    assert runtime().meter.to_record(exchange("/v1/chat/completions", b"{}", {}, host="example.com")) is None


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-team.openai.azure.com", "azure.ai.openai"),
        ("api.anthropic.com", "anthropic"),
        ("openrouter.ai", "openrouter"),
        ("api.groq.com", "groq"),
        ("notapi.openai.com.example.com", None),
        ("myapi.openai.comx", None),
        ("fakeopenrouter.ai", None),
        ("localhost", None),
        ("127.0.0.1", None),
    ],
)
def test_providers(host: str, provider: str | None) -> None:
    """A provider is known by its host name or a subdomain of it, and by nothing that only looks alike."""
    assert provider_of(host) == provider


@pytest.mark.parametrize("host", ["localhost", "x.localhost", "127.0.0.1", "10.1.2.3", "192.168.0.9", "172.16.5.5"])
def test_private_hosts(host: str) -> None:
    """This machine and private networks."""
    assert is_private(host)


@pytest.mark.parametrize("host", ["::1", "[::1]", "fe80::1", "gpu-box", "gpu.local", "vllm.internal", "169.254.1.1"])
def test_other_private_hosts(host: str) -> None:
    """IPv6, names without a domain, and the domains of local networks."""
    assert is_private(host)


@pytest.mark.parametrize(
    "host", ["example.com", "8.8.8.8", "2001:4860:4860::8888", "localhost.example.com", "10.example.com"]
)
def test_public_hosts(host: str) -> None:
    """Everything else is somebody else's machine."""
    assert not is_private(host)


@pytest.mark.parametrize(
    ("header", "body", "engine"),
    [
        ("llama.cpp", {}, "llama.cpp"),
        ("Ollama/0.5", {}, "ollama"),
        ("uvicorn", {"system_fingerprint": "fp_ollama"}, "ollama"),
        ("uvicorn", {"kv_transfer_params": None}, "vllm"),
        ("uvicorn", {"timings": {"prompt_n": 3}}, "llama.cpp"),
        ("Express", {"stats": {}}, "lm-studio"),
        ("uvicorn", {"system_fingerprint": "fp_44709d6fcb"}, None),
        ("uvicorn", {"model": "ollama/llama3"}, None),
        ("", {}, None),
    ],
)
def test_engines(header: str, body: dict[str, Any], engine: str | None) -> None:
    """A local engine is known by what only it sends, plain and streamed; never by a name or port."""
    headers = {"server": header}
    plain = exchange("/v1/chat/completions", json.dumps(body).encode(), response_headers=headers)
    streamed = exchange("/v1/chat/completions", events({}, body), response_headers=headers)
    assert (engine_of(plain), engine_of(streamed)) == (engine, engine)


@pytest.mark.parametrize(
    ("path", "request_object", "texts"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": TEXT}]}, ["user", TEXT]),
        ("/v1/completions", {"prompt": TEXT}, [TEXT]),
        ("/v1/embeddings", {"input": [TEXT, "Hi"]}, [TEXT, "Hi"]),
        ("/v1/responses", {"input": TEXT, "instructions": "Be brief"}, ["Be brief", TEXT]),
        ("/v1/embeddings", {"input": [1, 2, 3]}, []),
        (
            "/v1/messages",
            {
                "system": "Be brief",
                "messages": [
                    {"content": [{"type": "image", "source": {"data": "aGVsbG8=", "media_type": "image/png"}}]}
                ],
            },
            ["Be brief"],
        ),
    ],
)
def test_prompt_texts(path: str, request_object: dict[str, Any], texts: list[str]) -> None:
    """The texts of a prompt are read in the order in which the model reads them; media are no text."""
    reader = recognise("POST", path)
    assert reader is not None
    assert list(Request(json.dumps(request_object).encode()).prompt_texts(reader.table)) == texts


def test_address() -> None:
    """A server is named with its port where the URL has one; the query is not part of the URL that is kept."""
    assert Address("https", "api.openai.com", None, "/v1").url == "https://api.openai.com/v1"
    assert Address("http", "localhost", 8000, "/v1").server == "localhost:8000"


def test_kept_headers() -> None:
    """Of the headers only harmless ones are kept, whatever the case of their names."""
    raw = [(b"X-Request-ID", b"req_1"), (b"Authorization", b"Bearer sk-1"), (b"cookie", b"a=b"), (b"Server", b"x\xe9")]
    assert kept_headers(raw) == {"x-request-id": "req_1", "server": "xé"}
