"""Begin and end a process that loads heavy libraries with less work."""

import atexit
import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn


@contextmanager
def without_collector() -> Iterator[None]:
    """Import without Python's cycle collector, which would look at every new module many times.

    Saves half a second of torch and Transformers. What was imported is then counted as old, so
    that the next collection does not look at all of it either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def leave(code: int) -> NoReturn:
    """End the process; if torch was loaded, without taking all of it apart, which takes a second.

    What was registered to run at the end runs, and what was written is written out.
    """
    if "torch" not in sys.modules or threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a reader that has gone away
            stream.flush()
    os._exit(code)
