"""`sluice compile`."""

from __future__ import annotations

import argparse

from components.files import write_bytes
from pipelines import graph
from tasks import InputError


def main(given: argparse.Namespace) -> int:
    if given.output.suffix not in {".yaml", ".yml"}:
        raise InputError(f"A Kubeflow pipeline is a YAML file. Expected a name in .yaml. Received: {given.output}.")
    write_bytes(given.output.absolute(), graph.compiled(given.image).encode())
    print(given.output)
    return 0
