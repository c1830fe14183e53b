"""Figures of the local ledger: from its totals where these tell enough, else from its records."""

from __future__ import annotations

import os
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from nbtokens.analysis import summing, waste
from nbtokens.analysis.scores import Average, scores_of
from nbtokens.analysis.selection import Selection
from nbtokens.history.sums import Sums
from nbtokens.history.totals import RECENT
from nbtokens.noted_limits import noted_limits
from nbtokens.record import folded
from nbtokens.server import counting
from nbtokens.server.data import selected
from nbtokens.server.shapes import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from nbtokens.analysis.savings import Wasted
    from nbtokens.history.columns import Columns
    from nbtokens.history.store import Store
    from nbtokens.history.sums import Key
    from nbtokens.limits import Limit
    from nbtokens.noted_limits import Noted
    from nbtokens.record import Record
    from nbtokens.server.data import Page, Period

_OPERATION: Final = ("operation", "call_type")
_FIRST_REACH: Final = 1 << 18
"""So many bytes of the file's end hold the latest calls, if they are one user's; else more are read."""


class LocalSource:
    """A `Source` over one ledger.

    Args:
        store: the ledger.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rows(self, by: tuple[str, ...], period: Period | None, user: str | None) -> list[tuple[Key, Sums]]:  # noqa: ARG002 - totals are by all of them
        """Sums of calls, by every field of a key."""
        found = self._store.view(lambda totals: counting.in_period(totals, period, user))
        if os.access(
            self._store.folder, os.W_OK
        ):  # as a kernel would: else each start counts what programs have posted
            self._store.checkpoint()
        return found

    def scores(self, of: str, period: Period) -> list[tuple[str | None, str | None, str, Average]]:
        """One user's operations, kinds of call, names of scores, and the averages of these."""
        scores = scores_of(self._store.columns({"ref", "scores"}))
        averages: dict[tuple[str | None, str | None, str], Average] = {}
        for block in self._within(selected(period, of), frozenset(_OPERATION)) if scores else ():
            for call, *operation in block.tuples("id", *_OPERATION):
                for name, value in scores.get(call, {}).items():
                    averages.setdefault((operation[0], operation[1], name), Average()).add(value)
        return [(*key, average) for key, average in averages.items()]

    def wasted(self, period: Period, user: str | None) -> Wasted:
        """Which calls were wasted."""
        wasted = waste.Waste()
        for block in self._within(selected(period, user), waste.FIELDS):
            wasted.look(block)
        return wasted.found()

    def cells(self, period: Period, user: str | None, most: int) -> list[tuple[str, Sums]]:
        """The dearest cells, with their notebooks, and their sums."""
        blocks = self._within(selected(period, user), summing.FIELDS | {"cell"})
        stats = summing.stats_of_columns(blocks, ["cell"])
        cells = [(cell, of.every) for cell, of in stats.by["cell"].items() if cell is not None and of.every.calls]
        return sorted(cells, key=lambda one: (-one[1].cost_usd, -one[1].total_tokens, one[0]))[:most]

    def run(self, run_id: str, user: str | None, page: Page | None) -> tuple[Sums, list[Record]] | None:
        """The sums of a run and a page of its calls, in the order of the history; None where it is not known."""
        sums, known, calls = Sums(), False, range(0) if page is None else page.rows
        found: list[Record] = []
        for block in self._within(Selection(run=run_id, user=user), None if calls else summing.FIELDS):
            for record in block.records():
                known = True
                if record.kind == "call" and sums.calls in calls:
                    found.append(record)
                sums.add(record)
        return (sums, found) if known else None

    def latest(self, user: str | None) -> list[Record]:
        """The latest calls, the latest first."""
        latest = self._store.view(lambda totals: list(totals.recent)) if user is None else self._latest_of(user)
        return sorted(latest, key=lambda one: one.started_at, reverse=True)

    def _latest_of(self, user: str) -> list[Record]:
        """One user's, from the end of the file, as far back as it takes."""
        journal, amended, reach = self._store.journal, self._store.amendments(), _FIRST_REACH
        while True:
            start = max(journal.size() - reach, 0)
            lines = (line.record for line in journal.read(start))
            found = deque((one for one in lines if one.kind == "call" and one.user == user), RECENT)
            if len(found) == RECENT or not start:
                return [folded(one, amended.get(one.id)) for one in found]
            reach *= 8

    def budgets(self, user: str | None) -> list[Budget]:
        """The limits of the kernels that run now, and what is spent of them; to a user, those that they have set."""
        noted = [one for one in noted_limits(self._store.folder) if user in (None, one.user)]
        return [self._budget(limit, of) for of in noted for limit in of.limits]

    def _within(self, which: Selection, wanted: AbstractSet[str] | None) -> Iterator[Columns]:
        return which.within(self._store.columns(None if wanted is None else wanted | which.fields))

    def _budget(self, limit: Limit, of: Noted) -> Budget:
        today = datetime.now(UTC).date().isoformat()
        if limit.per == "session":
            which = Selection(session=of.session, reset_at=of.reset_at)
            spent = summing.stats_of_columns(self._within(which, summing.FIELDS), ()).whole.every
        else:
            first = {"day": today, "month": today[:7]}.get(limit.per, "")
            rows = self._store.view(lambda totals: list(totals.rows.items()))
            spent = Sums()
            for key, sums in rows:
                if key.day.startswith(first) and (limit.per != "notebook" or key.notebook == of.notebook):
                    spent.merge(sums)
        whose = of.notebook or of.user or of.session
        name = {"notebook": whose, "session": f"session of {whose}"}.get(limit.per, f"this project, as set by {whose}")
        return Budget(
            name=name,
            period=limit.per,
            limit_usd=limit.cost_usd,
            spent_usd=spent.cost_usd,
            limit_tokens=limit.tokens,
            spent_tokens=spent.total_tokens,
            warn_at=limit.warn_at,
        )
