"""Tell a network that is down from addresses that are dead."""

from goldfish_cli.data.prepare.refusal import Refusal
from goldfish_cli.errors import InputError

_SIGNS = frozenset({"no-such-host", "unreachable"})
_ENOUGH = 20  # addresses that were never reached, before none ever was


class OutageGuard:
    """Watches outcomes, so that hours offline do not end as a list of dead addresses."""

    def __init__(self) -> None:
        self._failed = 0
        self._reached = False

    def note(self, outcome: object) -> None:
        """Look at what became of an address: a ``Refusal``, or anything else if it was reached.

        Raises:
            InputError: If the first twenty failed as they would without a network.
        """
        if not isinstance(outcome, Refusal) or outcome.reason not in _SIGNS | {"bad-url"}:
            self._reached = True
        elif outcome.reason in _SIGNS:
            self._failed += 1
        if self._failed >= _ENOUGH and not self._reached:
            raise self._offline()

    def close(self) -> None:
        """Decide at the end, when there were fewer addresses than that.

        Raises:
            InputError: If all failed as they would without a network.
        """
        if self._failed and not self._reached:
            raise self._offline()

    def _offline(self) -> InputError:
        return InputError(
            f"None of {self._failed} addresses could be reached: this machine seems to be offline.",
            hint="Check the network; the same command continues.",
        )
