"""A processor with AVX2 alone, on one that has more: every library limited, and what each then runs."""

from __future__ import annotations

import os
from typing import Literal

Processor = Literal["own", "avx2"]

_NOT_OF_AVX2 = ("avx512", "avx10", "amx", "avxvnni", "avxifma", "avxne", "vaes", "vpclmul", "gfni")


def limits(processor: Processor) -> dict[str, str]:
    """Environment variables that keep torch, oneDNN, MKL, OpenBLAS, numba and faiss to its kernels."""
    if processor == "own":
        return {}
    from llvmlite.binding import get_host_cpu_features

    features = get_host_cpu_features()
    kept = {name: has and not name.startswith(_NOT_OF_AVX2) for name, has in features.items()}
    return {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "MKL_CBWR": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": ",".join(("+" if has else "-") + name for name, has in kept.items()),
        "FAISS_OPT_LEVEL": "avx2",
    }


def what_ran() -> str:
    """What the libraries of this process say that they use, for a limited process to show it."""
    import faiss  # noqa: F401 - brings an OpenBLAS
    import torch
    from numba.core.registry import cpu_target
    from threadpoolctl import threadpool_info

    from genreid.clustering.int8_products import LinearFactor, int8_factor

    blas = {info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"}
    factor = int8_factor(torch.zeros(1, 64, dtype=torch.int8))
    kernel = "oneDNN's linear layer" if isinstance(factor, LinearFactor) else "_int_mm"
    compiled = (
        "AVX-512" if "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2] else "no AVX-512"
    )
    return (
        f"torch {torch.backends.cpu.get_cpu_capability()}, int8 by {kernel}, "
        f"OpenBLAS {'/'.join(sorted(blas))}, numba {compiled}, {torch.get_num_threads()} threads, "
        f"OMP {os.environ.get('OMP_NUM_THREADS', 'unset')}"
    )
