"""Where settings and the ledger are found, and what happens to settings that can't be used."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from clients import SDKS

import nbtokens
from nbtokens.config import load_config
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger

    from nbtokens.demo.endpoint import Endpoint

PRICES: Final = "[prices.m]\ninput_per_mtok = 1\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nothing in it, as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mark", [".git", ".metrics"])
def test_ledger_is_found_upward(mark: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger lies in the nearest folder above that is a project's; that folder gives the project its name."""
    (project / mark).mkdir()
    inner = project / "notebooks" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    config = load_config()
    assert (config.folder, config.root, config.project) == (project / ".metrics", project, project.name)


@pytest.mark.parametrize("mark", ["nbtokens.toml", "pyproject.toml"])
def test_ledger_is_found_by_files(mark: str, project: Path) -> None:
    """A settings file marks a project as well; the nearest one counts."""
    (project / mark).touch()
    assert load_config(project / "a" / "b").folder == project / ".metrics"
    (project / "a").mkdir()
    (project / "a" / mark).touch()
    assert load_config(project / "a" / "b").folder == project / "a" / ".metrics"


def test_ledger_without_a_project(project: Path) -> None:
    """Outside of all projects the ledger lies in the working directory."""
    assert load_config().folder == project / ".metrics"


def test_ledger_named_outright(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NBTOKENS_DIR comes before everything else, `~` and all."""
    (project / ".git").mkdir()
    monkeypatch.setenv("HOME", str(project / "home"))
    monkeypatch.setenv("NBTOKENS_DIR", "~/ledger")
    assert load_config().folder == project / "home" / "ledger"
    assert load_config().root == project


def test_settings_are_found_upward(project: Path) -> None:
    """nbtokens.toml, or the table in pyproject.toml; a pyproject.toml without the table is passed by."""
    (project / "pyproject.toml").write_text("[tool.nbtokens.prices.m]\ninput_per_mtok = 2\n")
    (project / "a").mkdir()
    (project / "a" / "pyproject.toml").write_text('[project]\nname = "x"\n')
    config = load_config(project / "a" / "b")
    assert config.source == project / "pyproject.toml"
    assert config.settings.prices["m"].input_per_mtok == 2
    (project / "nbtokens.toml").write_text(PRICES)
    assert load_config(project / "a" / "b").settings.prices["m"].input_per_mtok == 1


def test_headers_as_in_pyproject(project: Path) -> None:
    """What is written as for pyproject.toml holds in nbtokens.toml too; a mistake in it is told all the same."""
    own = project / "nbtokens.toml"
    own.write_text(f'project = "reviews"\n{PRICES.replace("[", "[tool.nbtokens.")}')
    settings = load_config().settings
    assert (settings.project, settings.prices["m"].input_per_mtok) == ("reviews", 1)
    for mistake in ("[tool.nbtokens.price.m]\ninput_per_mtok = 1", "tool = 1"):
        own.write_text(mistake)
        assert "has no setting" in (load_config().problem or "")


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        ("[price.m]\ninput_per_mtok = 1", ["'price'", "did you mean 'prices'?"]),
        ("zebra = 1", ["'zebra'", "known are", "fallback_price"]),
        ('[prices.m]\ninput_per_mtok = "cheap"', ["prices"]),
        ("[prices.m]\ninput = 1", ["input"]),
        ("prices = 7", ["prices"]),
        ("[hosts.localhost]\nfree = 1", ["hosts"]),
        ("project = 7", ["project"]),
        ("not TOML", ["can't be read"]),
        ("a = 1\na = 2", ["can't be read"]),
    ],
)
@pytest.mark.parametrize("file", ["nbtokens.toml", "pyproject.toml"])
def test_settings_that_cant_be_used(file: str, text: str, hints: list[str], project: Path) -> None:
    """A mistake is told, with the file, the name and the closest match; nothing is raised, the rest works."""
    if file == "pyproject.toml" and "read" not in hints[0]:
        text = f"[tool.nbtokens]\n{text}" if not text.startswith("[") else text.replace("[", "[tool.nbtokens.", 1)
    (project / file).write_text(text)
    config = load_config()
    assert config.problem is not None
    assert all(hint in config.problem for hint in [*hints, str(project / file)]), config.problem
    assert not config.settings.prices
    assert config.folder == project / ".metrics"


def test_not_text(project: Path) -> None:
    """The same for a file that is no text, and for one that can't be opened."""
    (project / "nbtokens.toml").write_bytes(b"\xff\xfe\x00")
    assert "can't be read" in (load_config().problem or "")


def test_calls_go_on_with_bad_settings(ledger: Ledger, simulated: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    """With settings that can't be used, recording works; the user is told once."""
    Path("nbtokens.toml").write_text("prics = 1")
    with caplog.at_level(logging.WARNING, "nbtokens"):
        for _ in range(3):
            nbtokens.enable()
            with SDKS[0].client(simulated.base_url) as client:
                SDKS[0].ask(client)
            nbtokens.disable()
    assert len(ledger.rows()) == 3
    assert [record.getMessage().count("did you mean 'prices'?") for record in caplog.records] == [1]
    assert len(runtime().notices) == 1


def test_settings_are_read_anew(ledger: Ledger, simulated: Endpoint) -> None:
    """Settings that were changed while recording was off hold when it is switched on again."""
    for price in (None, 1, 2):
        if price is not None:
            Path("nbtokens.toml").write_text(f"[prices.simulated-model]\ninput_per_mtok = {price}\n")
        nbtokens.enable()
        with SDKS[0].client(simulated.base_url) as client:
            SDKS[0].ask(client)
        nbtokens.disable()
    costs = [row.get("cost_usd") for row in ledger.rows()]
    assert costs[0] is None
    assert costs[2] == 2 * costs[1] > 0


@pytest.mark.parametrize(
    ("settings", "jupyterhub", "user"),
    [("", None, None), ("", "ada", "ada"), ('user = "grace"', "ada", "grace")],
)
def test_who_makes_the_calls(
    settings: str, jupyterhub: str | None, user: str | None, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user is the settings' one, else JupyterHub's, else who is logged in."""
    (project / "nbtokens.toml").write_text(settings)
    if jupyterhub is not None:
        monkeypatch.setenv("JUPYTERHUB_USER", jupyterhub)
    monkeypatch.setenv("LOGNAME", "somebody")
    assert load_config().user == (user or "somebody")
