"""Hooking the clients: those that exist, those to come, each once; and letting go of them without a trace."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from clients import CHAT_REQUEST, Http, entered, settled
from servers import ScriptedServer, as_json
from wires import CLASSES

import nbtokens
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger, Script

PATH: Final = "/v1/chat/completions"


@pytest.fixture
def url(server: ScriptedServer) -> str:
    """The URL of a model that answers."""
    server.will(as_json({"model": "gpt-5", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}))
    return server.url + PATH


async def test_client_made_before(http: Http, url: str, ledger: Ledger) -> None:
    """A client that was made before recording was switched on, and used, counts from then on."""
    async with entered(http.client()) as client:
        await settled(client.post(url, json=CHAT_REQUEST))
        assert ledger.rows() == []
        nbtokens.enable()
        await settled(client.post(url, json=CHAT_REQUEST))
        assert len(ledger.rows()) == 1
        nbtokens.disable()
        await settled(client.post(url, json=CHAT_REQUEST))
        assert len(ledger.rows()) == 1


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_enabled_any_number_of_times(http: Http, times: int, url: str, ledger: Ledger) -> None:
    """Switching on twice is once: each call is one record, and one switch-off undoes it."""
    originals = [vars(cls)[name] for cls, name in CLASSES]
    for _ in range(times):
        nbtokens.enable()
    assert not any(vars(cls)[name] is original for (cls, name), original in zip(CLASSES, originals, strict=True))
    async with entered(http.client()) as client:
        await settled(client.post(url, json=CHAT_REQUEST))
    assert len(ledger.rows()) == 1
    nbtokens.disable()
    assert all(vars(cls)[name] is original for (cls, name), original in zip(CLASSES, originals, strict=True))


def test_left_exactly_as_it_was() -> None:
    """After switching on and off, again and again, every attribute of every class is the object that it was."""
    before = [dict(vars(cls)) for cls, _ in CLASSES]
    for _ in range(3):
        nbtokens.enable()
        nbtokens.disable()
        nbtokens.disable()
    assert [dict(vars(cls)) for cls, _ in CLASSES] == before


def test_what_is_hooked() -> None:
    """The hooked methods can be listed (with those of imported caches); when recording is off there are none."""
    assert runtime().hooked() == []
    nbtokens.enable()
    assert set(runtime().hooked()) >= {
        "aiohttp.client.ClientSession._request",
        "botocore.httpsession.URLLib3Session.send",
        "httpx.AsyncClient.send",
        "httpx.Client.send",
        "httpx2.AsyncClient.send",
        "httpx2.Client.send",
        "requests.sessions.Session.send",
        "urllib3.connectionpool.HTTPConnectionPool.urlopen",
        "urllib3.poolmanager.PoolManager.urlopen",
    }
    assert runtime().enabled
    nbtokens.disable()
    assert runtime().hooked() == []
    assert not runtime().enabled


def test_methods_keep_their_face() -> None:
    """A hooked method has the name, signature and documentation of the client's own."""
    before = {cls: _face(cls, name) for cls, name in CLASSES}
    nbtokens.enable()
    for cls, name in CLASSES:
        assert _face(cls, name) == before[cls]


def _face(cls: type, name: str) -> tuple[object, ...]:
    method = vars(cls)[name]
    return method.__qualname__, method.__doc__, inspect.signature(method), inspect.iscoroutinefunction(method)


@pytest.fixture
def foreign_wrapper() -> Iterator[Any]:
    """Puts another library's wrapper over `httpx.Client.send`, as it is at that moment."""
    original = vars(httpx.Client)["send"]
    seen: list[str] = []

    def put() -> list[str]:
        inner = vars(httpx.Client)["send"]

        def send(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401
            seen.append(request.method)
            response: httpx.Response = inner(self, request, **options)
            return response

        httpx.Client.send = send  # type: ignore[method-assign, assignment]
        return seen

    yield put
    httpx.Client.send = original  # type: ignore[method-assign]


def test_wrapped_by_somebody_else(foreign_wrapper: Any, url: str, ledger: Ledger) -> None:  # noqa: ANN401
    """Another library's wrapper over ours stays when we go: it still works, and nothing is recorded any more."""
    nbtokens.enable()
    seen = foreign_wrapper()
    theirs = vars(httpx.Client)["send"]
    nbtokens.disable()
    assert vars(httpx.Client)["send"] is theirs
    with httpx.Client() as client:
        assert client.post(url, json=CHAT_REQUEST).status_code == 200
        assert (len(seen), len(ledger.rows())) == (1, 0)
        nbtokens.enable()
        assert client.post(url, json=CHAT_REQUEST).status_code == 200
        assert (len(seen), len(ledger.rows())) == (2, 1)
    nbtokens.disable()
    assert vars(httpx.Client)["send"] is theirs


async def test_subclass(http: Http, url: str, recording: Ledger) -> None:
    """A subclass with a `send` of its own is recorded once, and its `send` is used."""
    base = type(http.client())
    sent: list[str] = []

    class Own(base):  # type: ignore[misc, valid-type]
        def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            sent.append(request.method)
            return super().send(request, **options)

    async with entered(Own()) as client:
        await settled(client.post(url, json=CHAT_REQUEST))
    assert sent == ["POST"]
    assert len(recording.rows()) == 1


def test_others_imported_later(script: Script) -> None:
    """So are the other clients, which may import one another; whatever is imported first."""
    script(
        """
        import sys
        import nbtokens
        from nbtokens.runtime import runtime

        nbtokens.enable()
        import boto3, requests, aiohttp
        hooked = {name.partition(".")[0] for name in runtime().hooked()}
        assert hooked >= {"requests", "urllib3", "aiohttp"}, hooked
        import botocore.httpsession
        assert "botocore.httpsession.URLLib3Session.send" in runtime().hooked()
        nbtokens.disable()
        assert not hasattr(botocore.httpsession.URLLib3Session.send, "__wrapped__")
        """
    )


@pytest.mark.parametrize("module", ["httpx", "httpx2"])
def test_imported_later(module: str, url: str, script: Script, ledger: Ledger) -> None:
    """A client that is imported after recording was switched on is hooked as well; its loader is its own again."""
    script(
        """
        import sys
        import nbtokens

        nbtokens.enable()
        assert not {"httpx", "httpx2"} & sys.modules.keys()
        module = __import__(sys.argv[1])
        assert type(module.__spec__.loader).__name__ == "SourceFileLoader", module.__spec__.loader
        assert type(module.__loader__).__name__ == "SourceFileLoader", module.__loader__
        original = module.Client.send.__wrapped__
        module.post(sys.argv[2], json={"model": "gpt-5", "messages": []})
        nbtokens.disable()
        assert vars(module.Client)["send"] is original
        assert not any("nbtokens" in type(finder).__module__ for finder in sys.meta_path)
        module.post(sys.argv[2], json={"model": "gpt-5", "messages": []})
        """,
        module,
        url,
    )
    assert len(ledger.rows()) == 1


def test_a_client_that_is_not_there(script: Script) -> None:
    """An import that fails goes on failing as it does without nbtokens, and may be tried again."""
    script(
        """
        import sys
        import nbtokens

        class Missing:
            def find_spec(self, name, path=None, target=None):
                if name == "httpx2":
                    raise ModuleNotFoundError("No module named 'httpx2'", name="httpx2")

        nbtokens.enable()
        sys.meta_path.append(Missing())
        sys.meta_path.insert(0, sys.meta_path.pop())
        for _ in range(2):
            try:
                import httpx2
            except ModuleNotFoundError as error:
                assert error.name == "httpx2"
            else:
                raise AssertionError
        sys.meta_path.pop(0)
        import httpx2
        assert hasattr(httpx2.Client.send, "__wrapped__")
        """
    )


@pytest.mark.parametrize("order", ["alias first", "enabled first"])
def test_alias(order: str, url: str, script: Script, ledger: Ledger) -> None:
    """Where `httpx` is another name of httpx2, a call is still one record."""
    script(
        """
        import sys
        import nbtokens

        if sys.argv[1] == "enabled first":
            nbtokens.enable()
        import httpx2
        httpx2.alias_httpx()
        nbtokens.enable()
        import httpx
        assert httpx.Client is httpx2.Client
        httpx.post(sys.argv[2], json={"model": "gpt-5", "messages": []})
        nbtokens.disable()
        assert not hasattr(httpx.Client.send, "__wrapped__")
        """,
        order,
        url,
    )
    assert len(ledger.rows()) == 1


def test_importing_is_light(script: Script) -> None:
    """Importing nbtokens and switching it on loads no client, no pandas, no matplotlib, no widgets."""
    script(
        """
        import sys
        import nbtokens

        nbtokens.enable()
        clients = {"requests", "aiohttp", "botocore", "urllib3", "httpx", "httpx2", "openai", "anthropic"}
        heavy = clients | {"pandas", "matplotlib", "ipywidgets", "tiktoken", "numpy"}
        assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
        """
    )
