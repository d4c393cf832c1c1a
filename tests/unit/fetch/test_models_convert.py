"""Converted models compute what the published ones compute: against fair-esm, transformers, VirNucPro's module."""

import json
from pathlib import Path

import models_files as files
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from virnucpro.bundle.tensors import check_shapes, read_header
from virnucpro.encoders.dnabert_s.description import dnabert_s_tensors
from virnucpro.encoders.esm2.description import esm2_tensors
from virnucpro.encoders.transformer_config import TransformerConfig
from virnucpro.fetch import convert_classifier, convert_dnabert_s, convert_esm2
from virnucpro.fetch.checkpoint import read_checkpoint
from virnucpro.fetch.convert import write_folder

PEPTIDES = ["MKVLAAGIVGLLLAQWERTY", "ACDEFXXGHIKLMNPQ"]
TOKENS = [
    "<cls>",
    "<pad>",
    "<eos>",
    "<unk>",
    "L",
    "A",
    "G",
    "V",
    "S",
    "E",
    "R",
    "T",
    "I",
    "D",
    "P",
    "K",
    "Q",
    "N",
    "F",
    "Y",
    "M",
    "H",
    "W",
    "C",
    "X",
    "B",
    "U",
    "Z",
    "O",
    ".",
    "-",
    "<null_1>",
    "<mask>",
]


def embed(folder: Path) -> list[np.ndarray]:
    """The two peptides' last hidden states by fair-esm's model with the folder's tensors: [residues + 2, dim]."""
    import esm

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = esm.ESM2(config["num_hidden_layers"], config["hidden_size"], config["num_attention_heads"]).eval()
    state = {k: torch.from_numpy(v.astype(np.float32)) for k, v in load_file(folder / "model.safetensors").items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(k.startswith(("lm_head", "contact_head")) or k.endswith("inv_freq") for k in missing), missing
    return hidden(model, config["num_hidden_layers"])


def weights_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix in (".safetensors", ".bin"))


def hidden(model, layers: int) -> list[np.ndarray]:
    with torch.no_grad():
        return [model(ids(p), repr_layers=[layers])["representations"][layers][0].numpy() for p in PEPTIDES]


def ids(peptide: str) -> torch.Tensor:
    return torch.tensor([[0, *(TOKENS.index(r) for r in peptide), 2]])


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("prefix", ["encoder.sentence_encoder.", "sentence_encoder.", "encoder.", ""])
@pytest.mark.parametrize("key", ["cfg", "args"])
def test_fair_esm_checkpoints(tmp_path, prefix, key, legacy):
    model = files.fair_esm()
    files.fair_esm_file(tmp_path / "esm2.pt", model, prefix, key, legacy)
    config, tensors = convert_esm2.from_fair_esm(tmp_path / "esm2.pt")
    write_folder(tmp_path / "out", config, tensors, "test")
    for ours, theirs in zip(embed(tmp_path / "out"), hidden(model, 2), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert {k: config[k] for k in ("num_hidden_layers", "hidden_size", "num_attention_heads")} == {
        "num_hidden_layers": 2,
        "hidden_size": 24,
        "num_attention_heads": 4,
    }
    assert config["token_dropout"] is True and config["intermediate_size"] == 96
    names = set(read_header(tmp_path / "out" / "model.safetensors"))
    assert names == {n for n in model.state_dict() if not n.startswith(("lm_head", "contact_head"))}


def test_sixteen_bit_checkpoints_keep_their_type_and_values(tmp_path):
    """ESM-2 3B and 15B: fair-esm widens on load, which is exact, so the bundle keeps the half-size form."""
    model = files.fair_esm(half=True)
    files.fair_esm_file(tmp_path / "esm2.pt", model)
    write_folder(tmp_path / "out", *convert_esm2.from_fair_esm(tmp_path / "esm2.pt"), "test")
    header = read_header(tmp_path / "out" / "model.safetensors")
    assert {t.dtype for t in header.values()} == {"F16"}
    for ours, theirs in zip(embed(tmp_path / "out"), hidden(model.float(), 2), strict=True):
        np.testing.assert_array_equal(ours, theirs)


HOW = {
    "safetensors": {},
    "several safetensors": {"max_shard_size": "20KB"},
}


@pytest.mark.parametrize("masked_lm", [False, True])
@pytest.mark.parametrize("how", [*HOW, "bin", "several bin"])
def test_hub_files_of_esm2(tmp_path, how, masked_lm):
    """Against transformers' own forward pass."""
    folder = tmp_path / "hub"
    model = files.hub_esm(folder, masked_lm, **HOW.get(how, {}))
    if how.endswith("bin"):
        to_bin(folder, model, 2 if how == "several bin" else 1)
    assert (len(list(folder.glob("*.index.json"))) == 1) == how.startswith("several")
    write_folder(tmp_path / "out", *convert_esm2.from_hub(folder, weights_in(folder)), "test")
    inner = model.esm if masked_lm else model
    for peptide, ours in zip(PEPTIDES, embed(tmp_path / "out"), strict=True):
        mask = torch.ones_like(ids(peptide))
        with torch.no_grad():
            theirs = inner(input_ids=ids(peptide), attention_mask=mask).last_hidden_state[0].numpy()
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def to_bin(folder: Path, model, parts: int) -> None:
    """The form in which the hub has ESM-2 since 2022: pickles, rotary frequencies per layer, position ids."""
    (folder / "model.safetensors").unlink()
    state = [(k, v) for k, v in model.state_dict().items() if "rotary" not in k]
    prefix, half = ("esm." if "lm_head.bias" in dict(state) else ""), files.SHAPE["dim"] // files.SHAPE["heads"] // 2
    for layer in range(files.SHAPE["layers"]):
        at = f"{prefix}encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
        state.append((at, 1 / 10000 ** (torch.arange(half) / half)))
    state.append((f"{prefix}embeddings.position_ids", torch.arange(1026)[None]))
    names = ["pytorch_model.bin"] if parts == 1 else [f"pytorch_model-{i}-of-{parts}.bin" for i in range(parts)]
    for i, name in enumerate(names):
        files.save(dict(state[i::parts]), folder / name)
    if parts > 1:
        where = {key: names[i % parts] for i, (key, _) in enumerate(state)}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}), encoding="utf-8")


def test_the_hubs_token_order_is_fair_esms():
    import esm

    assert esm.data.Alphabet.from_architecture("ESM-1b").all_toks == TOKENS


def test_our_encoder_reads_what_was_converted(tmp_path):
    from virnucpro.encoders.esm2 import model as esm2

    model = files.fair_esm(half=True)
    files.fair_esm_file(tmp_path / "esm2.pt", model)
    write_folder(tmp_path / "out", *convert_esm2.from_fair_esm(tmp_path / "esm2.pt"), "test")
    assert esm2.load(tmp_path / "out") is not None


@pytest.mark.parametrize("prefix", ["bert.", ""])
@pytest.mark.parametrize("weights", ["pytorch_model.bin", "model.safetensors"])
def test_dnabert_s(tmp_path, prefix, weights):
    tensors = files.dnabert_s(tmp_path / "hub", prefix, weights)
    config, found, tokenizer = convert_dnabert_s.from_hub(tmp_path / "hub", weights_in(tmp_path / "hub"))
    write_folder(tmp_path / "out", config, found, "test")
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert saved.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(saved[name], tensor.numpy())
    assert tokenizer == (tmp_path / "hub" / "tokenizer.json").read_bytes()
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))


def test_dnabert_s_golden_tensors_pass_through(tmp_path, data):
    """Original key layout (a small random model made with DNABERT-S's own code)."""
    golden = data / "dnabert_s_golden"
    (tmp_path / "hub").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "hub" / name).symlink_to(golden / name)
    (tmp_path / "hub" / "tokenizer.json").symlink_to(data / "dnabert_s_tokenizer" / "tokenizer.json")
    config, found, _ = convert_dnabert_s.from_hub(tmp_path / "hub", weights_in(tmp_path / "hub"))
    write_folder(tmp_path / "out", config, found, "test")
    ours, theirs = load_file(tmp_path / "out" / "model.safetensors"), load_file(golden / "model.safetensors")
    assert theirs.keys() - ours.keys() == {"pooler.dense.weight", "pooler.dense.bias"}
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")  # the older layout keeps a class's source
@pytest.mark.parametrize("legacy", [False, True])
def test_virnucpros_classifier(tmp_path, legacy):
    module = files.virnucpro_classifier(tmp_path / "500_model.pth", legacy=legacy)
    write_folder(tmp_path / "out", None, convert_classifier.from_virnucpro(tmp_path / "500_model.pth", 3328), "test")
    saved = load_file(tmp_path / "out" / "model.safetensors")
    x = torch.randn(7, 3328)
    with torch.no_grad():
        expected = module(x).numpy()
    np.testing.assert_allclose(files.classifier_by_hand(saved, x.numpy()), expected, atol=1e-5)
    assert sorted(saved) == [
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "bn1.weight",
        "hidden_layer.bias",
        "hidden_layer.weight",
        "output_layer.bias",
        "output_layer.weight",
    ]


def test_a_classifier_saved_as_a_state_dict(tmp_path):
    module = files.MLPClassifier(44)
    files.save(module.state_dict(), tmp_path / "own.pth")
    tensors = convert_classifier.from_virnucpro(tmp_path / "own.pth", 44)
    np.testing.assert_array_equal(tensors["bn1.weight"].array(), module.bn1.weight.detach().numpy())


def test_virnucpros_published_files(shared_data):
    """The real ones, where somebody has put them beside the reference data (they are in no checkout)."""
    for name in ("300_model.pth", "500_model.pth"):
        path = shared_data / "virnucpro_models" / name
        if not path.is_file():
            pytest.skip(f"VirNucPro's published {name} is absent from the reference data")
        tensors = convert_classifier.from_virnucpro(path, 3328)
        assert tensors["hidden_layer.weight"].shape == (512, 3328)


def test_shapes_of_published_sizes_add_up():
    """Parameters of the published models, without heads, as their papers and checkpoints have them."""
    sizes = {"t33_650M": (33, 1280, 20), "t36_3B": (36, 2560, 40), "t48_15B": (48, 5120, 40)}
    counts = {}
    for name, (layers, dim, heads) in sizes.items():
        shapes = esm2_tensors(TransformerConfig(layers, dim, heads, 4 * dim, 33))
        counts[name] = sum(int(np.prod(s)) for k, s in shapes.items() if not k.endswith("inv_freq"))
    assert [round(n / 1e9, 2) for n in counts.values()] == [0.65, 2.83, 15.1]
    # 5,678,116,398 bytes is the size of the published 3B checkpoint: two bytes a parameter, with its LM head.
    assert 0 < 5_678_116_398 - 2 * (counts["t36_3B"] + 2560 * 2560 + 3 * 2560 + 33) < 200_000
    dnabert = dnabert_s_tensors(TransformerConfig(12, 768, 12, 3072, 4096))
    assert round(sum(int(np.prod(s)) for s in dnabert.values()) / 1e6) in (116, 117)


def test_what_was_written_is_what_safetensors_reads(tmp_path):
    """Our writer against the library, and equal input gives equal bytes."""
    model = files.fair_esm()
    tensors = convert_esm2.from_fair_esm(files.fair_esm_file(tmp_path / "esm2.pt", model))[1]
    first = write_folder(tmp_path / "a", None, tensors, "test")
    assert write_folder(tmp_path / "b", None, dict(reversed(tensors.items())), "test") == first
    saved = load_file(tmp_path / "a" / "model.safetensors")
    for name, value in model.state_dict().items():
        if name in saved:
            np.testing.assert_array_equal(saved[name], value.numpy())
    header = read_header(tmp_path / "a" / "model.safetensors")
    check_shapes(tmp_path, header, {k: v.shape for k, v in saved.items()})
    assert read_checkpoint(tmp_path / "esm2.pt")["cfg"]["model"].state["arch"] == "esm2"
