"""The shop's own settings, pool and middleware included, for the plain views."""

from timelessmusic.settings import *  # noqa: F403

ROOT_URLCONF = "bench.peers.plain"
