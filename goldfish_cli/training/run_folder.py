"""The folder of one stage: how far it has come, and with what settings."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goldfish_cli.errors import UsageError
from goldfish_cli.model.bases import MINNOW, MINNOW_FOLDER
from goldfish_cli.model.checkpoint import save_checkpoint
from goldfish_cli.model.export import export_merged
from goldfish_cli.model.folders import explaining_failed_writes
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.quiet import silent_transformers
from goldfish_cli.training.resume_points import checkpoints, last_whole, remove_all
from goldfish_cli.training.run_files import FOLDERS, SETTINGS, SUMMARY

PASSES = "passes.json"
# These may change between a run and its continuation: no step depends on them.
_FREE = frozenset(
    {
        *("log_steps", "save_steps", "eval_steps", "keep_checkpoints", "sample_answers"),
        *("max_bad_samples", "workers", "name", "start"),
    }
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one stage writes its log, its checkpoints and, at the end, the stage's checkpoint."""

    path: Path

    @property
    def finished(self) -> bool:
        """Whether the stage's checkpoint is there; the summary is written last."""
        return (self.path / SUMMARY).is_file()

    @property
    def rows_per_pass(self) -> int | None:
        """How many samples went at once when memory ran out; ``None`` if it never did."""
        path = self.path / PASSES
        return int(json.loads(path.read_text())["rows"]) if path.is_file() else None

    def remember_passes(self, rows: int) -> None:
        """Note how many samples go at once, for a run that resumes."""
        self._write(PASSES, json.dumps({"rows": rows}) + "\n")

    def begin(
        self, settings: Mapping[str, Any], *, resume: bool, note: Callable[[str], None]
    ) -> Path | None:
        """Note the settings of a new run, or check that a resumed one has the same.

        Args:
            settings: Plain values.
            resume: Whether to continue what is there.
            note: Hears of damaged checkpoints, and if there is none to continue from.

        Returns:
            The checkpoint to continue from; ``None`` to start at step 0.

        Raises:
            UsageError: If there is a run already and ``resume`` is not set, or its settings differ.
            InputError: If the folder cannot be written.
            CheckpointError: If there are checkpoints and none is whole.
        """
        if not checkpoints(self.path):
            self._write(
                SETTINGS, yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
            )
            (self.path / PASSES).unlink(missing_ok=True)
            if resume:
                note(f"Nothing to resume in {self.path}: it starts at the first step.")
            return None
        if not resume:
            raise UsageError(
                f"{self.path} holds a run that was not finished.",
                hint="Continue it with --resume, or name another folder with --out.",
            )
        noted = yaml.safe_load((self.path / SETTINGS).read_text(encoding="utf-8"))
        before = {"processes": 1} | noted  # earlier runs do not name them
        differing = _differences(before, settings)
        if differing:
            raise UsageError(
                f"The run in {self.path} began with other settings: {', '.join(differing)}.",
                hint=f"Resume with the same; they stand in {self.path / SETTINGS}.",
            )
        return last_whole(self.path, note)

    def publish(
        self,
        model: GoldfishForConditionalGeneration,
        tokenizer: Any,
        settings: Mapping[str, Any],
        *,
        card: str,
        whole: bool = False,
    ) -> None:
        """Write the stage's checkpoint here, beside its log; the configuration comes last.

        Args:
            model: What was trained of it is written.
            tokenizer: Of the language model.
            settings: That it was trained with.
            whole: Write all of the model: no base holds its weights any more.
            card: The model card, in Markdown.

        Raises:
            InputError: If the disk is full or the folder cannot be written.
        """
        scratch = self.path / ".publish"
        shutil.rmtree(scratch, ignore_errors=True)
        with explaining_failed_writes(self.path, "Free some disk and continue with --resume."):
            if whole:
                model.config.base_models = {}
                with silent_transformers():
                    export_merged(model, scratch, tokenizer)
            else:
                save_checkpoint(model, scratch, tokenizer, settings=settings)
            (scratch / "README.md").write_text(card, encoding="utf-8")
            parts = sorted(scratch.iterdir(), key=lambda part: part.name == "config.json")
            for part in parts:
                target = self.path / part.name
                if target.is_dir():
                    shutil.rmtree(target)
                part.replace(target)
            scratch.rmdir()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Mark the stage as done; there is nothing left to resume."""
        remove_all(self.path)
        self._write(SUMMARY, json.dumps(dict(summary), indent=2, ensure_ascii=False) + "\n")

    def _write(self, name: str, text: str) -> None:
        partial = self.path / f".{name}.partial"
        with explaining_failed_writes(
            self.path / name, "Free some disk, or name another folder with --out."
        ):
            self.path.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(self.path / name)


def find_start(start: str | None, stage: int, out: Path) -> str:
    """Return what a stage starts from: what was named, else the stage before in the same folder.

    Raises:
        UsageError: If neither is there.
    """
    if start is not None:
        return str(MINNOW_FOLDER) if start == MINNOW else start
    if stage == 1:
        raise UsageError(
            "Stage 1 needs a base model to start from.", hint="Name its folder with --from BASE"
        )
    before = RunFolder(out / FOLDERS[stage - 1])
    if not before.finished:
        raise UsageError(
            f"Stage {stage} starts from stage {stage - 1}, but {before.path} holds no checkpoint.",
            hint=f"Run goldfish train {stage - 1} first, or name a checkpoint with --from.",
        )
    return str(before.path)


def _differences(before: Any, now: Any, prefix: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            name
            for key in {**before, **now}
            if key not in _FREE
            for name in _differences(before.get(key), now.get(key), f"{prefix}{key}.")
        ]
    if before == now:
        return []
    return [f"{prefix.rstrip('.')} was {before}, is {now}"]
