"""Write the model card of a finished stage: data, settings, losses, cost and machine."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from goldfish_cli.data.dataset import Rejected, Source
from goldfish_cli.model.checkpoint import has_adapter
from goldfish_cli.model.fingerprints import fingerprint
from goldfish_cli.model.folders import model_card
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.machine import describe_machine
from goldfish_cli.training.curves import read_curve, smooth
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.stage_data import StageData

LISTED = 20  # samples left out that are named; the rest is counted
_LEARNT = {
    1: "Stage 1 of 3: the projector learnt to put single images into words.",
    2: "Stage 2 of 3: the projector learnt to put videos of many frames into words.",
    3: "Stage 3 of 3: the model learnt to answer questions about videos.",
}


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What a stage was made of, noted before it trains: files may change or go meanwhile."""

    stage: int
    start: str  # the model or checkpoint that it started from
    start_content: str
    sources: Sequence[Source]
    contents: Sequence[str]  # of the sources
    data: StageData
    settings: Mapping[str, Any]  # resolved, plain values


def note_facts(
    stage: int, start: str, sources: Sequence[Source], data: StageData, settings: Mapping[str, Any]
) -> StageFacts:
    """Hash the start and the annotations of a stage that is about to train.

    Args:
        stage: 1, 2 or 3.
        start: The model or checkpoint that it starts from.
        sources: Files of annotations.
        data: What was gathered from them.
        settings: Of the stage, resolved, plain values.
    """
    path = Path(start)
    content = f"content `{fingerprint(path)}`" if path.exists() else ""
    contents = [_file_content(source.path) for source in sources]
    return StageFacts(stage, start, content, sources, contents, data, settings)


def stage_card(
    facts: StageFacts,
    model: GoldfishForConditionalGeneration,
    log: Path,
    *,
    left_out: Sequence[Rejected],
    picture: str | None,
) -> str:
    """Write the card of a stage at its end.

    Args:
        facts: Noted before it began.
        model: As trained.
        log: Its log.
        left_out: Samples that could not be used.
        picture: Name of the picture of the curves, beside the card; ``None`` if there is none.

    Raises:
        InputError: If the log holds no losses.
    """
    sections = [
        *_adapter(model),
        "## Data",
        _data(facts, left_out),
        "## Start",
        f"`{facts.start}` {facts.start_content}",
        "## Settings",
        _table(("setting", "value"), _flat(facts.settings)),
        "## Losses",
        _losses(log, picture),
        "## Cost",
        _cost(log),
        "## Machine",
        _table(("what", "which"), describe_machine().items()),
    ]
    return model_card(
        model.config,
        _LEARNT[facts.stage],
        has_adapter=has_adapter(model),
        whole=facts.settings["full"],
        details="\n\n".join(sections),
    )


def _adapter(model: GoldfishForConditionalGeneration) -> list[str]:
    if not has_adapter(model):
        return []
    adapter = model.language_model.peft_config["default"]
    return [
        "## Adapter",
        f"`adapter/` is a LoRA adapter in the format of PEFT: rank {adapter.r}, alpha "
        f"{adapter.lora_alpha}, on {', '.join(sorted(adapter.target_modules))}. Without Goldfish, "
        'it loads by `peft.PeftModel.from_pretrained(language_model, "THIS_FOLDER/adapter")`.',
    ]


def _data(facts: StageFacts, left_out: Sequence[Rejected]) -> str:
    counted = zip(facts.sources, facts.data.train, facts.contents, strict=True)
    files = _table(
        ("file", "samples learnt from", "weight", "content"),
        [
            (f"`{source.path}`", sum(map(len, groups)), f"{weight:g}", content)
            for source, (groups, weight), content in counted
        ],
    )
    held = f"Held back to measure on: {sum(map(len, facts.data.validation))} samples."
    unique = {item.id: item.reason for item in left_out}
    if not unique:
        return f"{files}\n\n{held} Left out: none."
    named = _table(("left out", "why"), list(unique.items())[:LISTED])
    more = f"\n\nand {len(unique) - LISTED} more." if len(unique) > LISTED else ""
    return f"{files}\n\n{held} Left out: {len(unique)} samples.\n\n{named}{more}"


def _file_content(path: Path) -> str:
    """Return the hash of annotations; a tar holds all its pictures, so its size has to do."""
    if path.suffix == ".tar":
        return f"{path.stat().st_size:,} bytes"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return f"sha256 `{digest.hexdigest()}`"


def _losses(log: Path, picture: str | None) -> str:
    curve = read_curve(log)
    rows = [
        ("first", curve.steps[0], curve.losses[0]),
        ("last", curve.steps[-1], curve.losses[-1]),
        ("last, smoothed", curve.steps[-1], smooth(curve.losses)[-1]),
    ]
    if curve.validation:
        best = min(curve.validation, key=lambda point: point[1])
        rows += [
            ("held back, first", *curve.validation[0]),
            ("held back, best", *best),
            ("held back, last", *curve.validation[-1]),
        ]
    table = _table(("loss", "step", "value"), [(n, step, f"{loss:.4f}") for n, step, loss in rows])
    return f"{table}\n\n![Loss over steps]({picture})" if picture else table


def _cost(log: Path) -> str:
    lines = [line for line in read_log(log) if "tokens" in line]
    tokens, seconds = lines[-1]["tokens"], lines[-1]["seconds"]
    rows = [
        ("duration", str(timedelta(seconds=round(seconds)))),
        ("tokens", f"{tokens:,}"),
        ("tokens a second", f"{tokens / seconds:,.0f}"),
        ("most memory", f"{max(line['memory'] for line in lines):.2f} GiB"),
    ]
    return _table(("what", "how much"), rows)


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List nested settings as ``lora.r``, each on one line."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            rows.append((f"{prefix}{name}", "; ".join(map(str, value))))
        else:
            rows.append((f"{prefix}{name}", "" if value is None else str(value)))
    return rows


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
