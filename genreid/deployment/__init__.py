"""Using what was trained: embeddings of any folder, search, generated views of any image, export."""
