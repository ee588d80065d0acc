"""Damaged journals end in a state that was, or in a refusal that says what to do; a sample."""

import shutil

import pytest

from scripts.proof.damage import Damages, judge, make_image, places, prove_damage

DAMAGES = 120


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return make_image(tmp_path_factory.mktemp("image"), 3)


def test_damage_of_any_kind_is_recovered_up_to_it_or_refused_with_a_remedy():
    tally = prove_damage(DAMAGES, 11, verbose=False)
    assert tally.is_clean, tally
    assert min(tally.recovered_whole, tally.recovered_shorter, tally.refused) > 0, tally


def test_tail_record_truncated_at_every_byte_is_cut_to_the_state_before_it(image, tmp_path):
    path, offset, byte_count = places(image.folder)[-1]
    whole = path.read_bytes()
    for kept in range(byte_count):
        root = tmp_path / "copy"
        shutil.copytree(image.folder, root / "journal")
        (root / "journal" / path.name).write_bytes(whole[: offset + kept])
        # The padding behind a record is zeros as well: only the whole record reads as one.
        cut = whole[offset + kept : offset + byte_count].strip(b"\0")
        assert judge(image, root) == ("recovered_shorter" if cut else "recovered_whole"), kept
        shutil.rmtree(root)


def test_judge_sees_a_state_that_never_was(image, tmp_path):
    """The proof proves something: with one digest wrong it says so."""
    shutil.copytree(image.folder, tmp_path / "journal")
    digests = {**image.digests, image.last_seq: "another"}
    assert judge(image._replace(digests=digests), tmp_path) == "wrong_state"
    assert judge(image._replace(synced_seq=image.last_seq + 1), tmp_path) == "lost_synced"


@pytest.mark.parametrize("kind", ["swapped", "duplicated"])
def test_segments_in_the_wrong_place_are_always_refused(image, tmp_path, kind):
    damages = Damages(image, 5)
    for number in range(10):
        root = tmp_path / str(number)
        shutil.copytree(image.folder, root / "journal")
        damages.strike(root / "journal", kind)
        assert judge(image, root) == "refused"
