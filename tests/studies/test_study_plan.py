"""studies/params.yaml and studies/dvc.yaml: what they name is there, and a study runs from faces to its results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mtclar.errors import MtclarError
from mtclar.model.build import model_spec
from studies import ablation, anchors, identity, plan, shift, similarity
from studies.faces import put_together
from studies.plan import BASE, read_plan
from studies.train import draw_pairs, train_one
from tests.toy_faces import write_faces

STUDIES = {"similarity": similarity, "ablation": ablation, "anchors": anchors, "identity": identity, "shift": shift}
TINY = [
    "train.encoder_options={input_size: 32, widths: [8, 16]}",
    "train.projector=[16]",
    "train.epochs=1",
    "train.sl_epochs=1",
    "pair.pairs=512",
    "pair.pairs_held_out=128",
    "pair.block_faces=32",
    "pair.block_pairs=128",
]


@pytest.fixture
def stages(repository) -> dict:
    return yaml.safe_load((repository / "studies" / "dvc.yaml").read_text())["stages"]


def test_every_variant_is_a_network_that_can_be_built_and_pairs_that_can_be_drawn(repository, monkeypatch):
    monkeypatch.chdir(repository)
    found = read_plan()
    for name in found.variants:
        settings = found.settings(name)
        model_spec(settings.train)
        assert settings == found.settings(BASE) or name != BASE


def test_variants_differ_from_the_default_and_from_each_other(repository, monkeypatch):
    monkeypatch.chdir(repository)
    found = read_plan()
    seen = [found.settings(name).model_dump_json() for name in found.variants]
    assert len(set(seen)) == len(seen)


def test_every_variant_a_study_names_is_in_the_plan():
    assert set(similarity.VARIANTS) | set(identity.VARIANTS) <= set(read_plan().variants)


def test_the_graph_has_a_stage_for_each_study_and_each_depends_on_what_it_reads(stages):
    assert set(stages) == {"crop", "faces", "train", "drawn", "people", "carry", *STUDIES}
    for name in STUDIES:
        assert stages[name]["cmd"] == f"python -m studies.{name}"
        assert f"studies/{name}.py" in stages[name]["deps"]
        assert f"studies/results/{name}" in stages[name]["outs"][0]
    trained = {dep.rsplit("/", 1)[1] for dep in stages["similarity"]["deps"] if "models/" in dep}
    assert trained == set(similarity.VARIANTS)
    assert {dep.rsplit("/", 1)[1] for dep in stages["identity"]["deps"] if "models/" in dep} == set(identity.VARIANTS)


def test_an_unknown_variant_and_an_unknown_key_are_refused_by_name(tmp_path):
    with pytest.raises(MtclarError, match=r"no variant is called 'ful' \(did you mean 'full'\?\)"):
        read_plan().variant("ful")
    values = yaml.safe_load(plan.PLAN.read_text())
    file = tmp_path / "params.yaml"
    cases = [
        ({"variants": {**values["variants"], "x": {"seeds": 1, "sett": []}}}, r"variant 'x'.*unknown key 'sett'"),
        ({"variants": {"x": {"seeds": 1, "set": []}}}, "no variant 'full'"),
        ({"recipy": "x"}, "unknown key 'recipy'"),
    ]
    for changed, sentence in cases:
        file.write_text(yaml.safe_dump({**values, **changed}))
        with pytest.raises(MtclarError, match=sentence):
            read_plan(file)


@pytest.fixture
def trained(tmp_path, repository, monkeypatch) -> plan.Plan:
    """A working folder with faces, faces by another hand, and every variant trained once or twice for a moment."""
    values = yaml.safe_load((repository / "studies" / "params.yaml").read_text())
    recipe = repository / "recipes" / "study.yaml"
    variants = {
        name: {"seeds": 2 if name == BASE else 1, "set": [*TINY, *values["variants"][name]["set"]]}
        for name in {*similarity.VARIANTS, *identity.VARIANTS}
    }
    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump({**values, "recipe": str(recipe), "variants": variants, "resamples": 100}))
    monkeypatch.setattr(plan, "PLAN", file)
    monkeypatch.chdir(tmp_path)
    write_faces(Path("studies/out/crop/toy"), train=12, validation=2, test=3)
    write_faces(Path("studies/out/drawn/faces"), train=1, validation=1, test=1, seed=9)
    put_together([Path("studies/out/crop/toy")], Path("studies/out/faces"))
    Path("studies/out/validate").mkdir()
    Path("studies/out/validate/verdict.json").write_text(json.dumps({"success": True}))
    found = read_plan()
    for name, variant in found.variants.items():
        draw_pairs(found, name)
        for seed in range(1, variant.seeds + 1):
            train_one(found, name, seed)
    return found


def test_every_study_runs_from_faces_to_its_table_and_figure(trained, capsys):
    for name, study in STUDIES.items():
        study.main()
        out = Path("studies/results") / name
        assert (out / "table.csv").stat().st_size
        assert (out / "table.md").read_text().startswith("| ")
        assert "<svg" in (out / "figure.svg").read_text()
    before = Path("studies/results/anchors/table.csv").read_bytes()
    anchors.main()
    assert Path("studies/results/anchors/table.csv").read_bytes() == before
    capsys.readouterr()
