"""Count the tokens of texts with a model's tokenizer, without torch: two hundred MB less."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from goldfish_cli.errors import CheckpointError, ModelError

FILE = "tokenizer.json"
_ASSETS = Path(__file__).parents[1] / "assets"


class TokenCounter:
    """Counts tokens as a model counts them, special tokens left out.

    Args:
        path: A ``tokenizer.json``.

    Raises:
        CheckpointError: If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises its own errors as bare Exception
            raise CheckpointError(f"{path} is not a tokenizer that can be read: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        found = self._tokenizer.encode_batch_fast(clean, add_special_tokens=False)
        return [len(encoding.ids) for encoding in found]


def find_tokenizer(model: str, *, offline: bool = False) -> Path:
    """Return the ``tokenizer.json`` of a model.

    Args:
        model: ``minnow``, a model folder, or the id of a model on the Hugging Face hub.
        offline: Fetch nothing.

    Raises:
        ModelError: If the model has none, or it cannot be fetched.
    """
    folder = _ASSETS / model if model == "minnow" else Path(model).expanduser()
    if (folder / FILE).is_file():
        return folder / FILE
    if folder.exists() or model.count("/") != 1 or model.startswith((".", "/", "~", "openai:")):
        raise ModelError(
            f"{model} has no {FILE} to count tokens with.",
            hint="Name the folder of the language model with --model, or count none: --no-tokens",
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(model, FILE, local_files_only=offline))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"The {FILE} of {model} is not here and cannot be fetched.",
            hint="Name a folder with --model, or count no tokens: --no-tokens",
        ) from error
