"""Neighbours and the Jaccard graph by many workers, each of which holds some rows and one block of others.

`by_workers` is what others call. The answer is that of one machine, to the last bit.
"""
