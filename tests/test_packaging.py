"""What a wheel of Theater carries."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_a_wheel_has_the_guest_sdk_and_every_interface(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tmp_path), str(ROOT)], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    sources = ROOT / "src"
    wanted = {
        path.relative_to(sources).as_posix()
        for pattern in ("*.py", "*.wit", "py.typed")
        for path in sources.rglob(pattern)
    }
    guests = ROOT / "guests"
    wanted |= {
        f"theater/_guests/{path.relative_to(guests).as_posix()}"
        for pattern in ("python/**/*.py", "js/**/*")
        for path in guests.glob(pattern)
        if path.is_file()
    }
    assert wanted - inside == set()
    assert "theater/py.typed" in inside
    assert any(name.endswith(".wit") for name in inside)
