"""``goldfish model``: what a model is made of, and its ways in and out of other formats."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from goldfish_cli.commands import options
from goldfish_cli.commands.output import note, show, show_json
from goldfish_cli.errors import ModelError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    help="Make, describe, import and export models.\n\nExample: goldfish model info minnow",
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


Form = Literal["transformers", "peft", "pth"]


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


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it.")],
    vision_encoder: Annotated[
        str,
        typer.Option(
            "--vision-encoder",
            metavar="FILE|FOLDER",
            help="eva_vit_g.pth, or a folder with an encoder.",
        ),
    ],
    language_model: Annotated[
        str,
        typer.Option("--language-model", metavar="FOLDER|ID", help="Any causal language model."),
    ],
    pooling: Annotated[
        Literal["concat", "mean", "none"],
        typer.Option(help="How four visual tokens become one, if they do."),
    ] = "concat",
    frames: Annotated[int, typer.Option(min=1, help="Frames of a clip in training.")] = 45,
    force: Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
    seed: options.Seed = 0,
) -> None:
    """Join an encoder and a language model by a projector that has learnt nothing yet.

    That is where stage 1 starts. The language model's weights are only hashed, not loaded.

    Example: goldfish model new runs/base --vision-encoder eva_vit_g.pth --language-model llama/
    """
    started = time.monotonic()
    _check_free(folder, force=force)

    from goldfish_cli.model.folders import explaining_failed_writes
    from goldfish_cli.model.start import write_start

    with explaining_failed_writes(folder, "Free some disk, or write to another one"):
        write_start(
            folder,
            bases={"vision_encoder": vision_encoder, "language_model": language_model},
            pooling=pooling,
            num_frames=frames,
            seed=seed,
            offline=offline,
        )
    _report(folder, started, as_json=as_json, quiet=quiet, next_step="train it with --from")


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
    output: Annotated[Path, typer.Argument(metavar="FOLDER|FILE.pth", help="Where to write it.")],
    form: Annotated[
        Form | None,
        typer.Option(
            "--as",
            help="transformers: one folder, the adapter merged into the weights. peft: the adapter "
            "and the projector alone. pth: for MiniGPT4-Video. Default: by the output's name.",
        ),
    ] = None,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Of the weights of --as transformers; auto: as the base models' are."),
    ] = "bfloat16",
    vision_encoder: Encoder = None,
    language_model: LanguageModel = None,
    repository: Annotated[
        str | None,
        typer.Option(
            "--push-to-hub", metavar="OWNER/NAME", help="Also upload it to the Hugging Face Hub."
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Let nobody else see what is uploaded.")
    ] = False,
    force: Force = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    offline: options.Offline = False,
) -> None:
    """Write what was trained for other tools: Transformers, PEFT, or MiniGPT4-Video's scripts.

    The base models are loaded unquantized: an adapter is never merged into 4 or 8 bits.

    Example: goldfish model export runs/stage3_video_instruct_final merged --dtype bfloat16
    """
    started = time.monotonic()
    form = form or ("pth" if output.suffix == ".pth" else "transformers")
    if (form == "pth") != (output.suffix == ".pth"):
        raise UsageError(
            f"{output} does not fit --as {form}.", hint="A pth is a file, the others are folders."
        )
    _check_free(output, force=force)

    from goldfish_cli.model.hub import check_hub, upload

    if repository is not None:
        check_hub(repository, offline=offline)
    if form != "transformers":
        _refuse_whole(checkpoint)
    # Only a folder knows its encoder's hash already; without one nothing else needs the encoder.
    with_encoder = form == "transformers" or Path(checkpoint).is_file()
    loaded = _load(
        checkpoint,
        vision_encoder,
        language_model,
        offline=offline,
        with_vision_encoder=with_encoder,
    )
    _export(loaded, output, form, dtype)
    address = None
    if repository is not None:
        address = upload(output, repository, private=private)
    _report(output, started, as_json=as_json, quiet=quiet, address=address)


def _export(loaded: Any, output: Path, form: Form, dtype: str) -> None:
    import torch

    from goldfish_cli.model.export import export_adapter, export_merged, export_reference
    from goldfish_cli.model.folders import explaining_failed_writes
    from goldfish_cli.model.quiet import silent_transformers

    hint = "Free some disk, or write to another one"
    with explaining_failed_writes(output, hint), silent_transformers():
        if form == "pth":
            export_reference(loaded.model, output)
        elif form == "peft":
            export_adapter(loaded.model, output, loaded.tokenizer)
        else:
            wanted = None if dtype == "auto" else getattr(torch, dtype)
            export_merged(loaded.model, output, loaded.tokenizer, dtype=wanted)


def _refuse_whole(checkpoint: str) -> None:
    from goldfish_cli.model.bases import is_goldfish
    from goldfish_cli.model.checkpoint import is_small_checkpoint

    folder = Path(checkpoint).expanduser()
    if checkpoint == options.DEFAULT_MODEL or (
        is_goldfish(folder) and not is_small_checkpoint(folder)
    ):
        raise ModelError(
            f"{checkpoint} is a whole model: what was trained is merged into its weights.",
            hint="Export the checkpoint that it was merged from",
        )


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


def _report(
    path: Path,
    started: float,
    *,
    as_json: bool,
    quiet: bool,
    address: str | None = None,
    next_step: str = "ask it with --model",
) -> None:
    seconds = time.monotonic() - started
    if as_json:
        uploaded = {"url": address} if address else {}
        show_json({"output": path, **uploaded, "seconds": round(seconds, 2)})
        return
    show(str(path))
    if address:
        show(address)
    note(f"Written in {seconds:.1f} s; {next_step} {path}", quiet=quiet or path.is_file())


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return f"{value:,}" if isinstance(value, (int, float)) else str(value)
