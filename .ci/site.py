"""mkdocs hook: every notebook becomes a page as it lies in the repository, outputs included; nothing is executed.

A notebook is turned into Markdown, so that search, table of contents, link checks and dark mode are mkdocs' own. Formulas
become MathML, as in the reports; formulas and outputs travel past the Markdown parser as placeholders.
"""

import configparser, html, re
from pathlib import Path

import nbformat
from mkdocs.structure.files import File, Files

from mmrec.report.reports import BADGE, embed_figures, formulas_to_mathml

root = Path(__file__).parent.parent
cfg = configparser.ConfigParser(delimiters=["="], interpolation=None)
cfg.read(root / "settings.ini", encoding="utf-8")
REPO = "https://github.com/{user}/{repo}/blob/{branch}/".format(**cfg["DEFAULT"])
kept: dict[str, str] = {}  # placeholder -> HTML


def keep(text: str, block: bool) -> str:
    "A placeholder that the Markdown parser leaves alone."
    name, tag = f"kept-{len(kept)}-", "div" if block else "span"
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
    "Markdown of a cell: formulas kept aside, links to notebooks as links to pages, to other files as links to the repository."
    source = BADGE.sub("", source)
    source = re.sub(
        r"(?s)<math.*?</math>", lambda m: keep(m[0], 'display="block"' in m[0][:200]), formulas_to_mathml(source)
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
        source = re.sub(r"^#\| export\n", "", c.source)
        if folder != "reports":
            parts.append(
                f"````python\n{source}\n````"
            )  # a report is for people who want the answer
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


def on_config(config):
    "Navigation from the files: chapters, reports, benchmarks, API."
    nbs, name = root / "nbs", lambda p: title(p).split(": ")[0]
    course = [{name(p): f"{p.stem}.md"} for p in sorted(nbs.glob("[0-9]*.ipynb"))]
    modules = sorted(p.stem for p in (root / "mmrec").glob("*.py") if not p.stem.startswith("_"))
    config.nav = [
        {"Home": "index.md"},
        {"Course": course},
        {
            "Reports": [
                *(
                    {title(p).split(":")[0]: f"reports/{p.stem}.md"}
                    for p in sorted((nbs / "reports").glob("*.ipynb"))
                ),
                {"A report of your own": "template.md"},
            ]
        },
        {
            "Benchmarks": [
                {title(p).split(":")[0]: f"benchmarks/{p.stem}.md"}
                for p in sorted((nbs / "benchmarks").glob("*.ipynb"))
            ]
        },
        {"API": [{f"mmrec.{m}": f"api/{m}.md"} for m in modules]},
    ]
    return config


def on_files(files: Files, config):
    "Pages in place of the notebooks, a page per module, and the style sheet."
    for f in list(files):
        files.remove(f) if f.src_uri.endswith(".ipynb") else None
    for p in sorted((root / "nbs").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in p.parts:
            continue
        files.append(
            File.generated(
                config, p.relative_to(root / "nbs").with_suffix(".md").as_posix(), content=page(p)
            )
        )
    for m in sorted((root / "mmrec").glob("*.py")):
        if m.stem.startswith("_"):
            continue
        source = re.search(r"File to edit: \.\./nbs/([\w/]+)\.ipynb", m.read_text(encoding="utf-8"))
        origin = f"Exported from [{source[1]}](../{source[1]}.md).\n\n" if source else ""
        files.append(
            File.generated(
                config,
                f"api/{m.stem}.md",
                content=f"# mmrec.{m.stem}\n\n{origin}::: mmrec.{m.stem}\n",
            )
        )
    files.append(File.generated(config, "site.css", content=STYLE))
    files.append(File.generated(config, "worker.js", content=WORKER))
    config.extra_css.append("site.css")
    return files


def on_post_page(output, page, **_):
    "The search worker of a page that is opened from a folder comes from the site itself, not from the network."
    up = "../" * page.url.count("/")
    return output.replace("https://unpkg.com/iframe-worker/shim", f"{up}worker.js")


def on_page_content(text, **_):
    "Put back what was kept aside."
    return re.sub(r'<(div|span) id="?(kept-\d+-)"?></\1>', lambda m: kept[m[2]], text)


WORKER = """// Browsers refuse workers on file:// pages; there an iframe does the work.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super()
    const frame = Object.assign(document.createElement("iframe"), {hidden: true})
    document.documentElement.append(frame)
    this.inside = frame.contentWindow
    this.waiting = []
    this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", {data}))
    const script = Object.assign(frame.contentDocument.createElement("script"), {src: url})
    script.onload = () => { this.waiting.forEach(send => send()); this.waiting = null }
    frame.contentDocument.body.append(script)
  }
  postMessage(data) {
    const send = () => this.inside.dispatchEvent(new this.inside.MessageEvent("message", {data}))
    this.waiting ? this.waiting.push(send) : send()
  }
}
"""

STYLE = """
.out{overflow-x:auto;margin:.4em 0 1em;padding-left:.8em;border-left:3px solid var(--md-default-fg-color--lightest);font-size:.72rem}
pre.out{font-size:.65rem;line-height:1.4;white-space:pre;background:none}
.out table:not([class]),.out table.dataframe{border:0;border-collapse:collapse;font-size:.65rem;font-variant-numeric:tabular-nums}
.out th,.out td{padding:.3em 1.1em .3em 0;text-align:left;vertical-align:top;border:0;border-bottom:1px solid var(--md-default-fg-color--lightest)}
.md-typeset h1{color:var(--md-default-fg-color);font-weight:400}
.out img{max-width:100%;height:auto}
[data-md-color-scheme=slate] img.plot{filter:invert(.88) hue-rotate(180deg)}
math{font-size:1.08em}math[display=block]{display:block math;overflow-x:auto;overflow-y:hidden;padding:.3em 0;margin:.6em 0}
.md-typeset blockquote{border-left-color:var(--md-accent-fg-color);color:inherit;font-size:.82rem}
@media print{.md-header,.md-tabs,.md-sidebar,.md-footer,.headerlink{display:none!important}}
"""
