"""The line to the database breaks, is slow, or hangs: nothing is lost, nothing is doubled."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from lines import Line
from shipments import Shipment, call
from sqlalchemy import make_url

from nbtokens.errors import NbtokensError
from nbtokens.team import database as connections
from nbtokens.team.database import open_database
from nbtokens.team.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from databases import PostgreSQL


def test_the_line_breaks_anywhere(postgresql: str, cluster: PostgreSQL, tmp_path: Path) -> None:
    """Wherever in a batch the line breaks, between COMMIT and its answer too, nothing is lost, and nothing doubled."""
    engine = open_database(postgresql, tmp_path)
    with Line(cluster.port) as line:
        url = make_url(postgresql).set(port=line.port).render_as_string()
        shipment = Shipment(tmp_path / ".metrics", url, engine)
        shipment.keep(call(0))
        shipment.ship()
        shipment.shipper.rest()
        shipment.keep(call(1))
        shipment.ship()
        shipment.shipper.rest()
        records, there, back = 2, line.there, line.back
        breaks: list[tuple[int | None, int | None]] = [(there - left, None) for left in (1, 9, 20, 30, 500, 1500)]
        breaks += [(None, back - left) for left in (0, 1, 5, 10, 20, 30, 40, 100, 200)]
        for most_there, most_back in breaks:
            line.most_there, line.most_back = most_there, most_back
            shipment.keep(call(records))
            records += 1
            with contextlib.suppress(NbtokensError):
                shipment.ship()
            shipment.shipper.rest()
            line.most_there = line.most_back = None
            shipment.ship()
            shipment.shipper.rest()
            assert shipment.count() == shipment.team().sums.calls == records
        shipment.shipper.close()
        engine.dispose()


def test_a_line_on_which_a_thousand_rows_never_arrive(postgresql: str, cluster: PostgreSQL, tmp_path: Path) -> None:
    """Where the line breaks again and again, or is too slow for so much at a time, less goes at a time, and arrives."""
    engine = open_database(postgresql, tmp_path)
    with Line(cluster.port) as line:
        shipment = Shipment(tmp_path / ".metrics", make_url(postgresql).set(port=line.port).render_as_string(), engine)
        shipment.keep(*(call(number) for number in range(300)))
        line.most_there = 60_000
        failures = 0
        while Progress.load(shipment.folder, shipment.url).shipped < 300:
            with contextlib.suppress(NbtokensError):
                shipment.ship()
            shipment.shipper.rest()
            failures += 1
            assert failures < 50
        assert shipment.team().sums.calls == 300
        shipment.shipper.close()
        engine.dispose()


def test_a_line_that_hangs(
    postgresql: str, cluster: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where something between us and the server takes all and answers nothing, that is told, and tried again."""
    engine = open_database(postgresql, tmp_path)
    with Line(cluster.port) as line:
        url = make_url(postgresql).set(port=line.port).update_query_dict({"connect_timeout": "2"}).render_as_string()
        shipment = Shipment(tmp_path / ".metrics", url, engine)
        shipment.keep(call(0))
        shipment.ship()
        shipment.keep(call(1))
        monkeypatch.setattr(connections, "_LONGEST_ANSWER_S", 0.2)
        line.hangs = True
        with pytest.raises(NbtokensError, match="timeout expired"):
            shipment.ship()
        line.hangs = False
        monkeypatch.undo()
        shipment.ship()
        assert shipment.count() == 2
        shipment.shipper.close()
        engine.dispose()
