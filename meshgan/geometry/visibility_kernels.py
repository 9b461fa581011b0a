"""Warp kernels of the z-buffer; ``visibility_warp`` calls them.

They draw an image per first index of the launch, so images never touch each other's memory.
``no_type_check`` keeps runtime type checkers away from functions that Warp compiles.
"""

from typing import no_type_check

import warp as wp

from meshgan.geometry.visibility import EDGE_TOLERANCE

SHIFT = wp.constant(wp.int64(32))
TOLERANCE = wp.constant(EDGE_TOLERANCE)


@wp.func_native("""
    int bits;
    __builtin_memcpy(&bits, &value, sizeof(int));
    return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
""")
def _ordered_bits(value: wp.float32) -> wp.int32: ...


@wp.func
@no_type_check
def _cross(a: wp.vec2, b: wp.vec2):
    return a[0] * b[1] - a[1] * b[0]


@wp.func
@no_type_check
def _first_pixel(low: float, size: int):
    return int(wp.clamp(wp.ceil(low - 0.5), 0.0, float(size)))


@wp.func
@no_type_check
def _last_pixel(high: float, size: int):
    return int(wp.clamp(wp.floor(high - 0.5), -1.0, float(size - 1)))


@wp.kernel(enable_backward=False)
@no_type_check
def keep_nearest(
    points: wp.array2d(dtype=wp.vec2),
    depth: wp.array2d(dtype=wp.float32),
    faces: wp.array2d(dtype=wp.int32),
    cull: wp.bool,
    keys: wp.array3d(dtype=wp.int64),
):
    """Offer one triangle, as (depth, id) in one integer, to all pixels that it covers."""
    image, face = wp.tid()
    first, second, third = faces[face, 0], faces[face, 1], faces[face, 2]
    origin = points[image, first]
    to_second, to_third = points[image, second] - origin, points[image, third] - origin
    area = _cross(to_second, to_third)
    if area == 0.0 or (cull and area > 0.0):
        return
    size = keys.shape[1]
    left = origin[0] + wp.min(0.0, wp.min(to_second[0], to_third[0]))
    right = origin[0] + wp.max(0.0, wp.max(to_second[0], to_third[0]))
    top = origin[1] + wp.min(0.0, wp.min(to_second[1], to_third[1]))
    bottom = origin[1] + wp.max(0.0, wp.max(to_second[1], to_third[1]))
    near = depth[image, first]
    rise_second, rise_third = depth[image, second] - near, depth[image, third] - near
    inverse = 1.0 / area
    for row in range(_first_pixel(top, size), _last_pixel(bottom, size) + 1):
        for column in range(_first_pixel(left, size), _last_pixel(right, size) + 1):
            to_centre = wp.vec2(float(column) + 0.5, float(row) + 0.5) - origin
            weight_second = _cross(to_centre, to_third) * inverse
            weight_third = _cross(to_second, to_centre) * inverse
            if (
                weight_second >= -TOLERANCE
                and weight_third >= -TOLERANCE
                and weight_second + weight_third <= 1.0 + TOLERANCE
            ):
                height = near + weight_second * rise_second + weight_third * rise_third
                key = (wp.int64(_ordered_bits(height)) << SHIFT) | wp.int64(face)
                wp.atomic_max(keys, image, row, column, key)


@wp.kernel(enable_backward=False)
@no_type_check
def sum_area_vectors(
    vertices: wp.array2d(dtype=wp.vec3),
    faces: wp.array2d(dtype=wp.int32),
    sums: wp.array2d(dtype=wp.vec3),
):
    """Add the area vector of one triangle at its corners."""
    image, face = wp.tid()
    first, second, third = faces[face, 0], faces[face, 1], faces[face, 2]
    origin = vertices[image, first]
    area_vector = wp.cross(vertices[image, second] - origin, vertices[image, third] - origin)
    wp.atomic_add(sums, image, first, area_vector)
    wp.atomic_add(sums, image, second, area_vector)
    wp.atomic_add(sums, image, third, area_vector)


@wp.kernel(enable_backward=False)
@no_type_check
def normalise_rows(vectors: wp.array2d(dtype=wp.vec3)):
    """Give each vector unit length; zero stays zero."""
    image, vertex = wp.tid()
    vectors[image, vertex] = wp.normalize(vectors[image, vertex])


@wp.kernel(enable_backward=False)
@no_type_check
def interpolate_normals(
    face_ids: wp.array3d(dtype=wp.int64),
    points: wp.array2d(dtype=wp.vec2),
    normals: wp.array2d(dtype=wp.vec3),
    faces: wp.array2d(dtype=wp.int32),
    images: wp.array4d(dtype=wp.float32),
):
    """Write the unit normal of one pixel into its three channels."""
    image, row, column = wp.tid()
    face = wp.int32(face_ids[image, row, column])
    if face < 0:
        return
    first, second, third = faces[face, 0], faces[face, 1], faces[face, 2]
    origin = points[image, first]
    to_second, to_third = points[image, second] - origin, points[image, third] - origin
    to_centre = wp.vec2(float(column) + 0.5, float(row) + 0.5) - origin
    inverse = 1.0 / _cross(to_second, to_third)
    weight_second = _cross(to_centre, to_third) * inverse
    weight_third = _cross(to_second, to_centre) * inverse
    normal = wp.normalize(
        (1.0 - weight_second - weight_third) * normals[image, first]
        + weight_second * normals[image, second]
        + weight_third * normals[image, third]
    )
    for axis in range(3):
        images[image, axis, row, column] = normal[axis]
