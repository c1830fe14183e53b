"""Questions to the team's database: `nbtokens --team stats`, `%tokens --team`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.analysis.selection import Selection, in_totals
from nbtokens.analysis.token_stats import stats_of_totals
from nbtokens.errors import ConfigError, NbtokensError
from nbtokens.questions.asking import Answer
from nbtokens.reports.figures import FIGURE_COLUMNS, by_table, calls_table, figures
from nbtokens.reports.report import Report, Table
from nbtokens.runtime import runtime
from nbtokens.views import History

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from nbtokens.analysis.findings import Findings
    from nbtokens.analysis.media import Media
    from nbtokens.analysis.savings import Wasted
    from nbtokens.analysis.scores import Average
    from nbtokens.analysis.token_stats import TokenStats
    from nbtokens.analysis.validation import Validation
    from nbtokens.analysis.what_if import Alike
    from nbtokens.history.columns import Columns
    from nbtokens.history.totals import Sums, Totals
    from nbtokens.record import Record
    from nbtokens.team.history import TeamHistory
    from nbtokens.thresholds import Thresholds

FLAG: Final = "--team"
BUDGET: Final = "budget"
QUESTIONS_TO_TEAMS: Final = ("stats", "cost", "check", "scores", "validate", "whatif", BUDGET)


class TeamView(History):
    """The team's database, asked as a local history is."""

    def __init__(self, team: TeamHistory) -> None:
        self._team = team

    @property
    def team(self) -> TeamHistory:
        """The database."""
        return self._team

    @property
    def path(self) -> Path:
        """What messages call it."""
        return Path("the team's database")

    @property
    def totals(self) -> Totals:
        """Sums and distributions of everything."""
        return self._team.totals_of(Selection())

    @property
    def sums(self) -> Sums:
        """All calls in one."""
        return self._team.sums

    def records(self) -> Iterator[Record]:
        """Every record."""
        return self._team.records()

    def select(self, which: Selection) -> Iterator[Record]:
        """The records that are selected; the database selects them."""
        return self._team.records(which)

    def columns(self, which: Selection, fields: AbstractSet[str] | None = None) -> Iterator[Columns]:
        """The records that are selected, by columns; the database selects both."""
        return self._team.columns(which, fields)

    def spent(self, which: Selection) -> tuple[Totals, Wasted]:
        """The sums of what is selected, and what of it was wasted; the database finds both."""
        return self._team.totals_of(which, measures=False), self._team.wasted(which)

    def findings(self, which: Selection, limits: Thresholds) -> Findings:
        """What `check` goes by; the database adds up, sorts and fits."""
        return self._team.findings(which, limits)

    def validation(self, which: Selection, name: str, drawn: int = 0) -> Validation:
        """What `validate` tests; the database counts and fits, and no call is read but those to be drawn."""
        return self._team.validation(which, name, drawn)

    def token_stats(self, which: Selection, by: Sequence[str]) -> TokenStats:
        """The statistics of what is selected; the database adds up."""
        if all(in_totals(one) for one in by):
            return stats_of_totals(self.totals_of(which), by)
        return self._team.token_stats(which, by)

    def media(self, which: Selection) -> dict[str, Media]:
        """Pages and images of what is selected; the database reads the usage objects and adds up."""
        return self._team.media(which)

    def average_scores(self, which: Selection, by: Sequence[str]) -> dict[str, dict[str | None, dict[str, Average]]]:
        """The averages of scores; the database adds up."""
        return self._team.average_scores(which, by)

    def alike(self, which: Selection, sizes: Sequence[int]) -> Iterator[Alike]:
        """The calls that are selected; the database puts those of one model between two sizes together."""
        return self._team.alike(which, sizes)

    def totals_of(self, which: Selection, *, measures: bool = True) -> Totals:
        """Sums and, if asked for, distributions of what is selected."""
        return self._team.totals_of(which, measures=measures)

    def close(self) -> None:
        """Give the connection back."""
        self._team.close()


def team_view(word: str | None = None) -> TeamView:
    """The database of the settings, for a question. Budgets may be set before the first record has come.

    Raises:
        NbtokensError: there is none, or it can't be used.
    """
    config = runtime().config
    if config.database is None:
        raise NbtokensError(
            'no team\'s database is set: [tool.nbtokens] database = "postgresql+psycopg://..." or NBTOKENS_DATABASE'
        )
    try:
        from nbtokens.team.history import open_team  # noqa: PLC0415 - SQLAlchemy, only where it is asked for
    except ImportError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'nbtokens[team]'") from error
    return TeamView(open_team(config.database, config.root, make=word == BUDGET))


def check_team_question(name: str) -> None:
    """Raises `NbtokensError` where a word asks nothing that a team's database could answer."""
    if name not in QUESTIONS_TO_TEAMS:
        raise NbtokensError(f"{FLAG} is for {', '.join(QUESTIONS_TO_TEAMS)}, or stands alone; not for {name!r}")


def team_overview(view: TeamView, now: datetime | None = None) -> Answer:
    """Today, the last days and all time; by project, user, model and operation; the latest calls."""
    midnight = (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    team = view.team
    spans = (
        ("today (UTC)", Selection(since=midnight)),
        ("7 days", Selection(since=midnight - timedelta(days=6))),
        ("30 days", Selection(since=midnight - timedelta(days=29))),
        ("all time", Selection()),
    )
    rows = [(name, *figures(team.sums_of(which))) for name, which in spans]
    month = spans[2][1]
    groups = {name: team.by(name, month) for name in ("project", "user", "model", "operation")}
    parts = [by_table(f"30 days, by {name}", name, found, f"(no {name})") for name, found in groups.items()]
    latest = calls_table("Latest calls", reversed(team.recent()))
    return Answer(Report("LLM usage of the team", (Table("", ("", *FIGURE_COLUMNS), tuple(rows)), *parts, latest)))
