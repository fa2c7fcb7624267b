"""Views judged on photographs of known angle: `python -m benchmarks.views --angles FOLDER`."""
