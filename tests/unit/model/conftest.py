"""A tiny model of the real shape, its tokenizer, and the reference's fixtures where they are."""

from pathlib import Path

import pytest
import torch
from model_parts import TEXT, byte_tokenizer, fill_by_name, tiny_config
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
from goldfish_cli.model.loader import LoadedModel, start_model
from goldfish_cli.profiles import Profile

FIXTURES = Path(__file__).parents[4] / "shared" / "fixtures"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of the reference's own numbers."""
    if not FIXTURES.is_dir():
        pytest.skip("the reference's fixtures are not on this machine")
    return FIXTURES


@pytest.fixture
def config() -> GoldfishConfig:
    return tiny_config()


@pytest.fixture
def model(config: GoldfishConfig) -> GoldfishForConditionalGeneration:
    torch.manual_seed(0)
    return GoldfishForConditionalGeneration(config).eval()


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return byte_tokenizer()


@pytest.fixture
def profile() -> Profile:
    return Profile(name="test", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def base_models(
    tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast
) -> dict[str, str]:
    """A tiny encoder and a tiny language model, saved as their own folders."""
    folder = tmp_path_factory.mktemp("bases")
    whole = GoldfishForConditionalGeneration(tiny_config())
    fill_by_name(whole)
    whole.vision_encoder.save_pretrained(folder / "vision")
    whole.language_model.save_pretrained(folder / "llm")
    tokenizer.save_pretrained(folder / "llm")
    return {"vision_encoder": str(folder / "vision"), "language_model": str(folder / "llm")}


@pytest.fixture
def started(base_models: dict[str, str], profile: Profile) -> LoadedModel:
    """A new projector upon the base models."""
    loaded = start_model(profile, bases=base_models, num_frames=3, offline=True)
    fill_by_name(loaded.model.projector)
    return loaded


@pytest.fixture
def wide_bases(base_models: dict[str, str], tmp_path: Path, started: LoadedModel) -> dict[str, str]:
    """Wide enough for the kernels of 4-bit weights, which want multiples of 64."""
    text = TEXT | {"hidden_size": 64, "intermediate_size": 128}
    language_model = LlamaForCausalLM(LlamaConfig(**text))
    language_model.save_pretrained(tmp_path / "wide")
    started.tokenizer.save_pretrained(tmp_path / "wide")
    return base_models | {"language_model": str(tmp_path / "wide")}
