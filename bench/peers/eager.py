"""The shop, whose threads hand Python's lock over after half a millisecond, not after five."""

import sys

from timelessmusic.wsgi import application

__all__ = ["application"]
sys.setswitchinterval(0.0005)
