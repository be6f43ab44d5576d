"""Export the modules from the notebooks and clean the notebooks; `--check` fails when that changes
anything. `--stale` lists the pages that were run before a change that concerns them (page
provenance), and what has changed.

nbdev does the export and removes metadata and execution counts. On top of that a committed page
keeps only outputs that a reader needs: no progress bars or warnings (they go to stderr), no
failed cell, nothing of the machine.
"""

import configparser, json, re, subprocess, sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

import order

root = Path(__file__).parent.parent
MACHINE = re.compile(r"(/home/|/root/|/tmp/|/Users/|[A-Z]:\\\\)[\w.\\/-]*")


DRAWS = re.compile(r"\b(?:plt|ax\w*|fig\w*)\b")


def is_plumbing(source: str) -> bool:
    "A cell that installs, or that mostly draws: what it shows is read, its code only by a few."
    if source.startswith("#|"):
        return False
    lines = [l for l in source.splitlines() if l.strip()]
    drawn = sum(bool(DRAWS.search(l)) for l in lines)
    return "google.colab" in source or drawn > 2 and 5 * drawn >= 2 * len(lines)


def clean(path: Path) -> list[str]:
    "Drop what is not for readers; the complaints that only the author can mend."
    try:
        nb, wrong = nbformat.read(path, 4), []
    except Exception:
        return [f"{path.relative_to(root)}: not a notebook that can be read"]
    before = nbformat.writes(nb)
    for cell in nb.cells:
        if cell.cell_type != "code":
            continue
        if is_plumbing(cell.source):
            cell.metadata["jupyter"] = {"source_hidden": True}  # folded in JupyterLab
        elif "jupyter" in cell.metadata:
            del cell.metadata["jupyter"]
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        for o in cell.outputs:
            if o.output_type == "error":
                wrong.append(f"a failed cell: {o.ename}")
            text = o.get("text", "") + "".join(
                v for k, v in o.get("data", {}).items() if k.startswith("text/")
            )
            if m := MACHINE.search(text):
                wrong.append(f"an output names a place on a machine: {m[0]}")
    if nbformat.writes(nb) != before:
        nbformat.write(nb, path)
    if path.stat().st_size > 1_000_000:
        wrong.append(f"{path.stat().st_size // 1024} KiB; at most 1 MB")
    if path.relative_to(root / "nbs").parts[0][:2].isdigit() and not any(
        "parameters" in c.metadata.get("tags", []) for c in nb.cells
    ):
        wrong.append("no parameters cell")
    return [f"{path.relative_to(root)}: {w}" for w in wrong]


CLOSED = (
    "item neighbours",
    "two hops",
    "EASE",
    "GF-CF",
    "log walk",
    "log walk + content",
    "content ridge",
)
BEGIN, END = "<!-- written from nbs/benchmarks/*.json -->", "<!-- end -->"


REPORTED = {
    "beauty_next": "reported elsewhere, ids only: eSASRec 0.0928 / 0.0523; tuned SASRec",
}  # by others, at the same protocol
REPORTED_AT = {"beauty_next": (0.0921, 0.0531)}


def next_choices(runs: dict[str, dict], commands: list[str]) -> str:
    "The second table: the last choice of each person, from all choices before it."
    rows = []

    def row(label, figures, bold=""):
        rows.append(f"| {label} | " + " | ".join(f"{bold}{x:.3f}{bold}" for x in figures) + " |")

    for name, title, k in (
        ("beauty_next", "Beauty", 10),
        ("scientific_next", "Scientific, with titles", 10),
        ("scientific_cold", "Scientific, items nobody has chosen, among themselves", 10),
        ("movielens_order", "MovieLens, rating 4 and more, all later films, at 20", 20),
    ):
        commands.append(command(runs[name]))
        r, metrics = runs[name]["record"], (f"recall@{k}", f"ndcg@{k}")
        m, label = r["models"], r["ours"]
        row(f"**{title}: {label}**, mean of {r['seeds']} seeds", [r[x] for x in metrics], bold="**")
        alone = [v for n, v in m.items() if n.startswith("sequence network, seed")]
        if label != "sequence network":
            row(
                f"sequence network alone, mean of {len(alone)} seeds",
                [sum(v[x][0] for v in alone) / len(alone) for x in metrics],
            )
        rest = [n for n in m if not n.startswith(("sequence network, seed", f"{label}, seed"))]
        best = max(rest, key=lambda n: m[n][metrics[1]][0])
        row(f"best of the rest: {best}", [m[best][x][0] for x in metrics])
        if name in REPORTED:
            row(REPORTED[name], REPORTED_AT[name])
    return "\n".join(["| | Recall | NDCG |", "|---|---|---|", *rows])


def command(run: dict) -> str:
    "What prints a kept run again."
    return "mmrec report benchmark -p " + " ".join(
        f'"{k}={v}"' if " " in str(v) else f"{k}={v}" for k, v in run["parameters"].items()
    )


def headline(runs: dict[str, dict]) -> str:
    """The index's table and what its intervals show, from the kept runs; each figure stands in one
    of those files."""
    rows, said, commands = [], [], []

    def row(label, figures):
        rows.append(f"| {label} | {figures[0]:.3f} | {figures[1]:.3f} |")

    def add(name, title, *others):  # others: (label, models of which the best is shown)
        run = runs[name]
        commands.append(command(run))
        r = run["record"]
        m, first = r["models"], (r["recall@20"], r["ndcg@20"])
        rows.append(
            f"| **{title}: multimodal**, mean of {r['seeds']} seeds "
            f"({r['seconds per fit']:.0f} s a fit) | **{first[0]:.3f}** | "
            f"**{first[1]:.3f}** |"
        )
        for label, names in others:
            best = max((n for n in names if n in m), key=lambda n: m[n]["ndcg@20"][0], default=None)
            if best:
                row(
                    label.format(best)
                    + f" ({m[best]['seconds']:.0f} s)" * (m[best]["seconds"] > 0),
                    [m[best][x][0] for x in ("recall@20", "ndcg@20")],
                )
        d = {n: v["ndcg@20"] for n, v in r["against"].items()}
        behind, alike = [n for n in d if d[n][2] < 0], [n for n in d if d[n][1] <= 0 <= d[n][2]]
        rest = [
            f"{words} {', '.join(names)}"
            for words, names in (("not told apart from", alike), ("behind", behind))
            if names
        ]
        said.append(
            f"{title}: ahead of {len(d) - len(behind) - len(alike)} of {len(d)}"
            + ("; " + "; ".join(rest) if rest else "")
        )

    add(
        "tiktok",
        "TikTok",
        ("best closed form of chapter 8: {}", CLOSED),
        ("{}", ["LightGCN, ids only"]),
    )
    rows.append(
        "| best published, with text in addition, best epoch chosen on test | 0.119 | 0.053 |"
    )
    add(
        "movielens_next",
        "MovieLens, the next films",
        ("{}", ["EASE"]),
        ("{}", ["EASE, history to test"]),
        ("{}", ["ALS of implicit"]),
        ("{}", ["VBPR of cornac"]),
        ("{}", ["its prior alone"]),
    )
    add(
        "movielens_new",
        "MovieLens, films nobody has rated, among themselves",
        ("{}", ["content ridge"]),
    )
    rows.append(f"| chance | {20 / runs['movielens_new']['record']['items']:.3f} | |")
    table = "\n".join(["| | Recall@20 | NDCG@20 |", "|---|---|---|", *rows])
    verdict = (
        "By paired 95 % intervals of NDCG@20 (first seed) against each model run beside it - "
        + ". ".join(said)
        + "."
        if said
        else ""
    )
    return (
        f"{BEGIN}\n{table}\n\n{verdict}\n\n"
        f"What a person chooses next, of all items (leave one out, at 10, where nothing else is "
        f"said; settings chosen on validation):\n\n{next_choices(runs, commands)}\n\n"
        f"With the data beside the project (or in `$MMREC_DATA`), each of these prints its "
        f"table:\n\n```sh\n" + "\n".join(commands) + f"\n```\n{END}"
    )


CHAPTERS, CHAPTERS_END = "<!-- chapters -->", "<!-- end of chapters -->"


def write_index() -> None:
    "The table of chapters, and the figures of the index as the kept runs have them."
    path = root / "nbs" / "index.ipynb"
    kept = {f: run for f, run in kept_runs().items() if f.parent.name == "benchmarks"}
    nb, runs = nbformat.read(path, 4), {f.stem: run for f, run in kept.items()}
    for cell in nb.cells:
        between = f"(?s){re.escape(CHAPTERS)}.*?{re.escape(CHAPTERS_END)}"
        if CHAPTERS in cell.source:
            cell.source = re.sub(
                between, lambda _: f"{CHAPTERS}\n{order.table()}\n{CHAPTERS_END}", cell.source
            )
    nbformat.write(nb, path)
    if missing := [name for name, run in runs.items() if "record" not in run]:
        print(
            f"the index keeps its figures: no results yet in {', '.join(missing)} "
            f"(python .ci/rerun.py --kept)"
        )
        return
    for cell in nb.cells:
        if BEGIN in cell.source:
            cell.source = re.sub(
                f"(?s){re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: headline(runs), cell.source
            )
    nbformat.write(nb, path)


BADGE_AT = re.compile(
    r"colab\.research\.google\.com/github/([\w.-]+)/([\w.-]+)/blob/([\w.-]+)/nbs/index\.ipynb"
)


def address() -> None:
    """Where the repository lies stands in settings.ini (user, repo, branch) and is written from
    there wherever a page names it."""
    cfg = configparser.ConfigParser(delimiters=["="], interpolation=None)
    cfg.read(root / "settings.ini", encoding="utf-8")
    user, repo, branch = (cfg["DEFAULT"].get(k, "") for k in ("user", "repo", "branch"))
    found = BADGE_AT.search((root / "nbs" / "index.ipynb").read_text("utf-8"))
    if not user or not found or found.groups() == (user, repo, branch):
        return
    u, r, b = found.groups()  # what was written the last time
    names = {
        f"github.com/{u}/{r}/blob/{b}/": f"github.com/{user}/{repo}/blob/{branch}/",
        f"github/{u}/{r}/blob/{b}/": f"github/{user}/{repo}/blob/{branch}/",
        f"github.com/{u}/{r}": f"github.com/{user}/{repo}",
        f"{u}.github.io/{r}/": f"{user}.github.io/{repo}/",
        f"&& cd {r}\\n": f"&& cd {repo}\\n",
        f"&& cd {r}\n": f"&& cd {repo}\n",
    }
    for f in (
        *pages(),
        *(root / n for n in ("CONTRIBUTING.md", "CITATION.cff", "mkdocs.yml", "CHANGELOG.md")),
    ):
        if not f.is_file():
            continue
        before = after = f.read_text("utf-8")
        for old, new in names.items():
            after = after.replace(old, new)
        if after != before:
            f.write_text(after, "utf-8")


def extras() -> list[str]:
    "Extras that settings.ini has and the index does not name, or the other way round."
    have = set(
        re.findall(r"(?m)^(\w+)_requirements *=", (root / "settings.ini").read_text("utf-8"))
    )
    table = "".join(
        c.source
        for c in nbformat.read(root / "nbs" / "index.ipynb", 4).cells
        if c.source.startswith("## What only some need")
    )
    named = set(re.findall(r"(?m)^\| `(\w+)` \|", table))
    return (
        [
            f"index.ipynb: the table of extras and settings.ini differ in "
            f"{', '.join(sorted(have ^ named))}"
        ]
        if have ^ named
        else []
    )


def readme() -> None:
    "README.md is index.ipynb as Markdown, its links pointing into nbs/."
    write_index()
    nb = nbformat.read(root / "nbs" / "index.ipynb", 4)
    nb.metadata["language_info"] = {"name": "python"}  # what the code fences are marked with
    aside = ("google.colab", "record(")  # Colab's install cell, and what is for programs
    nb.cells = [
        c
        for c in nb.cells
        if c.cell_type == "markdown" or not any(word in c.source for word in aside)
    ]
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r"<style scoped>.*?</style>\n?", "", text, flags=re.S)
    text = re.sub(r"\[!\[Open in Colab\].*\n", "", text)
    text = re.sub(r"\]\((?!https?:|#|mailto:)([\w./-]+\.ipynb)\)", r"](nbs/\1)", text)
    text = re.sub(r"\]\(\.\./", "](", text)
    if not re.search(
        r"(?m)^user *= *\S", (root / "settings.ini").read_text("utf-8")
    ):  # nowhere published: nothing to clone
        text = re.sub(r"(?m)^git clone .*\n", "", text).replace(
            "In an empty virtual environment:", "In this folder and an empty virtual environment:"
        )
    (root / "README.md").write_text(
        re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", encoding="utf-8"
    )


def stale_pages() -> dict[Path, tuple[int, list[str]]]:
    """Pages and kept runs made before a change that concerns them: seconds of that run, what has
    changed; longest first."""
    sys.path.insert(0, str(root))
    from mmrec.data.provenance import Package, changes, run_seconds, stale

    package, found = Package(root / "mmrec"), {}
    for p in pages():
        if changed := stale(p, package):
            found[p] = run_seconds(p), changed
    found = dict(sorted(found.items(), key=lambda f: -f[1][0]))
    for (
        f,
        run,
    ) in (
        kept_runs().items()
    ):  # they need data that is not here, and long: for those who ask (rerun.py --kept)
        if changed := changes(kept_cells(run), run.get("made_from"), package):
            found[f] = run.get("seconds", 0), changed
    return found


def kept_runs() -> dict[Path, dict]:
    "Runs of a page with other parameters than its defaults, whose results are kept as JSON."
    files = sorted((root / "nbs").glob("*/*.json"))
    return {f: json.loads(f.read_text("utf-8")) for f in files}


def kept_page(run: dict) -> Path:
    "The page whose run it is: a report by its name, a lesson by chapter and name."
    at = run["report"] if "/" in run["report"] else f"reports/{run['report']}"
    return root / "nbs" / f"{at}.ipynb"


def kept_cells(run: dict) -> list[str]:
    "The code cells that a kept run had: those of the page, and its parameters."
    from mmrec.data.provenance import page_cells

    nb = json.loads(kept_page(run).read_text("utf-8"))
    cells, head = (
        page_cells(nb)[0],
        next(
            "".join(c["source"])
            for c in nb["cells"]
            if "parameters" in c["metadata"].get("tags", [])
        ),
    )
    cells.insert(
        cells.index(head) + 1, "\n".join(f"{k} = {v!r}" for k, v in run["parameters"].items())
    )
    return cells


def pages() -> list[Path]:
    return sorted(p for p in (root / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def main() -> int:
    if "--stale" in sys.argv:
        for p, (seconds, changed) in stale_pages().items():
            print(f"{p.relative_to(root / 'nbs')} ({seconds} s): {', '.join(changed)}")
        return 0
    address()
    books = pages()
    order.write_heads()
    for f in [*(root / "mmrec").rglob("*.py"), *(root / "mmrec").rglob("*.pyi")]:
        f.unlink()  # a module whose notebook is gone shall go too
    for command in (["nbdev_export"], ["nbdev_clean"]):
        done = subprocess.run(
            [str(Path(sys.executable).parent / command[0])],
            cwd=root,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(done.stdout, done.stderr)
            return 1
    wrong = order.write_faces() + [w for p in books for w in clean(p)] + extras()
    if (root / "nbs" / "index.ipynb").exists():
        readme()
    if "--check" in sys.argv:
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", "mmrec", "nbs", "README.md"],
            cwd=root,
            capture_output=True,
            text=True,
        ).stdout
        if changed:
            wrong.append(
                f"notebooks, modules and README differ from a fresh export; run "
                f"python .ci/sync.py and commit:\n{changed}"
            )
            print(
                subprocess.run(
                    ["git", "diff", "--", "mmrec", "nbs", "README.md"],
                    cwd=root,
                    capture_output=True,
                    text=True,
                ).stdout[:4000]
            )
    if old := stale_pages():  # no fault: a page is run again when its change is done
        print(
            f"{len(old)} of {len(books)} pages and kept runs were made before a "
            f"change that concerns them (python .ci/rerun.py):",
            ", ".join(p.relative_to(root / "nbs").as_posix().removesuffix(".ipynb") for p in old),
        )
    print(*wrong or [f"{len(books)} notebooks are clean and exported"], sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
