"""The encoder and the featurizer: only the right, intact encoder is used, and its vectors come out scaled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.encoder import (
    Encoder,
    EncoderCorrupt,
    EncoderMismatch,
    EncoderMissing,
    current_fingerprint,
    load_encoder,
    require_same_encoder,
)
from bot.components.onnx_featurizer import OnnxFeaturizer


@pytest.fixture(scope="module")
def encoder(encoder_home: Path) -> Encoder:
    return load_encoder(encoder_home)


@pytest.fixture
def copied(encoder_home: Path, tmp_path: Path) -> Path:
    """A home with a copy of the encoder that a test may damage."""
    fingerprint = current_fingerprint(encoder_home)
    source = encoder_home / "encoders" / fingerprint
    shutil.copytree(source, tmp_path / "encoders" / fingerprint)
    (tmp_path / "encoders" / "CURRENT").write_text(fingerprint + "\n", encoding="utf-8")
    return tmp_path


def folder(home: Path) -> Path:
    return home / "encoders" / current_fingerprint(home)


class TestVectors:
    def test_unit_length_and_shape(self, encoder: Encoder) -> None:
        vectors = encoder.encode(["hi", "where is my order", "😂", ""])
        assert vectors.shape == (4, encoder.dimension)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)

    def test_padding_in_a_batch_changes_nothing(self, encoder: Encoder) -> None:
        texts = [
            "hi",
            "where is my order it was meant to come on monday " * 3,
        ] * 40  # three batches
        together = encoder.encode(texts)
        alone = np.concatenate([encoder.encode([text]) for text in texts[:2]])
        assert together[:2] == pytest.approx(alone, abs=1e-5)
        assert together[-2:] == pytest.approx(alone, abs=1e-5)

    def test_meaning_is_near(self, encoder: Encoder) -> None:
        order, parcel, pizza = encoder.encode(
            ["where is my order", "wheres my parcel", "what goes on a pizza"]
        )
        assert order @ parcel > order @ pizza + 0.2

    def test_no_text_and_long_text(self, encoder: Encoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dimension)
        long, longer = encoder.encode(["word " * 500, "word " * 1000])
        assert long == pytest.approx(longer, abs=1e-5)  # both are cut at max_tokens


class TestRefusals:
    def test_nothing_exported(self, tmp_path: Path) -> None:
        with pytest.raises(EncoderMissing, match="firstline kb build"):
            load_encoder(tmp_path)

    @pytest.mark.parametrize("content", ["", "../../etc", "no hex", "ab", "\xff"])
    def test_a_pointer_that_is_no_fingerprint(self, copied: Path, content: str) -> None:
        (copied / "encoders" / "CURRENT").write_bytes(content.encode("latin-1"))
        with pytest.raises(EncoderCorrupt, match="CURRENT"):
            load_encoder(copied)

    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
    def test_one_changed_byte(self, copied: Path, name: str) -> None:
        path = folder(copied) / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(EncoderCorrupt, match=name):
            load_encoder(copied)

    @pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
    def test_a_truncated_or_missing_file(self, copied: Path, name: str) -> None:
        path = folder(copied) / name
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(EncoderCorrupt, match=name):
            load_encoder(copied)
        path.unlink()
        with pytest.raises(EncoderCorrupt, match=name):
            load_encoder(copied)

    @pytest.mark.parametrize(
        "change",
        [
            {"format": 2},
            {"fingerprint": "ab" * 16},
            {"files": None},
            {"files": {}},
            {"dimension": None},
        ],
    )
    def test_a_foreign_manifest(self, copied: Path, change: dict[str, Any]) -> None:
        path = folder(copied) / "manifest.json"
        manifest = json.loads(path.read_bytes()) | change
        manifest = {
            key: value for key, value in manifest.items() if value is not None or key == "files"
        }
        path.write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(EncoderCorrupt):
            load_encoder(copied)

    def test_another_encoder_than_the_model_knows(self) -> None:
        require_same_encoder(trained_with="ab" * 16, current="ab" * 16)
        with pytest.raises(EncoderMismatch, match="train it again"):
            require_same_encoder(trained_with="ab" * 16, current="cd" * 16)


class TestFeaturizer:
    @pytest.fixture
    def stored(self, tmp_path: Path) -> LocalModelStorage:
        place = tmp_path / "storage"
        place.mkdir()
        return LocalModelStorage(place)

    @pytest.fixture
    def create(
        self, copied: Path, stored: LocalModelStorage, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        """The arguments Rasa calls `create` and `load` with, and FIRSTLINE_HOME set."""
        monkeypatch.setenv("FIRSTLINE_HOME", str(copied))
        return {
            "config": {**OnnxFeaturizer.get_default_config(), "scale": 10.0},
            "model_storage": stored,
            "resource": Resource("featurizer"),
            "execution_context": SimpleNamespace(node_name="featurizer"),
        }

    def test_the_sentence_vector_is_scaled(self, create: dict[str, Any], encoder: Encoder) -> None:
        message, silent = Message({TEXT: "where is my order"}), Message({"intent": "greet"})
        OnnxFeaturizer.create(**create).process([message, silent])
        sequence, sentence = message.get_dense_features(TEXT)
        assert sequence is None
        assert sentence.type == FEATURE_TYPE_SENTENCE
        expected = encoder.encode(["where is my order"]) * 10
        assert sentence.features == pytest.approx(expected, abs=1e-4)
        assert silent.features == []

    def test_training_records_the_encoder_and_loading_finds_it(
        self, create: dict[str, Any]
    ) -> None:
        trained = OnnxFeaturizer.create(**create)
        trained.train(TrainingData())
        loaded = OnnxFeaturizer.load(**create)
        assert loaded.encoder.fingerprint == trained.encoder.fingerprint

    def test_loading_refuses_another_encoder(self, create: dict[str, Any], copied: Path) -> None:
        OnnxFeaturizer.create(**create).train(TrainingData())
        (copied / "encoders" / "CURRENT").write_text("cd" * 32, encoding="utf-8")
        with pytest.raises(EncoderMismatch, match="train it again"):
            OnnxFeaturizer.load(**create)

    def test_loading_refuses_a_model_without_a_record(
        self, create: dict[str, Any], stored: LocalModelStorage
    ) -> None:
        with stored.write_to(Resource("featurizer")) as place:
            (place / "encoder.json").write_text("{}", encoding="utf-8")
        with pytest.raises(EncoderCorrupt, match="which encoder"):
            OnnxFeaturizer.load(**create)

    @pytest.mark.parametrize("scale", [0, -1, "nan"])
    def test_a_scale_must_be_positive(self, scale: object) -> None:
        with pytest.raises(ValueError, match="scale"):
            OnnxFeaturizer.validate_config({"scale": scale})
