"""`sluice stop`."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

from components.warm_process import STOP, asked
from pipelines.local import kept_process


def main(given: argparse.Namespace) -> int:
    """End the processes that are kept for the next command."""
    addresses = kept_process.sockets(kept_process.directory(Path(given.runs_dir)))
    for address in addresses:
        told, held = None, ""
        with suppress(EOFError, OSError):
            if told := asked(address):
                held = kept_process.memory(told["pid"])
            told = asked(address, STOP)
        kept_process.end(address)
        if told is None:
            print("A process that was still loading, or dead, is no longer kept.")
        else:
            later = " once the run that uses it is done" if told["busy"] else ""
            print(f"Process {told['pid']} ends{later}" + (f"; it held {held}." if held else "."))
    if not addresses:
        print(f"No process is kept for {given.runs_dir}.")
    return 0
