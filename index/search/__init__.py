"""Candidates and their ranking: vectors (FAISS), words (BM25), one score."""
