"""SDKs of Google, Mistral, Groq, Cohere, Ollama and Hugging Face, litellm, frameworks: each call is one record.

They are many and heavy: the extra `sdks` brings them, and each test skips where its own is not installed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest
from clients import items, settled
from frameworks import ALIVE, NEEDS, answer_for, litellm
from servers import PATIENCE

import nbtokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frameworks import Call
    from ledgers import Ledger
    from servers import ScriptedServer

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
pytestmark = [
    # What the SDKs leave open and deprecate is theirs.
    pytest.mark.filterwarnings("ignore"),
]
MODES: Final = ["sync", "async"]
each_call: Final = pytest.mark.parametrize("call", NEEDS, ids=lambda call: call.__name__)
each_mode: Final = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def needed(call: Call) -> None:
    """Skip where the SDK is not installed."""
    pytest.importorskip(NEEDS[call], reason=f"{NEEDS[call]} is not installed", exc_type=ImportError)


@pytest.fixture(autouse=True, scope="module")
def leftovers() -> Iterator[None]:
    """What the SDKs have left open is collected before the tests of others, which would be told of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(autouse=True)
def clients_end() -> Iterator[None]:
    """No client outlives its test."""
    yield
    ALIVE.clear()
    gc.collect()


async def results(call: Call, mode: str, url: str, *, stream: bool) -> list[Any]:
    """What a call gives, all of it; one that is not asynchronous is made on a thread, where no loop runs."""
    if mode == "async":
        got = await settled(call(url, True, stream))  # noqa: FBT003
        return [item async for item in items(got)] if stream else [got]

    def make() -> list[Any]:
        return list(call(url, False, stream)) if stream else [call(url, False, stream)]  # noqa: FBT003

    return await asyncio.to_thread(make)


async def leave_early(call: Call, mode: str, url: str) -> None:
    """Take the first item of a stream, and close it by what it has for that."""
    if mode == "async":
        stream = await settled(call(url, True, True))  # noqa: FBT003
        parts = aiter(stream)
        await anext(parts)
        for one in (parts, stream):
            close = getattr(one, "aclose", None) or getattr(one, "close", None)
            if close is not None:
                await settled(close())
        return

    def make() -> None:
        stream = call(url, False, True)  # noqa: FBT003
        parts = iter(stream)
        next(parts)
        for one in (parts, stream):
            if hasattr(one, "close"):
                one.close()

    await asyncio.to_thread(make)


@each_call
@each_mode
@pytest.mark.parametrize("way", ["plain", "stream"])
@pytest.mark.usefixtures("needed")
async def test_one_record(call: Call, mode: str, way: str, server: ScriptedServer, ledger: Ledger) -> None:
    """One call is one record with what the provider reported; the results are of the types without nbtokens."""
    stream = way == "stream"
    server.will(answer_for(call, stream))
    without = await results(call, mode, server.url, stream=stream)
    nbtokens.enable()
    assert [type(one) for one in await results(call, mode, server.url, stream=stream)] == [type(one) for one in without]
    row = ledger.only()
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (7, 5, "reported")
    assert (row["status"], row["complete"], row["stream"]) == ("ok", True, stream)
    assert row["request_hash"]


@each_call
@each_mode
@pytest.mark.usefixtures("needed")
async def test_left_early(call: Call, mode: str, server: ScriptedServer, recording: Ledger) -> None:
    """A stream that is left after its first item is one record, once it is closed or dropped."""
    over = threading.Event()
    server.will(answer_for(call, True, over))  # noqa: FBT003
    await leave_early(call, mode, server.url)
    if call is litellm:
        import_module("litellm").error_logs.clear()  # where it keeps its latest call, until the next
    over.set()
    deadline = time.monotonic() + PATIENCE
    while not nbtokens.session().sums.calls and time.monotonic() < deadline:
        await asyncio.sleep(0.01)  # what the event loop, or a thread of the SDK's, has still to close
        gc.collect()
    row = recording.only()
    assert row["http_status"] == 200
    assert (row["complete"], row["usage_source"]) == (False, "estimated")
