"""Load the processor of a Transformers model, with or without its video part.

The video processors of Transformers need torchvision, which Goldfish does not ask for. Without it
a video is shown as several images, each with its time, which every such model understands.
"""

from pathlib import Path
from typing import Any

from transformers.models.auto.configuration_auto import AutoConfig
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING, AutoProcessor

from goldfish_cli.errors import ModelError


def load_processor(folder: Path) -> Any:
    """Load the processor in a model folder, without its video part if torchvision is missing.

    Raises:
        ModelError: If the folder has none, or it needs a package that is not installed.
    """
    try:
        processor = _load(folder)
    except ImportError as error:
        raise ModelError(
            f"The processor of {folder.name} needs a package: {_first_line(error)}",
            hint="Install the package that it names, such as: pip install torchvision",
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"The processor of {folder.name} cannot be loaded: {_first_line(error)}",
            hint="The folder must hold the model's tokenizer and processor files",
        ) from error
    if not hasattr(processor, "image_processor") or not _templates(processor):
        raise ModelError(
            f"{folder.name} cannot be shown pictures in a conversation.",
            hint="Choose a model of the kind image-text-to-text that has a chat template",
        )
    return processor


def takes_videos(processor: Any) -> bool:
    """Tell whether a processor can show a video as such, rather than as several images."""
    has_part = getattr(processor, "video_processor", None) is not None
    return has_part and any("video" in template for template in _templates(processor))


def _load(folder: Path) -> Any:
    try:
        return AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if type(config) not in PROCESSOR_MAPPING:
            raise
        kind = _without_video_part(PROCESSOR_MAPPING[type(config)])
        return kind.from_pretrained(folder, local_files_only=True)


def _without_video_part(kind: Any) -> Any:
    """Make a variant of a processor class that neither loads nor checks a video processor."""

    def get_attributes(cls: Any) -> list[str]:
        return [name for name in kind.get_attributes() if name != "video_processor"]

    return type(kind.__name__, (kind,), {"get_attributes": classmethod(get_attributes)})


def _templates(processor: Any) -> list[str]:
    template = getattr(processor, "chat_template", None) or {}
    return [template] if isinstance(template, str) else list(template.values())


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
