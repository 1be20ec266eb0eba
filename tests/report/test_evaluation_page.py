"""The evaluation's report is truthful about what it shows."""

import re

import numpy as np
import pytest
from toy_world import SETTINGS, judged, toy_world

from mtclar.evaluation.plots import spread_of_clips
from mtclar.report import charts
from mtclar.report.evaluation_page import write_evaluation

FACTS = {"model": "train", "data revision": "d0", "git revision": "g0"}


def page(folder, judgement):
    write_evaluation(folder / "report.html", judgement, spread_of_clips(judgement.labelled["first"], 2), FACTS)
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def fair():
    return judged(*toy_world(), skill=0.8)


@pytest.fixture(scope="module")
def fair_page(tmp_path_factory, fair):
    return page(tmp_path_factory.mktemp("page"), fair)


def test_the_page_states_pooling_exclusion_of_anchors_and_revisions(fair_page):
    for needed in ("frames of all clips together", "anchor frames are not scored", "git revision: g0", "8 clips"):
        assert needed in fair_page


def test_the_page_asks_nothing_of_the_network(fair_page):
    assert not re.search(r'(?:src|href)="(?!#|data:)|@import|<script', fair_page)


def test_the_verdict_tells_methods_apart_only_when_their_intervals_are(tmp_path, fair_page):
    assert "above copy anchor, interpolate and training mean with intervals apart" in fair_page
    blind = page(tmp_path, judged(*toy_world(), skill=0.0))
    assert "not above copy anchor and interpolate" in blind


def test_a_split_without_clips_has_a_page_without_curves(tmp_path):
    words = page(tmp_path, judged(*toy_world(clips=0, validation=0), skill=0.8))
    assert "One anchor a clip" not in words
    assert "no validation clips" in words


def test_a_split_of_clips_whose_every_frame_is_an_anchor_is_said_to_leave_nothing(tmp_path):
    found = judged(*toy_world(), skill=0.8, settings=SETTINGS.model_copy(update={"stride": 1}))
    assert "nothing to score" in page(tmp_path, found)


def test_the_clips_shown_run_from_the_smallest_error_to_the_largest(fair):
    labelled = fair.labelled["first"]
    errors = [np.mean((item.methods["mtclar"] - item.clip.truth)[1:] ** 2) for item in labelled]
    shown = spread_of_clips(labelled, 4)
    assert len(shown) == 4
    assert shown[0] == int(np.argmin(errors))
    assert shown[-1] == int(np.argmax(errors))
    assert sorted(shown, key=lambda k: errors[k]) == shown


def test_curves_draw_the_truth_the_label_and_the_anchor(fair):
    item = fair.labelled["first"][0]
    ax = charts.curves([item], ("mtclar", "copy"), [np.full((len(item.clip), 2), [0.1, np.nan])]).axes[0]
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert np.array_equal(lines["truth"], item.clip.truth[:, 0])
    assert np.array_equal(lines["mtclar"], item.methods["mtclar"][:, 0])
    assert np.array_equal(lines["anchor"], item.clip.truth[:1, 0])
    assert len(ax.collections) == 1


def test_the_chart_of_intervals_marks_the_value_of_each_method(fair):
    found = fair.metrics["few_shot"]["first"]
    ax = charts.intervals(found, ["mtclar", "copy"]).axes[0]
    dots = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots == [found["mtclar"]["valence"]["ccc"], found["copy"]["valence"]["ccc"]]


def test_the_page_sets_supports_budgets_and_the_release_s_counting_beside_each_other(fair_page):
    words = re.sub(r"<[^>]+>", " ", fair_page)
    for needed in ("Where anchors come from", "Error against budget", "As the release counts", "all, released", "6%"):
        assert needed in words
    assert "Notes" in words  # the toy world is too small for whole batches


def test_the_chart_of_budgets_has_a_curve_for_each_method_from_the_smallest_budget_up(fair):
    found = fair.metrics["few_shot"]["budgets"]
    ax = charts.budgets(dict(reversed(found.items())), ("mtclar", "interpolate")).axes[1]
    ours = ax.get_lines()[0]
    assert list(ours.get_ydata()) == [block["mtclar"]["arousal"]["rmse"] for block in found.values()]
    assert len(ax.get_lines()) == 2


def test_a_model_that_cannot_label_has_a_page_that_says_so(tmp_path, monkeypatch):
    import toy_world as world

    class Similar(world.Skilled):
        def compare(self, left, right):
            return super().compare(left, right)[0], *(np.full(len(left), np.nan),) * 2

    monkeypatch.setattr(world, "Skilled", Similar)
    found = judged(*toy_world(), skill=1.0)
    write_evaluation(tmp_path / "report.html", found, [], FACTS)
    words = (tmp_path / "report.html").read_text()
    assert "it labels no clips" in words
    assert "One anchor a clip" not in words
    assert "told right" in words


def test_what_such_a_model_must_not_be_used_for_stands_in_the_footer(fair_page):
    footer = fair_page[fair_page.index("<footer>") :]
    assert "<summary>Model card</summary>" in footer
    assert "Telling an individual's emotions without their informed consent" in footer.replace("\n", " ")
