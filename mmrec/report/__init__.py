"""Chapter 16: report."""
# Written by .ci/sync.py from the names that the chapter's pages export; loaded when touched.
import sys

import lazy_loader

from mmrec.environment import MMRecError as MMRecError

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _Called(type(sys)):
    "The subpackage is called as the function of its name."

    def __call__(self, *args, **kwargs):
        return self.report(*args, **kwargs)


sys.modules[__name__].__class__ = _Called
