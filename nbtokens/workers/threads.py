"""Threads and thread pools: what they do belongs to the place where they were started, or got the work.

Only the place goes along. The user's own context variables stay where they are, as Python has it.
"""

from __future__ import annotations

import sys
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from nbtokens.context import enter_place, leave_place, own_place
from nbtokens.guard import guarded
from nbtokens.transports.patch import Target
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from nbtokens.context import Place

_PLACE: Final = "_nbtokens_place"
_ABSENT: Final = object()
_OF_POOLS: Final = frozenset(
    {
        "concurrent.futures.thread",
        "concurrent.futures.process",
        "multiprocessing.pool",
        "multiprocessing.queues",
        "multiprocessing.managers",
        "joblib.externals.loky.process_executor",
        "loky.process_executor",
    }
)
"""Their threads serve whoever hands work to the pool; each piece of work brings its own place."""


def thread_targets(module: ModuleType) -> list[Target]:
    """What `threading.Thread` and its subclasses go through: once where it is started, once on the new thread."""
    return [
        Target(module.Thread, "start", _wrap_start),
        Target(module.Thread, "_bootstrap_inner", _wrap_bootstrap),
    ]


def executor_targets(module: ModuleType) -> list[Target]:
    """What each piece of work of a `ThreadPoolExecutor` goes through: once where it is submitted, once where it runs.

    `Executor.map`, `asyncio.to_thread` and `run_in_executor` submit as well.
    """
    return [
        Target(module._WorkItem, "__init__", _wrap_item),  # noqa: SLF001 - wrapping `fn` would show in tracebacks
        Target(module._WorkItem, "run", _wrap_run),  # noqa: SLF001 - the same
    ]


def _wrap_start(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(thread: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the thread's own
        try:
            _give(thread, own_place())
        except Exception as error:  # noqa: BLE001 - the guard, without the cost of a `with`
            guarded.note(error)
        try:
            return original(thread, *args, **kwargs)
        except BaseException as error:
            take_out_frame(error)
            raise

    return start


def _give(thread: Any, place: Place | None) -> None:  # noqa: ANN401 - any Thread
    if _serves_a_pool(thread):
        place = None
    if "_context" not in vars(thread):
        if place is not None:
            vars(thread)[_PLACE] = place
    elif vars(thread)["_context"] is None:  # since Python 3.14 a thread brings the context that it runs in
        inherits = getattr(sys.flags, "thread_inherit_context", False)
        context = copy_context() if inherits else Context()
        context.run(enter_place, place)
        vars(thread)["_context"] = context


def _serves_a_pool(thread: Any) -> bool:  # noqa: ANN401 - any Thread
    target = vars(thread).get("_target")
    return getattr(type(thread) if target is None else target, "__module__", None) in _OF_POOLS


def _wrap_bootstrap(original: Callable[..., Any]) -> Callable[..., Any]:
    def bootstrap(thread: Any) -> Any:  # noqa: ANN401 - any Thread
        place = vars(thread).pop(_PLACE, None)
        if place is not None:
            enter_place(place)
        return original(thread)

    return bootstrap


def _wrap_item(original: Callable[..., None]) -> Callable[..., None]:
    def make(item: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the executor's own
        original(item, *args, **kwargs)
        vars(item)[_PLACE] = own_place()

    return make


def _wrap_run(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(item: Any, *args: Any) -> Any:  # noqa: ANN401 - the executor's own
        place = vars(item).get(_PLACE, _ABSENT)
        if place is _ABSENT:  # submitted before recording was switched on
            return original(item, *args)
        token = enter_place(place)
        try:
            return original(item, *args)
        finally:
            leave_place(token)

    return run
