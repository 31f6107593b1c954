"""Methods can be looked at, and configurations composed, without the libraries that train."""

import subprocess
import sys

from simdistill import registry

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def test_methods_import_no_library_that_trains():
    """In a process of its own, as this one has imported them all."""
    code = (
        "import sys; from simdistill import registry\n"
        "for name in registry.names('methods'): registry.load('methods', name)\n"
        f"print([library for library in {HEAVY} if library in sys.modules])"
    )
    assert len(registry.names("methods")) >= 11
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
