"""Rasa graph component: the exported encoder's sentence vector as the dense feature of every message."""

from __future__ import annotations

import json
from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.constants import FEATURIZER_CLASS_ALIAS
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.encoder import (
    Encoder,
    EncoderCorrupt,
    current_fingerprint,
    load_encoder,
    require_same_encoder,
)
from bot.settings import read_settings

RECORD = "encoder.json"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class OnnxFeaturizer(DenseFeaturizer, GraphComponent):
    """Adds the sentence vector, times `scale`, of the encoder in FIRSTLINE_HOME.

    Training records the encoder's fingerprint in the model; loading refuses another encoder. The weights
    themselves stay outside the model archive.
    """

    def __init__(
        self,
        config: dict[str, Any],
        *,
        encoder: Encoder,
        model_storage: ModelStorage,
        resource: Resource,
        name: str,
    ) -> None:
        super().__init__(name, {FEATURIZER_CLASS_ALIAS: name, **config})
        self.encoder = encoder
        self.scale = float(config["scale"])
        self._model_storage = model_storage
        self._resource = resource

    @classmethod
    def required_components(cls) -> list[type]:
        """Rasa's classifiers ask for a tokenizer before any featurizer."""
        return [Tokenizer]

    @staticmethod
    def required_packages() -> list[str]:
        """The packages Rasa checks for before it builds the graph."""
        return ["onnxruntime", "tokenizers"]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """`scale` stands for the classifier's C, which Rasa fixes at 1: unit vectors leave it under-fitted.

        Measured on Banking77 with 10 examples per intent: scale 1 gives 79.6 % accuracy, 10 gives 84.3 %,
        flat from 6 to 20.
        """
        return {**DenseFeaturizer.get_default_config(), "scale": 10.0}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse a scale that is not a positive number.

        Raises:
            ValueError: as said.
        """
        if not float(config["scale"]) > 0:
            raise ValueError(f"scale must be above 0, not {config['scale']!r}")

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> OnnxFeaturizer:
        """Open the encoder in FIRSTLINE_HOME.

        Raises:
            EncoderError: there is none, or it is damaged.
        """
        return cls(
            config,
            encoder=load_encoder(read_settings().home),
            model_storage=model_storage,
            resource=resource,
            name=execution_context.node_name,
        )

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> OnnxFeaturizer:
        """Open the encoder a second time, for a trained model.

        Raises:
            EncoderMismatch: the model was trained with another encoder.
            EncoderError: there is none, or it is damaged.
        """
        with model_storage.read_from(resource) as folder:
            try:
                trained_with = json.loads((folder / RECORD).read_bytes())["fingerprint"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise EncoderCorrupt(
                    "the trained model does not say which encoder it needs"
                ) from error
        require_same_encoder(
            trained_with=trained_with, current=current_fingerprint(read_settings().home)
        )
        return cls.create(config, model_storage, resource, execution_context)

    def train(self, training_data: TrainingData) -> Resource:
        """Learn nothing; record the encoder's fingerprint in the model."""
        with self._model_storage.write_to(self._resource) as folder:
            record = {"fingerprint": self.encoder.fingerprint}
            (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add the features to every training example, in place."""
        self.process(training_data.training_examples)
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Add the features to every message that has a text, in place."""
        with_text = [message for message in messages if message.get(TEXT)]
        vectors = self.encoder.encode([message.get(TEXT) for message in with_text]) * self.scale
        for message, vector in zip(with_text, vectors, strict=True):
            message.add_features(
                Features(
                    vector.reshape(1, -1),  # Rasa wants (1, dimension) for a sentence
                    FEATURE_TYPE_SENTENCE,
                    TEXT,
                    self._config[FEATURIZER_CLASS_ALIAS],
                )
            )
        return messages
