"""The corpus of the fuzzer is taken or refused as it should be; the fuzzer finds what is hidden."""

from random import Random

import pytest

from scripts.proof import fuzz
from scripts.proof.fuzz import Fuzzer, corpus_of
from scripts.proof.fuzz_targets import TARGETS, Target

STEPS = 150
HIDDEN = b"n&/"  # Each one flipped bit from a dot.
HIDDEN_STEPS = 20_000


@pytest.mark.parametrize("name", TARGETS)
def test_fuzz_corpus_and_a_few_steps_from_it_break_nothing(name):
    fuzzer = Fuzzer(TARGETS[name], Random(5))
    paths = corpus_of(name)
    assert len(paths) > 10
    for content in [*TARGETS[name].seeds(), *(path.read_bytes() for path in paths)]:
        fuzzer.take(content)
    assert len(fuzzer.corpus) > 20  # What seeds and corpus reach, they reach for a reason.
    for _ in range(STEPS):
        fuzzer.step()
    assert fuzzer.broken == []


def hiding(content: bytes) -> str:
    """Fails on bytes that begin with a word, and lets each letter of it be seen."""
    if content[:1] == HIDDEN[:1]:
        if content[1:2] == HIDDEN[1:2]:
            if content[2:3] == HIDDEN[2:3]:
                raise IndexError("found")
            return ""
        return ""
    return ""


def play(watched: frozenset[str]) -> Fuzzer:
    """Fuzz it from nothing, until it breaks or the steps are used up."""
    target = Target(lambda: [b"..."], hiding, lambda content, random: content, watched)
    fuzzer = Fuzzer(target, Random(1))
    fuzzer.take(b"...")
    while not fuzzer.broken and fuzzer.count < HIDDEN_STEPS:
        fuzzer.step()
    return fuzzer


def test_fuzzer_finds_a_word_letter_by_letter_where_it_sees_lines():
    """Blind it would need all three flips at once."""
    seeing, blind = play(frozenset((__file__,))), play(frozenset())
    assert [content[:3] for content, _ in seeing.broken] == [HIDDEN]
    assert len(seeing.corpus) == 3
    assert (blind.broken, len(blind.corpus)) == ([], 1)


def test_fuzz_writes_what_breaks_a_target_and_says_so(monkeypatch, tmp_path, capsys):
    def broken(content: bytes) -> str:
        raise KeyError("odd")

    target = Target(lambda: [b"x"], broken, lambda content, random: content, frozenset())
    monkeypatch.setitem(TARGETS, "odd", target)
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path)
    fuzzer, kept = fuzz.fuzz("odd", span_s=60, seed=1, keeps=True)
    assert (len(fuzzer.broken), kept) == (1, 0)
    assert [path.read_bytes() for path in (tmp_path / "broken").iterdir()] == [b"x"]
    assert "breaks it: KeyError" in capsys.readouterr().out
