"""How well the assistant understands: cross-validation on the training data, and phrasings kept apart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from test_training_data import held_out, phrasings

from bot.components.encoder import Encoder, load_encoder

CONFIG = Path(__file__).parents[2] / "bot" / "config.yml"
FLOOR = 0.75  # far below what is measured: it catches a broken encoder or data set, not a bad day
FORM_INTENTS = ("orders.", "refunds.status", "inform_order_number")


def component(name: str) -> dict[str, Any]:
    """The settings of one component of the pipeline."""
    pipeline = YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8"))["pipeline"]
    [found] = [part for part in pipeline if part["name"].endswith(name)]
    return dict(found)


def path_of(intent: str) -> str:
    """Where an intent leads: intents of one path mistaken for each other do the customer no harm."""
    if intent.startswith(FORM_INTENTS):
        return "order form"
    if intent in ("complaints.service", "complaints.legal"):
        return "complaint"
    if intent == "complaints.vulnerable" or ("." not in intent and intent != "out_of_scope"):
        return intent
    return "desk"


def classifier() -> LogisticRegression:
    """The estimator as Rasa's LogisticRegressionClassifier makes it from config.yml."""
    settings = component("LogisticRegressionClassifier")
    return LogisticRegression(
        solver="lbfgs",
        max_iter=settings["max_iter"],
        class_weight="balanced",
        tol=1e-4,
        random_state=settings["random_state"],
    )


@pytest.fixture(scope="module")
def encoder(encoder_home: Path) -> Encoder:
    return load_encoder(encoder_home)


def vectors(encoder: Encoder, texts: list[str]) -> Any:
    return encoder.encode(texts) * component("OnnxFeaturizer")["scale"]


def report(title: str, truth: Any, guess: Any, confidence: Any, capsys: Any) -> float:
    """Print the figures; return the accuracy over intents."""
    right = truth == guess
    paths = np.array([path_of(a) == path_of(b) for a, b in zip(truth, guess, strict=True)])
    threshold = component("FallbackClassifier")["threshold"]
    sure = confidence >= threshold
    with capsys.disabled():
        sys.stdout.write(
            f"\n{title}: {len(truth)} phrasings, {len(set(truth))} intents: "
            f"intent {right.mean():.1%}, path {paths.mean():.1%}; "
            f"{sure.mean():.1%} score {threshold} or more, of them right {right[sure].mean():.1%}\n"
        )
    return float(right.mean())


def test_cross_validation(encoder: Encoder, capsys: pytest.CaptureFixture[str]) -> None:
    """Five stratified folds of the training data, each judged by a classifier that has not seen it."""
    pairs = [(text, intent) for intent, texts in phrasings().items() for text in texts]
    features = vectors(encoder, [text for text, _ in pairs])
    truth = np.array([intent for _, intent in pairs])
    guess, confidence = truth.copy(), np.zeros(len(truth))
    folds = StratifiedKFold(5, shuffle=True, random_state=42)
    for training, held in folds.split(features, truth):
        model = classifier().fit(features[training], truth[training])
        scores = model.predict_proba(features[held])
        guess[held], confidence[held] = model.classes_[scores.argmax(1)], scores.max(1)
    accuracy = report("5-fold cross-validation", truth, guess, confidence, capsys)
    assert accuracy > FLOOR


@pytest.fixture(scope="module")
def parsed(home: Path) -> list[tuple[str, str, str, float]]:
    """Every held-out phrasing as the trained Rasa model reads it: text, truth, intent, confidence."""
    import asyncio
    import os

    from rasa.core.agent import Agent

    from bot.settings import read_settings
    from bot.training import enter_bot_home, verified_model

    before = Path.cwd()
    settings = read_settings({"FIRSTLINE_HOME": str(home)})
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("FIRSTLINE_HOME", str(home))
            patched.setenv("FIRSTLINE_ACTIONS_PORT", "5055")  # put back afterwards; never called
            enter_bot_home(settings)
            agent = Agent()
            agent.load_model(str(verified_model(settings)))
            found = []
            for intent, texts in held_out().items():
                for text in texts:
                    result = asyncio.run(agent.parse_message(text))
                    ranked = result["intent_ranking"]
                    best = next(entry for entry in ranked if entry["name"] != "nlu_fallback")
                    found.append((text, intent, best["name"], best["confidence"]))
            return found
    finally:
        os.chdir(before)


def test_phrasings_kept_apart(
    parsed: list[tuple[str, str, str, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The honest figure: the trained model itself on phrasings written before it, never tuned on."""
    truth = np.array([row[1] for row in parsed])
    guess = np.array([row[2] for row in parsed])
    confidence = np.array([row[3] for row in parsed])
    assert report("held-out phrasings", truth, guess, confidence, capsys) > FLOOR


def test_nobody_in_distress_and_no_one_who_wants_out_is_taken_for_small_talk(
    parsed: list[tuple[str, str, str, float]],
) -> None:
    """These must never end in a friendly phrase: a person or the desk at the least."""
    careful = {"complaints.vulnerable", "complaints.legal", "opt_out", "talk_to_person"}
    small_talk = {"greet", "goodbye", "thanks", "affirm", "deny", "opt_in"}
    wrong = [
        (text, got) for text, truth, got, _ in parsed if truth in careful and got in small_talk
    ]
    assert wrong == []
