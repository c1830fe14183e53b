"""The status bar's item in the wheel: built from the source that lies beside it, and where JupyterLab looks for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "labextension"
BUILT = ROOT / "nbtokens" / "labextension"
_UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH")


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_built_from_its_source(tmp_path: Path) -> None:
    """Built again, each committed file comes out byte for byte."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # a wheel puts Node beside Python
    npm = shutil.which("npm", path=path)
    if npm is None:
        pytest.skip("there is no Node")
    copy = tmp_path / "anywhere" / "labextension"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "lib"))
    (tmp_path / "anywhere" / "nbtokens").mkdir()
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=20000"]
    for command in (install, ["run", "build"]):
        done = subprocess.run(
            [npm, *command],
            cwd=copy,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        said = done.stdout + done.stderr
        if done.returncode and any(error in said for error in _UNREACHABLE):
            pytest.skip("npm's registry can't be reached")
        assert done.returncode == 0, said
    assert files(tmp_path / "anywhere" / "nbtokens" / "labextension") == files(BUILT)


def test_its_name_and_version() -> None:
    """JupyterLab knows it by the name of its folder, and its entry is there; the versions are one."""
    package = json.loads((BUILT / "package.json").read_text(encoding="utf-8"))
    assert package["name"] == "nbtokens"
    assert (BUILT / package["jupyterlab"]["_build"]["load"]).is_file()
    version = (ROOT / "nbtokens" / "_version.py").read_text(encoding="utf-8")
    assert f'"{package["version"]}"' in version


def test_in_the_wheel(tmp_path: Path) -> None:
    """The wheel installs it where JupyterLab looks for extensions, once, and says who installed it."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = {name.partition(".data/data/")[2]: name for name in archive.namelist() if "labextension" in name}
        folder = "share/jupyter/labextensions/nbtokens/"
        assert {name.removeprefix(folder) for name in names} == {*files(BUILT), "install.json"}
        assert json.loads(archive.read(names[f"{folder}install.json"]))["packageName"] == "nbtokens"


def test_the_build_wants_it() -> None:
    """A wheel without it is never built: the hook that looks for it is in the build's settings."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hook = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["path"]
    assert "package.json" in (ROOT / hook).read_text(encoding="utf-8")
