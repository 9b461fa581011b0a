"""What must be known of MakeHuman's "hm08" base mesh: vertex ids of rings and helpers.

All quads around the eyes and the mouth are concentric rings. The rings below are the innermost
ones that still belong to the visible face; everything behind them (eye sockets, teeth, tongue) is
dropped and the hole closed by a membrane.
"""

NOSE_TIP_MM = (0.0, 111.0, 167.0)

# Left eye (x > 0), on the eyeball; the right eye follows from the mirror map.
EYE_RING = (
    *(7761, 7762, 7763, 11717, 7764, 7771, 7770, 7769, 7768, 7772, 7767, 7766, 7765, 7748),
    *(7747, 7749, 7750, 7751, 7752, 7753, 7754, 7755, 7756, 11716, 7757, 7758, 7759, 7760),
)
EYE_MEDIAL, EYE_LATERAL = 7, 21
UPPER_LID = tuple(range(EYE_MEDIAL, EYE_LATERAL + 1))
LOWER_LID = tuple((EYE_MEDIAL - step) % len(EYE_RING) for step in range(len(UPPER_LID)))

# Mouth, behind the lips.
MOUTH_RING = (
    *(535, 536, 530, 529, 3709, 527, 526, 3730, 528, 524, 525, 533, 5359, 532, 531, 539, 538),
    *(537, 7282, 7283, 7276, 7277, 11961, 7278, 7270, 7269, 7273, 10398, 7271, 7272, 10377),
    *(7274, 7275, 7281, 7280, 7279, 540, 534),
)
MOUTH_RIGHT, MOUTH_UPPER, MOUTH_LEFT, MOUTH_LOWER = 5, 17, 29, 36
UPPER_LIP = tuple(range(MOUTH_RIGHT, MOUTH_LEFT + 1))
LOWER_LIP = tuple(
    (MOUTH_RIGHT - step) % len(MOUTH_RING)
    for step in range(len(MOUTH_RING) - MOUTH_LEFT + MOUTH_RIGHT + 1)
)

FACE_GROUP, EYE_GROUP, JAW_GROUP = "body", "helper-l-eye", "joint-jaw"
EYE_RINGS_OUTSIDE, MOUTH_RINGS_OUTSIDE = 6, 7

# Where the left eye ring's mean lies in the working frame (y, z), mm.
EYE_HEIGHT_MM, EYE_DEPTH_MM = 149.0, 135.0
