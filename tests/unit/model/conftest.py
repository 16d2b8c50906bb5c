"""A tiny model of the real shape, its tokenizer, and the reference's fixtures where they are."""

from pathlib import Path

import pytest
import torch
from model_parts import tiny_config
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from goldfish_cli.model.config import GoldfishConfig
from goldfish_cli.model.goldfish import GoldfishForConditionalGeneration
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
    """One token a byte, and the three special ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({char: i for i, char in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    )


@pytest.fixture
def profile() -> Profile:
    return Profile(name="test", device="cpu", dtype="float32")
