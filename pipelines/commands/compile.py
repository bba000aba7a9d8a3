"""`sluice compile`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from components.storage.atomic_files import write_bytes
from pipelines.kubeflow import backend_limits, step_resources, training_runtime
from pipelines.kubeflow.run_parameters import profile_of
from tasks import InputError

PIPELINE, RUNTIME = Path("pipeline.yaml"), Path("training-runtime.yaml")


def main(given: argparse.Namespace) -> int:
    if given.output and given.output.suffix not in {".yaml", ".yml"}:
        raise InputError(f"What is compiled is a YAML file. Expected a name in .yaml. Received: {given.output}.")
    chosen = profile_of(given)
    if given.training_runtime is not None:
        text = training_runtime.manifest(chosen, given.training_runtime)
        return _write(given.output or RUNTIME, text)
    text = step_resources.compiled(chosen)
    found = backend_limits.findings(text, chosen.backend)
    for finding in found:
        print(f"{'refused' if finding.refused else 'note'}: {finding.words}", file=sys.stderr)
    status = _write(given.output or PIPELINE, step_resources.manifest(chosen) if given.manifest else text)
    return 1 if any(finding.refused for finding in found) else status


def _write(path: Path, text: str) -> int:
    write_bytes(path.absolute(), text.encode())
    print(path)
    return 0
