"""GCL+: learning invariance from generated variance for unsupervised person re-identification.

The science of the project, importable alone. It knows no file layout, no DVC and no command line;
`pipeline` holds a run together and `stages` joins the two.
"""
