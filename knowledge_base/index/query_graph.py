"""The encoder's second graph, with 8-bit weights, for one short question at a time (builder only)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from knowledge_base.index.encoder import MODEL, QUERY_MODEL, Encoder

# The 8-bit graph for queries gives 0.96 ("thx!!") to 0.995; far below that it would not be the same
# encoder, and queries then go through the full one.
MIN_QUERY_COSINE = 0.95


def write_query_graph(folder: Path) -> None:
    """Write QUERY_MODEL beside MODEL: 8-bit weights per output channel, activations scaled as they come.

    Source: onnxruntime's dynamic quantisation (https://onnxruntime.ai/docs/performance/model-optimizations/
    quantization.html). Weights use 7 of the 8 bits, so that processors without VNNI do not saturate when they
    add products; that costs 0.0014 of cosine.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = folder / f"{QUERY_MODEL}.tmp"
    root = logging.getLogger()
    level = root.level
    root.setLevel(
        logging.ERROR
    )  # it warns on the root logger that it should be called as it is called here
    try:
        quant_pre_process(str(folder / MODEL), str(prepared), skip_symbolic_shape=True)
        quantize_dynamic(
            str(prepared),
            str(folder / QUERY_MODEL),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
    finally:
        root.setLevel(level)
        prepared.unlink(missing_ok=True)


def agrees(encoder: Encoder, sample: Sequence[str]) -> bool:
    """Whether the 8-bit graph points where the full one does, for every text of `sample`."""
    queries = np.stack([encoder.encode_one(text) for text in sample])
    return bool(np.sum(queries * encoder.encode(sample), axis=1).min() >= MIN_QUERY_COSINE)
