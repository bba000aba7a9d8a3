"""What other servers are told of pushed versions: TF Serving's model config, KServe's InferenceService."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.serving import versions
from components.serving.versions import Version
from tasks import InputError

# KServe's own default is 2.6.2; TensorFlow 2.7.4 already fails to load what is exported today (docs/serving.md).
TF_SERVING = "2.19.1"
MOUNTED = "/mnt/models"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A task's versions by what clients call them; the same number twice where there is nothing to try out."""

    name: str
    stable: int
    canary: int


def labelled(destination: str, name: str, stable: int | None) -> Labelled:
    """The newest as canary and, unless another is named, the one it was judged against as stable.

    A rollback is there to be used at once: it is stable itself, and so is a version that has nothing before it.
    """
    known = versions.versions(destination, name)
    newest = versions.numbered(destination, name, None)
    if stable is not None:
        return Labelled(name=name, stable=versions.numbered(destination, name, stable).number, canary=newest.number)
    before = None if newest.copied_from else _before(known, newest)
    return Labelled(name=name, stable=before or newest.number, canary=newest.number)


def _before(known: Sequence[Version], newest: Version) -> int | None:
    """Its champion, if that is still there, or else the one just before it."""
    there = {version.number for version in known} - {newest.number}
    champion = int(str(newest.provenance.get("champion") or "0").partition(":")[0])
    return champion if champion in there else max(there, default=None)


def model_config(names: Sequence[str], base_path: str, labels: Mapping[str, Labelled]) -> str:
    """A file for `--model_config_file`: the newest version of each task, or two with labels where there are any."""
    lines = ["model_config_list {"]
    for name in names:
        lines += ["  config {", f"    name: {json.dumps(name)}"]
        lines += [f"    base_path: {json.dumps(f'{base_path}/{name}')}", '    model_platform: "tensorflow"']
        if found := labels.get(name):
            numbers = sorted({found.stable, found.canary})
            listed = " ".join(f"versions: {number}" for number in numbers)
            lines += [f"    model_version_policy {{ specific {{ {listed} }} }}"]
            lines += [f'    version_labels {{ key: "stable" value: {found.stable} }}']
            lines += [f'    version_labels {{ key: "canary" value: {found.canary} }}']
        lines += ["  }"]
    return "\n".join([*lines, "}"])


def inference_service(name: str, version: int, base_path: str, pinned: bool) -> str:
    """A KServe manifest; pinned to one version, or to whichever is the newest when a pod starts."""
    if "://" not in base_path:
        raise InputError(
            f"KServe fetches models from a URL. Expected --serving or --base-path such as gs://models/serving or "
            f"pvc://models/serving. Received: {base_path!r}."
        )
    service = name.replace("_", "-")
    lines = [
        "apiVersion: serving.kserve.io/v1beta1",
        "kind: InferenceService",
        "metadata:",
        f"  name: {service}",
        "spec:",
        "  predictor:",
        "    model:",
        "      modelFormat:",
        "        name: tensorflow",
        f'      runtimeVersion: "{TF_SERVING}"',
    ]
    if pinned:
        # TF Serving wants the number as the name of a directory.
        lines += ["    storageUris:", f"      - uri: {json.dumps(f'{base_path}/{name}/{version}')}"]
        lines += [f"        mountPath: {MOUNTED}/{version}"]
    else:
        lines += [f"      storageUri: {json.dumps(f'{base_path}/{name}')}"]
    return "\n".join(lines)
