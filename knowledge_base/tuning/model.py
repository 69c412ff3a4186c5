"""The encoder while it learns: a sentence-transformers model in torch, with its lowest layer held fast."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from knowledge_base.index.encoder import TOKENIZER, Vectors
from knowledge_base.index.export import Source, load_model

Weights = dict[str, torch.Tensor]
BATCH = 256  # texts encoded at a time without learning
TOGETHER = 32  # texts of similar length that go through the layers together
# Learning keeps the activations of a whole batch: 128 texts of 64 tokens need at most some 2 GB, of 256 four
# times that. A longer text is learnt by its first 45 words or so, and still encoded whole once tuned.
MAX_TOKENS = 64
# Word vectors are half of the weights, and a knowledge base touches few of them: moving those alone would tear
# them from their neighbours. Held fast, they also cost no optimiser state.
FIXED = "embeddings"
LENGTHS = "sentence_bert_config.json"


class Trainee:
    """A model whose weights change; `device` is the first GPU where torch sees one, else the CPU."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = load_model(source, attention="sdpa").to(self.device)
        self._tokenizer = Tokenizer.from_file(str(source.folder / TOKENIZER))
        self._tokenizer.enable_truncation(max_length=min(source.max_tokens, MAX_TOKENS))
        self._tokenizer.no_padding()  # a file may ask for a fixed length; batches are padded below
        for name, parameter in self._model.named_parameters():
            parameter.requires_grad_(FIXED not in name)

    def parameters(self) -> list[torch.nn.Parameter]:
        """What is learnt."""
        return [p for p in self._model.parameters() if p.requires_grad]

    def weights(self) -> Weights:
        """A copy of what is learnt, by name, on the CPU."""
        return {
            name: parameter.detach().to("cpu", copy=True)
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad
        }

    def set_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over what `weights` gave. Raises KeyError for weights of another model."""
        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(weights[name])

    def learning(self) -> None:
        """Switch dropout on."""
        self._model.train()

    def vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Unit vectors ([n, d]) that remember how they came about.

        Texts of similar length go through together: one long text in a batch would otherwise pad all
        of them, which costs a factor of four on customers' phrasings.
        """
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda i: (len(encodings[i].ids), i))
        parts = [
            self._run([encodings[i] for i in order[start : start + TOGETHER]])
            for start in range(0, len(order), TOGETHER)
        ]
        back = torch.empty(len(order), dtype=torch.int64)
        back[torch.tensor(order)] = torch.arange(len(order))
        return torch.cat(parts)[back.to(self.device)]

    def _run(self, encodings: Sequence[Any]) -> torch.Tensor:
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = encoding.attention_mask
        features: dict[str, Any] = {
            "input_ids": torch.from_numpy(ids).to(self.device),
            "attention_mask": torch.from_numpy(mask).to(self.device),
        }
        for module in self._model:
            features = module(features)
        return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    def encode(self, texts: Sequence[str], *, tick: Callable[[], None] | None = None) -> Vectors:
        """Unit vectors (float32 [n, d]) without dropout; texts of similar length share a batch."""
        self._model.eval()
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
        parts: list[Vectors] = []
        with torch.no_grad():
            for start in range(0, len(order), BATCH):
                chosen = [texts[i] for i in order[start : start + BATCH]]
                parts.append(self.vectors(chosen).cpu().numpy())
                if tick is not None:
                    tick()
        stacked = np.concatenate(parts)
        result = np.empty_like(stacked)
        result[order] = stacked
        return result

    def save(self, folder: Path) -> None:
        """Write a sentence-transformers folder; a folder already there is replaced."""
        shutil.rmtree(folder, ignore_errors=True)
        self._model.to("cpu").save_pretrained(str(folder), create_model_card=False)
        # What says how texts are cut is taken over as it was; only weights have changed.
        for name in (TOKENIZER, LENGTHS):
            if (self._source.folder / name).is_file():
                shutil.copyfile(self._source.folder / name, folder / name)


def averaged(base: Weights, tuned: Weights, *, share: float) -> Weights:
    """Between two sets of weights, `share` of the way from `base` to `tuned`.

    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903: what the encoder knew
    about everything else (here: questions that no snippet answers) is kept.
    """
    return {name: torch.lerp(base[name], tuned[name], share) for name in base}
