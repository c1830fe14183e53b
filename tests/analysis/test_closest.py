"""A name that is none brings the closest one."""

from __future__ import annotations

import json
import logging
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nbtokens
from nbtokens.cli import main
from nbtokens.output_limits import of_family, output_limit

if TYPE_CHECKING:
    from ledgers import Script


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stats", "--by", "modle"], "'modle' is no field, and no call has a tag of this name; the closest is model"),
        (["stats", "--by", "xyz"], "fields are model, operation"),
        (["stats", "--model", "gpt-5-min"], "no call has the model 'gpt-5-min'; the closest is gpt-5-mini"),
        (["cost", "--operation", "sumarise"], "no call has the operation 'sumarise'; the closest is summarise"),
        (["check", "--user", "adaa"], "no call has the user 'adaa'; the closest is ada"),
        (["whatif", "gpt-5mini"], "no price of 'gpt-5mini' is known; the closest are gpt-5-mini"),
        (["prices", "qqqq"], "put its price into [tool.nbtokens.prices]"),
        (["estimate", "--model", "gpt-5", "--times", "0", "x"], "--times is 1 or more"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, list) else "",
)
def test_closest(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and exit code 2."""
    nbtokens.record(model="gpt-5-mini", operation="summarise", user="ada", input_tokens=5)
    assert main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("word", "said"), [("stat", "did you mean 'stats'?"), ("qqq", "lists them all")])
def test_closest_command(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same of commands."""
    with pytest.raises(SystemExit) as end:
        main([word])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_models_whose_provider_their_name_does_not_tell(capsys: pytest.CaptureFixture[str]) -> None:
    """Embeddings have a price by their name alone, their maker's."""
    assert main(["prices", "text-embedding-3-small", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provider"] == "openai"
    assert main(["estimate", "--model", "text-embedding-3-small", "a word"]) == 0
    assert "unpriced" not in capsys.readouterr().out


def test_a_list_of_models_in_settings(caplog: pytest.LogCaptureFixture) -> None:
    """Each of the models in a list is a model."""
    with caplog.at_level(logging.INFO, "nbtokens"):
        nbtokens.log_config({"models": ["gpt-4.1-nano", "o3"], "model_keys": ["sk-abcdefghijklmnopqrst"]})
    said = caplog.text
    assert "models.0 = gpt-4.1-nano: context window 1,000,000 tokens, output limit 32,768 tokens" in said
    assert "sk-" not in said


def test_output_limits_are_those_of_litellm(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is installed it is asked; the makers' pages agree with it on their families, by one token at most."""
    spec = find_spec("litellm")  # not imported, which takes seconds
    if spec is None:
        pytest.skip("litellm is not installed")
    assert spec.origin is not None
    path = Path(spec.origin).with_name("model_prices_and_context_window_backup.json")
    known = json.loads(path.read_text(encoding="utf-8"))
    compared = 0
    for name, facts in known.items():
        if facts.get("litellm_provider") not in ("openai", "anthropic") or "ft:" in name or facts.get("mode") != "chat":
            continue
        theirs, ours = facts.get("max_output_tokens"), of_family(name)
        if theirs is None:
            continue
        assert output_limit(name) == (theirs, f"LiteLLM {version('litellm')}")
        if ours is not None and not re.search("audio|search|realtime", name):
            assert ours == pytest.approx(theirs, abs=1), name
            compared += 1
    assert compared > 40
    assert main(["prices", "gpt-5"]) == 0
    assert f"Longest answer: 128,000 tokens, by LiteLLM {version('litellm')}." in capsys.readouterr().out


def test_output_limits_without_litellm(script: Script) -> None:
    """Where it is not installed, the makers' own pages tell; of a model that they don't name nothing is said."""
    printed = script(
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "from nbtokens.output_limits import output_limit\n"
        "print(output_limit('gpt-5-mini'), output_limit('us.anthropic.claude-opus-4-1'), output_limit('gemma3:270m'),"
        " output_limit('gpt-4o-realtime-preview'))"
    )
    of = 'OutputLimit(tokens={}, source="its maker\'s pages")'.format
    assert printed.strip() == f"{of(128_000)} {of(32_000)} None None"


def test_reports_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`report --json` says where the page is; `run --json` writes a script's figures, also where it fails."""
    assert main(["report", "--json"]) == 0
    assert Path(json.loads(capsys.readouterr().out)["path"]).name == "USAGE_SUMMARY.md"
    script = tmp_path / "script.py"
    script.write_text("import nbtokens\nnbtokens.record(model='m', input_tokens=7)\nraise ValueError\n")
    assert main(["run", "--json", str(tmp_path / "usage.json"), str(script)]) == 1
    assert json.loads((tmp_path / "usage.json").read_text())["input_tokens"] == 7
    assert "TOKEN USAGE" not in capsys.readouterr().out


def test_runs_by_operation(capsys: pytest.CaptureFixture[str]) -> None:
    """Of each operation, how many of its runs used a model."""
    nbtokens.enable()
    for number in range(3):
        with nbtokens.operation("looked_up"):
            if number:
                nbtokens.record(model="m", input_tokens=1)
    assert main(["stats"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"looked_up .* 2 of 3\n", printed)
    assert "2 of 3 runs used the LLM, 67 %." in printed
    assert "(no model)" not in printed
