"""`sluice compile`."""

from __future__ import annotations

import argparse
import sys

from components.storage.atomic_files import write_bytes
from pipelines.kubeflow import backend_limits, step_resources
from pipelines.kubeflow.run_parameters import profile_of
from tasks import InputError


def main(given: argparse.Namespace) -> int:
    if given.output.suffix not in {".yaml", ".yml"}:
        raise InputError(f"A Kubeflow pipeline is a YAML file. Expected a name in .yaml. Received: {given.output}.")
    chosen = profile_of(given)
    text = step_resources.compiled(chosen)
    found = backend_limits.findings(text, chosen.backend)
    for finding in found:
        print(f"{'refused' if finding.refused else 'note'}: {finding.words}", file=sys.stderr)
    written = step_resources.manifest(chosen) if given.manifest else text
    write_bytes(given.output.absolute(), written.encode())
    print(given.output)
    return 1 if any(finding.refused for finding in found) else 0
