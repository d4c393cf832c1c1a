"""Names that tasks agree on: the states of a sequence and of a chunk, and what a shard is called.

Apart from formats.py, as this needs no package: who reads summaries alone need not load those of the tables.
"""

# Each sequence is in one of these in the end, each chunk likewise (docs/output.md says when); in the order of tables.
SEQUENCE_STATES = ("virus", "other", "no_open_frame", "too_short", "failed")
CHUNK_STATES = ("virus", "other", "no_open_frame", "failed")

_SHARD = ".shard_"


def shard_name(sample: str, number: int) -> str:
    """Of a sample's shard, counted from 1; its file and those made of it begin with this name."""
    return f"{sample}{_SHARD}{number:05d}"


def sample_of(shard: str) -> str:
    """The sample that a shard of this name belongs to."""
    return shard.rpartition(_SHARD)[0]
