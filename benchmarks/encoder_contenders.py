"""Ways to embed: ours, and how others do it. Each runs in a process of its own and works when it is told to.

    encoder_contenders.py NAME SIZE THREADS ours|default

The last word chooses the memory settings: those that our scripts make, or glibc's defaults. For each line on its standard
input the contender embeds everything once and answers with one JSON line: wall and CPU seconds (user and system apart),
page faults, tokens without padding, and the first row of what came out, for the benchmark to compare.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bin"), str(ROOT / "tests" / "unit")]

from virnucpro.embedding import process  # noqa: E402

if __name__ == "__main__":  # before PyTorch is imported
    name, size, threads, memory = sys.argv[1:]
    process.use_threads(int(threads))
    if memory == "ours":
        process.keep_freed_memory()

import numpy as np  # noqa: E402
import torch  # noqa: E402

ESM2 = {"8M": (6, 320, 20), "35M": (12, 480, 20)}  # layers, width, heads
RESIDUES = list("ACDEFGHIKLMNPQRSTVWY")


def peptides() -> list[str]:
    """600: 70 % of 166 residues, 10 % of 100, 20 % of 20 to 165, in random order."""
    rng = np.random.default_rng(0)
    lengths = np.concatenate([np.full(420, 166), np.full(60, 100), rng.integers(20, 166, 120)])
    rng.shuffle(lengths)
    return ["".join(rng.choice(RESIDUES, n)) for n in lengths]


def fair_esm(size: str):
    """fair-esm's own model with random weights, the same in every process."""
    import esm

    torch.manual_seed(0)
    return esm.ESM2(*ESM2[size]).eval()


def our_esm2(size: str) -> tuple:
    """Ours with the same weights, and our batches."""
    from encoder_folders import save_esm2

    from virnucpro.encoders import esm2

    with tempfile.TemporaryDirectory() as folder:
        return esm2.load(save_esm2(fair_esm(size), Path(folder)))


def embedder(encoder, kind: str):
    """As a task on a CPU sets it up."""
    from virnucpro.embedding.device import OVERHEAD, choose_budget, choose_device
    from virnucpro.embedding.embedder import Embedder

    device = choose_device("cpu")
    return Embedder(encoder, device.torch, choose_budget(None, device, encoder.dim, "fp32"), OVERHEAD["cpu"])


def esm2_ours(size: str) -> Callable:
    """nf-virnucpro: tokens, batches, embedding, mean."""
    encoder = our_esm2(size)
    work = embedder(encoder, "esm2")

    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(peptides())
        vectors, _ = work.embed(tokens)
        return int(tokens.length.sum()), vectors

    return run


def esm2_virnucpro(size: str) -> Callable:
    """As VirNucPro runs fair-esm: batches of 2,048 tokens sorted by length, all of the model, language-model head too."""
    import esm

    model = fair_esm(size)
    layer, all_peptides = model.num_layers, peptides()
    dataset = esm.FastaBatchedDataset([str(i) for i in range(len(all_peptides))], all_peptides)

    def run() -> tuple[int, np.ndarray]:
        batches = dataset.get_batch_indices(2048, extra_toks_per_seq=1)
        convert = model.alphabet.get_batch_converter(1024)
        loader = torch.utils.data.DataLoader(dataset, collate_fn=convert, batch_sampler=batches)
        rows = {}
        with torch.no_grad():
            for labels, strings, tokens in loader:
                hidden = model(tokens, repr_layers=[layer], return_contacts=False)["representations"][layer].to("cpu")
                for i, (label, string) in enumerate(zip(labels, strings, strict=True)):
                    rows[int(label)] = hidden[i, 1 : min(1024, len(string)) + 1].mean(0).clone()
        return count(all_peptides), np.stack([rows[i].numpy() for i in range(len(rows))])

    return run


def esm2_file_order(size: str) -> Callable:
    """fair-esm by 32 sequences in the order of the file, as its README shows."""
    model = fair_esm(size)
    layer, all_peptides = model.num_layers, peptides()
    convert = model.alphabet.get_batch_converter()

    def run() -> tuple[int, np.ndarray]:
        rows = []
        with torch.no_grad():
            for start in range(0, len(all_peptides), 32):
                data = [(str(i), p) for i, p in enumerate(all_peptides[start : start + 32])]
                hidden = model(convert(data)[2], repr_layers=[layer], return_contacts=False)["representations"][layer]
                rows += [hidden[i, 1 : len(p) + 1].mean(0) for i, (_, p) in enumerate(data)]
        return count(all_peptides), torch.stack(rows).numpy()

    return run


def esm2_transformers(size: str) -> Callable:
    """transformers' EsmModel with sdpa on our batches (a mask only where there is padding)."""
    from transformers import EsmConfig, EsmModel

    from virnucpro.embedding.batching import plan

    ours = our_esm2(size)
    layers, dim, heads = ESM2[size]
    config = EsmConfig(
        vocab_size=33,
        mask_token_id=32,
        pad_token_id=1,
        hidden_size=dim,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * dim,
        position_embedding_type="rotary",
        token_dropout=True,
        emb_layer_norm_before=False,
        layer_norm_eps=1e-5,
        attn_implementation="sdpa",
    )
    model = EsmModel(config, add_pooling_layer=False).eval()
    model.load_state_dict(hub_names(fair_esm(size).state_dict(), model), strict=False)
    settings = embedder(ours, "esm2")

    @torch.inference_mode()
    def run() -> tuple[int, np.ndarray]:
        tokens = ours.tokenize(peptides())
        out = np.empty((len(tokens.length), dim), dtype=np.float32)
        for batch in plan(tokens.length, settings.budget, settings.overhead):
            ids = torch.from_numpy(tokens.rows(batch.rows, batch.width, 1)).long()
            mask = (ids != 1).long() if batch.padding else None
            hidden = model(ids, attention_mask=mask).last_hidden_state
            length = torch.from_numpy(tokens.length[batch.rows])[:, None]
            place = torch.arange(batch.width)
            residue = ((place >= 1) & (place < length - 1))[:, :, None]
            out[batch.rows] = ((hidden * residue).sum(1) / (length - 2)).numpy()
        return int(tokens.length.sum()), out

    return run


def hub_names(state: dict, model) -> dict:
    """fair-esm's tensors under the names of the hub's class; every tensor of the class must be among them."""
    parts = {
        "self_attn_layer_norm": "attention.LayerNorm",
        "self_attn.q_proj": "attention.self.query",
        "self_attn.k_proj": "attention.self.key",
        "self_attn.v_proj": "attention.self.value",
        "self_attn.out_proj": "attention.output.dense",
        "fc1": "intermediate.dense",
        "fc2": "output.dense",
        "final_layer_norm": "LayerNorm",
    }
    renamed = {}
    for key, tensor in state.items():
        for old, new in parts.items():
            key = key.replace(f".{old}.", f".{new}.")
        key = key.replace("layers.", "encoder.layer.").replace("embed_tokens", "embeddings.word_embeddings")
        renamed[key.replace("emb_layer_norm_after", "encoder.emb_layer_norm_after")] = tensor
    missing = {k for k in model.state_dict() if "inv_freq" not in k and "position" not in k} - set(renamed)
    assert not missing, missing
    return {k: v for k, v in renamed.items() if k in model.state_dict()}


def count(sequences: list[str]) -> int:
    """Tokens of peptides, BOS and EOS with them."""
    return sum(map(len, sequences)) + 2 * len(sequences)


def chunks() -> list[str]:
    """120 chunks of random sequence, 500 bases, whose number of byte-pair tokens varies as that of genomes does."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), 500)) for _ in range(120)]


def our_dnabert_s(size: str):
    """DNABERT-S's shape (117M) with random weights and a byte-pair tokenizer of 4,096 tokens trained on random sequence."""
    from encoder_folders import save_dnabert_s

    from virnucpro.encoders import dnabert_s

    with tempfile.TemporaryDirectory() as folder:
        shape = {"layers": 12, "dim": 768, "heads": 12, "hidden": 3072, "vocabulary": 4096}
        return dnabert_s.load(save_dnabert_s(Path(folder), **shape))


def dnabert_s_ours(size: str) -> Callable:
    """nf-virnucpro: tokens, batches, embedding, mean."""
    encoder = our_dnabert_s(size)
    work = embedder(encoder, "dnabert_s")

    def run() -> tuple[int, np.ndarray]:
        tokens = encoder.tokenize(chunks())
        vectors, _ = work.embed(tokens)
        return int(tokens.length.sum()), vectors

    return run


def dnabert_s_one_by_one(size: str) -> Callable:
    """As VirNucPro runs DNABERT-S: one sequence at a time, its own code's operations (attention in fp32 without Triton)."""
    from dnabert_original import Original

    encoder = our_dnabert_s(size)
    model = Original(encoder)

    def run() -> tuple[int, np.ndarray]:
        rows, tokens = [], 0
        with torch.no_grad():
            for sequence in chunks():
                ids = torch.tensor([encoder.tokenizer.encode(sequence).ids])
                tokens += ids.numel()
                rows.append(model(ids)[0].mean(dim=0).numpy())
        return tokens, np.stack(rows)

    return run


def dnabert_s_ours_one_by_one(size: str) -> Callable:
    """Our encoder, one sequence at a time: what batches alone bring."""
    encoder = our_dnabert_s(size)

    @torch.inference_mode()
    def run() -> tuple[int, np.ndarray]:
        rows = [torch.from_numpy(encoder.tokenize([s]).flat)[None] for s in chunks()]
        return sum(r.numel() for r in rows), np.concatenate([encoder(r).numpy() for r in rows])

    return run


CONTENDERS = {f.__name__: f for f in (esm2_ours, esm2_virnucpro, esm2_file_order, esm2_transformers)}
CONTENDERS |= {f.__name__: f for f in (dnabert_s_ours, dnabert_s_one_by_one, dnabert_s_ours_one_by_one)}


def main() -> None:
    run = CONTENDERS[name](size)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        tokens, vectors = run()
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
        answer = {
            "wall": wall,
            "user": after.ru_utime - before.ru_utime,
            "system": after.ru_stime - before.ru_stime,
            "faults": after.ru_minflt - before.ru_minflt,
            "memory": after.ru_maxrss / 1024,
            "tokens": tokens,
            "checksum": vectors[:5].astype(float).round(4).tolist(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
