"""One embedding task: files in, files out, each frame accounted for."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from encoder_folders import fair_esm, random_peptides, save_dnabert_s, save_esm2, write_shard
from fake_gpu import Event, FakeGpu

from virnucpro import formats
from virnucpro.embedding.embedder import Embedder
from virnucpro.embedding.events import Events
from virnucpro.embedding.settings import Task
from virnucpro.embedding.task import run_task
from virnucpro.encoders.dnabert_s import model as dnabert_s
from virnucpro.encoders.esm2 import model as esm2
from virnucpro.errors import CudaFault, InputError, ModelError, UsageError, VirnucproError
from virnucpro.files import sha256_file

DIM = {"esm2": 40, "dnabert_s": 24}
SHARDS, FRAMES = 3, 12


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("encoders")
    return {
        "esm2": save_esm2(fair_esm(2, 40, 4), folder / "small_esm2"),
        "dnabert_s": save_dnabert_s(folder / "small_dnabert_s"),
    }


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    """Three shards; rows 3 and 5 of each are equal, and row 7 is the same in all of them."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(1)
    for number in range(SHARDS):
        peptides = random_peptides(FRAMES, rng)
        nucleotides = ["".join(rng.choice(list("ACGT"), 3 * len(p) + 1)) for p in peptides]
        for column, common in ((peptides, "MKVLA"), (nucleotides, "ACGTACGTTTACGACA")):
            column[5], column[7] = column[3], common
        write_shard(folder, number, peptides, nucleotides)
    return folder


class Done:
    """What a task left behind."""

    def __init__(self, kind: str, shards: Path, encoder: Path, out: Path, **options):
        self.out, self.kind = out, kind
        task = Task(kind, shards, encoder, f"{kind}_001", out, device="cpu", **options)
        events = Events(out / f"{task.name}.events.jsonl", task.name, kind, task.attempt)
        try:
            run_task(task, events)
        finally:
            lines = (out / f"{task.name}.events.jsonl").read_text(encoding="utf-8").splitlines()
            self.events = [json.loads(line) for line in lines]
        self.report = json.loads((out / f"{task.name}.report.json").read_text(encoding="utf-8"))

    def table(self, number: int):
        return pq.read_table(self.out / f"s.shard_{number:05d}.{self.kind}.parquet")

    def vectors(self) -> np.ndarray:
        """All embeddings, shard after shard, float32 [frames, dim]."""
        columns = [self.table(n)["embedding"].combine_chunks() for n in range(SHARDS)]
        return np.concatenate([c.flatten().to_numpy().reshape(-1, DIM[self.kind]) for c in columns]).astype(np.float32)


@pytest.fixture(scope="module", params=["esm2", "dnabert_s"])
def done(request, encoders, shards, tmp_path_factory) -> Done:
    return Done(request.param, shards, encoders[request.param], tmp_path_factory.mktemp("out"))


def alone(kind: str, folder: Path, shards: Path) -> np.ndarray:
    """Each frame by itself, straight through the encoder."""
    model = {"esm2": esm2, "dnabert_s": dnabert_s}[kind].load(folder)
    column = {"esm2": "peptide", "dnabert_s": "nucleotides"}[kind]
    rows = [s for path in sorted(shards.glob("*")) for s in pq.read_table(path)[column].to_pylist()]
    return np.concatenate([model(torch.from_numpy(model.tokenize([s]).flat)[None]).numpy() for s in rows])


def test_embedding_files(done, encoders, shards):
    expected = alone(done.kind, encoders[done.kind], shards)
    assert np.abs(done.vectors() - expected).max() < 1e-5
    for number, path in enumerate(sorted(shards.glob("*"))):
        table, shard = done.table(number), pq.read_table(path)
        assert table.schema.equals(formats.embedding_schema(DIM[done.kind]), check_metadata=False)
        assert table["frame_key"].equals(shard["frame_key"])
        assert table["frame_id"].equals(shard["frame_id"])
        assert table.schema.metadata == {
            b"encoder": done.kind.encode(),
            b"weights_sha256": sha256_file(encoders[done.kind] / "model.safetensors").encode(),
            b"layer": b"2",
            b"precision": b"fp32",
            b"dim": str(DIM[done.kind]).encode(),
        }


def test_report(done, encoders):
    report = done.report
    assert report["encoder"] == done.kind
    assert report["model"] == encoders[done.kind].name
    assert (report["processed"], report["failed"]) == (SHARDS * FRAMES, [])
    assert [s["shard"] for s in report["shards"]] == [f"s.shard_{n:05d}" for n in range(SHARDS)]
    assert all(s["frames"] == s["processed"] == FRAMES and not s["reused"] for s in report["shards"])
    assert report["device"]["type"] == "cpu"
    assert report["device"]["name"]
    assert report["precision"] == "fp32"
    assert report["started"] < report["finished"]
    assert report["seconds"]["total"] >= report["seconds"]["work"]
    assert report["tokens_per_second"] > 0
    assert report["peak_memory_bytes"] > 10**7
    assert set(report["versions"]) == {"python", "torch", "numpy", "pyarrow", "safetensors", "tokenizers"}


def test_identical_sequences_are_embedded_once(done, encoders, shards):
    """By hand: each shard has one repeat of its own, and two of three shards repeat the common sequence."""
    assert done.report["unique_sequences"] == SHARDS * (FRAMES - 1) - (SHARDS - 1)
    column = {"esm2": "peptide", "dnabert_s": "nucleotides"}[done.kind]
    distinct = {s for path in shards.glob("*") for s in pq.read_table(path)[column].to_pylist()}
    model = {"esm2": esm2, "dnabert_s": dnabert_s}[done.kind].load(encoders[done.kind])
    tokens = model.tokenize(sorted(distinct)).length.sum()
    assert done.report["tokens"] == sum(s["tokens"] for s in done.report["shards"]) == tokens


class TestOnAGpu:
    """The same task with a stand-in for a GPU: half precision, packed rows, shards that overlap, late copies."""

    @pytest.fixture(params=["esm2", "dnabert_s"])
    def kind(self, request) -> str:
        return request.param

    @staticmethod
    def least_cosine(done: Done, expected: np.ndarray) -> float:
        found = done.vectors()
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        return ((found * expected).sum(1) / np.maximum(lengths, 1e-9)).min()

    def test_half_precision_is_kept_in_half_the_bytes(self, encoders, shards, tmp_path, monkeypatch):
        FakeGpu(monkeypatch)
        done = Done("esm2", shards, encoders["esm2"], tmp_path)
        assert done.report["precision"] == "fp16"
        assert done.table(0).schema.equals(formats.embedding_schema(DIM["esm2"], half=True), check_metadata=False)

    def test_the_same_embeddings(self, kind, encoders, shards, tmp_path, monkeypatch):
        expected = alone(kind, encoders[kind], shards)
        gpu = FakeGpu(monkeypatch)
        done = Done(kind, shards, encoders[kind], tmp_path)
        assert self.least_cosine(done, expected) > 0.9999
        report = done.report
        assert report["device"] == {"type": "cuda", "name": "Fake GPU", "uuid": "GPU-fake"}
        assert (report["precision"], report["batch_tokens"]) == ("fp16", 65536)
        assert (report["processed"], report["peak_memory_bytes"]) == (SHARDS * FRAMES, 12345)
        assert gpu.most_not_waited_for == 2, "one shard is computed while the one before is collected"
        assert gpu.not_waited_for == 0
        assert gpu.pinned > 2 * SHARDS
        assert gpu.packed_batches == 1 + SHARDS  # a trial, and a batch for each shard
        assert (report["packed"], report["kernels_failure"], report["padding_tokens"]) == (True, "", 0)

    @pytest.mark.parametrize("why", ["no compiler", "wrong results"])
    def test_where_the_kernels_do_not_work_the_task_goes_on_without(
        self, encoders, shards, tmp_path, monkeypatch, capfd, why
    ):
        def fails(vectors):
            raise RuntimeError("Failed to find C compiler.")

        expected = alone("esm2", encoders["esm2"], shards)
        gpu = FakeGpu(monkeypatch, kernels=fails if why == "no compiler" else lambda vectors: vectors.roll(1, 1))
        done = Done("esm2", shards, encoders["esm2"], tmp_path)
        assert self.least_cosine(done, expected) > 0.9999
        assert not done.report["packed"] and done.report["padding_tokens"] > 0
        assert done.report["kernels_failure"].startswith(
            "RuntimeError: Failed to find C compiler." if why == "no compiler" else "the kernels' embeddings differ"
        )
        assert gpu.packed_batches == 1
        assert capfd.readouterr().err.count("slower and as good") == 1

    def test_a_result_that_is_not_waited_for_is_noticed_here(self, encoders, shards, tmp_path, monkeypatch):
        expected = alone("esm2", encoders["esm2"], shards)
        FakeGpu(monkeypatch, waits=False)
        assert self.least_cosine(Done("esm2", shards, encoders["esm2"], tmp_path), expected) < 0.9

    def test_a_fault_that_shows_when_the_results_are_waited_for(self, encoders, shards, tmp_path, monkeypatch):
        gpu = FakeGpu(monkeypatch)

        class Faulty(Event):
            def synchronize(self):
                raise torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered")

        monkeypatch.setattr(torch.cuda, "Event", lambda: Faulty(gpu))
        with pytest.raises(CudaFault, match="uncorrectable ECC error"):
            Done("esm2", shards, encoders["esm2"], tmp_path)

    def test_out_of_memory(self, kind, encoders, shards, tmp_path, monkeypatch):
        expected = alone(kind, encoders[kind], shards)
        FakeGpu(monkeypatch, memory=340)  # the trial of the kernels takes 332
        done = Done(kind, shards, encoders[kind], tmp_path)
        assert self.least_cosine(done, expected) > 0.9999
        assert done.report["oom_halvings"] > 0
        assert done.report["batch_tokens"] <= 340
        assert not done.report["failed"]


def test_events(done):
    names = [e["event"] for e in done.events]
    assert names[0] == "start"
    assert names[-1] == "end"
    assert names.count("shard") == SHARDS
    for event in done.events:
        assert event["total"] == SHARDS * FRAMES
        assert {"time", "task", "encoder", "attempt", "hostname", "pid", "device", "done", "failed"} <= set(event)
        assert {"tokens_per_second", "seconds_left"} <= set(event)
    assert done.events[-1]["done"] == SHARDS * FRAMES
    assert done.events[-1]["seconds_left"] == 0


def test_the_number_of_tasks_does_not_matter(done, encoders, shards, tmp_path):
    """Each shard as a task of its own gives the same as all in one."""
    rows = []
    for path in sorted(shards.glob("*")):
        folder = tmp_path / path.stem
        folder.mkdir()
        shutil.copy(path, folder)
        Done(done.kind, folder, encoders[done.kind], tmp_path / f"out_{path.stem}", batch_tokens=100)
        table = pq.read_table(tmp_path / f"out_{path.stem}" / f"{path.stem}.{done.kind}.parquet")
        rows += table["embedding"].to_pylist()
    assert np.abs(np.array(rows) - done.vectors()).max() < 1e-5


@pytest.mark.parametrize("layer", [0, 1])
def test_a_layer_may_be_chosen(encoders, shards, tmp_path, layer):
    done = Done("esm2", shards, encoders["esm2"], tmp_path, layer=layer)
    model = esm2.load(encoders["esm2"], layer)
    peptide = pq.read_table(min(shards.glob("*")))["peptide"][0].as_py()
    expected = model(torch.from_numpy(model.tokenize([peptide]).flat)[None])[0].numpy()
    assert np.abs(done.vectors()[0] - expected).max() < 1e-5
    assert done.table(0).schema.metadata[b"layer"] == str(layer).encode()


READERS = {  # as docs/output.md shows them
    "polars": lambda polars, file: polars.read_parquet(file)["embedding"].to_numpy(),
    "pandas": lambda pandas, file: np.stack(pandas.read_parquet(file)["embedding"]),
    "duckdb": lambda duckdb, file: np.array(
        [row[0] for row in duckdb.sql(f"select embedding from '{file}'").fetchall()]
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_readable_in_one_line(done, reader):
    module = pytest.importorskip(reader)
    file = str(done.out / f"s.shard_00000.{done.kind}.parquet")
    assert READERS[reader](module, file).shape == (FRAMES, DIM[done.kind])


class TestFailures:
    def test_empty_sequences_and_bad_ones_fail_alone(self, encoders, tmp_path, monkeypatch):
        write_shard(tmp_path / "shards", 0, ["MKV", "", "MWWWM", "MAA", "MWWWM"])
        write_shard(tmp_path / "shards", 1, ["MWWWM", "MCC", "MAA"])
        tryptophan = 22  # fair-esm's token
        original = Embedder._compute

        def fails(self, batch, launched):
            if (launched.tokens.rows(batch.rows, batch.width, 1) == tryptophan).any():
                raise ValueError("no W, please")
            original(self, batch, launched)

        monkeypatch.setattr(Embedder, "_compute", fails)
        done = Done("esm2", tmp_path / "shards", encoders["esm2"], tmp_path / "out")
        assert done.report["processed"] == 4
        why = "ValueError: no W, please"
        assert [(f["shard"], f["frame_key"], f["frame_id"], f["reason"]) for f in done.report["failed"]] == [
            ("s.shard_00000", 1, "x_chunk_1F1", "the sequence is empty"),
            ("s.shard_00000", 2, "x_chunk_2F1", why),
            ("s.shard_00000", 4, "x_chunk_4F1", why),
            ("s.shard_00001", 1000, "x_chunk_1000F1", why),
        ]
        assert done.table(0)["frame_key"].to_pylist() == [0, 3]
        assert done.table(1)["frame_key"].to_pylist() == [1001, 1002]
        assert done.table(0)["embedding"][1] == done.table(1)["embedding"][1]
        told = [(e["frame_id"], e["reason"]) for e in done.events if e["event"] == "failed"]
        assert told == [(f["frame_id"], f["reason"]) for f in done.report["failed"]]
        assert done.events[-1]["failed"] == 4
        assert done.events[-1]["done"] == 8

    def test_a_shard_with_failures_is_not_kept_in_the_store(self, encoders, tmp_path):
        write_shard(tmp_path / "shards", 0, ["MKV", ""])
        write_shard(tmp_path / "shards", 1, ["MKV", "MA"])
        for expected in ([False, False], [False, True]):
            done = Done("esm2", tmp_path / "shards", encoders["esm2"], tmp_path / "out", store=tmp_path / "store")
            assert [s["reused"] for s in done.report["shards"]] == expected
            assert len(done.report["failed"]) == 1

    def test_out_of_memory_is_told(self, encoders, shards, tmp_path, monkeypatch):
        original = Embedder._compute

        def small(self, batch, launched):
            if batch.tokens > 150:
                raise torch.OutOfMemoryError("CUDA out of memory")
            original(self, batch, launched)

        monkeypatch.setattr(Embedder, "_compute", small)
        done = Done("esm2", shards, encoders["esm2"], tmp_path)
        assert done.report["processed"] == SHARDS * FRAMES
        assert done.report["oom_halvings"] > 0
        assert done.report["batch_tokens"] <= 150
        assert {"reason": "out of memory"}.items() <= next(e for e in done.events if e["event"] == "retry").items()

    def test_a_task_that_computes_nothing_is_an_error(self, encoders, shards, tmp_path, monkeypatch):
        def broken(*_):
            raise RuntimeError("kernel image is not available")

        monkeypatch.setattr(Embedder, "_compute", broken)
        with pytest.raises(VirnucproError, match=r"none of 36 frames could be embedded.*kernel image"):
            Done("esm2", shards, encoders["esm2"], tmp_path)

    def test_errors_name_the_file(self, encoders, shards, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match=r"empty: holds no shard"):
            Done("esm2", tmp_path / "empty", encoders["esm2"], tmp_path / "out")
        (tmp_path / "cut").mkdir()
        content = min(shards.glob("*")).read_bytes()
        (tmp_path / "cut" / "a.parquet").write_bytes(content[:-50])
        with pytest.raises(InputError, match=r"a\.parquet: cannot be read as a shard"):
            Done("esm2", tmp_path / "cut", encoders["esm2"], tmp_path / "out")
        with pytest.raises(ModelError, match=r"nowhere"):
            Done("esm2", shards, tmp_path / "nowhere", tmp_path / "out")
        with pytest.raises(ModelError, match=r"config\.json: model_type is 'esm', an encoder of kind dnabert_s"):
            Done("dnabert_s", shards, encoders["esm2"], tmp_path / "out")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
    def test_no_gpu_where_one_was_asked_for(self, encoders, shards, tmp_path):
        from virnucpro.embedding.device import choose_device

        with pytest.raises(UsageError, match="PyTorch sees no GPU"):
            choose_device("cuda")


class TestStore:
    def test_a_second_task_computes_nothing(self, done, encoders, shards, tmp_path):
        encoder = encoders[done.kind]
        first = Done(done.kind, shards, encoder, tmp_path / "1", store=tmp_path / "store")
        second = Done(done.kind, shards, encoder, tmp_path / "2", store=tmp_path / "store", attempt=2)
        assert [s["reused"] for s in first.report["shards"]] == [False] * SHARDS
        assert [s["reused"] for s in second.report["shards"]] == [True] * SHARDS
        assert second.report["tokens"] == 0
        assert second.report["processed"] == SHARDS * FRAMES
        for number in range(SHARDS):
            name = f"s.shard_{number:05d}.{done.kind}.parquet"
            assert (tmp_path / "1" / name).samefile(tmp_path / "2" / name)  # and no second copy

    def test_ids_are_those_of_the_shard_not_of_the_store(self, encoders, tmp_path):
        write_shard(tmp_path / "a", 1, ["MKV", "MA"])
        write_shard(tmp_path / "b", 2, ["MKV", "MA"])
        Done("esm2", tmp_path / "a", encoders["esm2"], tmp_path / "1", store=tmp_path / "store")
        second = Done("esm2", tmp_path / "b", encoders["esm2"], tmp_path / "2", store=tmp_path / "store")
        assert second.report["shards"][0]["reused"]
        assert second.table(2)["frame_key"].to_pylist() == [2000, 2001]

    def test_other_settings_share_nothing(self, encoders, shards, tmp_path):
        store = tmp_path / "store"
        Done("esm2", shards, encoders["esm2"], tmp_path / "1", store=store)
        for options in ({"layer": 1}, {"precision": "bf16"}):
            other = Done("esm2", shards, encoders["esm2"], tmp_path / "2", store=store, **options)
            assert not any(s["reused"] for s in other.report["shards"])
        changed = save_esm2(fair_esm(2, 40, 4, seed=1), tmp_path / "changed")
        other = Done("esm2", shards, changed, tmp_path / "3", store=store)
        assert not any(s["reused"] for s in other.report["shards"])

    def test_a_damaged_entry_is_made_again(self, encoders, shards, tmp_path):
        store = tmp_path / "store"
        first = Done("esm2", shards, encoders["esm2"], tmp_path / "1", store=store)
        damaged = sorted(store.glob("esm2/*/*.parquet"))[1]
        content = bytearray(damaged.read_bytes())
        content[len(content) // 2] ^= 4
        damaged.unlink()  # the first task's file has the same content
        damaged.write_bytes(content)
        second = Done("esm2", shards, encoders["esm2"], tmp_path / "2", store=store)
        assert sorted(s["reused"] for s in second.report["shards"]) == [False, True, True]
        assert any("is damaged" in e.get("message", "") for e in second.events)
        assert np.abs(second.vectors() - first.vectors()).max() < 1e-5
        third = Done("esm2", shards, encoders["esm2"], tmp_path / "3", store=store)
        assert all(s["reused"] for s in third.report["shards"])

    def test_a_stored_shard_serves_the_repeats_of_later_ones(self, encoders, tmp_path):
        store = tmp_path / "store"
        write_shard(tmp_path / "a", 0, ["MKVLA", "MA"])
        Done("esm2", tmp_path / "a", encoders["esm2"], tmp_path / "1", store=store)
        write_shard(tmp_path / "a", 1, ["MCC", "MKVLA", "MKVLA"])
        second = Done("esm2", tmp_path / "a", encoders["esm2"], tmp_path / "2", store=store)
        assert [s["reused"] for s in second.report["shards"]] == [True, False]
        assert second.report["tokens"] == len("MCC") + 2
        assert second.table(1)["embedding"][2] == second.table(0)["embedding"][0]
