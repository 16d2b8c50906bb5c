"""``goldfish model``: what a model is made of, and its ways in and out of other formats."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, show, show_json
from goldfish_cli.errors import ModelError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    help="Describe, import, export and merge models.\n\nExample: goldfish model info minnow",
)

Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Checkpoint = Annotated[
    str, typer.Argument(metavar="MODEL", help="A checkpoint folder, or a MiniGPT4-Video .pth.")
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--vision-encoder",
        metavar="FILE|FOLDER",
        help="The encoder that it was trained upon, if not where the checkpoint says.",
    ),
]
LanguageModel = Annotated[
    str | None,
    typer.Option(
        "--language-model",
        metavar="FOLDER|ID",
        help="The language model that it was trained upon, if not where the checkpoint says.",
    ),
]


@app.command()
def info(
    name: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A model's name. Default: as --model."),
    ] = None,
    model: options.ModelName = None,
    as_json: options.Json = False,
    offline: options.Offline = False,
) -> None:
    """Show what a model is made of, without loading its weights.

    Example: goldfish model info minnow
    """
    from dataclasses import asdict

    from goldfish_cli.model.describe import describe_model

    description = asdict(describe_model(name or options.model_name(model), offline=offline))
    if as_json:
        show_json(description)
        return
    for key, value in description.items():
        if value not in (None, "", 0.0, {}):
            show(f"{key.replace('_', ' ')}: {_in_words(value)}")


@app.command("import")
def import_model(
    source: Annotated[
        Path, typer.Argument(metavar="FILE.pth", help="A checkpoint of MiniGPT4-Video.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")],
    vision_encoder: Encoder = None,
    language_model: LanguageModel = None,
    force: Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Turn a MiniGPT4-Video .pth into a checkpoint folder: safetensors and a PEFT adapter.

    Every weight must find its place in the base models, which are loaded to make sure.

    Example: goldfish model import video_llama.pth runs/imported --vision-encoder eva_vit_g.pth
    """
    started = time.monotonic()
    if source.suffix not in (".pth", ".pt"):
        raise UsageError(f"{source} is not a .pth file.", hint="A folder needs no import")
    _check_free(folder, force=force)
    loaded = _load(str(source), vision_encoder, language_model, offline=offline)

    from goldfish_cli.model.checkpoint import save_checkpoint

    save_checkpoint(
        loaded.model,
        folder,
        loaded.tokenizer,
        settings={"imported_from": source.name},
        description=f"Imported from MiniGPT4-Video's {source.name}.",
    )
    _report(folder, started, as_json=as_json, quiet=quiet)


@app.command("export")
def export_model(
    checkpoint: Checkpoint,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.pth|FOLDER",
            help="A .pth for MiniGPT4-Video, or a folder of safetensors and a PEFT adapter.",
        ),
    ],
    vision_encoder: Encoder = None,
    language_model: LanguageModel = None,
    force: Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Write what was trained as a .pth for MiniGPT4-Video, or as safetensors and a PEFT adapter.

    Example: goldfish model export runs/stage3 video_llama.pth
    """
    started = time.monotonic()
    _check_free(output, force=force)

    from goldfish_cli.model.bases import is_goldfish
    from goldfish_cli.model.checkpoint import is_small_checkpoint, save_checkpoint
    from goldfish_cli.model.export import export_reference

    folder = Path(checkpoint).expanduser()
    if checkpoint == options.DEFAULT_MODEL or (
        is_goldfish(folder) and not is_small_checkpoint(folder)
    ):
        raise ModelError(
            f"{checkpoint} is a whole model: what was trained is merged into its weights.",
            hint="Export the checkpoint that it was merged from; a whole model is exported already",
        )
    with_encoder = Path(checkpoint).is_file()  # only a folder knows its encoder's hash already
    loaded = _load(
        checkpoint,
        vision_encoder,
        language_model,
        offline=offline,
        with_vision_encoder=with_encoder,
    )
    if output.suffix == ".pth":
        export_reference(loaded.model, output)
    else:
        source = {"exported_from": checkpoint}
        save_checkpoint(loaded.model, output, loaded.tokenizer, settings=source)
    _report(output, started, as_json=as_json, quiet=quiet)


@app.command()
def merge(
    checkpoint: Checkpoint,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")],
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Format of the weights; auto: as the base models were loaded."),
    ] = "auto",
    vision_encoder: Encoder = None,
    language_model: LanguageModel = None,
    force: Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Write encoder, projector and language model with its adapter merged as one folder.

    Such a folder needs no base models, and Transformers' from_pretrained reads it.

    Example: goldfish model merge runs/stage3 runs/merged --dtype bfloat16
    """
    started = time.monotonic()
    _check_free(folder, force=force)
    loaded = _load(checkpoint, vision_encoder, language_model, offline=offline)

    import torch
    from transformers.utils import logging

    from goldfish_cli.model.export import export_merged

    if quiet or as_json or not sys.stderr.isatty():
        logging.disable_progress_bar()
    wanted = None if dtype == "auto" else getattr(torch, dtype)
    export_merged(loaded.model, folder, loaded.tokenizer, dtype=wanted)
    _report(folder, started, as_json=as_json, quiet=quiet)


def _load(
    name: str,
    vision_encoder: str | None,
    language_model: str | None,
    *,
    offline: bool,
    with_vision_encoder: bool = True,
) -> Any:
    """Load a model on the processor, not quantized: nothing is lost on the way."""
    from goldfish_cli.model.loader import load_model
    from goldfish_cli.profiles import load_profile

    named = {"vision_encoder": vision_encoder, "language_model": language_model}
    return load_model(
        name,
        load_profile("cpu"),
        bases={role: base for role, base in named.items() if base is not None},
        offline=offline,
        with_vision_encoder=with_vision_encoder,
    )


def _check_free(path: Path, *, force: bool) -> None:
    occupied = any(path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not force:
        raise UsageError(f"{path} is there already.", hint="Replace it with --force")


def _report(path: Path, started: float, *, as_json: bool, quiet: bool) -> None:
    seconds = time.monotonic() - started
    if as_json:
        show_json({"output": path, "seconds": round(seconds, 2)})
        return
    show(str(path))
    note(f"Written in {seconds:.1f} s; ask it with --model {path}", quiet=quiet or path.is_file())


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
