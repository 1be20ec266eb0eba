"""Checkpoints come back as they were, and broken ones are refused in one sentence."""

from __future__ import annotations

import json

import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.model.checkpoint import FACTS, WEIGHTS, load_checkpoint, save_checkpoint


def test_a_checkpoint_comes_back_with_the_same_answers_and_facts(tmp_path, model):
    faces = torch.rand(2, 3, 32, 32)
    save_checkpoint(tmp_path / "new" / "folder", model, {"crop": {"size": 288}})
    loaded, facts = load_checkpoint(tmp_path / "new" / "folder")
    assert not loaded.training
    assert facts == {"crop": {"size": 288}}
    assert loaded.spec == model.spec
    assert torch.equal(loaded.encoder(faces), model.encoder(faces))


def test_weights_laid_out_channels_last_are_saved_all_the_same(tmp_path, model):
    faces = torch.rand(2, 3, 32, 32)
    expected = model.encoder(faces)
    save_checkpoint(tmp_path, model.to(memory_format=torch.channels_last), {})
    torch.testing.assert_close(load_checkpoint(tmp_path)[0].encoder(faces), expected, atol=1e-5, rtol=1e-4)


def test_nothing_but_the_two_files_is_left(tmp_path, model):
    save_checkpoint(tmp_path, model, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [FACTS, WEIGHTS]


@pytest.mark.parametrize("name", [WEIGHTS, FACTS])
def test_a_missing_file_is_named(tmp_path, model, name):
    save_checkpoint(tmp_path, model, {})
    (tmp_path / name).unlink()
    with pytest.raises(MtclarError, match=rf"{name}: expected a checkpoint written by 'mtclar train'"):
        load_checkpoint(tmp_path)


def test_changed_weights_are_refused(tmp_path, model):
    save_checkpoint(tmp_path, model, {})
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(MtclarError, match="changed or cut short"):
        load_checkpoint(tmp_path)


def test_weights_of_another_size_are_refused(tmp_path, model):
    save_checkpoint(tmp_path, model, {})
    about = json.loads((tmp_path / FACTS).read_text())
    about["spec"]["projector"] = [32, 8]
    (tmp_path / FACTS).write_text(json.dumps(about))
    with pytest.raises(MtclarError, match="do not fit the spec"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 2}', '{"schema_version": 1}', '{"facts": 3}'])
def test_a_file_that_is_not_a_checkpoints_json_is_refused(tmp_path, model, text):
    save_checkpoint(tmp_path, model, {})
    (tmp_path / FACTS).write_text(text)
    with pytest.raises(MtclarError, match=FACTS):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_an_earlier_mtclar_is_refused(tmp_path, model):
    save_checkpoint(tmp_path, model, {})
    about = json.loads((tmp_path / FACTS).read_text())
    (tmp_path / FACTS).write_text(json.dumps(about | {"schema_version": 1}))
    with pytest.raises(MtclarError, match=r"schema version 1, this mtclar reads 3; run 'mtclar train' again"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"encoder": {}}, "not a checkpoint's JSON"),
        ({"encoder": 3}, "not a checkpoint's JSON"),
        ({"more": 3}, "not a checkpoint's JSON"),
        ({"fusion": "subtract"}, r"model\.json: describes no network of this mtclar: unknown fusion 'subtract'"),
        ({"encoder": {"name": "vit"}}, r"model\.json: describes no network of this mtclar: unknown encoder 'vit'"),
        ({"encoder": {"name": "emofan-nano"}}, "encoder 'emofan-nano': 'input_size' is missing"),
    ],
)
def test_a_spec_that_cannot_be_built_is_refused(tmp_path, model, change, sentence):
    save_checkpoint(tmp_path, model, {})
    about = json.loads((tmp_path / FACTS).read_text())
    about["spec"] |= change
    (tmp_path / FACTS).write_text(json.dumps(about))
    with pytest.raises(MtclarError, match=sentence):
        load_checkpoint(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, model):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        save_checkpoint(tmp_path / "file", model, {})
