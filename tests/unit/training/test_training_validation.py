"""What held back samples tell while a stage trains: losses and early answers."""

from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load_file
from test_training_stages import make_run

from goldfish_cli.backends.base import GenerationSettings
from goldfish_cli.backends.native import NativeModel
from goldfish_cli.inference.clip import Look
from goldfish_cli.inference.conversation import answer_questions
from goldfish_cli.model.loader import load_model
from goldfish_cli.training.run_files import read_log
from goldfish_cli.training.sample_answers import SampleAnswerer
from goldfish_cli.training.stages import Watcher, run_stage

SETTINGS = {"validation": 0.4, "save_steps": 2}


def records(folder, kind):
    return [line for line in read_log(folder / "train_log.jsonl") if line.get("kind") == kind]


def test_held_back_clips_are_measured_at_each_checkpoint_and_at_the_end(
    base, data, profile, tmp_path
):
    told = []
    run = make_run(3, base, tmp_path, data, profile, settings=SETTINGS)
    folder = run_stage(run, Watcher(validation=told.append))
    lines = records(folder, "validation")
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert [asdict(record) for record in told] == lines
    assert {line["stage"] for line in lines} == {3}
    assert lines[-1]["validation_loss"] == pytest.approx(lines[0]["validation_loss"], rel=0.2)


def test_measuring_can_be_more_frequent_than_saving(base, data, profile, tmp_path):
    settings = {"validation": 0.4, "save_steps": "null", "eval_steps": 3}
    folder = run_stage(make_run(3, base, tmp_path, data, profile, settings=settings))
    assert [line["step"] for line in records(folder, "validation")] == [3, 6]


def test_the_same_few_held_back_samples_are_answered_at_each_measurement(
    base, data, profile, tmp_path
):
    told = []
    run = make_run(3, base, tmp_path, data, profile, settings=SETTINGS | {"sample_answers": 3})
    folder = run_stage(run, Watcher(answers=told.append))
    lines = records(folder, "answers")
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert [record.step for record in told] == [2, 4, 6]
    asked = [[(a["id"], a["question"], a["reference"]) for a in line["answers"]] for line in lines]
    assert asked[0] == asked[1] == asked[2]
    assert len(set(asked[0])) == 3
    for name, question, reference in asked[0]:
        first, last = name.split("-")
        assert reference == (first if "first" in question else last)


def test_an_answer_is_what_asking_the_finished_model_gives(base, data, profile, tmp_path):
    settings = SETTINGS | {"sample_answers": 2, "max_text_tokens": 12}
    folder = run_stage(make_run(3, base, tmp_path, data, profile, settings=settings))
    model = NativeModel(load_model(str(folder), profile, offline=True), profile)
    for said in records(folder, "answers")[-1]["answers"]:
        (answer,) = answer_questions(
            model,
            Look(data / "videos" / f"{said['id']}.mp4"),
            [said["question"]],
            profile=profile,
            settings=GenerationSettings(max_new_tokens=12),
        )
        assert said["answer"] == answer.answer


def test_none_is_asked_if_none_is_wanted_or_none_is_held_back(base, data, profile, tmp_path):
    for name, settings in (("a", SETTINGS | {"sample_answers": 0}), ("b", {"save_steps": 2})):
        folder = run_stage(make_run(3, base, tmp_path / name, data, profile, settings=settings))
        assert records(folder, "answers") == []


def test_measuring_and_answering_change_nothing_of_the_training(base, data, profile, tmp_path):
    weights = []
    for name, settings in {
        "never": {"save_steps": "null"},
        "often": {"save_steps": "null", "eval_steps": 1, "sample_answers": 2},
    }.items():
        run = make_run(
            3, base, tmp_path / name, data, profile, settings={"validation": 0.4} | settings
        )
        folder = run_stage(run)  # the adapters drop out at random
        weights.append(
            load_file(folder / "projector.safetensors")
            | load_file(folder / "adapter" / "adapter_model.safetensors")
        )
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
def test_adapters_go_on_learning_after_answers(base, data, profile, tmp_path, quantization):
    told = []
    dtype = "float32" if quantization == "none" else "bfloat16"
    quantized = profile.model_copy(update={"quantization": quantization, "dtype": dtype})
    settings = {"validation": 0.4, "eval_steps": 1, "precision": dtype}
    run_stage(make_run(2, base, tmp_path, data, profile))
    run_stage(  # would end with an error if a parameter got no gradient at the step after
        make_run(3, None, tmp_path, data, quantized, settings=settings),
        Watcher(answers=told.append),
    )
    assert len(told) == 6


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_of_the_model_is_left_as_it_was(model, tokenizer, mode):
    answerer = SampleAnswerer(model, tokenizer, [], 2, max_context_tokens=None)
    model.train(mode)
    assert answerer() == []
    assert model.training == mode
