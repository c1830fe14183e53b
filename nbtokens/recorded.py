"""Recording what a function returns: `@nbtokens.recorded(model="my-model")`."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, cast

from nbtokens.context import check_tag, current_place, pop_operation, push_operation
from nbtokens.formats.request import texts_of
from nbtokens.generators import drive_async_generator, drive_generator
from nbtokens.guard import guarded
from nbtokens.manual import PRICES_WAIT, check_model, keep, make
from nbtokens.operation_run import OperationRun
from nbtokens.record import utc
from nbtokens.returned import Returned
from nbtokens.runtime import runtime
from nbtokens.sdk_objects import fields_of, recorded_before
from nbtokens.tally import Tally
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from nbtokens.context import Place, TagValue

P = ParamSpec("P")
R = TypeVar("R")

_NOBODY: Final = Tally()


def recorded(
    *,
    model: str | None = None,
    operation: str | None = None,
    provider: str | None = None,
    call_type: str | None = None,
    **tags: TagValue,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function that asks a model in a way that nbtokens can't see: each run of it is recorded as a call.

    It may be a coroutine, a generator or an asynchronous generator. Recorded are its duration, its failure (the
    exception goes on to the caller as it is), and the tokens that `nbtokens.usage_of` reads from what it returns, or
    yields. If that is only text, the tokens are counted here and marked as estimated: of the text, and of those
    arguments that are text or lists of messages. Calls that are seen inside of it are the records themselves; then
    nothing is added. The function's result is never changed.

    Args:
        model: the model's name; by default, the one that the result names.
        operation: a label for its calls, also for those that are seen inside.
        provider: whose prices hold; told from the model's name if left out.
        call_type: OpenTelemetry's operation name; told from the result by default.
        **tags: what else to keep with each call.

    Raises:
        TypeError: the model is no name, or a tag can't be one.
    """
    if model is not None:
        check_model(model)
    for name, value in tags.items():
        check_tag(name, value)
    fields = {"provider": provider, "call_type": call_type}

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        return _decorated(function, functools.partial(_Run, function, model, operation, tags, fields))

    return decorate


def _decorated(function: Callable[P, R], begin: Callable[..., _Run]) -> Callable[P, R]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return _decorated_generator(cast("Callable[P, R]", function), begin)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401 - the function's own
            with begin(args, kwargs) as run:
                result = await function(*args, **kwargs)
                run.take(result)
            return result

        return cast("Callable[P, R]", run_async)

    @functools.wraps(function)
    def run_sync(*args: P.args, **kwargs: P.kwargs) -> R:
        with begin(args, kwargs) as run:
            result = function(*args, **kwargs)
            run.take(result)
        return result

    return run_sync


def _decorated_generator(function: Callable[P, R], begin: Callable[..., _Run]) -> Callable[P, R]:
    drive: Any = drive_async_generator if inspect.isasyncgenfunction(function) else drive_generator

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        steps = _Steps(begin, args, kwargs)
        return cast("R", drive(function(*args, **kwargs), steps, steps.end, steps.take))

    return run


class _Run:
    """One run of a decorated function."""

    def __init__(  # noqa: PLR0913, PLR0917 - what is settled for all runs, and the arguments of this one
        self,
        function: Callable[..., Any],
        model: str | None,
        operation: str | None,
        tags: dict[str, TagValue],
        fields: dict[str, Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._function = function
        self._model = model
        self._operation = operation
        self._tags = tags
        self._fields = fields
        self._arguments = (args, kwargs)
        self._place: Place = current_place()
        self._inside = OperationRun(_NOBODY)
        self._returned = Returned()
        self._first: float | None = None

    def __enter__(self) -> Self:
        self.enter_step()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave_step()
        self.end(kind)

    def enter_step(self) -> None:
        """From here on, what is called belongs to this run."""
        push_operation(self._operation, self._tags, self._inside)

    def leave_step(self) -> None:
        """No more."""
        pop_operation(self._inside)

    def take(self, value: Any, *, part: bool = False) -> None:  # noqa: ANN401 - the function's own
        """The function returned this, or gave it as a part of what it gives."""
        with guarded:
            if part and self._first is None:
                self._first = self._inside.duration
            self._returned.take(value)

    def end(self, error: type[BaseException] | None, *, later: bool = False) -> None:
        """The run has ended. Record it, unless calls were seen inside."""
        with guarded:
            if self._inside.calls or (error is None and self._returned.to_come):
                return
            job = functools.partial(self._record, self._outcome(error))
            # A row gets its price when it is made; the caller does not wait for the price data.
            if later or not runtime().meter.wait_for_prices(0):
                runtime().keep_later(job)
            else:
                job()

    def _outcome(self, error: type[BaseException] | None) -> dict[str, Any]:
        values: dict[str, Any] = {**self._fields, "duration_s": round(self._inside.duration, 6)}
        if self._first is not None:
            values |= {"stream": True, "time_to_first_chunk_s": round(self._first, 6)}
        if error is not None:
            values["complete"] = False
            if not issubclass(error, GeneratorExit):  # else the caller has read enough
                values |= {"status": "error", "error": error.__name__}
        return {name: value for name, value in values.items() if value is not None}

    def _record(self, outcome: dict[str, Any]) -> None:
        with guarded:
            runtime().meter.wait_for_prices(PRICES_WAIT)
            found = self._returned.usage
            if found is not None and recorded_before(found) is not None:
                return
            model = self._model or (found.model if found is not None else None)
            counts = self._estimated(model) if found is None else found.tokens
            values = {"call_type": "chat"} if found is None else fields_of(found)
            if found is None and counts:
                values["usage_source"] = "estimated"
            row = make(
                model,
                counts,
                {**values, **outcome, **self._tags},
                operation=self._operation,
                started_at=utc(self._inside.started_at),
                place=self._place,
            )
            keep(row, self._place)

    def _estimated(self, model: str | None) -> dict[str, int]:
        """What its texts amount to; nothing where it gave none."""
        text = self._returned.text
        if not text:
            return {}
        args, kwargs = self._arguments
        asked = "\n".join(text for value in (*args, *kwargs.values()) for text in _texts_asked(value))
        tokenizers = _tokenizers(runtime().config.settings.fallback_encoding)
        return {"input_tokens": tokenizers.count(asked, model), "output_tokens": tokenizers.count(text, model)}


class _Steps:
    """The steps of a decorated generator: one run, that begins with the first of them."""

    def __init__(self, begin: Callable[..., _Run], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._begin = functools.partial(begin, args, kwargs)
        self._run: _Run | None = None

    def __enter__(self) -> None:
        if self._run is None:
            self._run = self._begin()
        self._run.enter_step()

    def __exit__(self, *_: object) -> None:
        assert self._run is not None
        self._run.leave_step()

    def take(self, value: Any) -> None:  # noqa: ANN401 - the generator's own
        """It gave this."""
        assert self._run is not None
        self._run.take(value, part=True)

    def end(self) -> None:
        """It has ended. If it was left half-way, this may be a destructor, where nothing must be waited for."""
        if self._run is not None:
            error = sys.exc_info()[0]
            self._run.end(error, later=error is not None and issubclass(error, GeneratorExit))


def _texts_asked(value: Any) -> list[str]:  # noqa: ANN401 - the function's arguments
    """The text of an argument that is text, or a list of texts or messages."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(one, str | dict) for one in value):
        return list(texts_of(value))
    return []


@functools.lru_cache(maxsize=4)
def _tokenizers(fallback: str) -> Tokenizers:
    return Tokenizers(fallback)
