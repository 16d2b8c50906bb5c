"""What is left to look at when stages have ended: their curves in one picture."""

from pathlib import Path

from goldfish_cli.errors import InputError, MissingPackageError
from goldfish_cli.training.curves import FORMATS, draw_curves
from goldfish_cli.training.run_files import FOLDERS
from goldfish_cli.training.run_folder import RunFolder

CURVES = "curves"


def draw_stages(out: Path) -> list[Path]:
    """Draw the curves of all finished stages in a folder side by side.

    Args:
        out: Holds the folders of the stages; the pictures are written into it.

    Returns:
        The pictures, PNG and SVG.

    Raises:
        MissingPackageError: If matplotlib is not installed.
        InputError: If a log cannot be read or a picture not be written.
    """
    folders = {f"stage {number}": RunFolder(out / name) for number, name in FOLDERS.items()}
    logs = {name: folder.path for name, folder in folders.items() if folder.finished}
    pictures = [out / f"{CURVES}{form}" for form in FORMATS]
    for picture in pictures:
        draw_curves(logs, picture)
    return pictures


def draw_stage(folder: Path) -> str | None:
    """Draw the curves of one stage into its own folder, for its model card.

    Returns:
        The picture's name; ``None`` if it cannot be drawn: a checkpoint is worth more than that,
        and who asked for the training is told when all stages are drawn.
    """
    picture = folder / f"{CURVES}.png"
    try:
        draw_curves({folder.name: folder}, picture)
    except (MissingPackageError, InputError):
        return None
    return picture.name
