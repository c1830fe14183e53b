"""Caches that answer before a client is asked: requests-cache, litellm's, and LangChain's cache of answers.

Each is hooked where it has found an answer; its callbacks and its users' are left alone.
"""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Final

from nbtokens.exchange import CachedAnswer, Exchange, Observer, kept_headers
from nbtokens.guard import guarded
from nbtokens.transports.address import address_of, bytes_of
from nbtokens.transports.patch import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_REQUESTS: Final = "requests_cache.session"
_LITELLM: Final = "litellm.caching.caching_handler"
_CHAT_MODELS: Final = "langchain_core.language_models.chat_models"
_TEXT_MODELS: Final = "langchain_core.language_models.llms"

MODULES: Final = (_REQUESTS, _LITELLM, _CHAT_MODELS, _TEXT_MODELS)

_FIRST_ERROR_STATUS: Final = 400


def targets(module: ModuleType, observer: Observer) -> list[Target]:
    """The functions that a found answer goes through; those that a version does not have are left out."""
    hook = _CacheHook(observer)
    wanted = {
        _REQUESTS: (("CacheMixin", "send", hook.requests),),
        _LITELLM: (
            ("LLMCachingHandler", "_convert_cached_result_to_model_response", hook.litellm),
            ("LLMCachingHandler", "_process_async_embedding_cached_response", hook.litellm_embeddings),
        ),
        _CHAT_MODELS: (("BaseChatModel", "_convert_cached_generations", hook.chat_model),),
        _TEXT_MODELS: ((None, "get_prompts", hook.text_model), (None, "aget_prompts", hook.text_model_async)),
    }[module.__name__]
    found = [(module if owner is None else vars(module)[owner], name, make) for owner, name, make in wanted]
    return [Target(owner, name, make) for owner, name, make in found if name in vars(owner)]


class _CacheHook:
    """Makes the replacements."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def requests(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A session's `send`. What it does not find in its cache goes on to `requests`, and is seen there."""

        def send(session: Any, request: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the client's types
            began = perf_counter()
            response = original(session, request, *args, **options)
            with guarded:
                if getattr(response, "from_cache", False) and response.status_code < _FIRST_ERROR_STATUS:
                    self._given_again(request, response, perf_counter() - began)
            return response

        return send

    def litellm(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What makes a response of a stored one."""

        def convert(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - litellm's types
            with guarded:
                stored = options.get("cached_result", args[1] if len(args) > 1 else None)
                self._hit(stored, options.get("model"), options.get("call_type"))
            return original(*args, **options)

        return convert

    def litellm_embeddings(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What puts stored embeddings together, and says whether these are all that were asked for."""

        def process(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - litellm's types
            result = original(*args, **options)
            with guarded:
                response, every = result
                if every:
                    self._hit(response, options.get("model"), "embedding")
            return result

        return process

    def chat_model(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What makes messages of stored ones."""

        def convert(model: Any, stored: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - LangChain's types
            with guarded:
                self._hit({"generations": list(stored)}, _name_of(model), "chat")
            return original(model, stored, *args, **options)

        return convert

    def text_model(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """What looks up prompts; what it finds comes first in its result."""

        def get(params: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - LangChain's types
            result = original(params, *args, **options)
            self._texts(params, result)
            return result

        return get

    def text_model_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The same of a coroutine function."""

        async def get(params: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - LangChain's types
            result = await original(params, *args, **options)
            self._texts(params, result)
            return result

        return get

    def _texts(self, params: Any, result: Any) -> None:  # noqa: ANN401 - LangChain's types
        with guarded:
            model = params.get("model_name") or params.get("model")
            for generations in result[0].values():
                self._hit({"generations": [list(generations)]}, model, "text_completion")

    def _hit(self, response: Any, model: Any, call_type: Any) -> None:  # noqa: ANN401 - the libraries' types
        if response is None:
            return
        name = model.rpartition("/")[2] if isinstance(model, str) else None  # litellm's have the provider before them
        kind = str(call_type or "")
        kind = "embeddings" if "embedding" in kind else "text_completion" if "text_completion" in kind else "chat"
        self._observer.observe_hit(CachedAnswer(response, name or None, kind))

    def _given_again(self, request: Any, response: Any, elapsed: float) -> None:  # noqa: ANN401 - the client's types
        address = address_of(request.url)
        if not self._observer.wants(request.method, address):
            return
        self._observer.observe(
            Exchange(
                request.method,
                address,
                request_body=bytes_of(request.body),
                request_headers=kept_headers(request.headers.items()),
                started_at=time() - elapsed,
                status=response.status_code,
                response_headers=kept_headers(response.headers.items()),
                body=response.content,
                duration=elapsed,
                from_cache=True,
            )
        )


def _name_of(model: Any) -> str | None:  # noqa: ANN401 - LangChain's types
    for name in ("model_name", "model", "model_id"):
        value = getattr(model, name, None)
        if isinstance(value, str):
            return value
    return None
