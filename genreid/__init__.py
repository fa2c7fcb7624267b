"""GCL+: learning invariance from generated variance for unsupervised person re-identification.

The science of the project, importable alone. It knows no file layout, no DVC and no command line;
`pipeline` holds a run together and `stages` joins the two.
"""

import os

# Whoever wrote a picture wrote its header too. OpenCV reads this when it is imported, and then makes room for
# no more pixels than Pillow does.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "178956970")
