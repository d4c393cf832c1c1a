"""Sequences that repeat within a shard and between shards."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from virnucpro.embedding.repeats import Repeats, unique
from virnucpro.embedding.shards import digests

words = st.lists(st.sampled_from(["A", "B", "C", "AB", "", "BA", "ABC"]), max_size=30)


@given(words)
def test_unique_is_by_first_occurrence(sequences):
    first, member = unique(digests(sequences))
    distinct = list(dict.fromkeys(sequences))
    assert [sequences[i] for i in first] == distinct
    assert [distinct[i] for i in member] == sequences


@given(st.lists(words, min_size=1, max_size=5))
def test_the_first_shard_computes_what_the_others_take(tmp_path_factory, shards):
    all_digests = [digests(s) for s in shards]
    repeats = Repeats(all_digests, 2, tmp_path_factory.getbasetemp())
    assert repeats.sequences == len({s for shard in shards for s in shard})
    before = [{s for shard in shards[:number] for s in shard} for number in range(len(shards))]
    assert repeats.frames == sum(s in known for known, shard in zip(before, shards, strict=True) for s in shard)
    seen: set[str] = set()
    for number, shard in enumerate(shards):
        distinct = sorted(set(shard))
        slots = repeats.slots(digests(distinct))
        known = repeats.is_known(slots, number)
        assert [s for s, k in zip(distinct, known, strict=True) if k] == [s for s in distinct if s in seen]
        for s, slot, is_known in zip(distinct, slots, known, strict=True):
            if is_known:
                vectors, reasons = repeats.get(np.array([slot]))
                assert vectors.tolist() == [[len(s), 7]]
                assert reasons == ({0: "bad"} if s == "BA" else {})
            elif slot >= 0:
                reasons = {0: "bad"} if s == "BA" else {}
                repeats.put(np.array([slot]), np.array([[len(s), 7]], dtype=np.float32), reasons)
        seen |= set(shard)


def test_a_digest_is_that_of_the_sequence():
    a, b = digests(["ACGT", "ACGA"])
    assert (a != b).any()
    assert (digests(["ACGT"])[0] == a).all()
    assert digests([]).shape == (0, 2)
