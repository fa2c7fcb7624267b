"""Side-by-side measurements: `python -m benchmarks.run` for all, `python -m benchmarks.<name>` for one."""
