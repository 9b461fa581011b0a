"""The prior of the default faces on another topology."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.arrays import Faces
from meshgan.data.synthetic.cache import Arrays, cached_arrays
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import topology_hash
from meshgan.geometry.nonrigid import NonrigidTemplate
from meshgan.geometry.operators import uniform_laplacian
from meshgan.registration.prior import (
    VERSION,
    FacePrior,
    coarse_subset,
    prior_arrays,
    prior_from_arrays,
)
from meshgan.registration.scan import prepare_scan
from meshgan.registration.start import find_start

NEAR_MM = 5.0  # vertices farther from the prior's surface take over what their neighbours do
SAME = 0.02  # how much of its neighbours' wish a vertex near the surface may follow


def carry_prior(prior: FacePrior, template: Template) -> FacePrior:
    """Bring a prior to a template of another topology; kept in the cache by topology.

    The prior is fitted to the template as to a scan, then bent onto it. Each mode is read off the
    bent surface where the template lies on it; beyond (neck, ears, back of the head) it is
    continued smoothly. The carried prior makes the template itself, exactly, of the coefficients
    of the fit.

    Args:
        prior: of the default faces.
        template: any face; its landmarks "ibug68" are used as the result's, if it has them.

    Raises:
        InputError: no face is found in the template.
    """
    if template.topology_hash == _topology_hash(prior):
        return prior
    made_from = {
        "version": VERSION,
        "from": _topology_hash(prior),
        "topology": template.topology_hash,
        "place": template.mesh.vertices.astype(np.float64).sum(axis=0).round(3).tolist(),
        "landmarks": template.landmarks.get("ibug68", np.zeros(0, np.int64)).tolist(),
    }
    name = f"prior_{template.topology_hash}"
    arrays = cached_arrays(name, made_from, lambda: _carry(prior, template))
    return prior_from_arrays(f"prior of {template.name}", arrays)


def _topology_hash(prior: FacePrior) -> str:
    return topology_hash(prior.vertex_count, prior.faces)


def _carry(prior: FacePrior, template: Template) -> Arrays:
    mesh = template.mesh
    vertices = mesh.vertices.astype(np.float64)
    start = find_start(prepare_scan(mesh, unit="mm"), prior)
    if start.status not in ("ok", "uncertain"):
        raise InputError(
            f"template {template.name}: no face found in it ({start.message}); "
            "the face prior cannot be carried to it"
        )
    surface = SurfaceIndex(vertices, mesh.faces)
    bent = NonrigidTemplate(prior.mean.astype(np.float64), prior.faces, mirror=prior.mirror).fit(
        start.vertices, surface
    )
    found = SurfaceIndex(bent.vertices, prior.faces).closest(vertices)
    near = (found.distance < NEAR_MM) & ~found.on_boundary
    corners, weights = prior.faces[found.face], found.weights
    read = np.einsum("vk,mvkc->mvc", weights, prior.modes[:, corners].astype(np.float64))
    modes = extended(_turned(read, start.pose), near, mesh.faces)
    mean = vertices - np.tensordot(start.coefficients, modes, axes=1)
    landmarks = template.landmarks.get("ibug68")
    if landmarks is None:
        marks = bent.vertices[prior.landmarks]
        landmarks = np.linalg.norm(vertices[:, None] - marks, axis=2).argmin(axis=0)
    carried = FacePrior(
        name=template.name,
        mean=mean.astype(np.float32),
        modes=modes.astype(np.float32),
        identity_count=prior.identity_count,
        faces=mesh.faces,
        landmarks=landmarks,
        mirror=template.mirror,
        coarse=coarse_subset(vertices, mesh.faces, landmarks),
        expression_starts=prior.expression_starts,
        trusted=near,
    )
    return prior_arrays(carried)


def _turned(modes: Float[np.ndarray, "K V 3"], pose: Similarity) -> Float[np.ndarray, "K V 3"]:
    return pose.scale * modes @ pose.rotation.T


def extended(
    modes: Float[np.ndarray, "K V 3"], known: Bool[np.ndarray, " V"], faces: Faces
) -> Float[np.ndarray, "K V 3"]:
    """Displacements continued harmonically from where they are known.

    minimise ``sum_known |x_v - m_v|^2 + SAME x^T L x + 1e-9 |x|^2`` with the uniform Laplacian L.

    Args:
        modes: (K, V, 3); read where ``known``.
        known: (V,).
        faces: triangles of the V vertices.
    """
    count = len(known)
    laplacian = uniform_laplacian(count, faces)
    held = sparse.diags(known.astype(np.float64) + 1e-9)
    system = (held + SAME * laplacian).tocsc()
    right = (modes * known[:, None]).transpose(1, 0, 2).reshape(count, -1)
    solved = splu(system, permc_spec="MMD_AT_PLUS_A").solve(np.ascontiguousarray(right))
    return solved.reshape(count, len(modes), 3).transpose(1, 0, 2)
