"""joblib: what a `Parallel` runs belongs to where it was called, though other threads hand out most of the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from nbtokens.context import Place, enter_place, leave_place, own_place
from nbtokens.transports.patch import Target
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


def targets(module: ModuleType) -> list[Target]:
    """`Parallel.__call__`, and what hands out a batch of its work, now or when another batch is done."""
    places: WeakKeyDictionary[Any, Place | None] = WeakKeyDictionary()

    def wrap_call(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(parallel: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - joblib's own
            places[parallel] = own_place()
            try:
                return original(parallel, *args, **kwargs)
            except BaseException as error:
                take_out_frame(error)
                raise

        return call

    def wrap_dispatch(original: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch(parallel: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - joblib's own
            token = enter_place(places.get(parallel))
            try:
                return original(parallel, *args, **kwargs)
            finally:
                leave_place(token)

        return dispatch

    return [
        Target(module.Parallel, "__call__", wrap_call),
        Target(module.Parallel, "dispatch_one_batch", wrap_dispatch),
    ]
