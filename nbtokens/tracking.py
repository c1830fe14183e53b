"""`for row in nbtokens.track(rows)`: a progress bar that shows money, and knows what each row has cost."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from nbtokens.amounts import count, number_of, speed, usd, usd_set
from nbtokens.context import current_place, pop_operation, push_operation
from nbtokens.decimals import exactly
from nbtokens.errors import NbtokensError
from nbtokens.guard import guarded
from nbtokens.limits import Amounts, BudgetExceeded
from nbtokens.reports.hidden import hide_money, hiding
from nbtokens.runtime import runtime
from nbtokens.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
    from types import TracebackType

    from nbtokens.record import Record

T = TypeVar("T")
_FORMAT: Final = "{{l_bar}}{{bar}}| {{n_fmt}}/{{total_fmt}} [{{elapsed}}<{{remaining}}] {text}"


class Step:
    """The calls of one row. They may end after the next row has begun, in tasks and threads."""

    __slots__ = ("_lock", "calls", "cost", "expected", "unpriced")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self.cost, self.calls, self.unpriced = Decimal(0), 0, 0
        self.expected = Amounts()

    def expect(self, used: Amounts) -> None:
        """A call is about to be sent, and a limit was asked about it with this estimate; the latest is kept."""
        self.expected = used

    @exactly
    def add(self, record: Record) -> None:
        """Take a call in."""
        if record.kind != "call":
            return
        with self._lock:
            self.calls += 1
            self.cost += record.cost_usd or 0
            self.unpriced += record.cost_usd is None and record.status == "ok"

    @exactly
    def amend(self, before: Record, after: Record) -> None:
        """A call that was taken in has another price now."""
        with self._lock:
            self.cost += (after.cost_usd or 0) - (before.cost_usd or 0)
            self.unpriced -= before.cost_usd is None and after.cost_usd is not None and before.status == "ok"

    @property
    def cost_usd(self) -> Decimal | None:
        """In USD; None where a call's price is not known."""
        return None if self.unpriced else self.cost


class Track(Tally, Generic[T]):
    """Rows to loop over, once or more often; the figures are those of all loops.

    As a context manager around the loop, it ends the loop where a budget stops a call, and lets the code behind go on.

    Attributes:
        steps: the calls of each row that was reached.
        stopped: why the loop ended before the last row; None where it did not.
    """

    def __init__(
        self,
        rows: Any,  # noqa: ANN401 - whatever can be looped over
        total: int | None,
        desc: str | None,
        cost_column: str | None,
        budget_usd: Decimal | None,
    ) -> None:
        super().__init__()
        self._frame = rows if hasattr(rows, "iterrows") and hasattr(rows, "columns") else None
        if cost_column is not None and self._frame is None:
            raise NbtokensError("cost_column is for a DataFrame; the costs of other rows are in `.costs`")
        self._rows, self._desc, self._column, self._budget = rows, desc, cost_column, budget_usd
        self._total = total if total is not None else len(rows) if hasattr(rows, "__len__") else None
        self.steps: list[Step] = []
        self.stopped: str | None = None

    @property
    def costs(self) -> list[Decimal | None]:
        """What each row has cost until now, in USD: 0 without calls, None where a call's price is not known."""
        return [step.cost_usd for step in self.steps]

    def __len__(self) -> int:
        if self._total is None:
            raise TypeError("how many rows there are is not known; say so with total=")
        return self._total

    def __iter__(self) -> Iterator[T]:
        return _Loop(self, self._iterated())

    def __aiter__(self) -> AsyncIterator[T]:
        if hasattr(self._rows, "__aiter__"):
            return _AsyncLoop(self, aiter(cast("AsyncIterable[T]", self._rows)))
        return _AsyncLoop(self, self._iterated())

    def _iterated(self) -> Iterator[T]:
        if self._frame is not None:
            return (row for _, row in self._frame.iterrows())
        return iter(cast("Iterable[T]", self._rows))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, BudgetExceeded):
            self.stopped = str(error)
            return True
        return False

    def open_bar(self) -> Any:  # noqa: ANN401 - tqdm's, which has no types
        """A bar for one loop."""
        from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is shown

        return tqdm(total=self._total, desc=self._desc, bar_format=_FORMAT.format(text=self.text(0)))

    @exactly
    def text(self, done: int, *, end: bool = False) -> str:
        """What stands behind the bar: cost so far and expected, speed, calls, failures.

        Args:
            done: how many rows of this loop are done.
            end: whether the loop is over; then it says what has stopped it.
        """
        sums, cost = self.sums, self.cost_usd
        parts = [usd(cost)]
        if cost and done and self._total is not None and self.stopped is None:
            parts[0] += f" → {usd(cost / len(self.steps) * (self._total + len(self.steps) - done))}"
        if sums.tokens_per_second:
            parts.append(speed(sums.tokens_per_second))
        parts.append(number_of(sums.calls, "call"))
        if sums.failed_calls:
            parts.append(f"{count(sums.failed_calls)} failed")
        said = ", ".join(parts) + (f" ({self.stopped})" if end and self.stopped else "")
        return hide_money(said) if hiding.on else said

    @exactly
    def reason_to_stop(self) -> str | None:
        """Why the next row should not begin: it would pass a budget, if it costs what rows have cost on average.

        For limits that stop calls, it is also taken to cost at least what the latest call was estimated at: the limit
        would stop that call itself, in the middle of the row.
        """
        rows = len(self.steps)
        sums = self.sums
        usual = sums.cost_usd / rows if rows else Decimal(0)
        if self._budget is not None and (sums.cost_usd + usual > self._budget or sums.cost_usd >= self._budget):
            return f"stopped: {usd(sums.cost_usd)} of {usd_set(self._budget)} are spent"
        budgets = runtime().budgets
        latest = self.steps[-1].expected if rows else Amounts()
        for limit in budgets.limits:
            spent = budgets.spent(limit, current_place())
            usual = max(usual, latest.cost_usd or usual)
            money = (spent.cost_usd or Decimal(0)) + usual
            tokens = spent.tokens + max(sums.total_tokens / rows if rows else 0, latest.tokens)
            over = (limit.cost_usd is not None and usual and money > limit.cost_usd) or (
                limit.tokens is not None and rows and tokens > limit.tokens
            )
            if limit.then == "stop" and over:
                return f"stopped: {limit.covers} is near its limit of {limit}"
        return None

    def write_costs(self, loop: list[Step]) -> None:
        """Put what the rows of a loop have cost into the DataFrame's column; what was not reached has no value."""
        if self._column is None or self._frame is None:
            return
        costs = [float("nan") if step.cost_usd is None else float(step.cost_usd) for step in loop]
        self._frame[self._column] = costs + [float("nan")] * (len(self._frame) - len(costs))


class _Loop(Generic[T]):
    """One loop over the rows. It ends with the last row, with a budget, or when the loop is left."""

    def __init__(self, track: Track[T], rows: Iterator[T]) -> None:
        self.rows = rows
        self._track = track
        self._bar: Any = None
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._inside = self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._go_on():
            raise StopIteration
        try:
            row = next(self.rows)
        except BaseException:
            self.end()
            raise
        return self._enter(row)

    def _go_on(self) -> bool:
        """End the row before, and see whether there may be another one."""
        if self._ended:
            return False
        if self._bar is None:
            self._bar = self._track.open_bar()
        self._leave()
        reason = None
        with guarded:
            reason = self._track.reason_to_stop()
        if reason is not None:
            self._track.stopped = reason
            self.end()
        return reason is None

    def _enter(self, row: T) -> T:
        step = Step(self._lock)
        self._steps.append(step)
        self._track.steps.append(step)
        push_operation(None, {}, self._track, step)
        self._inside = True
        return row

    def _leave(self) -> None:
        if self._inside:
            self._inside = False
            pop_operation(self._steps[-1])
            self._bar.bar_format = _FORMAT.format(text=self._track.text(len(self._steps)))
            self._bar.update()

    def end(self) -> None:
        """The loop is over, or was left."""
        if self._ended:
            return
        self._ended = True
        self._leave()
        if self._bar is not None:
            self._bar.bar_format = _FORMAT.format(text=self._track.text(len(self._steps), end=True))
            self._bar.refresh()
            self._bar.close()
        self._track.write_costs(self._steps)

    def __del__(self) -> None:
        with guarded:  # of a loop that was left by `break`, `return` or an error
            self.end()


class _AsyncLoop(_Loop[T]):
    """The same for `async for`."""

    def __init__(self, track: Track[T], rows: Iterator[T] | AsyncIterator[T]) -> None:
        super().__init__(track, cast("Iterator[T]", rows))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._go_on():
            raise StopAsyncIteration
        try:
            if hasattr(self.rows, "__anext__"):
                row = await anext(cast("AsyncIterator[T]", self.rows))
            else:
                row = next(self.rows)
        except StopIteration:
            self.end()
            raise StopAsyncIteration from None
        except BaseException:
            self.end()
            raise
        return self._enter(row)
