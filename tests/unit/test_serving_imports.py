"""What serves requests loads nothing that only the builder needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from knowledge_base.home import Home
from tests.fixtures_generation import WordHashEncoder, build, shop

HEAVY = (
    "torch",
    "sklearn",
    "sentence_transformers",
    "transformers",
    "huggingface_hub",
    "onnx",
    "bm25s",
)

_PROGRAM = """
import sys
import knowledge_base.cli
import knowledge_base.publish
import knowledge_base.ranking.evaluation
import knowledge_base.ranking.fitting
import knowledge_base.index.export
from pathlib import Path
from knowledge_base.home import Home
from knowledge_base.ranking import Ranker
from knowledge_base.index import generation
from tests.fixtures_generation import WordHashEncoder
import faiss, onnxruntime, tokenizers
home = Home.at(Path(sys.argv[1]))
ranker = Ranker(generation.load(home), WordHashEncoder())
assert ranker.rank(["are you open on sunday"], limit=1).candidates
print(*sorted(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_serving_loads_no_builder_package(tmp_path: Path) -> None:
    build(Home.at(tmp_path), shop(), WordHashEncoder())
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path), *HEAVY],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
