"""Running a generator's own steps, and only these, inside of a context manager, and telling of its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractContextManager


def _nobody_looks(value: Any) -> None:  # noqa: ANN401 - whatever a generator gives
    """Take no notice."""


def drive_generator(
    generator: Generator[Any, Any, Any],
    inside: AbstractContextManager[Any],
    ended: Callable[[], None],
    seen: Callable[[Any], None] = _nobody_looks,
) -> Generator[Any, Any, Any]:
    """The same generator; what its caller does between the steps stays outside.

    Args:
        generator: the generator.
        inside: entered for each step.
        ended: called when it has ended, also where it is collected half-way; not where it was never begun.
        seen: called with each thing that it gives, and with what it returns.
    """
    try:
        return (yield from _drive(generator, inside, seen))
    finally:
        ended()


def _drive(
    generator: Generator[Any, Any, Any], inside: AbstractContextManager[Any], seen: Callable[[Any], None]
) -> Generator[Any, Any, Any]:
    step = partial(next, generator)
    while True:
        try:
            with inside:
                value = step()
        except StopIteration as stop:
            seen(stop.value)
            return stop.value
        seen(value)
        try:
            sent = yield value
        except GeneratorExit:
            with inside:
                generator.close()
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the caller throws in is the generator's
            step = partial(generator.throw, error)
        else:
            step = partial(generator.send, sent)


async def drive_async_generator(
    generator: AsyncGenerator[Any, Any],
    inside: AbstractContextManager[Any],
    ended: Callable[[], None],
    seen: Callable[[Any], None] = _nobody_looks,
) -> AsyncGenerator[Any, Any]:
    """The same for an asynchronous one."""
    try:
        step = partial(anext, generator)
        while True:
            try:
                with inside:
                    value = await step()
            except StopAsyncIteration:
                return
            seen(value)
            try:
                sent = yield value
            except GeneratorExit:
                with inside:
                    await generator.aclose()
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the caller throws in is the generator's
                step = partial(generator.athrow, error)
            else:
                step = partial(generator.asend, sent)
    finally:
        ended()
