"""The ledger's file: valid JSON after every append, whatever stood there before."""

from __future__ import annotations

import gc
import json
import os
import shutil
import stat
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pandas as pd
import pytest

import nbtokens
from nbtokens.history import open_history
from nbtokens.record import encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ledger
    from opened import Opened

    from nbtokens.record import Record


def test_valid_after_every_append(history: Opened, make_record: Callable[..., Record]) -> None:
    """After each append the file is valid JSON: an array of the records, in order, one on each line."""
    ids = []
    for number in range(20):
        record = make_record(operation=f"operation {number}\nwith a line break, and }}]\n]")
        history.store.append(record)
        ids.append(record.id)
        assert history.ids() == ids
        assert len(history.path.read_text(encoding="utf-8").splitlines()) == len(ids) + 2


def test_opens_in_pandas(history: Opened, make_record: Callable[..., Record]) -> None:
    """pandas.read_json opens the file as a table with one row a record."""
    for number in range(3):
        history.store.append(make_record(input_tokens=number))
    assert pd.read_json(history.path)["input_tokens"].tolist() == [0, 1, 2]


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_opens_in_jq(history: Opened, make_record: Callable[..., Record]) -> None:
    """The program jq reads the file as an array."""
    for number in range(3):
        history.store.append(make_record(input_tokens=number))
    command = ["jq", "-c", "[.[].input_tokens]", history.path]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[0,1,2]\n"


@pytest.mark.parametrize("price", ["nan", "inf", "-1"])
def test_no_price_makes_it_invalid(price: str, ledger: Ledger) -> None:
    """A price in the settings that is no amount of money is never in the file: it would be valid JSON no more."""
    ledger.folder.with_name("nbtokens.toml").write_text(f"[prices.mine]\ninput_per_mtok = {price}\n")
    nbtokens.enable()  # reads the settings
    nbtokens.record(model="mine", input_tokens=5)
    [row] = json.loads(ledger.path.read_bytes(), parse_constant=pytest.fail)
    assert "cost_usd" not in row
    assert nbtokens.history().sums.unpriced_calls == 1


@pytest.mark.parametrize(
    "before",
    [
        "",
        "\n",
        "[]",
        "[]\n",
        "[ ]",
        "[\n]",
        "[\n]\n",
        "[\n\n]\n",
        "[ \n]\n",
        "[\r\n]\r\n",
        "[",
        "[\n",
        f"[{' ' * 2000}]",
    ],
    ids=repr,
)
def test_appends_to_an_empty_array(
    before: str, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """An empty file and an empty array, however written, take the first records."""
    path.write_bytes(before.encode())
    ids = []
    for _ in range(2):
        record = make_record()
        history.store.append(record)
        ids.append(record.id)
        assert history.ids() == ids
    assert history.store.totals().sums().calls == 2


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param("[\n{0},\n{1}\n]\n", id="as we write it"),
        pytest.param("[\n{0},\n{1}\n]", id="no line break at the end"),
        pytest.param("[\r\n{0},\r\n{1}\r\n]\r\n", id="Windows line breaks"),
        pytest.param("[\n  {0},\n  {1}\n]\n\n\n", id="indented, blank lines at the end"),
        pytest.param("[\n{0},\n{1},\n]\n", id="a comma too many"),
        pytest.param("[\n{0},\n{1}" + " " * 2000 + "\n ]\n", id="much blank before the bracket"),
    ],
)
def test_appends_to_an_edited_array(
    layout: str, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """An array that an editor has saved in its own way keeps its records and takes new ones."""
    records = [make_record() for _ in range(4)]
    path.write_bytes(layout.format(*(encode(record).decode() for record in records)).encode())
    expected = [record.id for record in records]
    for number in (2, 3):
        history.store.append(records[number])
        assert history.ids() == expected[: number + 1]
    assert list(history.store.records()) == records
    assert history.store.totals().sums().calls == 4


@pytest.mark.parametrize("indent", [None, 2])
def test_appends_to_a_reformatted_array(
    indent: int | None, path: Path, history: Opened, make_record: Callable[..., Record]
) -> None:
    """An array without line breaks, and one with a line for each field, stay valid, and their records count."""
    records = [make_record(tags={"a": ["b]", "}"]}) for _ in range(4)]
    path.write_text(json.dumps([json.loads(encode(record)) for record in records[:2]], indent=indent))
    for number in (2, 3):
        history.store.append(records[number])
        assert [row["id"] for row in json.loads(path.read_text())] == [one.id for one in records[: number + 1]]
    assert list(history.store.records()) == records
    assert history.store.totals().sums().calls == 4


def test_file_is_the_owners_alone(history: Opened, make_record: Callable[..., Record]) -> None:
    """Nobody but its owner may read the history."""
    history.store.append(make_record())
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_new_folder_tells_git(history: Opened, make_record: Callable[..., Record]) -> None:
    """A new folder gets a .gitignore, by which git leaves the ledger out."""
    history.store.append(make_record())
    project = history.folder.parent
    subprocess.run(["git", "init", "-q", project], check=True)
    status = ["git", "-C", str(project), "status", "--porcelain", "--untracked-files=all"]
    found = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert found.split() == ["??", ".metrics/.gitignore"]


def test_gitignore_is_not_replaced(path: Path, history: Opened, make_record: Callable[..., Record]) -> None:
    """A .gitignore that lies in the folder already stays as it is."""
    ignore = path.with_name(".gitignore")
    ignore.write_text("mine\n")
    history.store.append(make_record())
    history.path.unlink()
    history.store.append(make_record())
    assert ignore.read_text() == "mine\n"


def test_reading_makes_nothing(history: Opened) -> None:
    """To ask for figures where there is no history makes neither a folder nor a file."""
    assert history.store.totals().sums().calls == 0
    assert list(history.store.records()) == []
    history.store.flush()
    history.store.checkpoint(force=True)
    assert not history.folder.exists()


def test_open_as_long_as_it_is_used(folder: Path, make_record: Callable[..., Record]) -> None:
    """A history that nobody has any more leaves no file open: a kernel may change its project as often as it likes."""
    store = open_history(folder, lambda told: None)
    store.append(make_record())
    descriptor, opened = store.journal._file.descriptor, store.journal.path.stat()
    assert os.path.samestat(os.fstat(descriptor), opened)
    del store
    gc.collect()
    with suppress(OSError):  # that it is closed; another thread may have opened another file since
        assert not os.path.samestat(os.fstat(descriptor), opened)
