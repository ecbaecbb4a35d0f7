"""Train, test or val: by content."""

import hashlib
from collections import Counter

import pytest

from edgeloop.loop.services import splits

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(5000)]


def test_a_fifth_of_all_images_tests() -> None:
    counts = Counter(splits.assign(content, has_val=False) for content in HASHES)
    assert counts.keys() == {"train", "test"}
    assert counts["test"] / len(HASHES) == pytest.approx(0.2, abs=0.02)


def test_a_project_may_have_a_tenth_for_validation() -> None:
    counts = Counter(splits.assign(content, has_val=True) for content in HASHES)
    assert counts["test"] / len(HASHES) == pytest.approx(0.2, abs=0.02)
    assert counts["val"] / len(HASHES) == pytest.approx(0.1, abs=0.02)


def test_what_tests_never_trains_with_or_without_validation() -> None:
    for content in HASHES:
        without, with_val = (splits.assign(content, has_val=has_val) for has_val in (False, True))
        assert (without == "test") == (with_val == "test")


@pytest.mark.parametrize(
    ("start", "split"),
    [
        ("00000000", "test"),
        ("33333332", "test"),
        ("33333334", "val"),
        ("4ccccccc", "val"),
        ("4ccccccd", "train"),
        ("ffffffff", "train"),
    ],
)
def test_the_split_is_the_same_on_every_day_and_machine(start: str, split: str) -> None:
    assert splits.assign(start.ljust(64, "0"), has_val=True) == split
