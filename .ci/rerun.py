"""Run pages in place with their default parameters, one at a time, the longest first; stop at the first error.

    python .ci/rerun.py               those that `python .ci/sync.py --stale` lists
    python .ci/rerun.py nbs/X.ipynb   these

A page that is done is saved at once, so the command can be stopped and started again.
"""
import sys, tempfile, time
from pathlib import Path

import nbformat

from sync import clean, root, stale_pages

def rerun(page: Path) -> None:
    "Outputs of a fresh run into the notebook as it lies; its cells keep their ids."
    from mmrec.report import execute
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)/page.name
        execute(page, out, {}, progress=False)
        ran = [c for c in nbformat.read(out, 4).cells if c.cell_type == "code"]
    nb = nbformat.read(page, 4)
    for cell, new in zip([c for c in nb.cells if c.cell_type == "code"], ran, strict=True):
        if cell.source != new.source: raise SystemExit(f"{page.name}: edited while it ran; run it again")
        cell.outputs, cell.execution_count = new.outputs, None
    nbformat.write(nb, page)

def main() -> int:
    sys.path.insert(0, str(root))
    given = [Path(a).resolve() for a in sys.argv[1:]]
    for page in given or stale_pages():
        start = time.perf_counter()
        try: rerun(page)
        except Exception as e: print(f"{page.relative_to(root)} failed after {time.perf_counter() - start:.0f} s\n{e}"); return 1
        wrong = clean(page)
        print(f"{page.relative_to(root)}: {time.perf_counter() - start:.0f} s", *wrong, sep="\n  ", flush=True)
        if wrong: return 1
    return 0

if __name__ == "__main__": sys.exit(main())
