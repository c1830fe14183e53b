"""What the endpoints answer: the figures of the ledger, in the shapes that are promised."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from server.conftest import ADAS, Rest
from servers import wait_until

import nbtokens
from nbtokens.server.local import LocalSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgers import Ledger, Script

_ticks = itertools.count()
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(params=["ledger", "database"])
def rest(request: pytest.FixtureRequest) -> Rest:
    """The interface over the test's ledger, and over a team's database to which that is sent."""
    found: Rest = request.getfixturevalue("rest_of_ledger" if request.param == "ledger" else "rest_of_team")
    return found


def call(ago: int = 0, **values: Any) -> nbtokens.Record:  # noqa: ANN401 - the fields of a record
    """Record a call of so many days ago, each a bit later: 100 and 20 tokens for 0.25 USD, if nothing else is said."""
    given = {"model": "m-1", "input_tokens": 100, "output_tokens": 20, "cost_usd": "0.25", "duration_s": 2.0} | values
    later = timedelta(microseconds=next(_ticks))
    return nbtokens.record(started_at=TODAY - timedelta(days=ago) + later, **given)


def exact(text: str) -> Any:  # noqa: ANN401 - any JSON
    """JSON with numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


def test_token_usage(rest: Rest) -> None:
    """Sums by operation and model, the dearest first; totals; days; only of the period. Money keeps its digits."""
    for _ in range(2):
        call(operation="summarise", cost_usd="0.1")
    call(ago=1, operation="answer", model="m-2", status="error", cost_usd="0.3000000001")
    call(ago=30, operation="too long ago")
    body = exact(rest.get("/token-usage").text)
    assert body["message"] == f"Token usage from {(TODAY - timedelta(days=29)).date()} to {TODAY.date()} (UTC)"
    sums = {
        "operation_count": 2,
        "failed_calls": 0,
        "unpriced_calls": 0,
        "total_input_tokens": 200,
        "total_output_tokens": 40,
        "total_tokens": 240,
        "total_cost_usd": Decimal("0.2"),
    }
    one = {
        "operation_count": 1,
        "failed_calls": 1,
        "unpriced_calls": 0,
        "total_input_tokens": 100,
        "total_output_tokens": 20,
        "total_tokens": 120,
        "total_cost_usd": Decimal("0.3000000001"),
    }
    assert body["summary"]["summary"] == [
        {**one, "operation_type": "answer", "model_name": "m-2"},
        {**sums, "operation_type": "summarise", "model_name": "m-1"},
    ]
    assert body["summary"]["totals"] == {
        "total_operations": 3,
        "failed_calls": 1,
        "unpriced_calls": 0,
        "total_input_tokens": 300,
        "total_output_tokens": 60,
        "total_tokens": 360,
        "total_cost_usd": Decimal("0.5000000001"),
    }
    yesterday = (TODAY - timedelta(days=1)).date().isoformat()
    assert body["daily_usage"] == [
        {**one, "usage_date": yesterday},
        {**sums, "usage_date": TODAY.date().isoformat()},
    ]


@pytest.mark.parametrize(
    ("query", "ages"),
    [
        ("", [0, 1, 29]),
        ("?days=30&start_date=&end_date=", [0, 1, 29]),
        ("?days=1", [0]),
        ("?days=31", [0, 1, 29, 30]),
        ("?start_date={1}", [0, 1]),
        ("?end_date={1}&days=2", [1]),
        ("?start_date={30}&end_date={29}", [29, 30]),
    ],
)
def test_periods(query: str, ages: list[int], rest: Rest) -> None:
    """Days count from the end, which is today if it is left out; dates are whole UTC days, both ends included."""
    for age in (0, 1, 29, 30):
        call(ago=age)
    days = {str(age): (TODAY - timedelta(days=age)).date().isoformat() for age in range(31)}
    for age, day in days.items():
        query = query.replace(f"{{{age}}}", day)
    found = [day["usage_date"] for day in rest.get(f"/token-usage{query}").json()["daily_usage"]]
    assert found == sorted(days[str(age)] for age in ages)


def test_nothing_recorded(rest: Rest) -> None:
    """An empty history has no rows, and cost nothing."""
    body = rest.get("/token-usage").json()
    assert body["summary"]["summary"] == body["daily_usage"] == []
    assert body["summary"]["totals"]["total_cost_usd"] == 0
    assert rest.get("/overview").json()["latest"] == []


def test_unpriced_is_null(rest: Rest) -> None:
    """A call without a price is counted as such, and its cost is null; beside a priced one the sum is that one's."""
    call(model="nobody-sells-this", cost_usd=None)
    totals = rest.get("/token-usage").json()["summary"]["totals"]
    assert (totals["unpriced_calls"], totals["total_cost_usd"]) == (1, None)
    call()
    totals = rest.get("/token-usage").json()["summary"]["totals"]
    assert (totals["unpriced_calls"], totals["total_cost_usd"]) == (1, 0.25)


def test_user(rest: Rest) -> None:
    """One user's operations with the averages of their scores; an operation without a label is the kind of call."""
    for quality in (0.5, 1.0):
        nbtokens.score(call(user="ada", operation="answer"), quality=quality)
    call(user="ada", call_type="embeddings", cost_usd="0.1")
    call(user="bob", operation="answer")
    body = exact(rest.get("/token-usage/user/ada").text)
    assert body["user_usage"] == {
        "user_id": "ada",
        "summary": [
            {
                "operation_type": "answer",
                "operation_count": 2,
                "total_cost_usd": Decimal("0.50"),
                "avg_quality_score": Decimal("0.75"),
                "avg_safety_score": None,
            },
            {
                "operation_type": "embeddings",
                "operation_count": 1,
                "total_cost_usd": Decimal("0.1"),
                "avg_quality_score": None,
                "avg_safety_score": None,
            },
        ],
        "totals": {"total_operations": 3, "total_cost_usd": Decimal("0.60")},
    }
    assert rest.get("/token-usage/user/a%2Fb%20c").json()["user_usage"]["totals"]["total_operations"] == 0


def test_cost_analysis(rest: Rest) -> None:
    """What each operation costs, a call and a token; and a recommendation with its evidence."""
    for n in range(4):
        call(operation="answer", request_hash="same", notebook=f"{n}.ipynb")
    body = rest.get("/token-usage/cost-analysis?days=30").json()["cost_analysis"]
    assert body["total_cost_usd"] == 1.0
    assert body["total_tokens"] == 480
    assert body["cost_per_token"] == pytest.approx(1 / 480)
    assert body["operation_costs"] == {
        "answer": {
            "total_cost": 1.0,
            "total_tokens": 480,
            "operation_count": 4,
            "unpriced_calls": 0,
            "cost_per_operation": 0.25,
            "cost_per_token": pytest.approx(1 / 480),
        }
    }
    (text,), (detail,) = body["recommendations"], body["recommendation_details"]
    assert "3 requests that had been answered before" in text
    assert (detail["kind"], detail["calls"], detail["saved_usd"]) == ("identical", 3, 0.75)
    assert body["savings_left_out"] is None


def test_savings_of_the_latest_calls(rest_of_team: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where savings were looked for in the latest calls alone, the answer says what was left out, and how to see it."""
    monkeypatch.setattr("nbtokens.team.waste.LATEST", 4)
    calls = [call(ago=ago, request_hash="same") for ago in (9, 8, 7, 2, 2, 1, 0)]
    for counted, at_least, said in ((100_000, False, "7"), (2, True, "6 or more")):
        monkeypatch.setattr("nbtokens.team.earlier.MOST", counted)
        body = rest_of_team.get("/token-usage/cost-analysis").json()["cost_analysis"]
        before = datetime.fromisoformat(body["savings_left_out"].pop("before"))
        assert calls[2].started_at < before <= calls[3].started_at
        assert body["savings_left_out"] == {"calls": min(3, counted), "looked_at": 4, "at_least": at_least}
        assert body["recommendation_details"][0]["calls"] == 3
        assert body["recommendations"][-1] == (
            f"Of savings: Looked at are the latest 4 of {said} calls that were paid for. "
            f"For those before them ask for end_date={before.date()} or an earlier day."
        )


def test_run(rest: Rest) -> None:
    """A run's sums and averages."""
    call(run_id="night/1", reasoning_output_tokens=5)
    call(run_id="night/1", status="error", cost_usd="0")
    call(run_id="other")
    assert rest.get("/runs/night%2F1/token-metrics").json() == {
        "run_id": "night/1",
        "total_input_tokens": 200,
        "total_output_tokens": 40,
        "total_thinking_tokens": 5,
        "total_tokens": 240,
        "total_calls": 2,
        "successful_calls": 1,
        "failed_calls": 1,
        "unpriced_calls": 0,
        "avg_tokens_per_call": 120.0,
        "total_duration_seconds": 4.0,
        "avg_duration_seconds": 2.0,
        "total_cost_usd": 0.25,
    }


def test_calls_of_a_run_in_pages(rest: Rest) -> None:
    """Each call once, in their order; behind the last page there are none."""
    ids = [call(run_id="run", operation=f"o{n}").id for n in range(5)]
    pages = [rest.get(f"/runs/run/token-metrics/detailed?page={n}&per_page=2").json() for n in (1, 2, 3, 4)]
    assert [[one["id"] for one in page["calls"]] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert {(page["pages"], page["per_page"], page["total_calls"]) for page in pages} == {(3, 2, 5)}
    first = pages[0]["calls"][0]
    assert (first["operation"], first["model"], first["cost_usd"], first["total_tokens"]) == ("o0", "m-1", 0.25, 120)


def test_a_run_that_was_not_timed(rest: Rest) -> None:
    """Where no call was timed there is no average of the times, rather than one of 0."""
    call(run_id="run", duration_s=None)
    found = rest.get("/runs/run/token-metrics").json()
    assert (found["total_duration_seconds"], found["avg_duration_seconds"]) == (0, None)


@pytest.mark.parametrize("path", ["/runs/none/token-metrics", "/runs/none/token-metrics/detailed"])
def test_unknown_run(path: str, rest: Rest) -> None:
    """A run that nobody recorded is not found."""
    answer = rest.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"message": "There is no run 'none'."}


def test_budgets_of_kernels(rest: Rest, ledger: Ledger, script: Script) -> None:
    """The overview shows the limits of the kernels that live, with what is spent of them, and those of no other."""
    nbtokens.record(model="m-1", input_tokens=100, output_tokens=20, cost_usd="0.3")
    script("import nbtokens; nbtokens.budget(1)")
    with nbtokens.budget("0.5", per="day", warn_at="50%"), nbtokens.budget(tokens="1k"), nbtokens.budget(9, per="cell"):
        day, session = rest.get("/overview").json()["budgets"]
        nbtokens.session().reset(datetime.now(UTC))
        with nbtokens.budget(tokens="2k"):  # a kernel's limits are noted again
            assert rest.get("/overview").json()["budgets"][-1]["spent_tokens"] == 0
        assert rest.get("/overview", ADAS).json()["budgets"] == []
    assert (day["period"], day["limit_usd"], day["spent_usd"], day["limit_tokens"]) == ("day", 0.5, 0.3, None)
    assert day["name"].startswith("this project, as set by ")
    assert session["name"] == day["name"].replace("this project, as set by", "session of")
    assert (session["period"], session["limit_tokens"], session["spent_tokens"]) == ("session", 1000, 120)
    assert list((ledger.folder / "limits").iterdir()) == []


def test_overview(rest: Rest) -> None:
    """The page's figures: by day, user, model, operation, notebook and cell, the dearest first, and the last calls."""
    call(user="ada", notebook="a.ipynb", cell="c1", operation="answer")
    last = call(user="bob", notebook="b.ipynb", cell="c2", cost_usd="0.5", ago=0)
    body = rest.get("/overview").json()
    assert [one["name"] for one in body["users"]] == ["bob", "ada"]
    assert [one["name"] for one in body["cells"]] == ["b.ipynb [c2]", "a.ipynb [c1]"]
    assert [one["name"] for one in body["operations"]] == ["chat", "answer"]
    assert [one["name"] for one in body["notebooks"]] == ["b.ipynb", "a.ipynb"]
    assert body["models"][0]["total_cost_usd"] == body["totals"]["total_cost_usd"] == 0.75
    assert body["latest"][0]["id"] == last.id


def test_days_of_models(rest: Rest) -> None:
    """Of each model, what it cost on each of the days on which there were calls; unpriced is null."""
    call(ago=2, model="a", cost_usd="3")
    call(ago=2, model="b", cost_usd=None)
    call(model="b", cost_usd="0.5")
    body = rest.get("/overview").json()
    assert [day["total_cost_usd"] for day in body["daily_usage"]] == [3, 0.5]
    assert body["daily_models"] == [
        {"name": "a", "operation_count": [1, 0], "total_tokens": [120, 0], "total_cost_usd": [3, 0]},
        {"name": "b", "operation_count": [1, 1], "total_tokens": [120, 120], "total_cost_usd": [None, 0.5]},
    ]


def test_the_days_before(rest: Rest) -> None:
    """The totals of as many days before the period; at the beginning of the calendar there were none."""
    for age in (0, 6, 7, 13, 14):
        call(ago=age)
    body = rest.get("/overview?days=7").json()
    assert (body["totals"]["total_operations"], body["totals_before"]["total_operations"]) == (2, 2)
    body = rest.get("/overview?start_date=0001-01-02&end_date=0001-01-04").json()
    assert body["totals_before"]["total_operations"] == 0


def test_the_latest_calls_of_one_user(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees their own calls only sees their latest ones, however many others have made since, at today's prices."""
    monkeypatch.setattr("nbtokens.server.local._FIRST_REACH", 2000)
    own = [call(user="ada", model="gpt-5-mini", provider="openai", cost_usd=None, operation=str(n)) for n in range(12)]
    for _ in range(30):
        call(user="bob")
    assert [one["id"] for one in rest.get("/overview", ADAS).json()["latest"]] == [one.id for one in own[:1:-1]]
    assert [one["user"] for one in rest.get("/overview").json()["latest"]] == ["bob"] * 10


def test_prometheus(rest: Rest) -> None:
    """Counters by provider, model, operation and user over all time, which Prometheus' own parser reads."""
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    name = 'quo"te\\and\nline'
    call(ago=400, provider="openai", operation=name, user="ada")
    answer = rest.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {one.name: one for one in parser.text_string_to_metric_families(answer.text)}
    labels = {"provider": "openai", "model": "m-1", "operation": name, "user": "ada"}
    (calls,), tokens = families["nbtokens_calls"].samples, families["nbtokens_tokens"].samples
    assert (calls.labels, calls.value) == (labels, 1.0)
    assert {one.labels["type"]: one.value for one in tokens} == {"input": 100.0, "output": 20.0}
    assert families["nbtokens_cost_usd"].samples[0].value == 0.25
    assert families["nbtokens_call_duration_seconds"].type == "counter"


def test_another_process_writes(rest: Rest, ledger: Ledger) -> None:
    """A line that comes into the file while the server runs is in the next answer."""
    call()
    assert rest.get("/token-usage").json()["summary"]["totals"]["total_operations"] == 1
    call()
    assert rest.get("/token-usage").json()["summary"]["totals"]["total_operations"] == len(ledger.rows()) == 2


def test_what_takes_long_is_remembered(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overview that took long to work out is given again for a while, to whoever may see the same."""
    monkeypatch.setattr("nbtokens.server.answers._LONG", -1)
    monkeypatch.setattr("nbtokens.server.answers._PATIENCE", 10**9)
    call()
    assert rest.get("/overview").json()["totals"]["total_operations"] == 1
    call()
    assert rest.get("/overview").json()["totals"]["total_operations"] == 1
    assert rest.get("/overview?days=7").json()["totals"]["total_operations"] == 2
    assert rest.get("/overview", ADAS).json()["totals"]["total_operations"] == 0


class _Slow:
    """Answers that begin, and don't end before they may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[object] = []
        self.may_end = threading.Event()
        right = LocalSource.rows

        def rows(source: LocalSource, *of: Any) -> Any:  # noqa: ANN401 - as it was
            self.begun.append(of)
            self.may_end.wait()
            return right(source, *of)

        monkeypatch.setattr(LocalSource, "rows", rows)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Slow]:
    """A ledger whose sums take long."""
    found = _Slow(monkeypatch)
    yield found
    found.may_end.set()


def test_one_works_for_all(rest_of_ledger: Rest, slow: _Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the overview is worked out, others who ask for it wait for that, or get the one from before."""
    monkeypatch.setattr("nbtokens.server.answers._PATIENCE", 10**9)
    monkeypatch.setattr("nbtokens.server.answers._LONG", 0)
    call()
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(rest_of_ledger.get, "/overview") for _ in range(4)]
        wait_until(lambda: len(slow.begun) > 0)
        slow.may_end.set()
        assert {one.result().json()["totals"]["total_operations"] for one in asked} == {1}
    assert [of[0] for of in slow.begun].count(("user",)) == 1  # type: ignore[index]


def test_the_server_is_well_while_questions_take_long(rest_of_ledger: Rest, slow: _Slow) -> None:
    """However many questions are being answered, the server says at once that it is there."""
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(rest_of_ledger.get, f"/token-usage?days={n + 1}") for n in range(40)]
        wait_until(lambda: len(slow.begun) > 7)
        assert rest_of_ledger.get("/healthz").json() == {"status": "ok"}
        assert not any(one.done() for one in asked)
        slow.may_end.set()
        assert {one.result().status_code for one in asked} == {200}
