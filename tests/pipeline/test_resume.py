"""-resume: reruns what an edit or a kill makes necessary and nothing else, and ends with the same bytes."""

import os
import random
import signal
import subprocess
import time

import pytest
from conftest import snapshot

pytestmark = pytest.mark.nextflow


@pytest.fixture
def small(tmp_path, root):
    """A few kilobases of the example: enough for two samples with open frames."""
    import gzip

    from Bio import SeqIO

    for sample, name in (("phage", "lambda.fa.gz"), ("host", "ecoli.fa.gz")):
        with gzip.open(root / "assets/example" / name, "rt") as text:
            record = next(SeqIO.parse(text, "fasta"))[:6000]
        SeqIO.write(record, tmp_path / f"{sample}.fa", "fasta")
    (tmp_path / "s.csv").write_text("sample,fasta\nphage,phage.fa\nhost,host.fa\n")
    return tmp_path


def names(run):
    return sorted({s.split(" ")[0] for s in run.submitted()})


EDITS = {
    # What is edited: the processes that use it, and those that read what these write where that changed.
    "bin/virnucpro/packing.py": ["PACK_BINS"],
    "bin/virnucpro/calls.py": ["CLASSIFY"],
    "bin/virnucpro/encoders/esm2.py": ["EMBED_ESM2"],
    "bin/classify.py": ["CLASSIFY"],
}


def test_an_edit_reruns_what_uses_it(nextflow, small, checkout):
    args = ("-profile", "test", "--input", "s.csv", "-resume")
    first = nextflow(small, *args, pipeline=checkout)
    assert first.code == 0, first.text
    results = snapshot(first.results)
    again = nextflow(small, *args, pipeline=checkout)
    assert again.submitted() == []
    for path, expected in EDITS.items():
        with (checkout / path).open("a") as source:
            source.write("\n# an edit that changes nothing\n")
        run = nextflow(small, *args, pipeline=checkout)
        assert run.code == 0
        # A rerun task writes its outputs anew, and Nextflow tells a file by its time stamp: what reads them runs too.
        direct = [n for n in names(run) if n in expected]
        assert direct == expected, path
        upstream = {"CHECK_MODELS", "EXTRACT_FRAMES"} | ({"PACK_BINS"} if "PACK_BINS" not in expected else set())
        assert not upstream & set(names(run)), f"{path}: {names(run)}"
        if expected == ["EMBED_ESM2"]:
            assert "EMBED_DNABERT_S" not in names(run)
        assert snapshot(run.results) == results


def test_killed_launchers_are_resumed(nextflow, small, root):
    """kill -9 of Nextflow at random moments; then -resume gives the bytes of an undisturbed run."""
    args = ["-profile", "test", "--input", "s.csv"]
    whole = nextflow(small, *args, "--outdir", "whole", "-work-dir", "work_whole")
    assert whole.code == 0
    moments = random.Random(20).sample(range(4, 26), int(os.environ.get("VIRNUCPRO_KILLS", "2")))
    for moment in moments:
        command = ["nextflow", "run", str(root), "-ansi-log", "false", *args, "-resume"]
        launcher = subprocess.Popen(
            command,
            cwd=small,
            env=nextflow.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moment)
        os.killpg(launcher.pid, signal.SIGKILL)  # the launcher and the tasks of its group
        launcher.wait()
        time.sleep(1)
    run = nextflow(small, *args, "-resume")
    assert run.code == 0, run.text
    assert snapshot(run.results) == snapshot(small / "whole")
