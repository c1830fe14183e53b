"""`config`, and `nbtokens.log_config`."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import nbtokens
from nbtokens.analysis.user_settings import named_settings
from nbtokens.cli import main
from nbtokens.runtime import runtime

if TYPE_CHECKING:
    from ledgers import Ledger


def settings(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    assert main(["config", "--json"]) == 0
    return {one["name"]: (one["value"], one["from"]) for one in json.loads(capsys.readouterr().out)["settings"]}


def test_defaults(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any settings: what holds all the same, and why."""
    found = settings(capsys)
    assert found["folder"] == (str(ledger.folder), "found from here upward")
    assert found["project"] == (ledger.folder.parent.name, "the folder's name")
    assert found["run_id"] == ("(none)", "default")
    assert found["fallback_encoding"] == ("o200k_base", "default")
    assert found["thresholds.tokens_per_second"] == ("20.0", "default")


def test_where_each_comes_from(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a variable, the code; what the file does not say is a default."""
    Path("nbtokens.toml").write_text(
        'project = "p"\nuser = "ada"\n[prices."mine"]\ninput_per_mtok = 3\n[thresholds]\nfailed = 0.5\n'
    )
    monkeypatch.setenv("NBTOKENS_RUN_ID", "r")
    nbtokens.context.read_environment()  # type: ignore[attr-defined]
    runtime().set_up(anew=True)
    found, file = settings(capsys), str(Path("nbtokens.toml").absolute())
    assert (found["project"], found["user"]) == (("p", file), ("ada", file))
    assert found["run_id"] == ("r", "NBTOKENS_RUN_ID")
    assert found["prices.mine.input_per_mtok"] == ("3", file)
    assert (found["thresholds.failed"], found["thresholds.outlier"]) == (("0.5", file), ("5.0", "default"))
    with nbtokens.run_id("mine"):
        assert settings(capsys)["run_id"] == ("mine", "nbtokens.run_id")


@dataclass
class Llm:
    """A part of somebody's settings."""

    chat_model: str = "gpt-5-mini"
    max_output_tokens: int = 800
    request_timeout: float = 30.0
    api_key: str = "sk-abcdefghijklmnop"
    greeting: str = "hello"


class Pydantic(BaseModel):
    """A part in another style."""

    llm_model: str = "claude-sonnet-4-5"
    quality_threshold: float = 0.7
    access_token: str = "abc"


@dataclass
class Everything:
    """All of them."""

    llm: Llm = field(default_factory=Llm)
    nested: Any = None


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    """Models with what is known of them, limits, time-outs, thresholds, from any nesting of mappings and objects."""
    caplog.set_level(logging.INFO, "nbtokens")
    mine = Everything(nested={"a": [Pydantic(), SimpleNamespace(embedding_model="own-model")], "password_limit": "x"})
    nbtokens.log_config(mine)
    lines = [one.getMessage() for one in caplog.records if one.name == "nbtokens"]
    assert lines[0].startswith(
        "Model: llm.chat_model = gpt-5-mini: context window 400,000 tokens, output limit 128,000 tokens, $"
    )
    assert "Token limit: llm.max_output_tokens = 800" in lines
    assert "Time-out: llm.request_timeout = 30.0" in lines
    assert "Threshold: nested.a.0.quality_threshold = 0.7" in lines
    assert "Token limit: nested.a.0.access_token = ***" in lines
    assert "Token limit: nested.password_limit = ***" in lines
    assert "Model: nested.a.1.embedding_model = own-model: context window, output limit and price not known" in lines
    assert not any(word in line for line in lines for word in ("sk-", "hello", "abc"))


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "https://user:hunter2@host/v1",
        "Bearer abc",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "0123456789abcdef0123456789abcdef",
        "ghp_0123456789abcdef",
    ],
)
def test_what_looks_like_a_secret(secret: str) -> None:
    """It is hidden whatever its name is."""
    assert [one.value for one in named_settings({"model": secret})] == ["***"]


@pytest.mark.parametrize(
    "name", ["model", "gpt-5", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "meta-llama/Llama-3.3-70B"]
)
def test_what_does_not(name: str) -> None:
    """Names of models are shown."""
    assert [one.value for one in named_settings({"model": name})] == [name]


def test_what_can_not_be_read(caplog: pytest.LogCaptureFixture, faults_expected: Any) -> None:  # noqa: ANN401 - a fixture
    """Objects that contain themselves, or fail when they are looked at, are no trouble."""
    caplog.set_level(logging.INFO, "nbtokens")
    ring: dict[str, Any] = {"max_tokens": 5}
    ring["again"] = ring
    assert len(named_settings(ring)) == 1

    class Bad:
        model = "m"

        def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - never returns
            raise RuntimeError(name)

    nbtokens.log_config({"x": Bad()})
    nbtokens.log_config(7)
    assert "name no models" in caplog.text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=12,
    )
)
def test_any_settings(value: Any) -> None:  # noqa: ANN401 - anything
    """Whatever they are, reading them raises nothing."""
    for one in named_settings({"model_limits": value}):
        assert one.name.startswith("model_limits")
