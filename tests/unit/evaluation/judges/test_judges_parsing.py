"""Reading a judgement: what is clear is taken as it is, all else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfish_cli.evaluation.judges.parsing import MAX_LENGTH, ReplyError, read_verdict
from goldfish_cli.evaluation.judges.verdict import Verdict


@pytest.mark.parametrize(
    ("reply", "correct", "score"),
    [
        ('{"pred": "yes", "score": 4}', True, 4.0),
        ('{"pred": "no", "score": 0}', False, 0.0),
        ("{'pred': 'yes', 'score': 4.8}", True, 4.8),
        ('{"pred": "Yes", "score": 5.0, "reason": "it {is} so"}', True, 5.0),
        ('```json\n{"pred": "no", "score": 1}\n```', False, 1.0),
        ("Sure! Here it is:\n{'pred': 'no', 'score': 2}\nI hope this helps {you}.", False, 2.0),
        ('<think>perhaps {"pred": "no", "score": 1}</think>{"pred": "yes", "score": 4}', True, 4.0),
        ('perhaps {"pred": "no", "score": 1}</think>\n{"pred": "yes", "score": 4}', True, 4.0),
        ('{"pred": "yes", "score": 4} {"score": 4, "pred": "yes"}', True, 4.0),
        ('{"result": {"pred": "yes", "score": 3}}', True, 3.0),
        ('{ {"pred": "yes", "score": 3}', True, 3.0),
    ],
)
def test_clear_judgements_are_read(reply: str, correct: bool, score: float) -> None:
    assert read_verdict(reply, with_pred=True) == Verdict(correct, score)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        ("yes, 4", "no JSON object"),
        ("null", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"pred": "yes", "score": 4', "no JSON object"),
        ('{"verdict": "yes", "grade": 4}', "no JSON object"),
        ('{"score": 4}', 'lacks "pred"'),
        ('{"pred": "yes"}', 'lacks "score"'),
        ('{"pred": "maybe", "score": 4}', '"maybe" as "pred"'),
        ('{"pred": true, "score": 4}', 'true as "pred"'),
        ('{"pred": "yes", "score": "4"}', '"4" as "score"'),
        ('{"pred": "yes", "score": true}', 'true as "score"'),
        ('{"pred": "yes", "score": null}', 'null as "score"'),
        ('{"pred": "yes", "score": [4]}', '[4] as "score"'),
        ('{"pred": "yes", "score": NaN}', "not from 0 to 5"),
        ('{"pred": "yes", "score": Infinity}', "not from 0 to 5"),
        ('{"pred": "yes", "score": 6}', "not from 0 to 5"),
        ('{"pred": "yes", "score": -0.1}', "not from 0 to 5"),
        ('{"pred": "yes", "score": 5.0001}', "not from 0 to 5"),
        ('{"pred": "yes", "score": ' + "9" * 4000 + "}", "not from 0 to 5"),
        ('{"pred": "yes", "score": ' + "9" * 6000 + "}", "no JSON object"),
        ('{"pred": "yes", "score": 4}{"pred": "no", "score": 4}', "several judgements"),
        ('{"pred": "yes", "pred": "no", "score": 4}', "one key twice"),
        ("{'pred': 'yes', 'pred': 'no', 'score': 4}", "one key twice"),
        ("{'pred': 'yes', 'score': __import__('os')}", "no JSON object"),
        ('<think>{"pred": "yes", "score": 4}', "is empty"),
        ("{" * 5000, "full of braces"),
        ('{"a":' * 3000, "full of braces"),
        ("{'a':" + "[" * 3000, "no JSON object"),
        ("x" * (MAX_LENGTH + 1), "characters long"),
    ],
)
def test_anything_else_is_refused_with_a_reason(reply: str, reason: str) -> None:
    with pytest.raises(ReplyError, match=reason.replace("[", r"\[")):
        read_verdict(reply, with_pred=True)


def test_where_only_a_score_is_asked_for_yes_and_no_do_not_matter() -> None:
    assert read_verdict('{"score": 3.5}', with_pred=False) == Verdict(score=3.5)
    assert read_verdict('{"pred": "what?", "score": 3}', with_pred=False) == Verdict(score=3.0)


@given(
    text=st.text()
    | st.lists(st.sampled_from([*"{}[]:,'\"", "pred", "score", "yes", "4", "NaN"])).map("".join),
    with_pred=st.booleans(),
)
def test_any_reply_is_read_or_refused(text: str, with_pred: bool) -> None:
    try:
        verdict = read_verdict(text, with_pred=with_pred)
    except ReplyError as error:
        assert str(error)
    else:
        assert verdict.score is not None and 0 <= verdict.score <= 5


@given(score=st.floats(0, 5), correct=st.booleans())
def test_scores_are_kept_to_the_last_digit(score: float, correct: bool) -> None:
    word = "yes" if correct else "no"
    as_python = str({"pred": word, "score": score})
    for reply in (f'{{"pred": "{word}", "score": {score!r}}}', as_python):
        assert read_verdict(reply, with_pred=True) == Verdict(correct, score)
