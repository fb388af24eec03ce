import subprocess
import sys

import equipoise


def test_every_public_name_resolves():
    for name in equipoise.__all__:
        assert getattr(equipoise, name) is not None


def test_public_names_stay_themselves_once_their_rooms_are_imported():
    import equipoise.simulation
    import equipoise.trial

    assert callable(equipoise.simulate)
    assert callable(equipoise.plan)
    assert callable(equipoise.run)


def test_import_brings_in_no_heavy_library():
    heavy = ("scipy", "pandas", "polars", "matplotlib", "formulaic", "pydantic", "lifelines", "typer", "rich", "numba")
    code = f"import sys, equipoise; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
