"""The persons of a split, to be turned by warping."""

from __future__ import annotations

from genreid.data.cutting import Masks
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


def person_masks(run: StageRun, manifest: Manifest) -> Masks:
    """The masks of the manifest's images, where nobody is turned. Raises GenreidError where meshes cannot be
    read."""
    return read_mesh(run, manifest, open_body(run.root, manifest.info.body)).mask


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
