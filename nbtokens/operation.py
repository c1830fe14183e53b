"""Labels for calls: `with nbtokens.operation("fact_answering", domain="finance"): ...`."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from nbtokens.context import TagValue, check_tag, pop_operation, push_operation, set_run_id
from nbtokens.generators import drive_async_generator, drive_generator
from nbtokens.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


P = ParamSpec("P")
R = TypeVar("R")


class Operation(Tally):
    """The calls made inside of a `with` block, or of a function that it decorates, under one name.

    It works the same around asynchronous code. Tasks started inside belong to it. Operations nest: the
    innermost gives the name, tags add up, and the outer ones count the inner ones' calls too. Entered a second
    time, it goes on counting; as a decorator, every run of the function counts into it.

    Args:
        name: what the calls are for; shown as their type.
        tags: what else to keep with each call: text, numbers, true or false, or lists of texts.

    Raises:
        TypeError: a tag's value is of another type.
    """

    def __init__(self, name: str, tags: dict[str, TagValue]) -> None:
        super().__init__()
        for key, value in tags.items():
            check_tag(key, value)
        self.name = name
        self.tags = tags

    def __enter__(self) -> Self:
        push_operation(self.name, self.tags, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_operation(self)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, a generator or a coroutine: the calls that it makes belong to this operation."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - the function's own
                with self:
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", run_async)
        drive = (
            drive_generator
            if inspect.isgeneratorfunction(function)
            else drive_async_generator
            if inspect.isasyncgenfunction(function)
            else None
        )

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if drive is not None:
                return cast("R", drive(cast("Any", function(*args, **kwargs)), self))
            with self:
                return function(*args, **kwargs)

        return run

    def __repr__(self) -> str:
        return (
            f"<operation {self.name!r}: {self.calls} calls, {self.input_tokens:,} in, {self.output_tokens:,} out, "
            f"{self.cost_usd} USD>"
        )


class Run:
    """A name for all calls from here on; used in a `with` block, until its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._before = set_run_id(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        set_run_id(self._before)

    def __repr__(self) -> str:
        return f"<run {self.name!r}>"
