"""Judges by name, and a tiny text model of random weights as one."""

import threading
from pathlib import Path

import pytest
import torch
from ask_parts import byte_tokenizer
from chat_server import YES, running_server, say
from transformers import LlamaConfig, LlamaForCausalLM

from goldfish_cli.errors import CheckpointError, InputError, ModelError, UsageError
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.judges.agent import LanguageModelJudge
from goldfish_cli.evaluation.judges.chat import Message, NoReplyError
from goldfish_cli.evaluation.judges.choose import open_judge
from goldfish_cli.evaluation.judges.local import LocalChat
from goldfish_cli.evaluation.judges.offline import OfflineJudge
from goldfish_cli.evaluation.judges.prompts import PromptTemplate
from goldfish_cli.profiles import Profile

ITEM = EvalItem("1", "v", "What?", ("guitar",))
PROFILE = Profile(name="test", device="cpu", dtype="float32")
MESSAGES = [Message(role="system", content="You judge."), Message(role="user", content="é?")]
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def save_llama(folder: Path, template: str | None = TEMPLATE) -> Path:
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.4,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def load(folder: Path, max_new_tokens: int = 8) -> LocalChat:
    chat = LocalChat.load(str(folder), PROFILE)
    return LocalChat(str(folder), chat._model, chat._tokenizer, max_new_tokens=max_new_tokens)


def test_offline_is_the_judge_of_rules() -> None:
    judge = open_judge("offline", PROFILE, offline=True)
    assert isinstance(judge, OfflineJudge) and judge.name == "offline-1"


def test_rules_take_no_prompt() -> None:
    with pytest.raises(UsageError, match="takes no prompt"):
        open_judge("offline", PROFILE, prompts={"accuracy": PromptTemplate("", "x")})


def test_a_server_is_opened_by_name_and_keeps_replies(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    with running_server() as server:
        server.answers = [say(YES)]
        judge = open_judge(server.name, PROFILE, offline=True, cache=path)
        assert isinstance(judge, LanguageModelJudge) and judge.name.startswith(server.name)
        assert judge.judge(ITEM, "guitar", "accuracy").correct
    assert path.exists()


@pytest.mark.parametrize("name", ["openai:gpt-4o", "openai:@http://x/v1", "openai:m@ftp://x"])
def test_a_server_without_model_or_url_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="does not name a model"):
        open_judge(name, PROFILE)


def test_a_server_elsewhere_is_refused_while_offline() -> None:
    with pytest.raises(ModelError, match=r"api\.example\.com is not on this machine"):
        open_judge("openai:m@https://api.example.com/v1", PROFILE, offline=True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("ofline", "Did you mean offline"), ("gpt-4o", "openai:MODEL@URL"), ("minnow", "openai:")],
)
def test_an_unknown_judge_is_told_what_judges_there_are(name: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        open_judge(name, PROFILE)
    assert hint in caught.value.hint


def test_a_file_or_a_folder_without_a_model_is_no_judge(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"")
    with pytest.raises(ModelError, match="is a file"):
        open_judge(str(file), PROFILE)
    with pytest.raises(CheckpointError):
        open_judge(str(tmp_path / "."), PROFILE)


def test_a_hub_id_is_not_fetched_while_offline() -> None:
    with pytest.raises(ModelError, match="--offline forbids"):
        open_judge("nobody/nothing-at-all", PROFILE, offline=True)


def test_a_wrong_cache_is_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[1]")
    with pytest.raises(InputError, match="something else"):
        open_judge("nobody/nothing-at-all", PROFILE, cache=other)


def test_a_local_model_judges_and_what_it_stammers_is_a_problem(tmp_path: Path) -> None:
    judge = open_judge(str(save_llama(tmp_path)), PROFILE, offline=True)
    assert isinstance(judge, LanguageModelJudge)
    verdict = judge.judge(ITEM, "guitar", "accuracy")
    assert verdict.correct is None and "Asked 3 times" in verdict.problem
    assert judge.usage.requests == 3 and judge.usage.prompt_tokens > 1000
    assert judge.name.startswith(f"{tmp_path} ") and judge.identity == judge.name


@pytest.mark.parametrize("template", [TEMPLATE, NO_SYSTEM + TEMPLATE, None])
def test_a_local_model_is_greedy_with_any_template(tmp_path: Path, template: str | None) -> None:
    chat = load(save_llama(tmp_path, template))
    first, again = chat.ask(MESSAGES), chat.ask(MESSAGES)
    assert first == again and first.completion_tokens is not None
    assert 1 <= first.completion_tokens <= 8
    prompt = {
        TEMPLATE: "<system>You judge.<user>é?<assistant>",
        NO_SYSTEM + TEMPLATE: "<user>You judge.\n\né?<assistant>",
        None: "You judge.\n\né?\n\n",
    }[template]
    assert first.prompt_tokens == len(prompt.encode())


def test_a_local_model_is_known_by_its_weights(tmp_path: Path) -> None:
    chat = load(save_llama(tmp_path))
    with torch.no_grad():
        chat._model.lm_head.weight.add_(1.0)
    other = LocalChat(str(tmp_path), chat._model, chat._tokenizer)
    assert other.name != chat.name


def test_a_prompt_that_does_not_fit_is_a_problem(tmp_path: Path) -> None:
    chat = load(save_llama(tmp_path))
    with pytest.raises(NoReplyError, match="do not fit"):
        chat.ask([Message(role="user", content="x" * 5000)])


@pytest.mark.parametrize("template", [TEMPLATE, None])
def test_an_answer_cannot_end_a_turn_of_a_local_model(tmp_path: Path, template: str | None) -> None:
    chat = load(save_llama(tmp_path, template))
    inputs = chat._inputs([Message(role="user", content="a</s>b\ud800")])
    assert chat._tokenizer.eos_token_id not in inputs["input_ids"][0].tolist()


def test_threads_take_turns_at_a_local_model(tmp_path: Path) -> None:
    chat = load(save_llama(tmp_path))
    alone = [chat.ask([Message(role="user", content=str(n))]).text for n in range(4)]
    seen: dict[int, str] = {}

    def ask(number: int) -> None:
        seen[number] = chat.ask([Message(role="user", content=str(number))]).text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen[number] for number in range(4)] == alone


def test_a_local_model_without_tokenizer_is_refused(tmp_path: Path) -> None:
    save_llama(tmp_path)
    for file in tmp_path.glob("token*"):
        file.unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        open_judge(str(tmp_path), PROFILE)
