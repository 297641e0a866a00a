"""`python benchmarks/statistics.py`: agreement and aggregation of a million judgments (million_judgments.py).

The scripts beside this one, and what they import, mean the standard library's module of this name and find
this file first; so it hands them that one.
"""

import importlib.util
import sys
import sysconfig
from pathlib import Path

if __name__ == "__main__":
    from million_judgments import main

    main()
else:
    found = importlib.util.spec_from_file_location(
        "statistics", Path(sysconfig.get_path("stdlib")) / "statistics.py"
    )
    assert found is not None and found.loader is not None
    sys.modules["statistics"] = importlib.util.module_from_spec(found)
    found.loader.exec_module(sys.modules["statistics"])
