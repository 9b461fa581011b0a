"""One module per mesh file format: bytes <-> vertices and faces, the order of both kept.

trimesh reads glTF for us. It does not read the others here, because a registered mesh is worth
nothing once its order changes, and trimesh (5.2) groups faces by their number of corners, splits
quads as (a, b, c), (c, d, a) after all first halves, and doubles OBJ vertices along UV seams; it
also rounds text to 8 digits and PLY to float32.
"""
