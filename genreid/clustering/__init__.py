"""Pseudo-identities and the memory that holds them: neighbours, Jaccard distance, DBSCAN, memory banks."""
