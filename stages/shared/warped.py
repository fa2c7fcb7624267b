"""The persons of a split, to be turned by warping."""

from __future__ import annotations

from genreid.data.cutting import Masks, no_masks
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.data.ways import Turned, where_possible
from genreid.mesh.shards import MeshEstimates
from genreid.render.backend import choose_renderer
from genreid.warping.images import WarpedImages
from genreid.warping.warper import Warper
from stages.shared.body import open_body
from stages.shared.meshes import read_mesh
from stages.shared.run import StageRun


def warped_images(run: StageRun, manifest: Manifest, images: ImageSet) -> WarpedImages:
    """images: those of the manifest. Raises GenreidError where body or meshes cannot be read."""
    meshes = read_mesh(run, manifest, open_body(run.root, manifest.info.body))
    return warped_persons(run, manifest, images, meshes)


def persons_of(
    run: StageRun, manifest: Manifest, images: ImageSet, *, turns: bool, cuts: bool
) -> tuple[WarpedImages | None, Masks]:
    """The persons, if they are to be turned, and the masks along which they are cut out, if they are.

    Raises GenreidError where body or meshes cannot be read.
    """
    if turns:
        warped = warped_images(run, manifest, images)
        return warped, warped.mask
    if cuts:
        return None, read_mesh(run, manifest, open_body(run.root, manifest.info.body)).mask
    return None, no_masks


def turned_pictures(run: StageRun, manifest: Manifest, images: ImageSet) -> Turned:
    """The same as pictures, each before its image's own background; an image without a body is itself."""
    meshes = read_mesh(run, manifest, open_body(run.root, manifest.info.body))
    warped = warped_persons(run, manifest, images, meshes)
    return where_possible(warped.pictures, images, meshes.valid)


def warped_persons(
    run: StageRun, manifest: Manifest, images: ImageSet, meshes: MeshEstimates
) -> WarpedImages:
    """The same of meshes that were read before."""
    warper = Warper(open_body(run.root, manifest.info.body), choose_renderer("auto", run.device))
    return WarpedImages(warper, images, meshes.parameters, meshes.camera, meshes.mask)
