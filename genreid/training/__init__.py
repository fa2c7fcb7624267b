"""The loops that learn: each one is visible from top to bottom and yields a report an epoch."""
