"""The method in the plainest PyTorch and NumPy: what `genreid.training` is held against.

Written from the equations of docs/method.md and from what the settings say of themselves. It takes the
networks and the settings' classes from `genreid`, and the names of random generators; every choice (batches,
partners, positives, negatives, backgrounds, pseudo-labels, rates) is made here anew. Nothing here is fast: no
two pictures share a pass but where batch norm makes that a part of the method.
"""
