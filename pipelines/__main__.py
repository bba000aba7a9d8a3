"""The command line: `sluice`, or `python -m pipelines`."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from pipelines import printable

if TYPE_CHECKING:
    import argparse

    from pipelines.local.forked_command import ForkedCommand

# Commands that write temporary files, or have others do so.
WORKING = ("check", "predict", "reproduce", "run", "search", "serve", "skew", "sweep", "versions")
# Commands that would do little but import, and what.
SHORT = {"predict": ("pipelines.commands.predict", "components.predict.predict")}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong input, 3 rejected by the gate, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else [*arguments]
    atexit.register(gc.freeze)  # else Python, before it ends, looks for garbage in all of TensorFlow: half a second
    with printable.standard_streams(), _forked(words) as forked:
        from pipelines import completion, lazy_imports
        from pipelines.command_line import parser

        lazy_imports.install()
        known = parser()
        completion.offer(known)
        return obey(known.parse_args(words), forked)


def _forked(words: Sequence[str]) -> AbstractContextManager[ForkedCommand | None]:
    """Before anything else is imported, a process that has imported already is put to work, if there is one."""
    if not words or words[0] not in SHORT or "_ARGCOMPLETE" in os.environ:
        return nullcontext()
    from components.storage.local_paths import default_place
    from pipelines.local import forked_command, kept_process

    return forked_command.ForkedCommand(kept_process.address_of(default_place("runs")), SHORT[words[0]])


def obey(given: argparse.Namespace, forked: ForkedCommand | None = None) -> int:
    """What `main` gives, for a command that has been read."""
    from pipelines import check_arguments
    from pipelines.local import alive
    from tasks import InputError, use_folder

    try:
        check_arguments.check_no_keys(given)
        if forked is not None and (status := forked.obey(given)) is not None:
            return status
        if given.module in WORKING:
            alive.use_own_temporary_directory()
        use_folder(given.tasks, new=given.module == "new")
        status = int(importlib.import_module(f"pipelines.commands.{given.module}").main(given))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except InputError as error:
        return _complain(str(error), 2)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _complain(f"{error.strerror or error}{place}", 1)
    except (ValueError, RuntimeError) as error:
        return _complain(str(error), 1)
    except ModuleNotFoundError as error:
        from pipelines import missing_library

        if missing := missing_library.sentence(error):
            return _complain(missing, 1)
        raise


def _complain(text: str, status: int) -> int:
    print(f"sluice: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
