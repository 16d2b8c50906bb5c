"""Make minnow's tokenizer: pieces learnt from Shapes World's own sentences, bytes for the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

from goldfish_cli.data.shapes.language import caption, event_sentence, sample_questions
from goldfish_cli.data.shapes.world import sample_clip

VOCABULARY = 1800
MARKERS = ("[INST]", "[/INST]", "<Img>", "</Img>", "<ImageHere>", "<Cap>")


def train_tokenizer(seed: int, *, num_clips: int = 6000) -> PreTrainedTokenizerFast:
    """Learn a byte-fallback BPE from ``num_clips`` clips' captions, questions and answers.

    Frequent words become one token each. Names are no part of the text, so they, like every word
    the world does not know, are spelled in small pieces, and any script goes through as bytes.
    """
    specials = ["<unk>", "<s>", "</s>", "<pad>"]
    byte_pieces = [f"<0x{value:02X}>" for value in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    # every stretch between markers begins with a space, so a word is one token wherever it stands
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(" "), normalizers.Replace(Regex(" +"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]|\s"), "isolated"),
            pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    letters = [chr(code) for code in range(33, 127)] + ["▁"]
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[*specials, *byte_pieces],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        min_frequency=8,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sentences(seed, num_clips), trainer)
    tokenizer = _bytes_as_text(tokenizer)
    tokenizer.add_tokens([AddedToken("\n", normalized=False)])
    tokenizer.add_special_tokens([AddedToken(m, normalized=False, special=True) for m in MARKERS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=list(MARKERS),
        clean_up_tokenization_spaces=False,
    )


def _bytes_as_text(tokenizer: Tokenizer) -> Tokenizer:
    """Let the byte pieces be ordinary ones: special ones would vanish when an answer is decoded."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [t for t in state["added_tokens"] if not t["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))


def _sentences(seed: int, num_clips: int) -> Iterator[str]:
    rng = np.random.default_rng([seed, 0])
    for _ in range(num_clips):
        clip = sample_clip(rng, narration=0.0)
        yield caption(clip)
        yield event_sentence(clip.events[0])
        for item in sample_questions(clip, rng, 10):
            yield item.question
            yield item.answer
    numbers = "the code is {} the answer is {} her name is {} zero one two three four five six"
    for _ in range(2000):
        yield numbers + " seven eight nine ten"


_ONSETS = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "br",
    "cl",
    "dr",
    "fr",
    "gr",
    "kl",
    "pr",
    "st",
    "tr",
    "ch",
    "sh",
    "th",
]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ia", "io", "ie", "ou"]
_ENDINGS = ["", "", "", "n", "s", "r", "l", "m", "t", "nd", "rt", "ck"]


def random_name(rng: np.random.Generator) -> str:
    """Make up a name of one to three syllables, or rarely a string of letters."""
    if rng.random() < 0.15:
        return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), size=int(rng.integers(2, 7))))
    syllables = [
        str(rng.choice(_ONSETS)) + str(rng.choice(_VOWELS)) for _ in range(int(rng.integers(1, 4)))
    ]
    name = "".join(syllables) + str(rng.choice(_ENDINGS))
    return name if rng.random() < 0.8 else str(rng.choice(list(_VOWELS))) + name
