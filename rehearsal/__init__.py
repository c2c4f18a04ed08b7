"""The shop's real parts on this machine, to break them: processes, servers, buyers. For tests, benches and drills.

No part of the image: it needs what requirements-dev.txt names.
"""
