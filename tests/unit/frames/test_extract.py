"""EXTRACT_FRAMES: what is read, what is refused, and that every record is accounted for."""

import gzip
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from Bio import SeqIO, bgzf

from virnucpro import formats
from virnucpro.errors import InputError
from virnucpro.frames import cuts
from virnucpro.frames.extract import extract
from virnucpro.frames.fasta import read_fasta

ORF = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGT"


def run(tmp_path, *contents, **options):
    files = []
    for i, content in enumerate(contents):
        path = tmp_path / f"in{i}.fa"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        files.append(path)
    return extract("s", files, tmp_path / "out", **({"chunk_length": 500} | options))


def rows(tmp_path, table):
    return pq.read_table(tmp_path / "out" / f"s.{table}.parquet").to_pylist()


@pytest.mark.parametrize(
    "text",
    [
        f">a x\n{ORF}\n>b\n{ORF}\n",
        f">a x\r\n{ORF}\r\n>b\r\n{ORF}\r\n",
        f">a x\r{ORF}\r>b\r{ORF}",
        f"\n\n>a x\n{ORF[:20]}\n{ORF[20:]}\n\n>b\n{ORF.lower()}",
        f">a\tx\n{ORF.replace('T', 'U')}\n>b\n {ORF} \n",
        f"\ufeff>a x\r\n{ORF}\r\n>b\r\n{ORF}\r\n",
    ],
    ids=[
        "plain",
        "windows",
        "old mac",
        "wrapped, blank lines, lower case, no last line end",
        "RNA, blanks",
        "byte order mark",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_ways_to_write_one_file(tmp_path, text, packed):
    path = tmp_path / "x.fasta"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert [r[:3] for r in read_fasta(path)] == [("a", "x", ORF.encode()), ("b", "", ORF.encode())]


def test_records_across_blocks(tmp_path, monkeypatch):
    """Whatever falls on a block's edge, the records are the same."""
    text = "".join(f">r{i} d>{'>' * (i % 3)}\r\n{ORF[i:]}\r\n{ORF}\r\n" for i in range(20)).encode()
    path = tmp_path / "x.fa"
    path.write_bytes(text)
    expected = list(read_fasta(path))
    assert [r.description for r in expected] == ["d>", "d>>", "d>>>"] * 6 + ["d>", "d>>"]
    assert [r.sequence.decode() for r in expected] == [ORF[i:] + ORF for i in range(20)]
    for size in range(1, 40):
        monkeypatch.setattr("virnucpro.frames.fasta.BLOCK", size)
        assert list(read_fasta(path)) == expected


def test_more_text_than_one_array_holds(monkeypatch):
    """Arrow's arrays end at 2 GB; a column goes on in the next one."""
    schema = pa.schema([("text", pa.string()), ("number", pa.int32())])
    words = ["one", "two", "é", "", "five", "six"]
    monkeypatch.setattr(formats, "MOST_BYTES", 7)
    table = formats.build(schema, [[w.encode() for w in words], np.arange(6)])
    assert table["text"].num_chunks > 1
    assert table.to_pydict() == {"text": words, "number": list(range(6))}
    table.validate(full=True)
    with pytest.raises(OverflowError):
        formats.build(schema, [[b"eight letters"], np.arange(1)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.fa: the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"@r1\nACGT\n+\nIIII\n", "looks like FASTQ"),
        (b"ACGT\n", "first line has no '>'"),
        (b"sample,fasta\n", "not a FASTA file"),
        (b"PK\x03\x04zip", "zip archive"),
        (b"BZh91AY", "bzip2"),
        (gzip.compress(f">a\n{ORF}\n>b\n{ORF * 5000}\n".encode())[:-20], "truncated or damaged"),
        (gzip.compress(b">a\nACGT\n") + b"trailing", "truncated or damaged"),
        (gzip.compress(b""), "the file is empty"),
    ],
    ids=["empty", "blank", "fastq", "no header", "csv", "zip", "bzip2", "truncated", "trailing bytes", "empty gzip"],
)
def test_files_that_are_refused(tmp_path, content, message):
    path = tmp_path / "x.fa"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.fa: ") as e:
        list(read_fasta(path))
    assert message in str(e.value)


@pytest.mark.parametrize("end", ["whole", "two files, one after another", "plain gzip behind it"])
def test_bgzf_is_read(tmp_path, end):
    path = write_bgzf(tmp_path / "x.fa.gz")
    behind = {"whole": b"", "two files, one after another": path.read_bytes()}.get(end, gzip.compress(b">z\nACGT\n"))
    path.write_bytes(path.read_bytes() + behind)
    assert len(list(read_fasta(path))) == {"whole": 200, "two files, one after another": 400}.get(end, 201)


def test_bgzf_that_is_cut_is_refused_wherever_it_is(tmp_path):
    """Between two blocks too, where each that is left is whole; Biopython tells where the blocks are."""
    whole = write_bgzf(tmp_path / "x.fa.gz").read_bytes()
    with (tmp_path / "x.fa.gz").open("rb") as file:
        starts = [block[0] for block in bgzf.BgzfBlocks(file)]
    assert len(starts) > 5
    for cut in [*starts[1:], starts[3] + 100, len(whole) - 1]:
        (tmp_path / "x.fa.gz").write_bytes(whole[:cut])
        with pytest.raises(InputError, match="truncated"):
            list(read_fasta(tmp_path / "x.fa.gz"))


def write_bgzf(path):
    """200 records, some 3 kB each before compression, in blocks of at most 64 kB."""
    rng = np.random.default_rng(4)
    with bgzf.BgzfWriter(path) as out:
        for i in range(200):
            out.write(f">r{i}\n{''.join(rng.choice(list('ACGT'), 3000))}\n")
    return path


@pytest.mark.parametrize(
    "between", ["\x00", "\t", "\v", "\f", "\x1b", "\x1c", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\u200b", "\u3000"]
)
def test_ids_are_those_of_biopython(tmp_path, between):
    path = tmp_path / "x.fa"
    path.write_text(f">a{between}b c\n{ORF}\n> d\n{ORF}\n>\n{ORF}\n", encoding="utf-8")
    assert [r.id for r in read_fasta(path)] == [r.id for r in SeqIO.parse(path, "fasta")]


@pytest.mark.parametrize("between", ["\t", "\v", "\f", "\x1b", "\x7f", "\u200b"])
@pytest.mark.skipif(not shutil.which("samtools"), reason="samtools is not installed")
def test_ids_are_those_of_samtools(tmp_path, between):
    """Where it agrees with Biopython: it knows no white space beyond ASCII, and a NUL ends its ids."""
    path = tmp_path / "x.fa"
    path.write_text(f">a{between}b c\n{ORF}\n", encoding="utf-8")
    subprocess.run(["samtools", "faidx", path], check=True)
    assert [r.id for r in read_fasta(path)] == [(tmp_path / "x.fa.fai").read_text("utf-8").split("\t")[0]]


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.fa")
    with pytest.raises(InputError, match=r"x.fa: not a plain file \(a named pipe, say\)"):
        list(read_fasta(tmp_path / "x.fa"))


@pytest.mark.parametrize(
    "between", ["", " ", "\n ", "\n\ufeff"], ids=["no line end", "blank", "line begins with a blank", "byte order mark"]
)
def test_records_that_were_joined_are_both_named(tmp_path, between):
    run(tmp_path, f">a x\n{ORF}{between}>b y\n{ORF}\n>c\n{ORF}\n>d\n{ORF}>e\n{ORF}>\n{ORF}\n")
    found = {r["id"]: (r["state"], r["reason"]) for r in rows(tmp_path, "sequences")}
    assert found == {
        "a": ("failed", "2 records were joined, 'a' and 'b': put each '>' at the beginning of a line"),
        "c": ("", ""),
        "d": ("failed", "3 records were joined, 'd' and 'e' and 1 more: put each '>' at the beginning of a line"),
    }


def test_damage_names_the_record(tmp_path):
    """Random bases hardly compress: of twelve records of 1 MB the first can be read, the damage lies behind them."""
    rng = np.random.default_rng(1)
    text = b"".join(
        b">r%d x\n%s\n" % (i, rng.choice(list(b"ACGT"), 1 << 20).astype(np.uint8).tobytes()) for i in range(12)
    )
    path = tmp_path / "x.fa.gz"
    path.write_bytes(gzip.compress(text, 1)[:-40])
    with pytest.raises(InputError, match=r"x.fa.gz: .* in or after record 'r\d+'"):
        list(read_fasta(path))


def test_a_damaged_file_fails_its_sample_as_a_whole(tmp_path):
    """Records before the damage are not passed off as the sample."""
    damaged = gzip.compress("".join(f">r{i}\n{ORF * 9}\n" for i in range(3000)).encode(), 1)[:-30]
    manifest = run(tmp_path, f">good\n{ORF}\n", damaged, shard_size=10)
    assert manifest["state"] == "failed"
    assert "in1.fa" in manifest["reason"]
    assert (manifest["sequences"], manifest["frames"], manifest["shards"]) == (0, 0, [])
    assert rows(tmp_path, "sequences") == rows(tmp_path, "chunks") == []
    assert not list((tmp_path / "out").glob("*shard*"))
    assert json.loads((tmp_path / "out/s.manifest.json").read_text(encoding="utf-8")) == manifest


def test_records_that_fail_alone(tmp_path):
    manifest = run(tmp_path, f">ok\n{ORF}\n>empty\n>protein\nMKLEF\n>digit\nACGT1\n>last\n{ORF}\n")
    assert [(r["id"], r["state"]) for r in rows(tmp_path, "sequences")] == [
        ("ok", ""),
        ("empty", "failed"),
        ("protein", "failed"),
        ("digit", "failed"),
        ("last", ""),
    ]
    reasons = {r["id"]: r["reason"] for r in rows(tmp_path, "sequences")}
    assert "no sequence" in reasons["empty"]
    assert "'L' at position 3" in reasons["protein"]
    assert "looks like a protein" in reasons["protein"]
    assert "'1' at position 5" in reasons["digit"]
    assert {c["sequence"] for c in rows(tmp_path, "chunks")} == {0, 4}
    assert (manifest["state"], manifest["sequences"]) == ("ok", 5)


def test_odd_and_duplicate_ids_stay_apart(tmp_path):
    ids = ["same", "same", "a|b/c;$(x)", "é_β", "<script>", '"q"', ""]
    text = "".join(f">{i}\n{ORF}\n" for i in ids) + f">{ids[0]}\n{ORF}\n"
    run(tmp_path, text)
    assert [r["id"] for r in rows(tmp_path, "sequences")] == [*ids, "same"]
    shard = rows(tmp_path, "shard_00001")
    assert len({r["frame_key"] for r in shard}) == len(shard)
    assert sum(r["frame_id"] == "same_chunk_1F1" for r in shard) == 3


def test_an_id_that_is_not_utf8_keeps_its_bytes_apart(tmp_path):
    run(tmp_path, b">caf\xe9\n" + ORF.encode() + b"\n>caf\xe8\n" + ORF.encode() + b"\n")
    assert [r["id"] for r in rows(tmp_path, "sequences")] == ["café", "cafè"]


def test_min_length(tmp_path):
    run(tmp_path, f">a\n{ORF}\n>b\n{ORF[:40]}\n", min_length=41)
    states = {r["id"]: (r["state"], r["chunks"]) for r in rows(tmp_path, "sequences")}
    assert states == {"a": ("", 1), "b": ("too_short", 0)}


def test_several_files_are_one_sample(tmp_path):
    run(tmp_path, f">a\n{ORF}\n", f">a\n{ORF}\n>b\n{ORF}\n")
    found = [(r["sequence"], r["id"], r["file"]) for r in rows(tmp_path, "sequences")]
    assert found == [(0, "a", 0), (1, "a", 1), (2, "b", 1)]


def test_windows_do_not_change_the_result(tmp_path, monkeypatch):
    """A record far longer than a window is cut into several: same tables, same shards."""
    text = ">long\n" + (ORF * 400) + "\n>short\n" + ORF + "\n"
    run(tmp_path, text)
    expected = {p.name: pq.read_table(p) for p in (tmp_path / "out").glob("*.parquet")}
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    monkeypatch.setattr(cuts, "BLOCK_BASES", 1700)
    run(tmp_path, text)
    again = {p.name: pq.read_table(p) for p in (tmp_path / "out").glob("*.parquet")}
    assert again == expected


def test_no_open_frame_gives_valid_empty_results(tmp_path):
    stops = "TAATTAACTAACTAGTTAGTCAA" * 30
    manifest = run(tmp_path, f">a\n{stops}\n")
    assert manifest["state"] == "ok"
    assert manifest["shards"] == []
    assert all(c["open_frames"] == 0 for c in rows(tmp_path, "chunks"))


def test_script_says_what_failed_and_exits_0(root, tmp_path):
    """The sample is accounted for; the run's end, not this task, makes the exit status."""
    (tmp_path / "x.fa").write_text("no fasta", encoding="utf-8")
    command = [sys.executable, root / "bin/extract_frames.py", "--sample", "s", "x.fa"]
    done = subprocess.run(
        [*command, "--chunk_length", "500", "--out", "o"], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0
    assert "sample s failed: x.fa: not a FASTA file" in done.stderr
