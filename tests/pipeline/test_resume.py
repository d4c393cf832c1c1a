"""-resume: reruns what an edit or a kill makes necessary and nothing else, and ends with the same bytes."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pipeline_samples import snapshot

pytestmark = pytest.mark.nextflow


def names(run):
    return sorted({s.split(" ")[0] for s in run.submitted()})


EDITS = {
    # What is edited: the processes that use it, and those that read what these write where that changed.
    "bin/virnucpro/packing/plan.py": ["PACK_BINS"],
    "bin/virnucpro/encoders/esm2/model.py": ["EMBED_ESM2"],
    "bin/virnucpro/calling/calls.py": ["CLASSIFY"],
}


def test_an_edit_reruns_what_uses_it(nextflow, two_samples, checkout):
    args = ("-profile", "test", "-stub", "--input", "s.csv", "-resume")
    first = nextflow(two_samples, *args, pipeline=checkout)
    assert first.code == 0, first.text
    results = snapshot(first.results)
    for path, expected in EDITS.items():
        with (checkout / path).open("a", encoding="utf-8") as source:
            source.write("\n# an edit that changes nothing\n")
        run = nextflow(two_samples, *args, pipeline=checkout)
        assert run.code == 0
        # A rerun task writes its outputs anew, and Nextflow tells a file by its time stamp: what reads them runs too.
        direct = [n for n in names(run) if n in expected]
        assert direct == expected, path
        upstream = {"CHECK_MODELS", "EXTRACT_FRAMES"} | ({"PACK_BINS"} if "PACK_BINS" not in expected else set())
        assert not upstream & set(names(run)), f"{path}: {names(run)}"
        if expected == ["EMBED_ESM2"]:
            assert "EMBED_DNABERT_S" not in names(run)
        assert snapshot(run.results) == results


def test_killed_launchers_are_resumed(nextflow, two_samples, undisturbed, root):
    """kill -9 of Nextflow at random moments; then -resume gives the bytes of an undisturbed run."""
    args = ["-profile", "test", "--input", "s.csv"]
    moments = random.Random(20).sample(range(4, 26), int(os.environ.get("VIRNUCPRO_KILLS", "2")))
    for moment in moments:
        command = ["nextflow", "run", str(root), "-ansi-log", "false", *args, "-resume"]
        launcher = subprocess.Popen(
            command,
            cwd=two_samples,
            env=nextflow.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(moment)
        os.killpg(launcher.pid, signal.SIGKILL)  # the launcher and the tasks of its group
        launcher.wait()
        time.sleep(1)
    run = nextflow(two_samples, *args, "-resume")
    assert run.code == 0, run.text
    assert snapshot(run.results) == undisturbed


def test_a_work_folder_that_was_cleaned_or_damaged(nextflow, two_samples, undisturbed):
    """What is gone is made again, or the run ends with the folder to remove; the results are those of before."""
    args = ["-profile", "test", "--input", "s.csv", "--shard_size", "10", "-resume"]
    first = nextflow(two_samples, *args)
    assert first.code == 0, first.text
    assert snapshot(first.results) == undisturbed
    work = two_samples / "work"

    def made(pattern: str) -> Path:
        """The file as its task left it, not a link to it."""
        return next(path for path in work.glob(pattern) if path.resolve() == path.absolute())

    made("*/*/embeddings/phage.shard_00002.esm2.parquet").unlink()
    again = nextflow(two_samples, *args)
    assert again.code == 0, again.text
    assert {"EMBED_ESM2", "CLASSIFY"} <= set(names(again)) and "EMBED_DNABERT_S" not in names(again)
    assert snapshot(again.results) == undisturbed

    made("*/*/frames/phage.sequences.parquet").write_bytes(b"")
    made("*/*/frames/phage.shard_00002.parquet").unlink()
    told = nextflow(two_samples, *args)
    assert told.code != 0
    found = re.search(r"Remove (\S+) and run again with -resume\.", told.text)
    assert found, told.text
    shutil.rmtree(found[1])
    mended = nextflow(two_samples, *args)
    assert mended.code == 0, mended.text
    assert snapshot(mended.results) == undisturbed


def test_an_added_sample_gets_tasks_of_its_own(nextflow, two_samples):
    """What is done stays, with an embedding store from now on too; the same once more finds all of it in the cache."""
    (two_samples / "s.csv").write_text("sample,fasta\nphage,phage.fa\n", encoding="utf-8")
    args = ["-profile", "test", "-stub", "--input", "s.csv", "-resume"]
    first = nextflow(two_samples, *args)
    assert first.code == 0, first.text
    (two_samples / "s.csv").write_text("sample,fasta\nhost,host.fa\nphage,phage.fa\n", encoding="utf-8")
    args += ["--embedding_store", "store"]
    more = nextflow(two_samples, *args)
    assert more.code == 0, more.text
    assert more.submitted() == [
        "ASSERT_COMPLETE (run)",
        "CLASSIFY (host)",
        "COLLECT (run)",
        "EMBED_DNABERT_S (dnabert_s_002)",
        "EMBED_ESM2 (esm2_002)",
        "EXTRACT_FRAMES (host)",
        "PACK_BINS (dnabert_s and esm2)",
        "REPORT (run)",
    ]
    again = nextflow(two_samples, *args)
    assert again.submitted() == []
