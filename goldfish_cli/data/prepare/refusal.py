"""Say why one address, picture or row was not taken: a reason that is counted, and the details."""


class Refusal(Exception):
    """One of many items that is set aside while the work goes on.

    Args:
        reason: What is counted, such as ``"http-404"``.
        detail: What is special about this one.
        lasting: Whether trying again is pointless.
        wait: Seconds after which a server asked to be tried again.
    """

    def __init__(
        self, reason: str, detail: str = "", *, lasting: bool = True, wait: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.lasting = lasting
        self.wait = wait
