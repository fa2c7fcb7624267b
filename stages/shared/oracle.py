"""What is said, wherever a checkpoint or its figures are shown, of one that learnt from an oracle."""

from __future__ import annotations


def learnt_from(oracle: str) -> str:
    """oracle: what `train_joint.oracle` was."""
    return (
        f"it learnt from an oracle ({oracle}), which shows what limits a gain and is no result of the method"
    )
