import torch
from ask_parts import byte_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfish_cli.backends.base import GenerationSettings
from goldfish_cli.backends.generation import TextPieces, TokenChooser

TOKENIZER = byte_tokenizer()
NOTHING = torch.empty((1, 0), dtype=torch.long)
LOGITS = torch.tensor([[1.0, 3.0, 2.0, -1.0]])


def drawn(settings: GenerationSettings, count: int = 200) -> list[int]:
    chooser = TokenChooser(settings)
    return [chooser.choose(LOGITS, NOTHING) for _ in range(count)]


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_pieces_join_to_the_stripped_text_and_never_split_a_character(text: str) -> None:
    pieces = TextPieces(TOKENIZER)
    given_out = [pieces.add(token) for token in TOKENIZER(text)["input_ids"]]
    assert "".join(given_out) + pieces.finish() == text.strip() == pieces.text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in given_out)


def test_pieces_come_before_the_text_is_complete() -> None:
    pieces = TextPieces(TOKENIZER)
    assert [pieces.add(token) for token in TOKENIZER(" ab c")["input_ids"]] == [
        "", "a", "b", "", " c"
    ]  # fmt: skip


def test_an_unfinished_character_comes_at_the_end() -> None:
    pieces = TextPieces(TOKENIZER)
    first_byte = TOKENIZER("é")["input_ids"][0]
    assert pieces.add(first_byte) == ""
    assert pieces.finish() == "\ufffd"


def test_special_tokens_are_not_said() -> None:
    pieces = TextPieces(TOKENIZER)
    for token in [*TOKENIZER("a")["input_ids"], TOKENIZER.pad_token_id]:
        pieces.add(token)
    assert pieces.finish() == ""
    assert pieces.text == "a"


def test_greedy_takes_the_likeliest() -> None:
    assert set(drawn(GenerationSettings())) == {1}


def test_a_temperature_draws_others_too() -> None:
    assert set(drawn(GenerationSettings(temperature=2.0, seed=0))) == {0, 1, 2, 3}


def test_top_p_draws_only_among_the_likeliest() -> None:
    assert set(drawn(GenerationSettings(temperature=1.0, top_p=0.8, seed=0))) == {1, 2}


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first, again, other = (
        drawn(GenerationSettings(temperature=1.0, seed=seed)) for seed in (5, 5, 6)
    )
    assert first == again != other


def test_drawing_leaves_the_global_random_numbers_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    drawn(GenerationSettings(temperature=1.0, seed=5))
    assert torch.rand(1) == expected


def test_a_repetition_penalty_counts_what_was_said_before() -> None:
    chooser = TokenChooser(GenerationSettings(repetition_penalty=2.0))
    assert chooser.choose(LOGITS, NOTHING) == 1
    assert chooser.choose(LOGITS, torch.tensor([[1]])) == 2
