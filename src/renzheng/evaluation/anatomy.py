"""Names points of the 468-point mesh, and describes how a jaw moves them.

The numbering is that of the MediaPipe face mesh. Left and right are the person's own, so in an unmirrored picture the
right eye is on the left of the image.
"""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]

MESH_POINTS = 468

NOSE_TIP, FOREHEAD, CHIN = 1, 10, 152
RIGHT_CHEEK, LEFT_CHEEK = 234, 454
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 61, 291

# The outline of the face, clockwise in the image from the middle of the forehead.
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# Both edges of the gap between the lips, from the right corner to the left one.
INNER_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
# The lower lip without the corners, rows from the gap outwards.
LOWER_LIP = (
    95, 88, 178, 87, 14, 317, 402, 318, 324,
    96, 89, 179, 86, 15, 316, 403, 319, 325,
    77, 90, 180, 85, 16, 315, 404, 320, 307,
    146, 91, 181, 84, 17, 314, 405, 321, 375,
)  # fmt: skip
UPPER_LIP = (
    191, 80, 81, 82, 13, 312, 311, 310, 415,
    183, 42, 41, 38, 12, 268, 271, 272, 407,
    184, 74, 73, 72, 11, 302, 303, 304, 408,
    185, 40, 39, 37, 0, 267, 269, 270, 409,
)  # fmt: skip

# Lids from the corner on the left of the image to the one on the right.
RIGHT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LEFT_LOWER_LID = (362, 382, 381, 380, 374, 373, 390, 249, 263)


def smoothstep(x: Points) -> Points:
    """Return 0 below 0, 1 above 1, and 3x^2 - 2x^3 between."""
    t = np.clip(x, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def jaw_weights(mesh: Points) -> Weights:
    """Return how far each of the 468 points follows the jaw when the mouth opens, (468,), 0..1.

    `mesh` is (468, 2 or more) in pixels of an upright face. The lower lip follows like an ellipse between the corners
    of the mouth. Below and beside it, the skin follows more the nearer it is to the chin.
    """
    corners = mesh[[RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER], :2]
    middle = corners.mean(axis=0)
    half_width = float(np.linalg.norm(corners[1] - corners[0])) / 2
    sideways = np.abs(mesh[:, 0] - middle[0]) / half_width
    below = (mesh[:, 1] - middle[1]) / (mesh[CHIN, 1] - middle[1])
    hung = np.sqrt(np.clip(1.0 - sideways**2, 0.0, 1.0))
    weights = np.where(below > 0, np.maximum(hung * smoothstep(below / 0.15), smoothstep(below / 0.7)), 0.0)
    lower = list(LOWER_LIP)
    weights[lower] = np.maximum(hung[lower], weights[lower])
    weights[[*UPPER_LIP, RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER]] = 0.0
    return weights


def yaw_proxy(mesh: Points) -> float:
    """Return where the nose is between the cheeks, -1..1; above 0 the person looks to their own left.

    Uses points 1, 234 and 454 of a (468, 2 or more) mesh in an unmirrored picture.
    """
    to_right = float(np.linalg.norm(mesh[NOSE_TIP, :2] - mesh[RIGHT_CHEEK, :2]))
    to_left = float(np.linalg.norm(mesh[NOSE_TIP, :2] - mesh[LEFT_CHEEK, :2]))
    return (to_right - to_left) / (to_right + to_left)
