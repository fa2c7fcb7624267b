"""The losses: pure functions of tensors. The loop that calls them owns weights, `.backward()` and
optimisers.
"""
