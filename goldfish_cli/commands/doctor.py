"""``goldfish doctor``: is everything there that Goldfish needs, and how to get what is not."""

from goldfish_cli.commands import options
from goldfish_cli.commands.output import progress, show_json, table
from goldfish_cli.errors import PartialError


def doctor(as_json: options.Json = False, quiet: options.Quiet = False) -> None:
    """Check versions, devices, decoders, models and folders; say how to get what is missing.

    Exit code 0 unless something essential is broken, then 8.

    Example: goldfish doctor
    """
    from goldfish_cli.commands.checks import run_checks

    findings = []
    with progress("Checking", quiet=quiet or as_json) as advance:
        for finding in run_checks():
            findings.append(finding)
            advance(1)
            if as_json:
                show_json(finding)
    if not as_json:
        rows = [(item.check, item.status, item.detail, item.fix) for item in findings]
        table(["check", "status", "found", "how to get it"], rows)
    broken = [item.check for item in findings if item.essential and item.status == "broken"]
    if broken:
        raise PartialError(
            f"{len(broken)} of {len(findings)} checks found something essential broken: "
            f"{', '.join(broken)}.",
            hint="The last column says how to mend it",
        )
