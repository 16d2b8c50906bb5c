"""Run many things at once and take their results in order, without holding many of them."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
_RESOLVERS = 32  # name look-ups block a thread each


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
            if len(begun) >= window:
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


class LoopThread:
    """An event loop in a thread of its own, for code that is not asynchronous. Use as a context."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")
        self._loop.set_default_executor(self._resolvers)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "LoopThread":
        """Start the loop."""
        self._thread.start()
        return self

    def submit(self, work: Coroutine[Any, Any, R]) -> "Future[R]":
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what still runs, and stop the loop."""
        self.submit(_cancel_all()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._resolvers.shutdown(wait=False, cancel_futures=True)  # a look-up may hang for minutes


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
