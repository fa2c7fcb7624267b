"""`genreid export`: the encoder for programs without this one, and mostly without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stages.using.checkpoint import Checkpoint, CheckpointOption
from stages.using.formats import Format


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file to write: encoder.onnx and so on.", show_default=False),
    ] = None,
    kind: Annotated[
        Format, typer.Option("--format", help="openvino needs the extra of that name.")
    ] = Format.onnx,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="ONNX in eight bits, calibrated on the project's training images."),
    ] = False,
    checkpoint: CheckpointOption = None,
) -> None:
    """Write the encoder as a file: images in, embeddings of length 1 out, any batch size.

    The file says how images have to be prepared. It is checked against torch by its own runtime before it is
    put in its place. With --int8 the mAP that is lost on the project's test images is measured, where these
    have identities. A checkpoint that learnt from a study's oracle is refused: its file would not tell. Needs
    the extra: pip install 'genreid\\[export]'. BoxMOT takes each of the formats as it is.

    Examples:

        genreid export

        genreid export --checkpoint encoder --output warm_up.onnx

        genreid export --format torchscript

        genreid export --int8 --output encoder_int8.onnx
    """
    from pipeline.errors import PipelineError
    from stages.shared.run import Options, Project
    from stages.using.checkpoint import open_checkpoint
    from stages.using.formats import files_of
    from stages.using.pictures import check_output

    project = Project.open(Options())
    if int8 and kind is not Format.onnx:
        raise PipelineError(f"--int8 is of ONNX files: leave out --format {kind.value}, or --int8")
    path = _path(output, kind, int8)
    for file, is_ours in files_of(kind, path):
        check_output(project, file, "export", is_ours)

    from stages.using.formats import write_export
    from stages.using.quantising import put_into_eight_bits

    chosen = open_checkpoint(project, checkpoint)
    _refuse_oracle(chosen)
    encoder = chosen.encoder()
    lost: dict[str, str] = {}

    def change(file: Path) -> None:
        lost.update(put_into_eight_bits(project, chosen.prepared, file))

    with project.console.status("exporting"):
        source = f"{chosen.path.name}, sha256 {chosen.fingerprint}"
        difference = write_export(kind, encoder, path, chosen.prepared, source, change if int8 else None)
    project.show(
        "Exported encoder",
        {
            "input": f"image: batch × 3 × {chosen.prepared.size}, normalised RGB",
            "output": f"embedding: batch × {encoder.embedding_dim}, of length 1",
            "difference from torch": f"{difference:.1e} at most" + (", before eight bits" if int8 else ""),
            **lost,
            "written to": f"{path} ({_megabytes(kind, path):.1f} MB)",
        },
    )


def _path(output: Path | None, kind: Format, int8: bool) -> Path:
    """Raises PipelineError for a suffix that is not the format's: who loads the file goes by it."""
    from pipeline.errors import PipelineError

    if output is None:
        return Path(f"encoder_int8{kind.suffix}" if int8 else f"encoder{kind.suffix}")
    if kind is not Format.onnx and output.suffix != kind.suffix:
        raise PipelineError(f"{output}: the name of a file of {kind.value} ends in {kind.suffix}")
    return output


def _refuse_oracle(chosen: Checkpoint) -> None:
    from pipeline.errors import PipelineError
    from stages.shared.oracle import learnt_from

    if chosen.oracle:
        raise PipelineError(
            f"{chosen.place}: {learnt_from(chosen.oracle)}, so it is not exported: train it with "
            "`train_joint.oracle: none`, or name another by --checkpoint"
        )


def _megabytes(kind: Format, path: Path) -> float:
    """Of all files that belong to the network."""
    from stages.using.formats import facts_file, files_of

    files = [file for file, _ in files_of(kind, path) if file != facts_file(path)]
    return sum(file.stat().st_size for file in files) / 1e6
