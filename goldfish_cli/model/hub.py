"""Models on their way to the Hugging Face Hub."""

from pathlib import Path

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from goldfish_cli.errors import ModelError, UsageError

_FAILURES = (TransportError, OSError)  # what the library lets through of its transport and ours


def check_hub(repository: str, *, offline: bool) -> None:
    """Make sure, before any work, that an upload can begin.

    Args:
        repository: ``"owner/name"``.
        offline: Whether the network is out of bounds.

    Raises:
        UsageError: If the name is none, or the network must not be used.
        ModelError: If there is no token, it is not accepted, or the Hub cannot be reached.
    """
    if offline or constants.HF_HUB_OFFLINE:
        raise UsageError("Nothing can be uploaded offline.", hint="Leave --push-to-hub out.")
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UsageError(
            f"{repository} is no name of a repository.", hint="Such as: --push-to-hub me/my-model"
        ) from error
    try:
        HfApi().whoami()
    except LocalTokenNotFoundError as error:
        raise ModelError(
            "There is no token for the Hugging Face Hub.",
            hint="Log in with: hf auth login, or set HF_TOKEN",
        ) from error
    except _FAILURES as error:
        raise _explained(
            error, "Check the token and the network, or leave --push-to-hub out."
        ) from error


def upload(path: Path, repository: str, *, private: bool) -> str:
    """Upload a file or a folder; a repository that is not there yet is made.

    Args:
        path: What was exported; it stays.
        repository: ``"owner/name"``.
        private: Whether a new repository is private.

    Returns:
        The address of the repository.

    Raises:
        ModelError: If the Hub refuses or cannot be reached.
    """
    api = HfApi()
    message = "Upload a model made with Goldfish"
    try:
        address = api.create_repo(repository, private=private, exist_ok=True)
        if path.is_dir():
            api.upload_folder(repo_id=repository, folder_path=path, commit_message=message)
        else:
            api.upload_file(
                repo_id=repository,
                path_or_fileobj=path,
                path_in_repo=path.name,
                commit_message=message,
            )
    except _FAILURES as error:
        hint = f"{path} is written; upload it with: hf upload {repository} {path}"
        raise _explained(error, hint) from error
    return str(address)


def _explained(error: Exception, hint: str) -> ModelError:
    if isinstance(error, HfHubHTTPError):
        words = error.server_message or str(error)
        message = f"The Hugging Face Hub refuses ({error.response.status_code}): {words}"
    else:
        message = f"The Hugging Face Hub at {constants.ENDPOINT} cannot be reached: {error}"
    return ModelError(" ".join(message.split()), hint=hint)
