"""Tell what became of every row: the last line of each ``goldfish prep``."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from goldfish_cli.commands.output import show, show_json

if TYPE_CHECKING:
    from goldfish_cli.data.prepare.account import Account


def finish(
    account: "Account",
    output: Path,
    began: float,
    *,
    as_json: bool,
    quiet: bool = False,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Show the account of a run: read = written + dropped, by reason.

    Args:
        account: What was counted.
        output: What was written.
        began: ``time.monotonic()`` at the start.
        as_json: Print the contract's keys instead of a sentence.
        quiet: Leave the reasons to the file of dropped rows.
        more: Keys that one command adds to the JSON.
    """
    if as_json:
        show_json(
            {
                "kind": account.kind,
                "read": account.num_read,
                "written": account.num_written,
                "dropped": account.dropped,
                "output": output,
                "seconds": round(time.monotonic() - began, 3),
                **(more or {}),
            }
        )
        return
    num_dropped = account.num_read - account.num_written
    counts = f"read {account.num_read} = written {account.num_written} + dropped {num_dropped}"
    show(f"{output}: {counts}")
    for reason, count in account.dropped.items():
        if not quiet:
            show(f"  {count:>7} {reason}")
