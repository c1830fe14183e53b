"""Labels for calls: `with nbtokens.operation("fact_answering", domain="finance"): ...`."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self, TypeAlias, TypeVar, cast, get_args

import msgspec

from nbtokens.context import Place, TagValue, check_tag, current_place, pop_operation, push_operation, set_run_id
from nbtokens.employers import runtime_of
from nbtokens.generators import drive_async_generator, drive_generator
from nbtokens.guard import guarded
from nbtokens.operation_run import OperationRun
from nbtokens.record import Record, utc
from nbtokens.reports.figures import in_brief
from nbtokens.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

UsualOperation: TypeAlias = Literal[
    "embedding",
    "query_embedding",
    "rag_input",
    "rag_output",
    "chat_completion",
    "text_generation",
    "text_classification",
]
"""Names that operations usually have, for editors to complete. Any other name is as good."""
USUAL_OPERATIONS: Final[tuple[str, ...]] = get_args(UsualOperation)
"""The same, for notebooks to complete."""

_ENDS: Final = (None, GeneratorExit, StopIteration, StopAsyncIteration)


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
        if self in current_place().scopes:
            push_operation(self.name, self.tags, self)
        else:
            push_operation(self.name, self.tags, self, OperationRun(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        place = current_place()
        pop_operation(self)
        run = place.entered
        if isinstance(run, OperationRun) and run.operation is self:
            pop_operation(run)
            _keep_run(run, place, kind)

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
                steps = _Steps(self)
                return cast("R", drive(cast("Any", function(*args, **kwargs)), steps, steps.end))
            with self:
                return function(*args, **kwargs)

        return run

    def __repr__(self) -> str:
        return f"<operation {self.name!r}: {in_brief(self.sums)}>"


class _Steps:
    """The steps of a generator that an operation decorates: one run of it, entered once for each."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._run: OperationRun | None = None
        self._place = Place()
        self._nested = False

    def __enter__(self) -> None:
        operation = self._operation
        if self._run is None:
            self._run = OperationRun(operation)
            self._nested = operation in current_place().scopes
        push_operation(operation.name, operation.tags, operation, self._run)
        self._place = current_place()

    def __exit__(self, *_: object) -> None:
        assert self._run is not None
        pop_operation(self._run)

    def end(self) -> None:
        """The generator has ended. It may be in a destructor's hands, where nothing must be waited for."""
        if self._run is not None and not self._nested:
            _keep_run(self._run, self._place, sys.exc_info()[0], later=True)


def _keep_run(run: OperationRun, place: Place, error: type[BaseException] | None, *, later: bool = False) -> None:
    """Append the row of a run that has ended, where calls are recorded at all."""
    with guarded:
        now = runtime_of(place)
        if not (now.enabled or run.calls):
            return
        failed = error not in _ENDS
        blank = now.meter.rows.blank(utc(run.started_at))
        row: Record = msgspec.structs.replace(
            blank,
            kind="run",
            notebook=place.notebook,
            cell=place.cell,
            execution_count=place.execution_count,
            attribution=place.attribution,
            operation=place.operation,
            tags=dict(place.tags) or None,
            status="error" if failed else "ok",
            error=error.__name__ if failed and error is not None else None,
            duration_s=round(run.duration, 6),
            calls=run.calls,
        )
        (now.keep_later if later else now.keep)(row)


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
