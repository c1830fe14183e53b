"""What the documents say is so: each block of code runs, each command and setting exists, each field is described."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from IPython.core.interactiveshell import InteractiveShell

import nbtokens
from nbtokens.alerts import AlertBounds
from nbtokens.cli import main, parser
from nbtokens.config import Settings, UserHost, UserPrice, load_config
from nbtokens.notebook.magics import HELP
from nbtokens.record import FIELDS
from nbtokens.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbtokens.demo.endpoint import Endpoint

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECORD = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
DOCUMENTS = {
    "README.md": README,
    **{path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))},
}

# Commands that start a model or a browser are run by these tests.
_RUN_ELSEWHERE = {
    "nbtokens demo": "tests/demo/test_demo_command.py",
    "nbtokens demo --simulate": "tests/demo/test_demo_command.py",
    "nbtokens demo --notebook PATH": "tests/demo/test_demo_command.py",
    "nbtokens serve": "tests/server/test_serve.py",
    "nbtokens demo --lab": "tests/browser/test_demo_in_lab.py",
}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every `nbtokens ...` command that a document names, once."""
    named = re.compile(r"(?:^|`|&& )(nbtokens\s+[a-z]+(?:\s+--?[a-z]+(?:\s+[A-Z]+)?)*)(?=`|$)", re.MULTILINE)
    return sorted({re.sub(r"\s+", " ", match[1]) for text in DOCUMENTS.values() for match in named.finditer(text)})


@pytest.fixture
def shell(simulated: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell whose OpenAI client finds the simulated server, as the reader's finds the real one."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{simulated.base_url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_every_cell_of_the_readme_runs(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's notebook cells, in their order, in one shell: none fails, and the calls are in the history."""
    cells = blocks(README, "python")
    assert len(cells) >= 10
    for cell in cells:
        for part in [cell] if not cell.startswith("%tokens off") else cell.splitlines():
            shell.run_cell(part, store_history=True).raise_error()
    captured = capsys.readouterr()
    assert "Error" not in captured.err
    sums = nbtokens.history().sums
    assert sums.calls == 3
    assert sums.failed_calls == 0


def test_the_magics_of_the_help_are_those_of_the_documents() -> None:
    """Each subcommand that `%tokens help` lists is in a document, and the other way round."""
    listed = set(re.findall(r"%tokens ([a-z][a-z-]+(?: session)?)", HELP))
    shown = {name for text in DOCUMENTS.values() for name in re.findall(r"%tokens ([a-z][a-z-]+(?: session)?)", text)}
    assert listed == shown


@pytest.mark.parametrize("command", commands())
def test_every_command_of_the_documents_runs(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command that a document names succeeds, here or in the test that runs it for real."""
    words = shlex.split(command)[1:]
    parser().parse_args(words)
    if command in _RUN_ELSEWHERE:
        assert (ROOT / _RUN_ELSEWHERE[command]).is_file()
        return
    nbtokens.record(model="gpt-5-mini", provider="openai", input_tokens=1)
    assert main(words) == 0
    assert capsys.readouterr().out


def test_the_documents_name_commands() -> None:
    """The list above is not empty for a wrong reason."""
    assert {"nbtokens demo", "nbtokens summary", "nbtokens demo --lab"} <= set(commands())


def test_every_field_of_the_record_is_described_once_and_in_order() -> None:
    """docs/record.md is the contract: its table has the fields of a record and no others."""
    described = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)* \|", RECORD, flags=re.MULTILINE)
    names = [name for row in described for name in row if name]
    assert names == list(FIELDS)


def test_every_setting_is_described(tmp_path: Path) -> None:
    """The example of docs/settings.md is read without complaint, and names every setting that there is."""
    (example,) = blocks(SETTINGS, "toml")
    (tmp_path / "nbtokens.toml").write_text(example, encoding="utf-8")
    config = load_config(tmp_path)
    assert config.problem is None
    assert set(tomllib.loads(example)) == {one.name for one in msgspec.structs.fields(Settings)}
    for kind in (UserPrice, UserHost, Thresholds, AlertBounds):
        for one in msgspec.structs.fields(kind):
            assert one.name in example


def test_the_settings_of_the_readme_are_read(tmp_path: Path) -> None:
    """The README's example for pyproject.toml prices the model that it names."""
    (example,) = blocks(README, "toml")
    (tmp_path / "pyproject.toml").write_text(example, encoding="utf-8")
    config = load_config(tmp_path)
    assert config.problem is None
    assert "my-finetune" in config.settings.prices


def test_links_lead_somewhere() -> None:
    """Each file that a document links to is in the project."""
    for name, text in DOCUMENTS.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
            assert (folder / target).exists(), f"{name} links to {target}"
