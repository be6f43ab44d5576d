"""Chapter 15: protect."""
# Written by .ci/sync.py from the names that the chapter's pages export; loaded when touched.
from mmrec.environment import MMRecError as MMRecError, attach_face

__getattr__, __dir__, __all__ = attach_face(__name__, __file__)
