"""One command a file that uses a trained encoder or generator."""
