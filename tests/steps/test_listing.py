"""The value beside the address of data changes when the data do."""

import os

import pytest

from mtclar.errors import MtclarError
from mtclar.steps.listing import list_data


def test_a_file_that_is_added_changed_renamed_or_removed_changes_the_listing(tmp_path):
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a.txt").write_text("one")
    seen = [list_data(str(data))]
    assert list_data(str(data)) == seen[0]
    (data / "deep" / "b.txt").write_text("two")
    seen.append(list_data(str(data)))
    (data / "a.txt").write_text("one and more")
    seen.append(list_data(str(data)))
    os.rename(data / "a.txt", data / "c.txt")
    seen.append(list_data(str(data)))
    (data / "deep" / "b.txt").unlink()
    seen.append(list_data(str(data)))
    assert len(set(seen)) == len(seen)


def test_a_place_where_nothing_is_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "gone"):
        with pytest.raises(MtclarError, match=f"{place}: there is no file; give the folder or address"):
            list_data(str(tmp_path / place))
