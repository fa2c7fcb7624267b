"""Studies: arms of training compared over several warm-ups and seeds (docs/studies.md)."""
