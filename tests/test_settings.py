from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from mtclar.errors import MtclarError
from mtclar.settings import SECTIONS, default_params, load_section, load_settings, read_params

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def test_the_repositorys_params_file_is_complete_and_valid(repository):
    assert (
        load_settings(repository / "params.yaml").crop.size == read_params(repository / "params.yaml")["crop"]["size"]
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_is_valid_and_holds_nothing_but_what_it_changes(recipe):
    written = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    below = read_params(recipe.parent / written.pop("base"))
    load_settings(recipe)
    assert any(written.values())
    same = [f"{section}.{key}" for section, keys in written.items() for key in keys if keys[key] == below[section][key]]
    assert same == []


def test_a_recipe_is_its_base_with_the_keys_it_changes_replaced_as_a_whole(repository):
    base, tiny = (read_params(repository / name) for name in ("params.yaml", "recipes/tiny.yaml"))
    assert tiny["pair"] == {**base["pair"], "pairs": 512, "pairs_held_out": 256, "block_faces": 32, "block_pairs": 64}
    assert tiny["export"] == base["export"]
    weights = read_params(repository / "recipes" / "afew-va.yaml")["train"]["task_weights"]
    assert weights == {"valence": 0.5, "arousal": 0.5}


def test_a_base_may_have_a_base_and_is_seen_from_the_file_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(read_params()))
    (tmp_path / "middle.yaml").write_text("base: all.yaml\ntrain: {epochs: 5, margin: 0.5}\n")
    (tmp_path / "own" / "top.yaml").write_text("base: ../middle.yaml\ntrain: {epochs: 6}\n")
    monkeypatch.chdir("/")
    train = load_settings(tmp_path / "own" / "top.yaml", ["train.dropout=0.25"]).train
    assert (train.epochs, train.margin, train.dropout) == (6, 0.5, 0.25)
    assert train.seed == read_params()["train"]["seed"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("base: other.yaml", r"other\.yaml: the params file cannot be read .*; mend 'base' in .*own\.yaml"),
        ("base: own.yaml", r"own\.yaml: its base is .*own\.yaml, which stands on this file itself"),
        ("base: round.yaml", r"round\.yaml: its base is .*own\.yaml, which stands on this file itself"),
        ("base: [own.yaml]", r"own\.yaml: 'base' is \['own\.yaml'\], but must be the path of a params file"),
        ("base: all.yaml\ntrian: {epochs: 3}", r"own\.yaml: unknown key 'trian' \(did you mean 'train'\?\)"),
        ("base: all.yaml\ntrain: {epocs: 3}", r"own\.yaml: unknown key 'train\.epocs' \(did you mean 'epochs'\?\)"),
        ("base: all.yaml\ntrain: {epochs: 0}", r"own\.yaml: 'train\.epochs' is 0"),
        ("base: all.yaml\ntrain:", r"own\.yaml: 'train' is None"),
    ],
)
def test_a_file_on_a_base_is_refused_by_name_as_any_other(tmp_path, content, sentence):
    (tmp_path / "all.yaml").write_text(yaml.safe_dump(read_params()))
    (tmp_path / "round.yaml").write_text("base: own.yaml\n")
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(MtclarError, match=sentence):
        load_settings(tmp_path / "own.yaml")


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_no_setting_has_a_default_in_code(section):
    assert all(field.is_required() for field in SECTIONS[section].model_fields.values())


def test_an_unknown_key_is_refused_with_the_nearest_known_one():
    with pytest.raises(MtclarError, match=r"unknown key 'train\.epocs' \(did you mean 'epochs'\?\)"):
        load_settings(overrides=["train.epocs=3"])


def test_an_unknown_section_is_refused_with_the_nearest_known_one(tmp_path):
    with pytest.raises(MtclarError, match=r"unknown section 'trian' \(did you mean 'train'\?\)"):
        load_settings(overrides=["trian.epochs=3"])
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({**read_params(), "evalute": {}}))
    with pytest.raises(MtclarError, match=r"unknown key 'evalute' \(did you mean 'evaluate'\?\)"):
        load_settings(file)


def test_a_missing_key_and_a_missing_section_are_named(tmp_path):
    params = read_params()
    del params["pair"]["seed"], params["label"]
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(params))
    with pytest.raises(MtclarError, match=r"'pair\.seed' is missing; 'label' is missing"):
        load_settings(file)


def test_a_value_out_of_range_is_named_with_what_was_expected():
    with pytest.raises(MtclarError, match=r"'crop\.size' is 1, but input should be greater than or equal to 64"):
        load_settings(overrides=["crop.size=1"])


@pytest.mark.parametrize("override", ["train", "train=3", "train.epochs", ".epochs=3"])
def test_an_override_that_is_not_section_key_value_is_refused(override):
    with pytest.raises(MtclarError, match="--set"):
        load_settings(overrides=[override])


def test_an_override_is_read_as_yaml():
    assert load_settings(overrides=["train.learning_rate=5.0e-4"]).train.learning_rate == 5e-4
    assert load_settings(overrides=["train.antisymmetric=false"]).train.antisymmetric is False


def test_a_params_file_that_is_no_yaml_or_no_mapping_or_not_there_is_refused_by_name(tmp_path):
    file = tmp_path / "params.yaml"
    for content in ("a: [", "- 1\n- 2\n", ""):
        file.write_text(content)
        with pytest.raises(MtclarError, match=r"params\.yaml"):
            load_settings(file)
    with pytest.raises(MtclarError, match="cannot be read"):
        load_settings(tmp_path / "nowhere.yaml")


def test_a_section_that_is_none_is_named_even_where_an_override_wants_to_change_it(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("crop: 5\n")
    with pytest.raises(MtclarError, match=r"params\.yaml: 'crop' is 5"):
        load_settings(file, ["crop.size=300"])


@pytest.mark.parametrize("override", ["crop.threshold=.nan", "crop.fps=.inf", "promote.gate.valence_ccc.floor=.nan"])
def test_a_number_that_is_not_finite_is_refused(override):
    with pytest.raises(MtclarError, match="finite number"):
        load_settings(overrides=[override])


def test_the_options_are_named_beside_the_file_where_they_may_be_at_fault():
    with pytest.raises(MtclarError, match=r"and the options given: 'train\.epochs' is 0"):
        load_settings(overrides=["train.epochs=0"])


def test_settings_cannot_be_changed_after_they_are_read():
    with pytest.raises(ValidationError):
        load_settings().crop.size = 3  # type: ignore[misc]


def test_one_section_can_be_checked_alone_as_a_component_gets_it():
    section = read_params()["register"]
    assert load_section("register", section).experiment == section["experiment"]
    with pytest.raises(MtclarError, match="experimnet"):
        load_section("register", {**section, "experimnet": "a"})


def test_an_override_may_go_into_a_mapping_and_leaves_the_rest_of_it():
    bars = load_settings(overrides=["promote.gate.valence_ccc.floor=0.7"]).promote.gate
    assert bars["valence_ccc"].floor == 0.7
    assert bars["arousal_ccc"] == load_settings().promote.gate["arousal_ccc"]
    with pytest.raises(MtclarError, match=r"'train\.epochs' has no keys of its own"):
        load_settings(overrides=["train.epochs.first=1"])


def test_outside_a_project_the_installed_params_file_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert default_params().is_file()
    (tmp_path / "params.yaml").write_text("{}")
    assert default_params().resolve() == tmp_path / "params.yaml"
