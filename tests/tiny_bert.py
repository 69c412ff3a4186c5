"""A sentence-transformers model in small: a two-layer BERT with random weights, which is tuned for real."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path

HIDDEN = 32
# The export traces the graph with ids of BERT's own vocabulary, the highest being 2073.
WORDS = 2200


def make(folder: Path, texts: Iterable[str], *, seed: int = 3) -> Path:
    """Write a model that knows the words of these texts into `folder`; the same seed gives the same bytes."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text.lower())})
    vocabulary = {word: i for i, word in enumerate(("[PAD]", "[UNK]", "[CLS]", *words))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    # An empty text has to have a vector as well.
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", vocabulary["[CLS]"])]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=256
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * HIDDEN,
        max_position_embeddings=256,
        initializer_range=0.5,  # far enough apart that words differ
    )
    inner = folder / "inner"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chatter of three libraries about their own versions
        BertModel(config).save_pretrained(inner)
        fast.save_pretrained(inner)
        transformer = Transformer(str(inner), max_seq_length=256)
        pooling = Pooling(HIDDEN, pooling_mode="mean")
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
        model.save_pretrained(str(folder / "model"), create_model_card=False)
    return folder / "model"
