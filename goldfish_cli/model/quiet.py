"""Keep other libraries' remarks off the terminal; what matters in them becomes an error of ours."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging

_BITSANDBYTES = logging.getLogger("bitsandbytes")
_INT8_PRODUCTS = logging.getLogger("bitsandbytes.autograd._functions")


@contextmanager
def silent_transformers() -> Iterator[None]:
    """Silence progress bars, load reports and notes about optional parts while models load."""
    verbosity, level = transformers_logging.get_verbosity(), _BITSANDBYTES.level
    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    _BITSANDBYTES.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        _BITSANDBYTES.setLevel(level)
        if had_bars:
            transformers_logging.enable_progress_bar()


def mute_int8_products() -> None:
    """Stop bitsandbytes from logging a line for every product of an int8 layer that is cast."""
    _INT8_PRODUCTS.setLevel(logging.ERROR)
