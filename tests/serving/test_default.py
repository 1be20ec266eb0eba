"""The model that ships, found in the package or taken from the checkout's own remote."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from toy_bundle import toy_bundle
from toy_checkout import track

from mtclar.errors import MtclarError
from mtclar.serving import Bundle
from mtclar.serving.default import bundle_cache, find_bundle


class Checkout:
    """A checkout whose .dvc file names a bundle in its remote."""

    def __init__(self, root: Path) -> None:
        self.place, self.remote, self.cache = root / "shipped" / "default", root / "dvc-remote", root / "cache"

    def ship(self, bundle: Path) -> None:
        """Makes it the bundle that the checkout tracks."""
        track(bundle, self.place, self.remote)

    def find(self) -> Path:
        return find_bundle(self.place, (self.remote,), self.cache)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "bundle")


@pytest.fixture
def checkout(tmp_path: Path, bundle: Path) -> Checkout:
    made = Checkout(tmp_path)
    made.ship(bundle)
    return made


def test_what_a_wheel_or_dvc_pull_put_there_is_used_as_it_is(checkout: Checkout) -> None:
    toy_bundle(checkout.place, d_valence=2)
    assert checkout.find() == checkout.place
    assert not checkout.cache.exists()


def test_where_nobody_pulled_the_bundle_comes_out_of_the_checkouts_remote(checkout: Checkout, bundle: Path) -> None:
    found = checkout.find()
    assert found.parent == checkout.cache
    assert Bundle.load(found).identity == Bundle.load(bundle).identity
    assert not checkout.place.exists()
    assert [path.name for path in checkout.cache.iterdir()] == [found.name]


def test_it_is_taken_once(checkout: Checkout) -> None:
    found = checkout.find()
    for path in checkout.remote.rglob("*"):
        if path.is_file():
            path.unlink()
    assert checkout.find() == found


def test_a_newer_checkout_gets_its_newer_model(checkout: Checkout, tmp_path: Path) -> None:
    older = checkout.find()
    newer = toy_bundle(tmp_path / "newer", d_valence=3)
    checkout.ship(newer)
    assert checkout.find() != older
    assert Bundle.load(checkout.find()).identity == Bundle.load(newer).identity


def test_a_spoilt_copy_is_made_again(checkout: Checkout) -> None:
    found = checkout.find()
    (found / "pair.onnx").write_bytes(b"")
    assert checkout.find() == found
    Bundle.load(found)


def test_half_a_pull_is_left_alone_and_the_remote_serves(checkout: Checkout) -> None:
    toy_bundle(checkout.place)
    (checkout.place / "single.onnx").unlink()
    assert checkout.find().parent == checkout.cache
    assert len(list(checkout.place.iterdir())) == 3


def test_several_at_once_get_the_same_whole_bundle(checkout: Checkout) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Bundle.load(checkout.find()).folder, range(24)))
    assert len(set(found)) == 1
    assert list(checkout.cache.iterdir()) == [found[0]]


def test_a_damaged_object_is_one_sentence_and_leaves_nothing(checkout: Checkout) -> None:
    largest = max(checkout.remote.rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    largest.write_bytes(b"x")
    with pytest.raises(MtclarError, match="changed since it was pushed"):
        checkout.find()
    largest.unlink()
    with pytest.raises(MtclarError, match=r"the model that ships cannot be had: .* run 'dvc pull'"):
        checkout.find()
    assert list(checkout.cache.iterdir()) == []


def test_without_folder_and_without_pointer_the_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match=r"is not there; install mtclar again, or name another model with --model"):
        find_bundle(tmp_path / "default", (tmp_path,), tmp_path)
    toy_bundle(tmp_path / "default")
    (tmp_path / "default" / "pair.onnx").write_bytes(b"")
    with pytest.raises(MtclarError, match=r"pair\.onnx: cut short.*; install mtclar again"):
        find_bundle(tmp_path / "default", (tmp_path,), tmp_path)


def test_a_cache_that_cannot_be_written_is_one_sentence(checkout: Checkout) -> None:
    checkout.cache.write_text("a file")
    with pytest.raises(MtclarError, match=r"cannot be copied there \(.*\); set MTCLAR_CACHE"):
        checkout.find()


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", "/elsewhere")
    assert bundle_cache() == Path("/elsewhere/bundles")


def test_finding_it_needs_no_dvc() -> None:
    code = "import sys, mtclar.serving.default; print('dvc' in sys.modules, 'onnxruntime' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert answer.stdout.split() == ["False", "False"]
