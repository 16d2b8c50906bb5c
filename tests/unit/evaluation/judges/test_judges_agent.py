"""A language model as judge, against a server on this machine that follows a script of faults."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from chat_server import (
    YES,
    Answer,
    ChatServer,
    be_silent,
    completion,
    fail,
    refuse,
    running_server,
    say,
    send,
)

from goldfish_cli.errors import ModelError, UsageError
from goldfish_cli.evaluation.items import EvalItem
from goldfish_cli.evaluation.judges.agent import LanguageModelJudge, Patience
from goldfish_cli.evaluation.judges.cache import ReplyCache
from goldfish_cli.evaluation.judges.chat import ChatReply, Message, NoReplyError, TemporaryError
from goldfish_cli.evaluation.judges.endpoint import ChatEndpoint, EndpointLimits
from goldfish_cli.evaluation.judges.many import Answered, judge_all
from goldfish_cli.evaluation.judges.usage import Prices, Usage
from goldfish_cli.evaluation.judges.verdict import Verdict

QUICK = Patience(attempts=3, first_wait_s=0.001, max_wait_s=0.5, replies=3)
LIMITS = EndpointLimits(silence_s=0.2, total_s=1.0)
ITEM = EvalItem("1", "v", "What is he playing?", ("guitar",), second_question="Which one?")
SIGNED = Verdict(True, 4.0, version="judge-model-1 fp_1")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running_server() as running:
        yield running


def open_judge(
    server: ChatServer, *, limits: EndpointLimits = LIMITS, **options: Any
) -> LanguageModelJudge:
    chat = ChatEndpoint(server.name, api_key="secret", limits=limits)
    return LanguageModelJudge(chat, **{"patience": QUICK} | options)


def item(number: int) -> EvalItem:
    return EvalItem(str(number), "v", f"What is {number}?", (f"thing {number}",))


class ScriptedChat:
    """Answers with what a function makes of the messages."""

    name = "scripted"
    notes: tuple[str, ...] = ()

    def __init__(self, answer: Callable[[Sequence[Message]], ChatReply]) -> None:
        self.settings: dict[str, float | int | str] = {"temperature": 0}
        self.ask = answer


def test_a_request_is_greedy_seeded_json_and_carries_the_key(server: ChatServer) -> None:
    server.answers = [say(YES)]
    judge = open_judge(server)
    assert judge.judge(ITEM, "a guitar", "accuracy") == SIGNED
    ((path, headers, body),) = server.requests
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    messages = body.pop("messages")
    assert body == {
        "model": "judge-model",
        "temperature": 0,
        "seed": 0,
        "max_tokens": 2048,
        "stream": False,
        "response_format": {"type": "json_object"},
    }
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "<reference>guitar</reference>" in messages[1]["content"]
    assert "<given_answer>a guitar</given_answer>" in messages[1]["content"]
    assert judge.usage == Usage(requests=1, prompt_tokens=100, completion_tokens=10)


def test_grades_come_without_yes_or_no(server: ChatServer) -> None:
    server.answers = [say('{"score": 3.5}')]
    verdict = open_judge(server).judge(ITEM, "violin", "consistency", "a fiddle")
    assert verdict == Verdict(None, 3.5, version="judge-model-1 fp_1")
    assert "<answer_to_the_second>a fiddle</answer_to_the_second>" in server.prompts()[0]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fail(429, "slow down"), id="429"),
        pytest.param(fail(429, "slow down", Retry_After="0.01"), id="429 with Retry-After"),
        pytest.param(fail(500), id="500"),
        pytest.param(fail(503, Retry_After="soon"), id="503 with an odd Retry-After"),
        pytest.param(lambda handler: handler.send(502, "<html>gateway</html>"), id="502 in HTML"),
        pytest.param(be_silent(0.5), id="silent"),
        pytest.param(send("{oops"), id="malformed JSON"),
        pytest.param(send(b"\xff\xfe"), id="no text"),
        pytest.param(send("[]"), id="JSON of the wrong type"),
        pytest.param(send('"hello"'), id="a JSON text"),
        pytest.param(send("[" * 100_000), id="JSON nested too deep"),
        pytest.param(send('{"choices": []}'), id="empty choices"),
        pytest.param(send('{"choices": [{"message": null}]}'), id="no message"),
        pytest.param(send('{"choices": [{"message": {"content": 5}}]}'), id="content of 5"),
        pytest.param(send('{"error": {"message": "overloaded"}}'), id="an error with 200"),
        pytest.param(send('{"choices": [', length="500"), id="truncated body"),
        pytest.param(lambda handler: handler.connection.close(), id="closed connection"),
    ],
)
def test_a_fault_that_passes_is_survived(server: ChatServer, fault: Answer) -> None:
    server.answers = [fault, fault, say(YES)]
    judge = open_judge(server)
    assert judge.judge(ITEM, "guitar", "accuracy") == SIGNED
    assert len(server.requests) == 3
    assert judge.usage == Usage(requests=3, prompt_tokens=100, completion_tokens=10)
    assert len({json.dumps(body) for _, _, body in server.requests}) == 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (fail(429, "slow down"), "refused with 429: slow down"),
        (fail(500, "boom"), "refused with 500: boom"),
        (be_silent(0.5), "was silent for 0.2 s"),
        (send("{oops"), "sent what is no JSON"),
        (send('{"choices": []}'), "sent what is no chat completion"),
        (send('{"choices": [', length="500"), "broke off"),
    ],
)
def test_a_fault_that_stays_is_a_problem_and_the_run_goes_on(
    server: ChatServer, fault: Answer, problem: str
) -> None:
    server.answers = [fault, fault, fault, say(YES)]
    judge = open_judge(server)
    verdict = judge.judge(ITEM, "guitar", "accuracy")
    assert verdict.correct is None and verdict.score is None
    assert verdict.problem.startswith("Asked 3 times, the judge ") and problem in verdict.problem
    assert judge.judge(ITEM, "guitar", "accuracy") == SIGNED  # it was not kept
    assert len(server.requests) == judge.usage.requests == 4


def test_a_server_that_drips_is_given_up(server: ChatServer) -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with suppress(OSError):  # whoever asked has hung up
            for _ in range(30):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.02)

    server.answers = [drip, say(YES)]
    chat = ChatEndpoint(server.name, limits=EndpointLimits(silence_s=5, total_s=0.1))
    assert LanguageModelJudge(chat, patience=QUICK).judge(ITEM, "x", "accuracy") == SIGNED


def test_a_server_that_is_not_there_is_a_problem() -> None:
    with running_server() as server:
        judge = open_judge(server)
    verdict = judge.judge(ITEM, "guitar", "accuracy")
    assert "could not be reached" in verdict.problem and judge.usage.requests == 3


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(server: ChatServer, as_date: bool) -> None:
    later = datetime.now(timezone.utc) + timedelta(seconds=1)
    value = format_datetime(later, usegmt=True) if as_date else "0.3"
    server.answers = [fail(429, Retry_After=value), say(YES)]
    patience = Patience(attempts=2, first_wait_s=0.001, max_wait_s=5)
    assert open_judge(server, patience=patience).judge(ITEM, "x", "accuracy") == SIGNED
    waited = server.times[1] - server.times[0]
    assert waited >= (0 if as_date else 0.3) and waited < 3


def test_a_server_that_asks_for_too_long_a_wait_is_given_up_at_once(server: ChatServer) -> None:
    server.answers = [fail(429, "daily limit", Retry_After="86400")]
    judge = open_judge(server)
    begun = time.monotonic()
    assert "Asked once, the judge refused with 429" in judge.judge(ITEM, "x", "accuracy").problem
    assert time.monotonic() - begun < 0.5 and len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        "The answer is right, I would say 4.",
        '{"pred": "yes", "score": "4"}',
        '{"pred": "yes", "score": 7}',
        '{"pred": "yes", "score": NaN}',
        '{"pred": true, "score": 4}',
        '{"pred": "yes", "sco',
        "",
        None,
    ],
)
def test_a_malformed_reply_is_corrected_and_paid_for(server: ChatServer, reply: str | None) -> None:
    server.answers = [say(reply), say("Sure: {'pred': 'no', 'score': 1.5}")]
    judge = open_judge(server, prices=Prices(prompt=1.0, completion=10.0))
    assert judge.judge(ITEM, "x", "accuracy") == Verdict(False, 1.5, version="judge-model-1 fp_1")
    first, second = (body["messages"] for _, _, body in server.requests)
    assert second[:2] == first
    assert [turn["role"] for turn in second[2:]] == ["assistant", "user"]
    assert second[3]["content"].startswith("Your reply ")
    assert judge.usage == Usage(requests=2, prompt_tokens=200, completion_tokens=20)
    assert judge.cost == pytest.approx((200 * 1 + 20 * 10) / 1e6)


def test_a_model_that_never_keeps_to_the_form_is_given_up(server: ChatServer) -> None:
    server.answers = [say('{"pred": "yes"}')]
    judge = open_judge(server)
    verdict = judge.judge(ITEM, "x", "accuracy")
    assert verdict == Verdict(problem='Asked 3 times, the judge\'s reply lacks "score".')
    assert judge.usage == Usage(requests=3, prompt_tokens=300, completion_tokens=30)
    assert judge.versions == {}


def test_content_in_parts_is_joined(server: ChatServer) -> None:
    parts = [{"type": "reasoning", "summary": "hm"}, *({"type": "text", "text": c} for c in YES)]
    server.answers = [say(parts)]
    assert open_judge(server).judge(ITEM, "x", "accuracy") == SIGNED


@pytest.mark.parametrize("usage", [None, 5, {}, {"prompt_tokens": "7", "completion_tokens": -1}])
def test_tokens_that_are_not_reported_are_told(server: ChatServer, usage: Any) -> None:
    body = json.loads(completion(YES, model="", mark=None)) | {"usage": usage, "model": 5}
    server.answers = [send(json.dumps(body))]
    judge = open_judge(server)
    assert judge.judge(ITEM, "x", "accuracy") == Verdict(True, 4.0)
    assert judge.usage == Usage(requests=1, uncounted=1)
    assert judge.identity == judge.name


def test_what_a_server_refuses_is_left_out_from_then_on(server: ChatServer) -> None:
    server.answers = [refuse("response_format", "seed", "temperature")]
    judge = open_judge(server, patience=Patience(attempts=1, replies=1))
    assert judge.judge(ITEM, "x", "accuracy") == SIGNED
    assert judge.judge(ITEM, "y", "accuracy") == SIGNED
    sent = [set(body) for _, _, body in server.requests]
    assert [len(keys) for keys in sent] == [6 + 1, 6, 5, 4, 4]
    assert judge.usage.requests == 5
    assert len(judge.notes) == 2 and all("may vary between runs" in note for note in judge.notes)


def test_the_new_name_of_max_tokens_is_used_where_it_is_asked_for(server: ChatServer) -> None:
    hint = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    server.answers = [fail(400, hint), say(YES)]
    assert open_judge(server).judge(ITEM, "x", "accuracy") == SIGNED
    body = server.requests[1][2]
    assert body["max_completion_tokens"] == 2048 and "max_tokens" not in body


def test_a_refusal_of_one_prompt_is_not_repeated(server: ChatServer) -> None:
    server.answers = [fail(400, "maximum context length"), say(YES)]
    judge = open_judge(server)
    problem = judge.judge(ITEM, "x", "accuracy").problem
    assert problem == "The judge refused with 400: maximum context length."
    assert judge.judge(ITEM, "y", "accuracy") == SIGNED and len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        (fail(401, "bad key"), "OPENAI_API_KEY"),
        (fail(404, "no such model"), "model's name"),
        (lambda handler: handler.send(307, "", Location="http://localhost/"), "Its words"),
        (
            lambda handler: handler.send(
                429, '{"error": {"message": "pay", "code": "insufficient_quota"}}'
            ),
            "kept",
        ),
    ],
)
def test_a_server_that_refuses_everything_ends_the_run(
    server: ChatServer, fault: Answer, hint: str
) -> None:
    server.answers = [fault]
    with pytest.raises(ModelError) as caught:
        open_judge(server).judge(ITEM, "x", "accuracy")
    assert hint in caught.value.hint and "secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_such_a_refusal_in_the_middle_of_a_run_is_one_problem(server: ChatServer) -> None:
    server.answers = [say(YES), fail(401, "bad key"), say(YES)]
    judge = open_judge(server)
    verdicts = [judge.judge(ITEM, text, "accuracy") for text in "xyz"]
    assert [bool(verdict.problem) for verdict in verdicts] == [False, True, False]


def test_a_version_that_changes_is_noticed(server: ChatServer) -> None:
    server.answers = [
        say(YES, mark="fp_1"), say(YES, mark="fp_1"), say(YES, model="judge-model-2"), say(YES)
    ]  # fmt: skip
    judge = open_judge(server)
    verdicts = [judge.judge(ITEM, text, "accuracy") for text in "abcd"]
    assert [one.version for one in verdicts][1:3] == ["judge-model-1 fp_1", "judge-model-2 fp_1"]
    assert judge.versions == {"judge-model-1 fp_1": 3, "judge-model-2 fp_1": 1}
    assert judge.notes == (
        "The judge's version changed after 2 verdicts: first judge-model-1 fp_1, then "
        "judge-model-2 fp_1.",
    )
    assert judge.identity.endswith("answering as judge-model-1 fp_1 and judge-model-2 fp_1")


def test_a_version_other_than_that_of_kept_replies_is_noticed(
    server: ChatServer, tmp_path: Path
) -> None:
    server.answers = [say(YES, mark="fp_old"), say(YES, mark="fp_new")]
    path = tmp_path / "replies.jsonl"
    open_judge(server, cache=ReplyCache(path)).judge(ITEM, "x", "accuracy")
    again = open_judge(server, cache=ReplyCache(path))
    versions = [again.judge(ITEM, text, "accuracy").version for text in "xy"]
    assert versions == ["judge-model-1 fp_old", "judge-model-1 fp_new"]
    assert len(again.notes) == 1


def test_a_second_run_asks_only_for_what_has_no_verdict(server: ChatServer, tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    server.answers = [say(YES), fail(400, "no"), say(YES)]
    first = open_judge(server, cache=ReplyCache(path))
    verdicts = [first.judge(ITEM, text, "accuracy") for text in "xyz"]
    assert [bool(one.problem) for one in verdicts] == [False, True, False]
    second = open_judge(server, cache=ReplyCache(path))
    assert [second.judge(ITEM, text, "accuracy") for text in "xyz"] == [SIGNED] * 3
    assert len(server.requests) == 4
    assert second.usage == Usage(1, cached=2, prompt_tokens=100, completion_tokens=10)


def test_a_kept_reply_that_is_no_judgement_is_asked_for_again(server: ChatServer) -> None:
    cache = ReplyCache()
    server.answers = [say(YES)]
    judge = open_judge(server, cache=cache)
    judge.judge(ITEM, "x", "accuracy")
    (key,) = cache._replies
    cache.put(key, ChatReply("hello"))
    assert judge.judge(ITEM, "x", "accuracy") == SIGNED and len(server.requests) == 2


def test_many_answers_through_many_faults_keep_order_and_count(server: ChatServer) -> None:
    counter = {"n": 0}

    def answer(handler: Any) -> None:
        with server.lock:
            counter["n"] += 1
            turn = counter["n"]
        number = int(handler.body["messages"][1]["content"].split("thing ")[1].split("<")[0])
        if turn % 5 == 1:
            fail(429, Retry_After="0.001")(handler)
        elif turn % 7 == 1:
            send('{"choices": [', length="500")(handler)
        elif turn % 11 == 1:
            say("no idea")(handler)
        else:
            say(json.dumps({"pred": "yes", "score": number % 6}))(handler)

    server.answers = [answer]
    patience = Patience(20, 0.001, 0.01, replies=10)
    judge = open_judge(server, limits=EndpointLimits(), patience=patience)
    asked = [Answered(item(number), f"answer {number}") for number in range(60)]
    judged = list(judge_all(judge, iter(asked), workers=8))
    assert [one for one, _ in judged] == asked
    assert [verdict.score for _, verdict in judged] == [number % 6 for number in range(60)]
    usage = judge.usage
    assert usage.requests == len(server.requests) == counter["n"]
    replies = usage.prompt_tokens // 100
    corrections = sum(len(body["messages"]) > 2 for _, _, body in server.requests)
    assert usage.completion_tokens == 10 * replies and 60 < replies <= 60 + corrections
    assert judge.versions == {"judge-model-1 fp_1": 60}


def test_the_same_answer_in_two_threads_is_asked_for_once() -> None:
    asked: list[str] = []

    def answer(messages: Sequence[Message]) -> ChatReply:
        asked.append(messages[-1]["content"])
        time.sleep(0.02)
        return ChatReply(YES, 1, 1)

    judge = LanguageModelJudge(ScriptedChat(answer))
    judged = list(judge_all(judge, [Answered(ITEM, "guitar")] * 12, workers=6))
    assert [verdict for _, verdict in judged] == [Verdict(True, 4.0)] * 12
    assert len(asked) == 1 and judge.usage == Usage(1, 11, 1, 1)


def test_a_busy_server_gets_peace_from_all_threads() -> None:
    times: list[float] = []
    lock = threading.Lock()

    def answer(messages: Sequence[Message]) -> ChatReply:
        with lock:
            times.append(time.monotonic())
            is_first = len(times) == 1
        if is_first:
            raise TemporaryError("is busy", wait_s=0.2)
        return ChatReply(YES)

    judge = LanguageModelJudge(ScriptedChat(answer), patience=QUICK)
    assert judge.judge(ITEM, "x", "accuracy").correct
    others = list(judge_all(judge, [Answered(item(n), "y") for n in range(4)], workers=4))
    assert len(others) == 4 and min(times[1:]) - times[0] >= 0.19


def test_closing_early_wakes_those_who_wait() -> None:
    def answer(messages: Sequence[Message]) -> ChatReply:
        if "thing 0" in messages[-1]["content"]:
            return ChatReply(YES)
        raise TemporaryError("is busy")

    patience = Patience(attempts=9, first_wait_s=60)
    judge = LanguageModelJudge(ScriptedChat(answer), patience=patience)
    judged = judge_all(judge, [Answered(item(n), "y") for n in range(4)], workers=4)
    begun = time.monotonic()
    assert next(judged)[1].correct
    judged.close()
    assert time.monotonic() - begun < 5


def test_an_error_of_one_thread_reaches_the_caller_after_what_came_before() -> None:
    def answer(messages: Sequence[Message]) -> ChatReply:
        if "thing 3" in messages[-1]["content"]:
            raise ModelError("No such model.")
        return ChatReply(YES)

    judge = LanguageModelJudge(ScriptedChat(answer))
    seen = []
    with pytest.raises(ModelError):
        for answered, _ in judge_all(judge, [Answered(item(n), "y") for n in range(9)], workers=3):
            seen.append(answered.item.id)
    assert seen == ["0", "1", "2"]


def test_endless_free_tries_end() -> None:
    def answer(messages: Sequence[Message]) -> ChatReply:
        raise TemporaryError("takes nothing", is_free=True)

    judge = LanguageModelJudge(ScriptedChat(answer), patience=QUICK)
    assert "takes nothing" in judge.judge(ITEM, "x", "accuracy").problem
    assert judge.usage.requests < 20


def test_half_a_surrogate_pair_can_be_judged(server: ChatServer) -> None:
    server.answers = [say(YES)]
    assert open_judge(server).judge(ITEM, "odd \ud800 text", "accuracy") == SIGNED
    assert "odd \ud800 text" in server.prompts()[0]


def test_references_and_options_are_told(server: ChatServer) -> None:
    server.answers = [say(YES)]
    judge = open_judge(server)
    judge.judge(EvalItem("1", "v", "What?", ("sofa", "bed")), "x", "accuracy")
    choice = EvalItem("2", "v", "What?", (), rule="choice", options=("cat", "dog"), correct=1)
    judge.judge(choice, "x", "accuracy")
    first, second = server.prompts()
    assert "<reference>sofa (also accepted: bed)</reference>" in first
    assert "What? (options: cat; dog)" in second and "<reference>dog</reference>" in second
    without = judge.judge(EvalItem("3", "v", "What?", ()), "x", "accuracy")
    assert without.problem == "The question has no reference answer."
    assert len(server.requests) == 2


def test_a_chat_that_gives_up_on_messages_is_a_problem() -> None:
    def answer(messages: Sequence[Message]) -> ChatReply:
        raise NoReplyError("Too long.")

    judge = LanguageModelJudge(ScriptedChat(answer))
    assert judge.judge(ITEM, "x", "accuracy") == Verdict(problem="Too long.")


def test_the_name_tells_model_protocol_and_prompts() -> None:
    from goldfish_cli.evaluation.judges.prompts import PromptTemplate

    chat = ScriptedChat(lambda messages: ChatReply(YES))
    name = LanguageModelJudge(chat).name
    assert name.startswith("scripted, goldfish-protocol-1, prompts ")
    own = LanguageModelJudge(chat, prompts={"accuracy": PromptTemplate("", "{answer}")})
    assert own.name != name and own.name.startswith("scripted, goldfish-protocol-1, prompts ")


@pytest.mark.parametrize("prices", [(-1.0, 0.0), (0.0, float("nan"))])
def test_prices_below_nothing_are_refused(prices: tuple[float, float]) -> None:
    with pytest.raises(UsageError):
        Prices(*prices)


@pytest.mark.parametrize("key", ["a\nb", "sk\u20131"])
def test_a_key_that_no_header_can_carry_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(ModelError) as caught:
        ChatEndpoint("openai:m@http://localhost:1/v1", api_key=key)
    assert key not in str(caught.value) + caught.value.hint


def test_a_server_that_is_gone_is_given_up_for_all_after_some_answers(server: ChatServer) -> None:
    server.answers = [say(YES), fail(500)]
    patience = replace(QUICK, silent_answers=3)
    judge = LanguageModelJudge(ChatEndpoint(server.name), patience=patience)
    assert judge.judge(ITEM, "first", "accuracy").correct
    for text in ("second", "third"):
        assert judge.judge(ITEM, text, "accuracy").problem
    with pytest.raises(ModelError, match="answers no more"):
        judge.judge(ITEM, "fourth", "accuracy")
