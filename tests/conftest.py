import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# The same examples on every machine, however slow it is.
settings.register_profile("equipoise", derandomize=True, deadline=None)
settings.load_profile("equipoise")
