"""Several processes on one training (``accelerate launch``): who writes, and what all must know.

With one process, which is the rule, nothing here does anything.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

T = TypeVar("T")
PATIENCE = timedelta(hours=12)
"""A process may be busy encoding while others wait. One that fails is not waited for so long: its
connections break, and the launcher ends all others of its machine at once."""


class Processes:
    """The processes that train together.

    Args:
        on_cpu: Whether they run on processors.
    """

    def __init__(self, *, on_cpu: bool) -> None:
        options = {} if PartialState._shared_state else {"timeout": PATIENCE}
        self._state = PartialState(cpu=on_cpu, **options)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._state.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this is the one that writes files and speaks."""
        return bool(self._state.is_main_process)

    def wait(self) -> None:
        """Wait until all have come here."""
        self._state.wait_for_everyone()

    def once(self, work: Callable[[], T]) -> T:
        """Let the main process do some work, and give its result to all."""
        result: list[T | None] = [work() if self.is_main else None]
        if self.count > 1:
            broadcast_object_list(result)
        return result[0]  # type: ignore[return-value]  # the main process has put it there

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return this process's part of some items."""
        return items[self._state.process_index :: self.count]

    def collect(self, items: list[T]) -> list[T]:
        """Return the items of all processes."""
        return gather_object(items) if self.count > 1 else items

    def from_others(self, items: list[T]) -> list[T]:
        """Return the items of all processes but this one."""
        own = self._state.process_index
        named = self.collect([(own, item) for item in items])
        return [item for index, item in named if index != own]

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        if self.count == 1:
            return flag
        raised = torch.tensor(int(flag), device=self._state.device)
        torch.distributed.all_reduce(raised, torch.distributed.ReduceOp.MAX)
        return bool(raised.item())

    def total(self, number: int) -> int:
        """Add up the numbers of all processes."""
        if self.count == 1:
            return number
        summed = torch.tensor(number, device=self._state.device)
        torch.distributed.all_reduce(summed)
        return int(summed.item())
