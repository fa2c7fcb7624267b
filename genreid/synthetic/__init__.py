"""The embedded benchmark: persons rendered from the open body, in streets seen by surveillance cameras."""
