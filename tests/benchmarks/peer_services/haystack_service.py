"""Haystack: an embedder and a retriever over its in-memory store, in one pipeline behind FastAPI.

Runs in the peers' own environment; PEER_MODEL names the model's folder, PEER_ROWS the JSON file of texts.
"""

import json
import os

from fastapi import FastAPI
from haystack import Document, Pipeline, component
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


@component
class Embedder:
    """Haystack 3 ships its sentence-transformers embedder apart; this does the same."""

    def __init__(self) -> None:
        self.model = SentenceTransformer(os.environ["PEER_MODEL"], device="cpu")

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict:
        return {"embedding": self.model.encode(text).tolist()}


app = FastAPI()
with open(os.environ["PEER_ROWS"], encoding="utf-8") as file:
    rows = json.load(file)
store = InMemoryDocumentStore(embedding_similarity_function="cosine")
embedder = Embedder()
vectors = embedder.model.encode([text for _, text in rows])
store.write_documents(
    [
        Document(id=key, content=text, embedding=v.tolist())
        for (key, text), v in zip(rows, vectors, strict=True)
    ]
)
pipeline = Pipeline()
pipeline.add_component("embedder", embedder)
pipeline.add_component("retriever", InMemoryEmbeddingRetriever(document_store=store))
pipeline.connect("embedder.embedding", "retriever.query_embedding")


class Question(BaseModel):
    query: str
    limit: int = 3


@app.post("/search")
def search(question: Question) -> list[dict]:
    given = {"embedder": {"text": question.query}, "retriever": {"top_k": question.limit}}
    found = pipeline.run(given)["retriever"]["documents"]
    return [{"id": d.id, "text": d.content, "score": d.score} for d in found]
