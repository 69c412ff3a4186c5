"""A plain service: sentence-transformers, FAISS (flat) and FastAPI, as a tutorial would write it.

Runs in the peers' own environment; PEER_MODEL names the model's folder, PEER_ROWS the JSON file of texts.
"""

import json
import os

import faiss
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

app = FastAPI()
model = SentenceTransformer(os.environ["PEER_MODEL"], device="cpu")
with open(os.environ["PEER_ROWS"], encoding="utf-8") as file:
    rows = json.load(file)
vectors = model.encode([text for _, text in rows], normalize_embeddings=True, batch_size=64)
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)


class Question(BaseModel):
    query: str
    limit: int = 3


@app.post("/search")
def search(question: Question) -> list[dict]:
    vector = model.encode([question.query], normalize_embeddings=True)
    scores, found = index.search(vector, question.limit)
    return [
        {"id": rows[n][0], "text": rows[n][1], "score": float(score)}
        for n, score in zip(found[0], scores[0], strict=True)
    ]
