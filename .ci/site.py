"""mkdocs hook: every notebook becomes a page as it lies in the repository, outputs included;
nothing is executed.

A notebook is turned into Markdown, so that search, table of contents, link checks and dark mode
are mkdocs' own. Formulas become MathML, as in the reports; formulas and outputs travel past the
Markdown parser as placeholders.
"""

import configparser, html, re, sys, textwrap
from pathlib import Path

import nbformat
from mkdocs.structure.files import File, Files

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
import order
from mmrec.report.reports import BADGE, embed_figures, formulas_to_mathml

root = Path(__file__).parent.parent
cfg = configparser.ConfigParser(delimiters=["="], interpolation=None)
cfg.read(root / "settings.ini", encoding="utf-8")
REPO = "https://github.com/{user}/{repo}/blob/{branch}/".format(**cfg["DEFAULT"])
kept: dict[str, str] = {}  # placeholder -> HTML


def keep(text: str, block: bool) -> str:
    "A placeholder that the Markdown parser leaves alone."
    name = f"kept-{len(kept)}-"
    kept[name] = text
    return f"\n\n<div id={name}></div>\n\n" if block else f"<span id={name}></span>"


def shown(output) -> str:
    "One output as HTML."
    data = output.get("data", {})
    if output.output_type == "stream":
        return f"<pre class=out>{html.escape(output.text)}</pre>" if output.name == "stdout" else ""
    if "text/html" in data:
        return f"<div class=out>{data['text/html']}</div>"
    if "image/svg+xml" in data:
        return f"<div class=out>{data['image/svg+xml']}</div>"
    if "text/plain" in data:
        return f"<pre class=out>{html.escape(data['text/plain'])}</pre>"
    return ""


def prose(source: str, folder: str) -> str:
    """Markdown of a cell: formulas kept aside, links to notebooks as links to pages, to other files
    as links to the repository."""
    source = BADGE.sub("", source)
    source = re.sub(
        r"(?s)<math.*?</math>",
        lambda m: keep(m[0], 'display="block"' in m[0][:200]),
        formulas_to_mathml(source),
    )
    source = re.sub(r"\]\((?!https?:|mailto:)([\w./-]+)\.ipynb(#[^)]*)?\)", r"](\1.md\2)", source)
    return re.sub(
        r"\]\((\.\./[\w./-]+)\)",
        lambda m: (
            m[0]
            if m[1].endswith(".md")
            and (root / "nbs" / folder / m[1]).with_suffix(".ipynb").exists()
            else f"]({REPO}{(root / 'nbs' / folder / m[1]).resolve().relative_to(root)})"
        ),
        source,
    )


def page(path: Path) -> str:
    "A notebook as Markdown."
    nb, parts = nbformat.read(path, 4), []
    embed_figures(nb)
    folder = path.parent.relative_to(root / "nbs").as_posix()
    for c in nb.cells:
        if c.cell_type == "markdown":
            parts.append(prose(c.source, folder))
            continue
        if "google.colab" in c.source or c.source.startswith("#| default_exp"):
            continue
        source = re.sub(r"^#\| export\w*\n", "", c.source)
        code = f"````python\n{source}\n````"
        if c.metadata.get("jupyter", {}).get("source_hidden"):
            code = '??? quote "Code of the figure"\n\n' + textwrap.indent(code, "    ")
        if folder != "reports":  # a report is for people who want the answer
            parts.append(code)
        for o in c.get("outputs", []):
            if "text/markdown" in o.get("data", {}):
                parts.append(prose(o.data["text/markdown"], folder))
            elif text := shown(o):
                parts.append(keep(text, True))
    link = f"[Notebook on GitHub]({REPO}{path.relative_to(root).as_posix()})"
    if path.stem != "index":
        parts.append(f"---\n\n{link}")
    return "\n\n".join(parts)


def title(path: Path) -> str:
    "The first heading of a notebook."
    nb = nbformat.read(path, 4)
    return next(
        (
            l.lstrip("# ")
            for c in nb.cells
            if c.cell_type == "markdown"
            for l in c.source.splitlines()
            if l.startswith("# ")
        ),
        path.stem,
    )


def modules() -> list[Path]:
    "What the package is made of, chapter by chapter."
    numbers = {name[3:]: i for i, name in enumerate(order.chapters())}
    found = [m for m in (root / "mmrec").rglob("*.py") if not m.stem.startswith("_")]
    return sorted(found, key=lambda m: (numbers.get(m.parent.name, -1), m.stem))


def dotted(module: Path) -> str:
    return ".".join(module.relative_to(root).with_suffix("").parts)


def on_config(config):
    "Navigation from folders and files: chapters with their workshops, reports, benchmarks, API."
    nbs = root / "nbs"
    at = lambda p: p.relative_to(nbs).with_suffix(".md").as_posix()
    course = []
    for name, (lessons, workshop) in order.chapters().items():
        pages = [{f"{p.number} {p.short}": at(p.path)} for p in lessons]
        if workshop:
            pages.append({"Workshop": [{p.short: at(p.path)} for p in workshop]})
        course.append({f"{int(name[:2])} {name[3:]}": pages})
    folder = lambda name: [
        {title(p).split(":")[0]: at(p)} for p in sorted((nbs / name).glob("*.ipynb"))
    ]
    api = {}
    for m in modules():
        api.setdefault(dotted(m).rpartition(".")[0], []).append({dotted(m): f"api/{dotted(m)}.md"})
    config.nav = [
        {"Home": "index.md"},
        {"Course": course},
        {"Reports": folder("reports")},
        {"Benchmarks": folder("benchmarks")},
        {"API": [{package: pages} for package, pages in api.items()]},
    ]
    return config


def on_files(files: Files, config):
    "Pages in place of the notebooks, a page per module, and the style sheet."
    for f in list(files):
        files.remove(f) if f.src_uri.endswith((".ipynb", ".json")) else None
    for p in sorted((root / "nbs").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in p.parts:
            continue
        files.append(
            File.generated(
                config, p.relative_to(root / "nbs").with_suffix(".md").as_posix(), content=page(p)
            )
        )
    for m in modules():
        source = re.search(r"File to edit: (?:\.\./)+nbs/([\w/]+)\.ipynb", m.read_text("utf-8"))
        origin = f"Exported from [{source[1]}](../{source[1]}.md).\n\n" if source else ""
        content = f"# {dotted(m)}\n\n{origin}::: {dotted(m)}\n"
        files.append(File.generated(config, f"api/{dotted(m)}.md", content=content))
    files.append(
        File.generated(config, "site.css", content=(root / ".ci" / "site.css").read_text("utf-8"))
    )
    files.append(
        File.generated(
            config, "worker.js", content=(root / ".ci" / "site_worker.js").read_text("utf-8")
        )
    )
    config.extra_css.append("site.css")
    return files


def on_post_page(output, page, **_):
    """The search worker of a page that is opened from a folder comes from the site itself, not from
    the network."""
    up = "../" * page.url.count("/")
    return output.replace("https://unpkg.com/iframe-worker/shim", f"{up}worker.js")


def on_page_content(text, **_):
    "Put back what was kept aside."
    return re.sub(r'<(div|span) id="?(kept-\d+-)"?></\1>', lambda m: kept[m[2]], text)
