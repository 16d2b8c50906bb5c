"""Use ``Web`` from code that is not asynchronous: its event loop runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from goldfish_cli.data.prepare.web import Web, WebLimits

R = TypeVar("R")
_RESOLVERS = 32  # looking up a name blocks a thread
_AHEAD = 4  # items begun for each request at once, so that a slow one does not hold up the others


class WebThread:
    """A web client and the thread that it works in. Use as a context.

    Args:
        limits: What one address may cost.
    """

    def __init__(self, limits: WebLimits) -> None:
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")
        self._loop.set_default_executor(self._resolvers)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def window(self) -> int:
        """How many items to begin before the first of them is needed."""
        return _AHEAD * self._limits.parallel

    def __enter__(self) -> "WebThread":
        """Start the client."""
        self._thread.start()
        self._web = self._run(_open(self._limits)).result()
        return self

    def submit(self, work: Callable[[Web], Coroutine[Any, Any, R]]) -> "Future[R]":
        """Start ``work(web)``."""
        return self._run(work(self._web))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what still runs, close all connections, and end the thread."""
        self._run(_close(self._web)).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._resolvers.shutdown(wait=False, cancel_futures=True)  # one may hang for minutes

    def _run(self, work: Coroutine[Any, Any, R]) -> "Future[R]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def _open(limits: WebLimits) -> Web:
    return Web(limits)  # inside the loop that its connections will belong to


async def _close(web: Web) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await web.close()
