"""What `%load_ext nbtokens` costs in a kernel that has imported openai already: milliseconds and megabytes.

Each figure is the median of several fresh processes; beside it what a bare `import openai` takes. Nothing may be
fetched from a network: sockets are refused while the extension loads. The bytecode of all modules lies ready, as
it does where a package was installed.

    python benchmarks/load.py [--runs 7]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

IN_A_KERNEL = """
import json, os, socket, time

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
began = time.perf_counter()
import openai
imported = time.perf_counter() - began

def refuse(*arguments):
    raise AssertionError("the network was asked for")

socket.socket.connect = refuse
before, began = resident(), time.perf_counter()
shell.run_line_magic("load_ext", "nbtokens")
loaded, after = time.perf_counter() - began, resident()
from nbtokens.runtime import runtime
runtime().meter.wait_for_prices(30)
print(json.dumps({"import openai, ms": imported * 1e3, "load_ext, ms": loaded * 1e3, "load_ext, MB": after - before,
                  "with price data, MB": resident() - before}))
"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        for _ in range(1 + parser.parse_args().runs):
            made = subprocess.run(
                [sys.executable, "-c", IN_A_KERNEL],
                cwd=folder,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            runs.append(json.loads(made.stdout.splitlines()[-1]))
    del runs[0]  # it has written the bytecode
    for name in runs[0]:
        values = sorted(run[name] for run in runs)
        print(f"{name:22s} {statistics.median(values):8.1f}   ({values[0]:.1f} to {values[-1]:.1f})")


if __name__ == "__main__":
    main()
