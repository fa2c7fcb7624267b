"""`genreid export`: the encoder for programs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.using.checkpoint import CheckpointOption


def export(
    output: Annotated[Path, typer.Option("--output", "-o", help="The ONNX file to write.")] = Path(
        "encoder.onnx"
    ),
    checkpoint: CheckpointOption = None,
) -> None:
    """Write the encoder as an ONNX file: images in, embeddings of length 1 out, any batch size.

    The file's metadata says how images have to be prepared. It is checked against torch by onnxruntime
    before it is put in its place. A checkpoint that learnt from a study's oracle is refused: its file would
    not tell. Needs the extra: pip install 'genreid\\[export]'.

    Examples:

        genreid export

        genreid export --checkpoint encoder --output warm_up.onnx
    """
    from pipeline.outputs import holds
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint
    from stages.using.pictures import check_output

    project = Project.open(Options())
    check_output(project, output, "export", holds(b"genreid.preprocessing"))

    from genreid.deployment.onnx import export_encoder
    from pipeline.artifacts import atomic_write
    from pipeline.errors import PipelineError
    from stages.shared.oracle import learnt_from

    chosen = open_checkpoint(project, checkpoint)
    if chosen.oracle:
        raise PipelineError(
            f"{chosen.place}: {learnt_from(chosen.oracle)}, so it is not exported: train it with "
            "`train_joint.oracle: none`, or name another by --checkpoint"
        )
    encoder = chosen.encoder()
    with atomic_write(output) as temporary, project.console.status("exporting"):
        source = f"{chosen.path.name}, sha256 {chosen.fingerprint}"
        difference = export_encoder(encoder, temporary, chosen.prepared, source)
    project.show(
        "Exported encoder",
        {
            "input": f"image: batch × 3 × {chosen.prepared.size}, normalised RGB",
            "output": f"embedding: batch × {encoder.embedding_dim}, of length 1",
            "difference from torch": f"{difference:.1e} at most",
            "written to": f"{output} ({output.stat().st_size / 1e6:.1f} MB)",
        },
    )
