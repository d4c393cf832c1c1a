"""ESM-2 against fair-esm and transformers with the same weights."""

import json

import numpy as np
import pytest
import torch
from encoder_folders import RESIDUES, fair_esm, save_esm2

from virnucpro.encoders.esm2 import model as esm2
from virnucpro.errors import ModelError
from virnucpro.verify.shapes import ESM2_SHAPES

LENGTHS = (1, 2, 20, 165, 166, 300, 1023, 1024, 1025, 1300)
LAYERS = 3


@pytest.fixture(scope="module")
def reference():
    return fair_esm(LAYERS, 40, 4)


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory):
    return save_esm2(reference, tmp_path_factory.mktemp("esm2"))


@pytest.fixture(scope="module")
def peptides():
    rng = np.random.default_rng(0)
    letters = list(RESIDUES + "XBUZO")
    return ["".join(rng.choice(letters, n)) for n in LENGTHS] + ["X" * 50, "MKV.-BZ"]


@pytest.fixture(scope="module")
def expected(reference, peptides):
    """fair-esm's output of every layer, for each peptide alone, cut at 1,024 residues as its extract.py does."""
    convert = reference.alphabet.get_batch_converter(1024)
    layers = range(LAYERS + 1)
    outputs = [reference(convert([("x", p)])[2], repr_layers=layers)["representations"] for p in peptides]
    return [{layer: output[layer][0] for layer in layers} for output in outputs]


def alone(model, peptide: str) -> torch.Tensor:
    """Tokens of one peptide, [1, T]."""
    return torch.from_numpy(model.tokenize([peptide]).flat)[None]


def worst(model, peptides, expected, layer=LAYERS) -> float:
    """Largest difference of a pooled embedding to fair-esm's."""
    pairs = zip(peptides, expected, strict=True)
    return max((model(alone(model, p))[0] - e[layer][1:-1].mean(0)).abs().max().item() for p, e in pairs)


@pytest.mark.parametrize("layer", ["last", 2, 1, 0])
def test_equals_fair_esm(folder, peptides, expected, layer):
    model = esm2.load(folder, layer)
    number = LAYERS if layer == "last" else layer
    for peptide, output in zip(peptides, expected, strict=True):
        assert (model.hidden(alone(model, peptide))[0] - output[number]).abs().max() < 1e-5
    assert worst(model, peptides, expected, number) < 1e-5


def test_padding_changes_nothing(folder, peptides, expected):
    model = esm2.load(folder)
    tokens = model.tokenize(peptides)
    rows = tokens.rows(np.arange(len(peptides)), int(tokens.length.max()) + 3, model.pad)
    pooled = model(torch.from_numpy(rows), torch.from_numpy(tokens.length))
    for row, output in zip(pooled, expected, strict=True):
        assert (row - output[LAYERS][1:-1].mean(0)).abs().max() < 1e-5


def test_equals_transformers(reference, folder, peptides):
    """The hub's model class, with the same weights under its own names."""
    from transformers import EsmConfig, EsmModel

    config = EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=40,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        intermediate_size=160,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
    )
    theirs = EsmModel(config, add_pooling_layer=False).eval()
    names = {
        "self_attn.q_proj": "attention.self.query",
        "self_attn.k_proj": "attention.self.key",
        "self_attn.v_proj": "attention.self.value",
        "self_attn.out_proj": "attention.output.dense",
        "self_attn.rot_emb.inv_freq": "attention.self.rotary_embeddings.inv_freq",
        "self_attn_layer_norm": "attention.LayerNorm",
        "fc1": "intermediate.dense",
        "fc2": "output.dense",
        "final_layer_norm": "LayerNorm",
        "emb_layer_norm_after": "encoder.emb_layer_norm_after",
        "embed_tokens": "embeddings.word_embeddings",
        "layers.": "encoder.layer.",
    }
    state = {}
    for name, tensor in reference.state_dict().items():
        if not name.startswith(("lm_head", "contact_head")):
            for old, new in names.items():
                name = name.replace(old, new) if "layer_norm" not in old or f".{old}." in f".{name}" else name
            state[name] = tensor
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not [m for m in missing if "inv_freq" not in m and "position" not in m and "contact" not in m]
    assert not [u for u in unexpected if "inv_freq" not in u]
    model = esm2.load(folder)
    for peptide in peptides[:6]:
        with torch.no_grad():
            hidden = theirs(alone(model, peptide).long()).last_hidden_state
        assert (model.hidden(alone(model, peptide)) - hidden).abs().max() < 1e-5


def test_tokens_equal_fair_esm(reference, folder, peptides):
    convert = reference.alphabet.get_batch_converter(1024)
    theirs = convert([("x", p) for p in peptides])[2].numpy()
    tokens = esm2.load(folder, 0).tokenize(peptides)
    assert (tokens.rows(np.arange(len(peptides)), theirs.shape[1], reference.padding_idx) == theirs).all()


def test_letters_without_a_token_are_unknown(reference, folder):
    model = esm2.load(folder, 0)
    unknown = reference.alphabet.get_idx("J")
    assert model.tokenize(["MJ*mé"]).flat.tolist() == [0, reference.alphabet.get_idx("M"), *[unknown] * 4, 2]


@pytest.mark.parametrize("size", ESM2_SHAPES)
def test_every_published_size_fits(size, tmp_path):
    """Tensor by tensor the names and shapes that fair-esm gives each size are those that the loader asks for."""
    import esm

    layers, dim, heads = ESM2_SHAPES[size]
    raw = {"model_type": "esm", "num_hidden_layers": layers, "hidden_size": dim, "num_attention_heads": heads}
    raw |= {"intermediate_size": 4 * dim, "vocab_size": 33}
    (tmp_path / "config.json").write_text(json.dumps(raw), encoding="utf-8")
    with torch.device("meta"):
        reference = esm.ESM2(layers, dim, heads)
        ours = esm2.ESM2(esm2.Config.read(tmp_path))

    class Recorded(dict):
        device = torch.device("meta")

        def get(self, key, dtype):
            tensor = self[key]
            assert tuple(tensor.shape) == ours.config.tensors[key], key
            used.add(key)
            return tensor

    used: set[str] = set()
    theirs = {k: v for k, v in reference.state_dict().items() if not k.startswith(("lm_head", "contact_head"))}
    state = dict(esm2._state(Recorded(theirs), ours.config, torch.float32))
    ours.load_state_dict(state, assign=True)
    unused = set(theirs) - used
    assert all(name.endswith("rot_emb.inv_freq") for name in unused)  # the same in every layer: taken from the first


def changed_state(monkeypatch, change):
    """Load with `change` applied to the state dictionary."""
    original = esm2._state
    monkeypatch.setattr(esm2, "_state", lambda *a: change(dict(original(*a))).items())


class TestControls:
    """What the parity tests have to notice: each of these must fail by far."""

    def test_without_the_scaling_of_token_dropout(self, reference, tmp_path, peptides, expected):
        model = esm2.load(save_esm2(reference, tmp_path, token_dropout=False))
        assert worst(model, peptides, expected) > 1e-3

    def test_without_rotary_positions(self, folder, peptides, expected, monkeypatch):
        still = torch.tensor([1.0, 0.0])
        changed_state(monkeypatch, lambda s: s | {"rotation": still.expand_as(s["rotation"]).clone()})
        assert worst(esm2.load(folder), peptides, expected) > 1e-3

    def test_with_other_rotary_frequencies(self, folder, peptides, expected, monkeypatch):
        def by_formula_of_another_base(w, c):
            return 1.0 / 500 ** (torch.arange(0, 10, 2).float() / 10)

        monkeypatch.setattr(esm2, "_rotary_frequencies", by_formula_of_another_base)
        assert worst(esm2.load(folder), peptides, expected) > 1e-3

    def test_without_the_last_norm(self, folder, peptides, expected, monkeypatch):
        model = esm2.load(folder)
        model.norm = torch.nn.Identity()
        assert worst(model, peptides, expected) > 1e-3

    def test_with_padding_unmasked(self, folder, peptides, expected, monkeypatch):
        model = esm2.load(folder)
        monkeypatch.setattr(torch, "arange", lambda n, device=None: torch.zeros(n, dtype=torch.int64))  # all are real
        tokens = model.tokenize(peptides[:5])
        rows = torch.from_numpy(tokens.rows(np.arange(5), 200, model.pad))
        hidden = model.hidden(rows, torch.from_numpy(tokens.length))
        assert (hidden[2, :22] - expected[2][LAYERS]).abs().max() > 1e-3


def test_rotary_frequencies_come_from_the_file(reference, tmp_path, peptides):
    """Rounded as in a half precision checkpoint, and fair-esm uses them likewise."""
    for layer in reference.layers:
        layer.self_attn.rot_emb.inv_freq = layer.self_attn.rot_emb.inv_freq.half().float() * 1.01
        layer.self_attn.rot_emb._seq_len_cached = None
    model = esm2.load(save_esm2(reference, tmp_path))
    tokens = alone(model, peptides[4])
    theirs = reference(tokens.long(), repr_layers=[LAYERS])["representations"][LAYERS]
    assert (model.hidden(tokens) - theirs).abs().max() < 1e-5


@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.99999), (torch.bfloat16, 0.9995)])
def test_half_precision_stays_close(folder, peptides, expected, dtype, least):
    model = esm2.load(folder, dtype=dtype)
    for peptide, output in zip(peptides, expected, strict=True):
        pooled = model(alone(model, peptide))
        assert pooled.dtype is torch.float32
        assert torch.cosine_similarity(pooled[0], output[LAYERS][1:-1].mean(0), dim=0) > least


def test_errors_name_the_file(reference, tmp_path):
    with pytest.raises(ModelError, match=r"config\.json: cannot be read"):
        esm2.load(tmp_path)
    save_esm2(reference, tmp_path)
    with pytest.raises(ModelError, match="layer 7 was asked for, the encoder has layers 0 to 3"):
        esm2.load(tmp_path, 7)
    config = (tmp_path / "config.json").read_text(encoding="utf-8")
    for wrong in ({"vocab_size": 20}, {"pad_token_id": 33}):
        (tmp_path / "config.json").write_text(json.dumps(json.loads(config) | wrong), encoding="utf-8")
        with pytest.raises(ModelError, match="do not fit ESM-2's 33 tokens"):
            esm2.load(tmp_path)
    (tmp_path / "config.json").write_text(config, encoding="utf-8")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:5000])
    with pytest.raises(ModelError, match=r"model\.safetensors: cannot be read"):
        esm2.load(tmp_path)
    save_esm2(reference, tmp_path, num_hidden_layers=4)
    with pytest.raises(ModelError, match=r"has no tensor 'layers\.3\."):
        esm2.load(tmp_path)
    save_esm2(reference, tmp_path, hidden_size=48)
    with pytest.raises(ModelError, match="shape"):
        esm2.load(tmp_path)
