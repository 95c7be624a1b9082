"""How far a look is displaced against the reference look of its site, and whether it is at all
one of the same ground.
"""

from groundbreak.align.config import AlignConfig
from groundbreak.align.shift import Alignment, Piece, estimate_shift, shift_image

__all__ = ["AlignConfig", "Alignment", "Piece", "estimate_shift", "shift_image"]
