"""Names for the arrays that travel through the toolkit.

Axis letters: B batch, V vertices, F faces, E edges, L landmarks, C channels, n pixels a side,
N meshes, K labels. Lengths are millimetres.
"""

import numpy as np
from jaxtyping import Float, Int

Vertices = Float[np.ndarray, "V 3"]
Faces = Int[np.ndarray, "F 3"]
UV = Float[np.ndarray, "V 2"]
VertexIds = Int[np.ndarray, " L"]
