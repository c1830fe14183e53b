"""The checks of the code itself: style, types, floors, and the sizes of its files and functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_LONGEST_FILE = 350
_LONGEST_FUNCTION = 55


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="style"),
        pytest.param(["ruff", "format", "--check", "."], id="layout"),
        pytest.param(["mypy"], id="types"),
        pytest.param(["importlinter.cli", "lint"], id="floors"),
    ],
)
def test_the_code_passes_its_checks(command: list[str]) -> None:
    """ruff, mypy and import-linter have nothing to say, with the settings of pyproject.toml."""
    tool, *arguments = command
    run = [sys.executable, "-m", tool, *arguments]
    if tool == "importlinter.cli":
        run = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_and_functions_stay_short() -> None:
    """A file that is too long does more than one thing; so does a function."""
    long = []
    for path in sorted((ROOT / "nbtokens").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT)
        if text.count("\n") > _LONGEST_FILE:
            long.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _length(node)
                if length > _LONGEST_FUNCTION:
                    long.append(f"{name}: {node.name} has {length} lines")
    assert not long, long


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A function's lines without its docstring, which tells its arguments."""
    assert function.end_lineno is not None
    length = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        length -= first.end_lineno - first.lineno + 1
    return length
