"""A library that is not there, as after an update of Sluice that needs one more."""

from __future__ import annotations

from components.code import OURS


def sentence(error: BaseException) -> str:
    """What is missing and what helps; "" if it is nothing, or a module of our own, which is a mistake of ours."""
    if not isinstance(error, ModuleNotFoundError) or not error.name or error.name.partition(".")[0] in OURS:
        return ""
    return (
        f"The library {error.name!r} is not installed. `sluice doctor` tells which ones Sluice lacks, `make install` "
        "installs them."
    )
