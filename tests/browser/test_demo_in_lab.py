"""`nbtokens demo --lab`: how it starts and how it ends."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from conftest import RunningLab


def test_lab_opens_a_copy(lab: RunningLab) -> None:
    """Lab serves a copy of the tour, and Ctrl-C ends Lab and the model, and leaves the copy."""
    request = Request(f"{lab.url}api/contents/quickstart.lab.ipynb", headers={"Authorization": f"token {lab.token}"})
    with urlopen(request) as response:
        assert json.load(response)["content"]["metadata"]["nbtokens"] == {"tour": "quickstart"}
    assert lab.interrupt() == 0
    output = lab.output.read_text()
    assert "Traceback" not in output
    assert output.rstrip().endswith("Your copy stays: notebooks/quickstart.lab.ipynb")
    assert (lab.project / "notebooks" / "quickstart.lab.ipynb").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(lab.server_pid, 0)


def test_termination_ends_lab_too(lab: RunningLab) -> None:
    """A polite `kill` of the command leaves no JupyterLab behind."""
    lab.process.terminate()
    assert lab.process.wait() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(lab.server_pid, 0)
