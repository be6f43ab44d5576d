"""Export the modules from the notebooks and clean the notebooks; `--check` fails when that changes anything.
`--stale` lists the pages that were run before a change that concerns them (chapter 00b), and what has changed.

nbdev does the export and removes metadata and execution counts. On top of that a committed page keeps only outputs
that a reader needs: no progress bars or warnings (they go to stderr), no failed cell, nothing of the machine.
"""
import re, subprocess, sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).parent.parent
MACHINE = re.compile(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)[\w.\\/-]*")

def clean(path: Path) -> list[str]:
    "Drop what is not for readers; the complaints that only the author can mend."
    try: nb, wrong = nbformat.read(path, 4), []
    except Exception: return [f"{path.relative_to(root)}: not a notebook that can be read"]
    before = nbformat.writes(nb)
    for cell in nb.cells:
        if cell.cell_type != "code": continue
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for o in cell.outputs:
            if o.output_type == "error": wrong.append(f"a failed cell: {o.ename}")
            text = o.get("text", "") + "".join(v for k, v in o.get("data", {}).items() if k.startswith("text/"))
            if m := MACHINE.search(text): wrong.append(f"an output names a place on a machine: {m[0]}")
    if nbformat.writes(nb) != before: nbformat.write(nb, path)
    if path.stat().st_size > 1_000_000: wrong.append(f"{path.stat().st_size//1024} KiB; at most 1 MB")
    if path.parent.name == "nbs" and path.stem != "index" and not any("parameters" in c.metadata.get("tags", []) for c in nb.cells):
        wrong.append("no parameters cell")
    return [f"{path.relative_to(root)}: {w}" for w in wrong]

def readme() -> None:
    "README.md is index.ipynb as Markdown, its links pointing into nbs/."
    nb = nbformat.read(root/"nbs"/"index.ipynb", 4)
    nb.metadata["language_info"] = {"name": "python"}  # what the code fences are marked with
    nb.cells = [c for c in nb.cells if "google.colab" not in c.source or c.cell_type == "markdown"]  # the install cell is Colab's
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r"<style scoped>.*?</style>\n?", "", text, flags=re.S)
    text = re.sub(r"\[!\[Open in Colab\].*\n", "", text)
    text = re.sub(r"\]\((?!https?:|#|mailto:)([\w./-]+\.ipynb)\)", r"](nbs/\1)", text)
    text = re.sub(r"\]\(\.\./", "](", text)
    (root/"README.md").write_text(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", encoding="utf-8")

def stale_pages() -> dict[Path, tuple[int, list[str]]]:
    "Pages that were run before a change that concerns them: seconds of that run and what has changed, the longest first."
    sys.path.insert(0, str(root))
    from mmrec.provenance import Package, run_seconds, stale
    package, found = Package(root/"mmrec"), {}
    for p in pages():
        if changed := stale(p, package): found[p] = run_seconds(p), changed
    return dict(sorted(found.items(), key=lambda f: -f[1][0]))

def pages() -> list[Path]: return sorted(p for p in (root/"nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)

def main() -> int:
    if "--stale" in sys.argv:
        for p, (seconds, changed) in stale_pages().items(): print(f"{p.relative_to(root/'nbs')} ({seconds} s): {', '.join(changed)}")
        return 0
    books = pages()
    for f in (root/"mmrec").glob("*.py"): f.unlink()  # a module whose notebook is gone shall go too
    for command in (["nbdev_export"], ["nbdev_clean"]):
        done = subprocess.run([str(Path(sys.executable).parent/command[0])], cwd=root, capture_output=True, text=True)
        if done.returncode: print(done.stdout, done.stderr); return 1
    wrong = [w for p in books for w in clean(p)]
    if (root/"nbs"/"index.ipynb").exists(): readme()
    if "--check" in sys.argv:
        changed = subprocess.run(["git", "status", "--porcelain", "--", "mmrec", "nbs", "README.md"], cwd=root, capture_output=True, text=True).stdout
        if changed:
            wrong.append(f"notebooks, modules and README differ from a fresh export; run python .ci/sync.py and commit:\n{changed}")
            print(subprocess.run(["git", "diff", "--", "mmrec", "nbs", "README.md"], cwd=root, capture_output=True, text=True).stdout[:4000])
    if old := stale_pages():  # no fault: a page is run again when its change is done
        print(f"{len(old)} of {len(books)} pages were run before a change that concerns them (python .ci/rerun.py):",
              ", ".join(p.relative_to(root/"nbs").with_suffix("").as_posix() for p in old))
    print(*wrong or [f"{len(books)} notebooks are clean and exported"], sep="\n")
    return bool(wrong)

if __name__ == "__main__": sys.exit(main())
