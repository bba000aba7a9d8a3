"""Which of Beam's runners can be had: Flink by its addresses, and those that lose data refused by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks import InputError

REFUSED = {
    "daskrunner": "it loses what steps put out and reports success",
    "rayrunner": "tf.Transform fails on it, and it is no longer kept",
    "pysparkrunner": "tf.Transform fails on it, and it is no longer kept",
}
ADDRESS = re.compile(r"[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9a-fA-F:]+\]:[0-9]{1,5}")


def named(beam_args: Sequence[str]) -> str:
    """The runner that these options name, without its module and in small letters; "" for none."""
    runner = ""
    for arg, following in zip(beam_args, [*beam_args[1:], ""], strict=False):
        if arg == "--runner" or arg.startswith("--runner="):
            runner = arg.partition("=")[2] or following
    return runner.rpartition(".")[2].lower()


def unnamed(beam_args: Sequence[str]) -> bool:
    """Whether work is shared here as we like: neither a runner is named nor a number of workers."""
    return not named(beam_args) and not any(arg.startswith("--direct_") for arg in beam_args)


def check(beam_args: Sequence[str]) -> None:
    """InputError for a runner that was tried and came to other results."""
    if why := REFUSED.get(named(beam_args)):
        raise InputError(
            f"Beam's {named(beam_args)} cannot run these steps: {why}. Expected no runner (this machine), Flink "
            "(--flink HOST:PORT), or another portable runner."
        )


def flink(text: str) -> list[str]:
    """Beam's options for JOB_SERVER or JOB_SERVER,WORKERS; without a pool of workers this process is the worker."""
    addresses = text.split(",")
    if len(addresses) > 2 or not all(ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError(
            "expected the address of Beam's Flink job server, or that and the address of a pool of Python workers, "
            f"such as flink:8099,flink:50000; received {text!r}"
        )
    reached = ["--runner=PortableRunner", f"--job_endpoint={addresses[0]}"]
    if len(addresses) == 1:
        return [*reached, "--environment_type=LOOPBACK"]
    return [*reached, "--environment_type=EXTERNAL", f"--environment_config={addresses[1]}"]
