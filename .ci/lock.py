"""The exact packages of this environment, for who runs the course years later: `python .ci/lock.py`
writes two files.

requirements.lock holds versions and hashes, for all systems and for Python 3.11.5 and newer:
    pip install --require-hashes -r requirements.lock && pip install --no-deps .
constraints.txt holds the same versions alone, for `pip install -c constraints.txt .`: pip asks
for the hash of everything
as soon as one line has one, and a folder has none.
"""

import re, subprocess, sys, tempfile
from configparser import ConfigParser
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

root = Path(__file__).parent.parent
HEAD = "# Made by python .ci/lock.py; not edited by hand.\n"


def compiled() -> str:
    "What uv resolves when every package that is installed here keeps its version."
    here = {
        f"{d.name}=={d.version.partition('+')[0]}" for d in distributions() if d.name != "mmrec"
    }
    with tempfile.TemporaryDirectory() as d:
        pins, out = Path(d) / "here.txt", Path(d) / "lock.txt"
        pins.write_text("\n".join(sorted(here)))
        subprocess.run(
            [
                sys.executable,
                "-m",
                "uv",
                "pip",
                "compile",
                "--quiet",
                "--refresh-package",
                "mmrec",
                "setup.py",
                "--extra",
                "dev",
                "--universal",
                "--python-version",
                "3.11.5",
                "--generate-hashes",
                "--no-header",
                "--no-annotate",
                "--no-emit-index-url",
                "--no-emit-find-links",
                "-c",
                str(pins),
                "-o",
                str(out),
            ],
            cwd=root,
            check=True,
        )
        return out.read_text()


def versions(lock: str) -> str:
    "The same without hashes."
    return re.sub(r" *\\\n +--hash=\S+", "", lock)


def stale() -> list[str]:
    "Requirements in settings.ini that the lock does not meet, and a lock whose two files differ."
    lock, plain = ((root / f).read_text() for f in ("requirements.lock", "constraints.txt"))
    locked = {
        re.sub(r"[-_.]+", "-", n).lower(): v
        for n, v in re.findall(r"^([\w.-]+)==([^\s;\\]+)", plain, flags=re.M)
    }
    cfg = ConfigParser(delimiters=["="], interpolation=None)
    cfg.read(root / "settings.ini", encoding="utf-8")
    wrong = [] if versions(lock) == plain else ["requirements.lock and constraints.txt differ"]
    for key in (
        "requirements",
        *(k for k in cfg["DEFAULT"] if k.endswith("_requirements") and k != "site_requirements"),
    ):
        for r in map(Requirement, cfg["DEFAULT"][key].split()):
            have = locked.get(re.sub(r"[-_.]+", "-", r.name).lower())
            if r.name != "mmrec" and (have is None or not r.specifier.contains(have)):
                wrong.append(f"{r}: the lock has {have}")
    return wrong


if __name__ == "__main__":
    if "--check" in sys.argv:
        print(*(wrong := stale()) or ["the lock meets settings.ini"], sep="\n")
        sys.exit(bool(wrong))
    lock = compiled()
    (root / "requirements.lock").write_text(HEAD + lock)
    (root / "constraints.txt").write_text(HEAD + versions(lock))
    print(f"{len(re.findall('^[^ #]', lock, flags=re.M))} packages")
