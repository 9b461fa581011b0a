"""To and from PyTorch3D, where it is installed. Nothing in meshgan needs it."""

from typing import TYPE_CHECKING, Any

from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import MissingExtraError, ShapeError

if TYPE_CHECKING:
    from pytorch3d.structures import Meshes


def to_pytorch3d(vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"]) -> "Meshes":
    """A batch of meshes of one topology as ``pytorch3d.structures.Meshes``.

    Args:
        vertices: positions (B, V, 3), any unit; gradients flow through.
        faces: vertex ids (F, 3), shared by all.

    Raises:
        MissingExtraError: PyTorch3D is not installed.
    """
    structures = _structures()
    return structures.Meshes(vertices, faces.expand(len(vertices), -1, -1))


def from_pytorch3d(meshes: Any) -> tuple[Float[Tensor, "B V 3"], Int[Tensor, "F 3"]]:
    """Vertices and the shared faces of ``Meshes`` of one topology.

    Raises:
        MissingExtraError: PyTorch3D is not installed.
        ShapeError: the meshes do not share their faces.
    """
    _structures()
    vertices, faces = meshes.verts_padded(), meshes.faces_padded()
    if not bool((faces == faces[:1]).all()):
        raise ShapeError("pytorch3d: the meshes differ in topology, expected one for all")
    return vertices, faces[0]


def _structures() -> Any:
    try:
        from pytorch3d import structures
    except ImportError as error:
        raise MissingExtraError(
            "pytorch3d is not installed: it has no wheel for current versions of Python; "
            "build it from its source, or do without, nothing in meshgan needs it"
        ) from error
    return structures
