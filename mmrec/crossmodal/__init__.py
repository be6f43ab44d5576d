"""Chapter 6: crossmodal."""
# Written by .ci/sync.py from the names that the chapter's pages export; loaded when touched.
import lazy_loader

from mmrec.environment import MMRecError as MMRecError

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
