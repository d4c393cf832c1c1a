"""Compile the kernels, in the shapes of ESM-2 3B and DNABERT-S, for GPUs that need not be there; print shared memory.

A process of its own runs this: in that of the tests kernels are interpreted.
"""

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from virnucpro.encoders import kernels

HEAD = {"d": 64, "P": 64, "M": 64, "LOWEST": -1e30, "LOG2_E": 1.4426950408889634}
ATTENTION = {"qkv": "*fp16", "out": "*fp16", "starts": "*i32", "scale": "fp32"}
NORM = {"x": "*fp16", "y": "*fp16", "weight": "*fp32", "bias": "*fp32", "out": "*fp16", "eps": "fp32"}
KERNELS = [
    (
        kernels._attention,
        ATTENTION | {"cos": "*fp16", "sin": "*fp16", "slopes": "*i32"},
        HEAD | {"H": 40, "ROTARY": True, "ALIBI": False},
    ),
    (
        kernels._attention,
        ATTENTION | {"cos": "*i32", "sin": "*i32", "slopes": "*fp32"},
        HEAD | {"H": 12, "ROTARY": False, "ALIBI": True},
    ),
    (kernels._add_norm, NORM, {"D": 2560, "P": 4096, "ADD": True, "KEEP_SUM": True}),
    (kernels._gelu_gate, {"gu": "*fp16", "out": "*fp16", "n": "i32"}, {"H": 3072, "BLOCK": 2048}),
    (
        kernels._row_mean,
        {"x": "*fp16", "starts": "*i32", "out": "*fp32", "skip": "i32"},
        {"D": 2560, "COLUMNS": 128, "TOKENS": 32},
    ),
]

for capability in map(int, sys.argv[1:]):
    for kernel, types, constants in KERNELS:
        names = kernel.arg_names
        signature = {name: "constexpr" if name in constants else types[name] for name in names}
        aligned = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if signature[n].startswith("*")}
        source = ASTSource(kernel, signature, {(names.index(n),): v for n, v in constants.items()}, aligned)
        print(triton.compile(source, target=GPUTarget("cuda", capability, 32)).metadata.shared)
