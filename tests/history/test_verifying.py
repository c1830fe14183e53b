"""Files that are almost a history: what is wrong with them is named, nothing is lost, and they can be mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nbtokens.cli import main
from nbtokens.history.store import Store
from nbtokens.history.verifying import verify
from nbtokens.record import encode
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgers import Ledger

    from nbtokens.record import Record


@pytest.fixture
def records(make_record: Callable[..., Record]) -> list[Record]:
    return [make_record(input_tokens=1) for _ in range(4)]


def _write(ledger: Ledger, layout: str, records: list[Record]) -> None:
    ledger.path.write_bytes(layout.format(*(encode(record).decode() for record in records)).encode())


@pytest.mark.parametrize(
    ("layout", "found"),
    [
        pytest.param("[\n{0},\n{1}\n{2},\n{3}\n]\n", "Line 4: no comma stands before it", id="a comma is missing"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3},\n]\n", "Line 6: a comma stands before", id="a comma too many"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3},]\n", "Line 5: a comma stands before", id="a comma too many, close"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3}", "Line 5: the closing bracket is missing", id="cut off"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3},\n", "Line 5: the closing bracket is missing", id="cut off behind"),
        pytest.param("[\n{0},\n{1}\n]\n[\n{2},\n{3}\n]\n", "Line 5: it stands behind", id="two in one file"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3}\n]\n" + "\0" * 900, "Line 7: it stands behind", id="zeros behind"),
        pytest.param("[\n{0},\n{1},\n=======\n{2},\n{3}\n]\n", "Line 4: no JSON object", id="a marker"),
    ],
)
def test_valid_to_us_alone(
    layout: str, found: str, records: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """What keeps a file from being valid JSON is named with its line and exit code 1; `--repair` keeps all records."""
    _write(ledger, layout, records)
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert found in said
    assert said.count("Line ") == 1
    assert main(["verify", "--repair"]) == 0
    assert [row["id"] for row in ledger.rows("call")] == [record.id for record in records]
    assert list(Store(ledger.folder, pytest.fail).records()) == records


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="an empty array"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3}\n]\n", id="as we write it"),
        pytest.param("[\n{0},\n{1},\n{2},\n{3}]", id="closed on the last line"),
        pytest.param("[{0},\n{1},\n{2},\n{3}\n]\n", id="opened on the first line"),
        pytest.param("[\n{0}\n,{1}\n,{2}\n,{3}\n]\n", id="commas in front"),
        pytest.param("[\n{0},{1},\n{2},{3}\n]\n", id="two on a line"),
        pytest.param("[\r\n{0},\r\n{1},\r\n\r\n{2},\r\n{3}\r\n]\r\n", id="Windows line breaks"),
        pytest.param("[{0}, {1}, {2}, {3}]", id="one line"),
    ],
)
def test_valid_to_everybody(
    layout: str, records: list[Record], ledger: Ledger, make_record: Callable[..., Record]
) -> None:
    """However an array is laid out: each of its records counts at once, it is valid, and stays so."""
    _write(ledger, layout, records)
    expected = json.loads(layout.replace("{", '"{').replace("}", '}"')) if layout else []
    store = Store(ledger.folder, pytest.fail)
    assert store.totals().sums().calls == len(list(store.records())) == len(expected)
    assert main(["verify"]) == 0
    store.append(make_record())
    assert store.totals().sums().calls == len(ledger.rows()) == len(expected) + 1
    assert main(["verify"]) == 0


def test_saved_elsewhere(records: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A byte order mark is no fault, but worth a note."""
    _write(ledger, "\ufeff[\n{0},\n{1},\n{2},\n{3}\n]\n", records)
    assert main(["verify"]) == 0
    assert "with a byte order mark" in capsys.readouterr().out


def test_what_is_behind_the_end_is_told(
    records: list[Record], ledger: Ledger, make_record: Callable[..., Record]
) -> None:
    """Who appends to two histories in one file is told that what he appends does not count, and how to mend that."""
    _write(ledger, "[\n{0},\n{1}\n]\n[\n{2},\n{3}\n]\n", records)
    told: list[str] = []
    store = Store(ledger.folder, told.append)
    new = make_record(input_tokens=1)
    store.append(new)
    assert store.totals().sums().calls == 2
    [said] = set(told)
    assert "goes on behind its closing bracket" in said
    assert main(["verify", "--repair"]) == 0
    assert store.totals().sums().calls == 5
    assert list(store.records()) == [*records, new]


def test_a_link_that_leads_nowhere(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that can't be read is no empty one: the figures say that they leave it out, and so does `verify`."""
    ledger.path.symlink_to(ledger.path)
    assert main(["verify"]) == 1
    assert "can't be read (Too many levels of symbolic links)" in capsys.readouterr().out
    told: list[str] = []
    assert Store(ledger.folder, told.append).totals().sums().calls == 0
    assert runtime().store.totals().sums().calls == 0


@pytest.fixture
def archived(records: list[Record], ledger: Ledger) -> list[Record]:
    """The same records, all of them in the archive."""
    for record in records:
        runtime().store.append(record)
    assert main(["archive", "--before", "2999-01"]) == 0
    return records


def _spoil(path: Path) -> None:
    path.write_bytes(b"[" + path.read_bytes()[9:])


@pytest.mark.parametrize("spoil", [_spoil, Path.unlink])
def test_the_archive_without_its_manifest(
    spoil: Callable[[Path], None], archived: list[Record], ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it is deleted, figures say that they leave it out, and `--repair` brings all of it back."""
    files = sorted((ledger.folder / "archive").rglob("*.parquet"))
    spoil(ledger.folder / "archive" / "_manifest.json")
    (ledger.folder / "totals_checkpoint.json").unlink()
    told: list[str] = []
    assert Store(ledger.folder, told.append).totals().sums().calls == 0
    assert "_manifest.json, which says what is archived, can't be read" in told[0]
    for words in (["archive"], ["forget", "--user", "bob", "--yes"], ["stats", "--by", "session"]):
        assert main(words) == 2
        assert "`nbtokens verify --repair` makes it anew" in capsys.readouterr().err
    assert main(["verify"]) == 1
    assert sorted((ledger.folder / "archive").rglob("*.parquet")) == files
    assert main(["verify", "--repair"]) == 0
    assert list(Store(ledger.folder, pytest.fail).records()) == archived
    assert Store(ledger.folder, pytest.fail).totals().sums().calls == 4


@pytest.mark.parametrize("name", ["totals_checkpoint.json", "archive/_totals.json"])
def test_totals_that_are_wrong(name: str, archived: list[Record], ledger: Ledger) -> None:
    """Kept totals that fit the files, but say something else, are found; `--repair` adds up again."""
    if name != "totals_checkpoint.json":
        (ledger.folder / "totals_checkpoint.json").unlink()
    path = ledger.folder / name
    kept = json.loads(path.read_bytes())
    kept["totals"]["rows"][0][1][0] += 5
    path.write_text(json.dumps(kept))
    [problem] = verify(Store(ledger.folder, pytest.fail)).problems
    assert "are not the sum of the rows" in problem
    assert main(["verify", "--repair"]) == 0
    assert Store(ledger.folder, pytest.fail).totals().sums().calls == 4


def test_rows_in_the_archive_and_in_the_file(archived: list[Record], ledger: Ledger) -> None:
    """Rows that are there twice count once after `--repair`."""
    for record in archived[:2]:
        runtime().store.append(record)
    assert main(["verify"]) == 1
    assert main(["verify", "--repair"]) == 0
    assert list(Store(ledger.folder, pytest.fail).records()) == archived
