import pytest

from mtclar.progress import Pace


def test_the_pace_is_that_of_late_and_the_rest_takes_as_long_as_it_says():
    now = [0.0]
    pace = Pace(over_s=10, clock=lambda: now[0])
    assert pace.per_s is None
    assert pace.words(100, "frames") == ""
    for second in range(40):  # two steps a second, then five
        now[0] = float(second)
        pace.see(2 * second if second < 20 else 40 + 5 * (second - 20))
    assert pace.per_s == pytest.approx(5)
    assert pace.left_s(40 + 5 * 19 + 18_000) == pytest.approx(3600)
    assert pace.words(40 + 5 * 19 + 18_000, "frames") == "5.0 frames/s, 1:00:00 left"


def test_a_total_that_changes_does_not_change_the_pace():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    pace.see(0)
    now[0] = 2.0
    pace.see(100)
    assert pace.left_s(200) == pytest.approx(2)
    assert pace.left_s(1100) == pytest.approx(20)
    assert pace.left_s(100) == 0


def test_many_steps_a_second_are_few_points():
    now = [0.0]
    pace = Pace(over_s=10, clock=lambda: now[0])
    for step in range(100_000):
        now[0] = step / 5000
        pace.see(step)
    assert len(pace._seen) < 500
    assert pace.per_s == pytest.approx(5000, rel=0.01)
