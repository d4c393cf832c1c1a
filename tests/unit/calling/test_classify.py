"""CLASSIFY: scores against torch, calls by hand, VirNucPro's file formats, and accounts that must add up."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.numpy import save_file

from virnucpro.calling import results
from virnucpro.calling.calls import call_chunks, call_sequences
from virnucpro.calling.mlp import Mlp
from virnucpro.calling.scoring import Scores
from virnucpro.errors import InputError
from virnucpro.formats import FRAMES, embedding_schema
from virnucpro.frames.cuts import Cut
from virnucpro.frames.extract import extract

DIMS = {"dnabert_s": 2, "esm2": 2}
ORF = "ATGGCTAGCAAAGGTAAACGTATTGCAGAACTGAAAGAAGCGATTGAAAAACGT" * 3  # open in some frames
CLOSED = "TAATTAACTAACTAGTTAGTCAA" * 6


def write_classifier(folder, weights):
    folder.mkdir()
    save_file({k: np.ascontiguousarray(v, dtype=np.float32) for k, v in weights.items()}, folder / "model.safetensors")
    encoders = "".join(f"  - {{kind: {k}, name: x_{k}, layer: last, dim: {d}}}\n" for k, d in DIMS.items())
    (folder / "classifier.yml").write_text(
        f"format: 1\nname: x\nchunk_length: 100\nencoders:\n{encoders}", encoding="utf-8"
    )


def see_through(folder):
    """A classifier whose virus score is sigmoid(first value of the first encoder's embedding)."""
    hidden = np.zeros((512, 4))
    hidden[0, 0], hidden[1, 0] = 1, -1  # relu(x) and relu(-x): their difference is x
    output = np.zeros((2, 512))
    output[1, 0], output[1, 1] = 1, -1
    one, zero = np.ones(512), np.zeros(512)
    weights = {"hidden_layer.weight": hidden, "hidden_layer.bias": zero, "bn1.weight": one, "bn1.bias": zero}
    weights |= {"bn1.running_mean": zero, "bn1.running_var": one - 1e-5}
    write_classifier(folder, weights | {"output_layer.weight": output, "output_layer.bias": np.zeros(2)})


def logit(p):
    return np.log(p / (1 - p))


@pytest.fixture
def sample(tmp_path):
    return small_sample(tmp_path)


def small_sample(tmp_path, more="", **options):
    """Frames of a small sample, with `more` records behind its own; and a function that embeds each shard with a wanted
    virus score per frame."""
    fasta = tmp_path / "in.fa"
    fasta.write_text(
        f">one first\n{ORF}\n>closed\n{CLOSED}\n>empty\n>two\n{ORF[:100]}\n>short\nATGAAACCC\n{more}", encoding="utf-8"
    )
    manifest = extract("s", [fasta], tmp_path / "tables", chunk_length=100, min_length=20, shard_size=4, **options)
    see_through(tmp_path / "classifier")
    (tmp_path / "embeddings").mkdir()
    keys = np.concatenate([read_shard(tmp_path, s)["frame_key"].to_numpy() for s in manifest["shards"]])

    def embed(scores, kinds=("dnabert_s", "esm2"), shards=None, drop=(), failed=None):
        for shard in manifest["shards"] if shards is None else shards:
            for kind in kinds:
                table = read_shard(tmp_path, shard)
                mine = table["frame_key"].to_numpy()
                keep = ~np.isin(mine, drop)
                mine = mine[keep][::-1]  # not in order: the join is by key
                first = [logit(scores[k]) for k in mine] if kind == "dnabert_s" else np.full(len(mine), 9.0)
                vectors = np.stack([np.asarray(first), np.zeros(len(mine))], axis=1).astype(np.float32)
                rows = pa.FixedSizeListArray.from_arrays(vectors.ravel(), 2)
                schema = embedding_schema(2, {"failed": json.dumps(failed or [])})
                ids = pa.array(["?"] * len(mine))
                name = f"{shard['name']}.{kind}.parquet"
                pq.write_table(pa.table([pa.array(mine), ids, rows], schema=schema), tmp_path / "embeddings" / name)

    return manifest, keys, embed


def read_shard(tmp_path, shard):
    return pq.read_table(tmp_path / "tables" / f"{shard['name']}.parquet")


def classify(root, tmp_path, *more):
    command = [sys.executable, root / "bin/classify.py", "--sample", "s", "in.fa", "--tables", "tables"]
    command += ["--embeddings", "embeddings", "--classifier", "classifier", "--out", "results", *more]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")


def read_tsv(tmp_path, name):
    return pl.read_csv(tmp_path / "results/s" / f"{name}.tsv", separator="\t", quote_char=None)


def test_mlp_equals_torch(tmp_path):
    """VirNucPro's MLPClassifier in torch, with statistics far from trivial."""
    torch.manual_seed(1)
    net = torch.nn.ModuleDict({"hidden_layer": torch.nn.Linear(40, 512), "bn1": torch.nn.BatchNorm1d(512)})
    net["output_layer"] = torch.nn.Linear(512, 2)
    with torch.no_grad():
        net["bn1"].running_mean.normal_()
        net["bn1"].running_var.uniform_(0.1, 3)
        net["bn1"].weight.normal_()
        net["bn1"].bias.normal_()
    net.eval()
    state = {k: v.numpy() for k, v in net.state_dict().items() if "num_batches" not in k}
    write_classifier(tmp_path / "c", state)
    x = torch.randn(300, 40)
    with torch.no_grad():
        hidden = torch.relu(net["bn1"](net["hidden_layer"](x)))
        expected = torch.softmax(net["output_layer"](hidden), dim=1).numpy()
    assert np.abs(Mlp(tmp_path / "c")(x.numpy()) - expected).max() < 1e-6


def test_scores_do_not_follow_threads_processor_or_neighbours(root):
    """To the last bit: the same frames alone, all together, on another processor, with another number of threads."""
    program = """
import sys
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[1] + "/bin")
from virnucpro.calling.mlp import Mlp
mlp = Mlp(Path(sys.argv[1]) / "assets/demo_models/classifiers/demo_500")
x = np.random.default_rng(0).standard_normal((5000, mlp.features)).astype(np.float32)
whole = mlp(x).tobytes()
assert whole == b"".join(mlp(x[i : i + 777]).tobytes() for i in range(0, len(x), 777))
print(__import__("hashlib").sha256(whole).hexdigest())
"""
    settings = [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}, {"OPENBLAS_CORETYPE": "Nehalem"}]
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(root)],
            env=os.environ | s,
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for s in settings
    }
    assert len(digests) == 1


def test_calls_by_hand(root, tmp_path, sample):
    _, keys, embed = sample
    scores = dict.fromkeys(keys.tolist(), 0.2) | {k: 0.45 for k in keys.tolist() if k // 6 == 1}
    of_first = [k for k in keys.tolist() if k // 6 == 0]
    scores |= dict.fromkeys(of_first, 0.3) | {of_first[0]: 0.9}  # its best frame makes chunk 1 viral: 0.9 >= 1 - 0.3
    embed(scores)
    done = classify(root, tmp_path)
    assert done.returncode == 0, done.stderr
    chunks = read_tsv(tmp_path, "chunks")
    assert chunks["sequence_id"].to_list() == ["one", "one", "closed", "closed", "two"]
    assert chunks["state"].to_list() == ["virus", "other", "no_open_frame", "no_open_frame", "other"]
    assert chunks["max_p_virus"].round(5).to_list() == [0.9, 0.45, None, None, 0.2]
    assert chunks["max_p_other"].round(5).to_list() == [0.7, 0.55, None, None, 0.8]
    assert chunks["virus_score"].round(5).to_list() == [0.5625, 0.45, None, None, 0.2]
    # 162 bases in chunks of 100: 38 to spare, lo = 19, wide = 38 - 19 = 19 > 1 joint, so one step of 20.
    assert list(zip(chunks["start"], chunks["end"], strict=True))[:2] == [(1, 100), (81, 162)]
    sequences = read_tsv(tmp_path, "sequences")
    assert sequences["sequence_id"].to_list() == ["one", "closed", "empty", "two", "short"]
    assert sequences["state"].to_list() == ["virus", "no_open_frame", "failed", "other", "too_short"]
    weighted = (0.5625 * 100 + 0.45 * 82) / 182
    assert sequences["virus_score"].to_list() == [
        pytest.approx(weighted, abs=1e-6),
        None,
        None,
        pytest.approx(0.2),
        None,
    ]
    assert sequences["max_p_virus"][0] == pytest.approx(0.9)
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert summary["sequences"] == {"total": 5, "virus": 1, "other": 1, "no_open_frame": 1, "too_short": 1, "failed": 1}
    assert sum(summary["score_histogram"]) == 2
    assert summary["state"] == "partial"  # the empty record failed
    text = gzip.decompress((tmp_path / "results/s/viruses.fasta.gz").read_bytes()).decode()
    header, *lines = text.splitlines()
    assert header == f">one virus_score={weighted:.6f} length=162 viral_regions=1-100 sequence_number=1 first"
    assert "".join(lines) == ORF
    assert (tmp_path / "results/s/viral_regions.bed").read_text(
        encoding="utf-8"
    ) == "one\t0\t100\tsequence_1:1_chunks\t562\t.\n"


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_agrees_with_its_chunks(seed):
    """At --min_score 0.5 no sequence is a virus without a viral chunk, and each is whose chunks all are; a sequence of
    one chunk is what VirNucPro calls that chunk. Scores near 0.5 and ties included."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(1, 7, 300)
    keys = np.concatenate([6 * i + np.sort(rng.permutation(6)[:n]) for i, n in enumerate(frames)])
    virus = np.float32(0.5) + rng.choice([0, 2**-24, -(2**-24), 0.01, -0.01, 0.4, -0.4], len(keys)).astype(np.float32)
    scores = Scores(keys, np.stack((np.float32(1) - virus, virus), axis=1))
    owner = np.sort(rng.integers(0, 120, 300))
    sample = SimpleNamespace(
        chunks=pl.DataFrame({"sequence": owner, "start": 0, "end": rng.integers(1, 500, 300)}).with_columns(
            cut=0, open_frames=1, stretch_frames=0, **{f"residues_{frame}": 0 for frame in FRAMES}
        ),
        sequences=pl.DataFrame(
            {"sequence": np.unique(owner), "chunks": 1, "state": "", "reason": None}, schema_overrides={"reason": str}
        ),
    )
    chunks = call_chunks(sample, scores)
    assert ((chunks["virus_score"] >= 0.5) == (chunks["state"] == "virus")).all()
    called = call_sequences(sample, chunks, 0.5).with_columns((pl.col("state") == "virus").alias("called"))
    assert not called.filter("called", pl.col("chunks_virus") == 0).height
    assert called.filter(pl.col("chunks_virus") == pl.col("chunks_scored"))["called"].all()


def test_a_second_classifier_scores_what_the_first_cannot_read(root, tmp_path):
    """Each sequence is called from the chunks of one classifier, which the tables name; VirNucPro's files know the
    first alone."""
    _, keys, embed = small_sample(tmp_path, second=Cut(30, "every", 1))
    shutil.copytree(tmp_path / "classifier", tmp_path / "second")
    card = (tmp_path / "classifier/classifier.yml").read_text(encoding="utf-8")
    (tmp_path / "second/classifier.yml").write_text(
        card.replace("name: x\n", "name: y\n").replace("100", "30"), encoding="utf-8"
    )
    chunks = pl.read_parquet(tmp_path / "tables/s.chunks.parquet")
    again = chunks["cut"].to_numpy()[keys // 6] == 1
    assert again.any() and not again.all()
    embed({k: 0.9 if a else 0.2 for k, a in zip(keys.tolist(), again.tolist(), strict=True)})
    done = classify(root, tmp_path, "--classifier", "classifier", "second")
    assert done.returncode == 0, done.stderr
    found = pl.read_csv(tmp_path / "results/s/sequences.tsv", separator="\t")
    states = dict(zip(found["sequence_id"], zip(found["state"], found["classifier"], strict=True), strict=True))
    assert states["one"] == ("other", "x") and states["closed"] == ("virus", "y")
    assert states["empty"] == ("failed", None)
    rows = pl.read_csv(tmp_path / "results/s/chunks.tsv", separator="\t")
    of_closed = rows.filter(pl.col("sequence_id") == "closed")
    closed = found.filter(pl.col("sequence_id") == "closed")
    assert of_closed["classifier"].unique().sort().to_list() == ["x", "y"]
    assert of_closed.filter(pl.col("classifier") == "x")["state"].unique().to_list() == ["no_open_frame"]
    assert closed["chunks"].item() == of_closed.filter(pl.col("classifier") == "y").height
    compatible = (tmp_path / "results/s/prediction_results.txt").read_text(encoding="utf-8")
    assert "one_chunk_1" in compatible and "closed" not in compatible
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert summary["classifiers"]["y"] == 1 and summary["chunks"]["total"] == chunks.height
    regions = pl.read_csv(tmp_path / "results/s/regions.tsv", separator="\t")
    assert "closed" in regions["sequence_id"].to_list()


def test_regions_are_joined_chunks():
    chunks = pl.DataFrame(
        {
            "sequence": [0, 0, 0, 0, 1, 1],
            "start": [0, 400, 900, 1300, 0, 500],
            "end": [500, 900, 1400, 1800, 500, 1000],
            "state": ["virus", "virus", "other", "virus", "virus", "virus"],
            "virus_score": [0.6, 0.8, 0.1, 0.9, 0.5, 0.7],
        }
    )
    found = results.joined_viral_chunks(chunks)
    assert found.select("sequence", "start", "end", "chunks").rows() == [
        (0, 0, 900, 2),
        (0, 1300, 1800, 1),
        (1, 0, 1000, 2),
    ]
    assert found["score"].round(6).to_list() == [0.7, 0.9, 0.6]


def test_min_score(root, tmp_path, sample):
    _, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.7))
    classify(root, tmp_path, "--min_score", "0.71")
    assert read_tsv(tmp_path, "sequences")["state"].to_list()[0] == "other"
    classify(root, tmp_path, "--min_score", "0.69")
    assert read_tsv(tmp_path, "sequences")["state"].to_list()[0] == "virus"


def test_compatible_files(root, tmp_path, sample):
    """As prediction.py writes them: argmax per frame, best scores per chunk, sorted by id, tabs in the .csv."""
    manifest, keys, embed = sample
    rng = np.random.default_rng(3)
    scores = {k: float(rng.uniform(0.01, 0.99)) for k in keys.tolist()}
    embed(scores)
    assert classify(root, tmp_path).returncode == 0
    frames = [
        line.split("\t")
        for line in (tmp_path / "results/s/prediction_results.txt").read_text(encoding="utf-8").splitlines()
    ]
    assert frames[0] == ["Sequence_ID", "Prediction", "score1", "score2"]
    ids = [i for s in manifest["shards"] for i in read_shard(tmp_path, s)["frame_id"].to_pylist()]
    assert [f[0] for f in frames[1:]] == ids
    for frame, key in zip(frames[1:], keys.tolist(), strict=True):
        assert float(frame[3]) == pytest.approx(scores[key], abs=1e-6)
        assert str(np.float32(frame[3])) == frame[3], "the shortest form of a float32, as numpy prints it"
        assert frame[1] == ("virus" if scores[key] > 0.5 else "others")
    # What pandas makes of the first file, by VirNucPro's recipe.
    df = pl.DataFrame(frames[1:], schema=frames[0], orient="row").with_columns(pl.col("score1", "score2").cast(float))
    best = df.group_by(pl.col("Sequence_ID").str.slice(0, pl.col("Sequence_ID").str.len_chars() - 2)).agg(
        pl.col("score1").max(), pl.col("score2").max()
    )
    expected = sorted((i, str(v >= o)) for i, o, v in best.iter_rows())
    lines = (tmp_path / "results/s/prediction_results_highestscore.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Modified_ID\tIs_Virus"
    assert [tuple(line.split("\t")) for line in lines[1:]] == expected


def test_a_missing_bin_fails_its_sequences_and_no_others(root, tmp_path, sample):
    manifest, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.9))
    last = manifest["shards"][-1]
    (tmp_path / f"embeddings/{last['name']}.esm2.parquet").unlink()
    assert classify(root, tmp_path).returncode == 0
    chunks = read_tsv(tmp_path, "chunks")
    lost = {k // 6 for k in read_shard(tmp_path, last)["frame_key"].to_pylist()}
    assert {i for i, state in enumerate(chunks["state"]) if state == "failed"} == lost
    assert all("esm2 task failed" in r for r in chunks.filter(pl.col("state") == "failed")["reason"])
    sequences = read_tsv(tmp_path, "sequences")
    assert sequences.filter(pl.col("sequence_id") == "two")["state"].item() == "failed"
    assert sequences.filter(pl.col("sequence_id") == "two")["chunks_failed"].item() == 1
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert summary["frames"]["failed"] == last["frames"]
    assert summary["missing"] == [f"{last['name']}.esm2"]


def test_a_failed_frame_fails_its_chunk_with_its_reason(root, tmp_path, sample):
    _, keys, embed = sample
    bad = int(keys[0])
    embed(dict.fromkeys(keys.tolist(), 0.9), drop=[bad], failed=[{"frame_key": bad, "reason": "not a number"}])
    assert classify(root, tmp_path).returncode == 0
    chunk = read_tsv(tmp_path, "chunks").row(0, named=True)
    assert chunk["state"] == "failed"
    assert "dnabert_s: not a number" in chunk["reason"]
    assert chunk["max_p_virus"] == pytest.approx(0.9), "what could be scored is still shown"
    assert chunk["virus_score"] is None, "the whole chunk's could be another"


@pytest.mark.parametrize("kind", ["dnabert_s", "esm2"])
def test_an_unexplained_gap_is_an_error(root, tmp_path, sample, kind):
    """The accounts must add up: a frame that vanished without a reason stops CLASSIFY."""
    _, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.9))
    embed(dict.fromkeys(keys.tolist(), 0.9), kinds=[kind], drop=[int(keys[1])])
    done = classify(root, tmp_path)
    assert done.returncode == 65
    assert f"frame {keys[1]} is neither embedded nor listed as failed" in done.stderr


def test_a_foreign_embedding_is_an_error(root, tmp_path, sample):
    manifest, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.9))
    first, second = (tmp_path / f"embeddings/{s['name']}.esm2.parquet" for s in manifest["shards"][:2])
    first.write_bytes(second.read_bytes())
    done = classify(root, tmp_path)
    assert done.returncode == 65
    assert "not of shard" in done.stderr


def test_a_damaged_embedding_file_is_named(root, tmp_path, sample):
    manifest, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.9))
    path = tmp_path / f"embeddings/{manifest['shards'][0]['name']}.esm2.parquet"
    path.write_bytes(path.read_bytes()[:100])
    done = classify(root, tmp_path)
    assert done.returncode == 65
    assert path.name in done.stderr


def test_a_table_that_lost_rows_is_noticed(tmp_path, sample):
    from virnucpro.calling.sample import read_sample

    path = tmp_path / "tables/s.chunks.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(InputError, match="its manifest says"):
        read_sample("s", tmp_path / "tables")


def test_results_are_the_same_bytes_each_time(root, tmp_path, sample):
    _, keys, embed = sample
    embed(dict.fromkeys(keys.tolist(), 0.9))
    contents = []
    for _ in range(2):
        assert classify(root, tmp_path).returncode == 0
        contents.append({p.name: p.read_bytes() for p in (tmp_path / "results/s").iterdir()})
    assert contents[0] == contents[1]


def test_nothing_open_gives_valid_empty_results(root, tmp_path):
    (tmp_path / "in.fa").write_text(f">a\n{CLOSED}\n>b\n{CLOSED}\n", encoding="utf-8")
    extract("s", [tmp_path / "in.fa"], tmp_path / "tables", chunk_length=100)
    see_through(tmp_path / "classifier")
    done = classify(root, tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_tsv(tmp_path, "sequences")["state"].to_list() == ["no_open_frame"] * 2
    assert (tmp_path / "results/s/prediction_results.txt").read_text(encoding="utf-8").count("\n") == 1
    assert (tmp_path / "results/s/prediction_results_highestscore.csv").read_text(
        encoding="utf-8"
    ) == "Modified_ID\tIs_Virus\n"
    assert gzip.decompress((tmp_path / "results/s/viruses.fasta.gz").read_bytes()) == b""
    assert json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))["state"] == "complete"


def test_a_failed_sample_gives_valid_empty_results(root, tmp_path):
    (tmp_path / "in.fa").write_text("nonsense", encoding="utf-8")
    extract("s", [tmp_path / "in.fa"], tmp_path / "tables", chunk_length=100)
    see_through(tmp_path / "classifier")
    assert classify(root, tmp_path).returncode == 0
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert (summary["state"], summary["sequences"]["total"]) == ("failed", 0)
    assert "not a FASTA file" in summary["reason"]


def test_a_sample_of_which_nothing_could_be_scored_has_failed(root, tmp_path):
    (tmp_path / "in.fa").write_text(">first\nMKVLAEQ\n>second\nMKVLAEF\n", encoding="utf-8")
    extract("s", [tmp_path / "in.fa"], tmp_path / "tables", chunk_length=100)
    see_through(tmp_path / "classifier")
    assert classify(root, tmp_path).returncode == 0
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert summary["state"] == "failed"
    assert summary["reason"].startswith("none of its sequences could be scored; the first, first: 'L' at position 4")


def test_stretches_stand_beside_open_frames(root, tmp_path):
    """The same open frames, and a stretch for the chunk that has none: named as such, and not in VirNucPro's files."""
    (tmp_path / "open").mkdir()
    manifest, keys, embed = small_sample(tmp_path / "open")
    embed(dict.fromkeys(keys, 0.75))
    assert classify(root, tmp_path / "open").returncode == 0
    more, all_keys, embed = small_sample(tmp_path, read="longest", min_stretch=2)
    stretches = np.setdiff1d(all_keys, keys)
    assert 1 <= more["stretches"] == len(stretches) == more["frames"] - manifest["frames"]
    tables = [read_shard(tmp_path, s) for s in more["shards"]]
    names = {k: i for t in tables for k, i in zip(*(t[c].to_pylist() for c in ("frame_key", "frame_id")), strict=True)}
    embed({k: 0.25 if k in stretches else 0.75 for k in all_keys})
    run = classify(root, tmp_path)
    assert run.returncode == 0, run.stderr
    for file in ("prediction_results.txt", "prediction_results_highestscore.csv"):
        assert (tmp_path / "results/s" / file).read_bytes() == (tmp_path / "open/results/s" / file).read_bytes()
    chunks = read_tsv(tmp_path, "chunks")
    for key in stretches.tolist():
        chunk = chunks.row(key // 6, named=True)
        assert (chunk["evidence"], chunk["open_frames"], chunk["state"]) == ("stretches", None, "other")
        assert chunk["stretch_residues"] >= 2
        assert names[key] == f"closed_chunk_{chunk['chunk']}{chunk['best_frame']}_stretch"
    closed = read_tsv(tmp_path, "sequences").filter(pl.col("sequence_id") == "closed").row(0, named=True)
    n = len(stretches)
    facts = ("state", "evidence", "chunks_scored", "chunks_stretch", "virus_score")
    assert [closed[f] for f in facts] == ["other", "stretches", n, n, 0.25]


def test_another_genetic_code_leaves_virnucpros_files_as_they_are(root, tmp_path):
    """Frames that it opens are scored beside those that the standard code leaves open."""
    sequence = ORF + ORF[:60] + "TGA" + ORF[63:]
    assert CLOSED.count("TGA") == 0
    tables = {}
    for code in (1, 4):
        folder = tmp_path / str(code)
        folder.mkdir()
        manifest, _, embed = small_sample(folder, more=f">recoded\n{sequence}\n", genetic_code=code)
        # By their letters, so that a frame has one score in both runs.
        shards = pa.concat_tables(read_shard(folder, s) for s in manifest["shards"]).to_pylist()
        embed({row["frame_key"]: 0.1 + sum(row["peptide"].encode()) % 80 / 100 for row in shards})
        assert classify(root, folder).returncode == 0
        tables[code] = {t: read_tsv(folder, t) for t in ("sequences", "chunks")}
        peptides = {row["peptide"] for row in shards}
    assert any("W" in peptide for peptide in peptides)
    for file in ("prediction_results.txt", "prediction_results_highestscore.csv"):
        assert (tmp_path / "1/results/s" / file).read_bytes() == (tmp_path / "4/results/s" / file).read_bytes()
    frames = {code: tables[code]["chunks"]["frames_scored"].sum() for code in tables}
    assert frames[4] > frames[1]
    for code, each in tables.items():
        scored = each["sequences"].filter(pl.col("state").is_in(["virus", "other", "no_open_frame"]))
        assert scored["genetic_code"].unique().to_list() == [code]
        assert each["sequences"].filter(pl.col("sequence_id") == "short")["genetic_code"].item() is None
        assert each["sequences"]["better_genetic_code"].null_count() == each["sequences"].height


def test_every_frame_is_read_and_virnucpros_files_stay_the_same(root, tmp_path):
    (tmp_path / "open").mkdir()
    _, keys, embed = small_sample(tmp_path / "open")
    embed(dict.fromkeys(keys, 0.75))
    assert classify(root, tmp_path / "open").returncode == 0
    _, all_keys, embed = small_sample(tmp_path, read="every", min_stretch=2)
    stretches = np.setdiff1d(all_keys, keys)
    assert np.isin(keys, all_keys).all() and np.isin(stretches // 6, keys // 6).any()
    embed({k: 0.25 if k in stretches else 0.75 for k in all_keys})
    run = classify(root, tmp_path)
    assert run.returncode == 0, run.stderr
    for file in ("prediction_results.txt", "prediction_results_highestscore.csv"):
        assert (tmp_path / "results/s" / file).read_bytes() == (tmp_path / "open/results/s" / file).read_bytes()
    chunks = read_tsv(tmp_path, "chunks").with_row_index("n")
    opened, stretched = (chunks["n"].is_in((k // 6).tolist()) for k in (keys, stretches))
    expected = {(True, True): "both", (True, False): "open_frames", (False, True): "stretches", (False, False): None}
    assert chunks["evidence"].to_list() == [expected[pair] for pair in zip(opened, stretched, strict=True)]
    assert chunks["frames_scored"].to_list() == np.bincount(all_keys // 6, minlength=chunks.height).tolist()


def test_a_calibrated_classifier_gives_probabilities_and_calls_by_rate(root, tmp_path, sample):
    """By hand: log-odds are halved, half of the sequences are viruses, q-values are running means."""
    _, keys, embed = sample
    embed({k: 0.9 if k < 12 else 0.6 for k in keys.tolist()})
    assert classify(root, tmp_path).returncode == 0
    plain = read_tsv(tmp_path, "sequences")
    assert plain["virus_probability"].null_count() == plain["q_value"].null_count() == plain.height
    run = classify(root, tmp_path, "--max_fdr", "0.2")
    assert run.returncode == 2 and "calibrated" in run.stderr
    card = tmp_path / "classifier/classifier.yml"
    terms = "{intercept: 0, log_odds: 0.5, log_odds_by_weight: 0, weight: 0, unit: 100}"
    card.write_text(card.read_text(encoding="utf-8") + f"calibration: {terms}\n", encoding="utf-8")
    assert classify(root, tmp_path, "--prevalence", "0.5").returncode == 0
    table = read_tsv(tmp_path, "sequences")
    assert table.drop("virus_probability", "q_value").equals(plain.drop("virus_probability", "q_value"))
    scored = table.filter(pl.col("virus_score").is_not_null() & pl.col("state").is_in(["virus", "other"]))
    odds = (scored["virus_score"] / (1 - scored["virus_score"])).sqrt()
    assert (scored["virus_probability"] - odds / (1 + odds)).abs().max() < 1e-5
    p = scored["virus_probability"].to_list()
    expected = [np.mean([1 - x for x in p if x >= y]) for y in p]
    assert scored["q_value"].to_list() == pytest.approx(expected, abs=1e-5)
    summary = json.loads((tmp_path / "results/s/s.summary.json").read_text(encoding="utf-8"))
    assert (summary["prevalence"], summary["prevalence_given"]) == (0.5, True)
    strict = (min(expected) + max(expected)) / 2
    assert classify(root, tmp_path, "--prevalence", "0.5", "--max_fdr", str(strict)).returncode == 0
    states = read_tsv(tmp_path, "sequences").filter(pl.col("sequence_id").is_in(scored["sequence_id"].implode()))[
        "state"
    ]
    assert states.to_list() == ["virus" if q <= strict else "other" for q in expected]
