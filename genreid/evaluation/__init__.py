"""How good an encoder is at retrieval, and a generator at painting: ranking, re-ranking, pictures."""
