"""A real encoder in small: an ONNX graph and a tokenizer file made in milliseconds, sealed like the big one.

It adds up one random vector per known word, so texts that share words are near each other. All that reads an
encoder (onnxruntime, tokenizers, the seal, the holder) runs as in production.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

from knowledge_base.home import Home
from knowledge_base.index import sealed
from knowledge_base.index.encoder import FORMAT, MODEL, TOKENIZER, Encoder

DIMENSION = 64
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def install(home: Home, texts: Iterable[str], *, seed: int = 7) -> Encoder:
    """Make an encoder that knows the words of these texts the current one of `home`."""
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text.lower())})
    vocabulary = {"[UNK]": 0, **{word: i for i, word in enumerate(words, start=1)}}
    name = hashlib.sha256(repr((words, seed)).encode()).hexdigest()
    folder = home.encoders / name
    if not folder.is_dir():
        folder.mkdir(parents=True)
        onnx.save(_graph(len(vocabulary), seed=seed), folder / MODEL)
        tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
        tokenizer.save(str(folder / TOKENIZER))
        sealed.seal(folder, _manifest(name))
    sealed.write_current(home.encoders, name)
    return Encoder.load(folder, threads=1)


def _graph(words: int, *, seed: int) -> onnx.ModelProto:
    table = np.random.default_rng(seed).normal(size=(words, DIMENSION)).astype(np.float32)
    table[0] = 0.01  # an unknown word says next to nothing
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=1, p=2),
    ]
    inputs = [
        helper.make_tensor_value_info(name, INT, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", FLOAT, ["batch", DIMENSION])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, producer_name="tests"
    )


def _manifest(name: str) -> dict[str, object]:
    return {
        "format": FORMAT,
        "fingerprint": name,
        "source": "tests",
        "dimension": DIMENSION,
        "pooling": "mean",
        "normalised": True,
        "max_tokens": 256,
        "precision": "fp32",
    }
