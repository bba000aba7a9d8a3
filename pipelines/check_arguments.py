"""What was typed for a run, here or on a cluster, checked as far as that needs nothing but the words."""

from __future__ import annotations

import argparse

from components import beam_runners
from tasks import InputError


def check(given: argparse.Namespace) -> None:
    beam_runners.check(given.beam)
    if given.force is not None and not given.force.strip():
        raise InputError("--force needs a reason, which is kept with the pushed model. Received: an empty one.")
    if given.keep < 0:
        raise InputError(f"--keep takes a number of versions, 0 for all. Received: {given.keep}.")
