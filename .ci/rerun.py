"""Run pages in place with their default parameters, one at a time, the longest first; stop at the
first error.

    python .ci/rerun.py               those that `python .ci/sync.py --stale` lists
    python .ci/rerun.py nbs/X.ipynb   these
    python .ci/rerun.py --kept        kept runs on public data, nbs/*/*.json (long)

A page that is done is saved at once, so the command can be stopped and started again.
"""

import json, re, sys, tempfile, time
from datetime import date
from pathlib import Path

import nbformat

from sync import clean, kept_page, root, stale_pages


def rerun(page: Path) -> None:
    "Outputs of a fresh run into the notebook as it lies; its cells keep their ids."
    from mmrec.report.reports import execute

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / page.name
        execute(page, out, {}, progress=False)
        ran = [c for c in nbformat.read(out, 4).cells if c.cell_type == "code"]
    nb = nbformat.read(page, 4)
    for cell, new in zip([c for c in nb.cells if c.cell_type == "code"], ran, strict=True):
        if cell.source != new.source:
            raise SystemExit(f"{page.name}: edited while it ran; run it again")
        cell.outputs, cell.execution_count = new.outputs, None
    nbformat.write(nb, page)


def keep(file: Path) -> None:
    "Run the page that a kept run names, with its parameters, and write down what it found."
    from mmrec.data.provenance import page_cells
    from mmrec.report.reports import read_record, report, package_versions

    run = json.loads(file.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        done = report(run["report"], run["parameters"], folder, page=False)
        made, found = page_cells(json.loads(done.read_text("utf-8")))[1], read_record(done)
    run |= {
        "finished": f"{date.today()}",
        "seconds": made["seconds"],
        "versions": package_versions(),
        "record": found,
        "made_from": made,
    }
    one_line = lambda m: "[" + re.sub(r",\s+", ", ", m[1]) + "]"  # a list of numbers is one line
    text = re.sub(
        r"\[\s+([^\[\]{}]*?)\s+\]", one_line, json.dumps(run, indent=1, ensure_ascii=False)
    )
    assert json.loads(text) == run
    file.write_text(text + "\n", encoding="utf-8")


def shown_on(file: Path) -> Path:
    "The page that shows a kept run: of a report one of the benchmarks, else the lesson itself."
    if file.parent.name == "benchmarks":
        return file.parent / "public.ipynb"
    return kept_page(json.loads(file.read_text("utf-8")))


def main() -> int:
    sys.path.insert(0, str(root))
    kept, given = "--kept" in sys.argv, [Path(a).resolve() for a in sys.argv[1:] if a != "--kept"]
    wanted = given or [p for p in stale_pages() if kept == (p.suffix == ".json")]
    wanted += dict.fromkeys(shown_on(p) for p in wanted if p.suffix == ".json")
    for page in wanted:
        start = time.perf_counter()
        try:
            keep(page) if page.suffix == ".json" else rerun(page)
        except Exception as e:
            print(f"{page.relative_to(root)} failed after {time.perf_counter() - start:.0f} s\n{e}")
            return 1
        wrong = clean(page) if page.suffix == ".ipynb" else []
        print(
            f"{page.relative_to(root)}: {time.perf_counter() - start:.0f} s",
            *wrong,
            sep="\n  ",
            flush=True,
        )
        if wrong:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
