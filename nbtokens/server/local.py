"""Figures of the local ledger: from its totals where these tell enough, else from its records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nbtokens.analysis.scores import Average, scores_of
from nbtokens.analysis.selection import Selection
from nbtokens.analysis.waste import FIELDS, Waste
from nbtokens.history.sums import Sums
from nbtokens.noted_limits import noted_limits
from nbtokens.server import counting
from nbtokens.server.data import selected
from nbtokens.server.shapes import Budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbtokens.analysis.savings import Wasted
    from nbtokens.history.store import Store
    from nbtokens.history.sums import Key
    from nbtokens.limits import Limit
    from nbtokens.noted_limits import Noted
    from nbtokens.record import Record
    from nbtokens.server.data import Page, Period


class LocalSource:
    """A `Source` over one ledger.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self, by: tuple[str, ...], period: Period | None, user: str | None) -> list[tuple[Key, Sums]]:  # noqa: ARG002 - totals are by all of them
        """Sums of calls, by every field of a key."""
        return self._store.view(lambda totals: counting.in_period(totals, period, user))

    def scores(self, of: str, period: Period) -> list[tuple[str | None, str | None, str, Average]]:
        """One user's operations, kinds of call, names of scores, and the averages of these."""
        scores = scores_of(self._store.columns())
        averages: dict[tuple[str | None, str | None, str], Average] = {}
        for call in self._records(period, of) if scores else ():
            for name, value in scores.get(call.id, {}).items():
                averages.setdefault((call.operation, call.call_type, name), Average()).add(value)
        return [(*key, average) for key, average in averages.items()]

    def wasted(self, period: Period, user: str | None) -> Wasted:
        """Which calls were wasted."""
        which, waste = selected(period, user), Waste()
        for columns in which.within(self._store.columns(FIELDS | which.fields)):
            waste.look(columns)
        return waste.found()

    def cells(self, period: Period, user: str | None, most: int) -> list[tuple[str, Sums]]:
        """The dearest cells, with their notebooks, and their sums."""
        cells: dict[str, Sums] = {}
        for record in self._records(period, user):
            if record.kind == "call" and record.cell is not None:
                cells.setdefault(f"{record.notebook or ''} [{record.cell}]".lstrip(), Sums()).add(record)
        return sorted(cells.items(), key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, one[0]))[:most]

    def run(self, run_id: str, user: str | None) -> Sums | None:
        """The sums of a run; None where it is not known."""
        sums, known = Sums(), False
        for record in Selection(run=run_id, user=user).of(self._store.records()):
            known = True
            sums.add(record)
        return sums if known else None

    def calls_of_run(self, run_id: str, user: str | None, page: Page) -> list[Record]:
        """A page of the run's calls, in the order of the history."""
        records = Selection(run=run_id, user=user).of(self._store.records())
        start = (page.number - 1) * page.size
        return [record for record in records if record.kind == "call"][start : start + page.size]

    def latest(self, user: str | None) -> list[Record]:
        """The latest calls, the latest first."""
        recent = self._store.view(lambda totals: list(totals.recent))
        return [one for one in reversed(recent) if user in (None, one.user)]

    def budgets(self, user: str | None) -> list[Budget]:
        """The limits of the kernels that run now, and what is spent of them; to a user, those that they have set."""
        noted = [one for one in noted_limits(self._store.folder) if user in (None, one.user)]
        return [self._budget(limit, of) for of in noted for limit in of.limits]

    def _records(self, period: Period, user: str | None) -> Iterator[Record]:
        return selected(period, user).of(self._store.records())

    def _budget(self, limit: Limit, of: Noted) -> Budget:
        today = datetime.now(UTC).date().isoformat()
        if limit.per == "session":
            spent = self._sums(Selection(session=of.session, reset_at=of.reset_at).of(self._store.records()))
        else:
            first = {"day": today, "month": today[:7]}.get(limit.per, "")
            rows = self._store.view(lambda totals: list(totals.rows.items()))
            spent = Sums()
            for key, sums in rows:
                if key.day.startswith(first) and (limit.per != "notebook" or key.notebook == of.notebook):
                    spent.merge(sums)
        whose = of.notebook or of.user or of.session
        return Budget(
            name=f"this project, as set in {whose}" if limit.per in ("day", "month") else whose,
            period=limit.per,
            limit_usd=limit.cost_usd,
            spent_usd=spent.cost_usd,
            limit_tokens=limit.tokens,
            spent_tokens=spent.total_tokens,
            warn_at=limit.warn_at,
        )

    @staticmethod
    def _sums(records: Iterable[Record]) -> Sums:
        sums = Sums()
        for record in records:
            sums.add(record)
        return sums
