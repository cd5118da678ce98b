"""Ask for known vulnerabilities of the locked dependencies: ``make audit``.

Exit codes: 0 none is known, 1 some are, 3 nobody could be asked.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
# Runs apart from the project: its dependencies are none of ours.
TOOL = "pip-audit==2.9.0"
_SECONDS = 300
EXIT_NONE, EXIT_SOME, EXIT_NOT_ASKED = 0, 1, 3


def main() -> int:
    """Ask, and tell what was answered."""
    lock = str(ROOT / "requirements.lock")
    options = ["--requirement", lock, "--require-hashes", "--disable-pip", "--format", "json"]
    command = [str(UV), "tool", "run", "--quiet", TOOL, *options]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return _not_asked(str(exc))
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _not_asked(ended.stderr)
    found = [(each, flaw) for each in packages for flaw in each.get("vulns", ())]
    for each, flaw in found:
        fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"{each['name']} {each['version']}: {flaw['id']}, fixed in {fixed}")
    print(f"{len(packages)} packages, {len(found)} known vulnerabilities")
    return EXIT_SOME if found else EXIT_NONE


def _not_asked(why: str) -> int:
    lines = why.strip().splitlines() or ["no reason given"]
    print(f"COULD NOT ASK for known vulnerabilities: {lines[-1]}", file=sys.stderr)
    return EXIT_NOT_ASKED


if __name__ == "__main__":
    sys.exit(main())
