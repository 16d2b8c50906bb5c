"""Start heavy libraries with less work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Import without Python's cycle collector, which would look at every new module many times.

    Saves a tenth of what importing torch and Transformers costs.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
