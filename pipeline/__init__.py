"""Holds a run together: params, artifacts, resume state, tracking. No maths and no command line."""
