"""Run many things at once and take their results in order, without holding many of them."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    submit: Callable[[T], "Future[R]"], items: Iterable[T], *, window: int
) -> Generator[tuple[T, R], None, None]:
    """Submit items ahead of the one whose result is awaited.

    Args:
        submit: Starts the work on an item.
        items: Drawn from as results are taken.
        window: Items begun and not yet given out.

    Yields:
        Each item and its result, in the order of ``items``.
    """
    begun: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            begun.append((item, submit(item)))
            while begun and (len(begun) >= window or begun[0][1].done()):
                first, future = begun.popleft()
                yield first, future.result()
        while begun:
            first, future = begun.popleft()
            yield first, future.result()
    finally:
        for _, future in begun:
            future.cancel()


def done(result: R) -> "Future[R]":
    """Return work that has its result already."""
    future: Future[R] = Future()
    future.set_result(result)
    return future
