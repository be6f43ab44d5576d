"""The order of the course, from the names of folders and files: `nbs/NN_chapter/P_page.ipynb` is a
lesson, `nbs/NN_chapter/workshop/page.ipynb` a page for those who change the library. Titles'
numbers, the strip of chapters, previous and next, the index's table and the faces of the
subpackages are written from it.
"""

import ast
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import nbformat

root = Path(__file__).parent.parent
nbs = root / "nbs"
NUMBER = re.compile(r"^# (?:\d+(?:\.\d+)? (?:· )?)?")
STRIP, END, NEXT = "<!-- strip -->", "<!-- /strip -->", "Next: "


@dataclass(frozen=True)
class Page:
    path: Path  # of the notebook
    chapter: int
    place: int | None  # among the lessons of its chapter; None: workshop

    @property
    def number(self) -> str:
        return f"{self.chapter}.{self.place}" if self.place else f"{self.chapter} ·"

    @property
    def title(self) -> str:
        "Without its number."
        first = nbformat.read(self.path, 4).cells[0].source.splitlines()[0]
        return NUMBER.sub("", first)

    @property
    def short(self) -> str:
        return self.title.split(":")[0]

    def link(self, to: "Page", text: str) -> str:
        return f"[{text}]({Path(os.path.relpath(to.path, self.path.parent)).as_posix()})"


def chapters() -> dict[str, tuple[list[Page], list[Page]]]:
    "Name of each chapter's folder -> its lessons and its workshop pages, in order."
    found = {}
    for folder in sorted(nbs.glob("[0-9][0-9]_*")):
        n = int(folder.name[:2])
        lessons = [Page(p, n, int(p.stem.split("_")[0])) for p in folder.glob("[0-9]*_*.ipynb")]
        workshop = [Page(p, n, None) for p in sorted(folder.glob("workshop/*.ipynb"))]
        found[folder.name] = sorted(lessons, key=lambda p: p.place), workshop
    return found


def lessons() -> list[Page]:
    return [p for ls, _ in chapters().values() for p in ls]


def strip(page: Page) -> str:
    "The chapters in order, the page's own one lit, each a link to its first lesson."
    shown = []
    for name, (ls, _) in chapters().items():
        if not ls:
            continue
        word = name[3:]
        here = ls[0].chapter == page.chapter
        linked = word if ls[0] == page else page.link(ls[0], word)
        shown.append(f"**▶ {linked}**" if here else linked)
    return " → ".join(shown)


def neighbours(page: Page) -> str:
    "Where to go from a lesson, and from a workshop page back to its chapter."
    of_chapter = chapters()[page.path.relative_to(nbs).parts[0]]
    if page.place is None:
        back = of_chapter[0][:1] or lessons()[:1]
        return (
            "Workshop of " + page.link(back[0], f"{back[0].number} {back[0].short}") if back else ""
        )
    order = lessons()
    at = order.index(page)
    ways = []
    if at:
        ways.append(
            "← " + page.link(order[at - 1], f"{order[at - 1].number} {order[at - 1].short}")
        )
    if at + 1 < len(order):
        ways.append(
            page.link(order[at + 1], f"{order[at + 1].number} {order[at + 1].short}") + " →"
        )
    if of_chapter[1]:
        names = ", ".join(page.link(w, w.short[:1].lower() + w.short[1:]) for w in of_chapter[1])
        return " · ".join(ways) + f"\n\nWorkshop: {names}"
    return " · ".join(ways)


def numbered(source: str, folder: Path) -> str:
    "A link whose text begins with a number says the number that the page has today."
    known = {p.path: p for p in lessons()}

    def link(m: re.Match) -> str:
        to = known.get((folder / m[3]).resolve())
        return f"[{to.number if to else m[1]}{m[2]}]({m[3]}"

    return re.sub(r"\[(\d+(?:\.\d+)?)((?: [^\]\n]*)?)\]\(([^)#\s]+\.ipynb)", link, source)


def write_heads() -> None:
    "Number, strip and neighbours of every page of a chapter, and its last line, which leads on."
    order = lessons()
    for page in (p for ls, ws in chapters().values() for p in (*ls, *ws)):
        nb = nbformat.read(page.path, 4)
        head = nb.cells[0]
        before = nbformat.writes(nb)
        head.source = NUMBER.sub(f"# {page.number} ", head.source, count=1)
        block = "\n\n".join(
            filter(None, [f"{STRIP}\n{strip(page)}", neighbours(page) + f"\n{END}"])
        )
        if STRIP in head.source:
            head.source = re.sub(f"(?s){STRIP}.*?{END}", lambda _, block=block: block, head.source)
        else:
            head.source = f"{head.source.rstrip()}\n\n{block}"
        for cell in nb.cells[1:]:
            if cell.cell_type == "markdown":
                cell.source = re.sub(rf"(?m)\n*^{NEXT}.*$", "", cell.source).rstrip()
        if page in order[:-1]:
            to = order[order.index(page) + 1]
            last = [c for c in nb.cells if c.cell_type == "markdown"][-1]
            last.source += f"\n\n{NEXT}{page.link(to, f'{to.number} {to.title}')}"
        for cell in nb.cells:
            if cell.cell_type == "markdown":
                cell.source = numbered(cell.source, page.path.parent)
        if nbformat.writes(nb) != before:
            nbformat.write(nb, page.path)


def table() -> str:
    "The chapters as the index shows them."
    index = Page(nbs / "index.ipynb", 0, None)
    rows = ["| chapter | lessons | workshop |", "|---|---|---|"]
    for name, (ls, ws) in chapters().items():
        cells = [", ".join(index.link(p, p.short) for p in pages) for pages in (ls, ws)]
        rows.append(f"| {int(name[:2])} {name[3:]} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def public_names(module: Path) -> list[str]:
    "`__all__` as the export has written it."
    for s in ast.parse(module.read_text("utf-8")).body:
        if isinstance(s, ast.Assign) and getattr(s.targets[0], "id", "") == "__all__":
            return ast.literal_eval(s.value)
    return []


FACE = '''"""{title}"""
# Written by .ci/sync.py from the names that the chapter's pages export; loaded when touched.
from mmrec.environment import MMRecError as MMRecError, attach_face

__getattr__, __dir__, __all__ = attach_face(__name__, __file__)
'''

CALLED = """

class _Called(type(sys)):
    "The subpackage is called as the function of its name."

    def __call__(self, *args, **kwargs):
        return self.{name}(*args, **kwargs)


sys.modules[__name__].__class__ = _Called
"""


def write_faces() -> list[str]:
    "`__init__.py` and its stub for every subpackage; names that two modules of it share."
    wrong = []
    for folder in sorted(
        p for p in (root / "mmrec").iterdir() if p.is_dir() and any(p.glob("*.py"))
    ):
        chapter = next((c for c in chapters() if c[3:] == folder.name), None)
        pages = (
            {}
            if chapter is None
            else {
                p.path.stem.split("_", 1)[1] if p.place else p.path.stem: p
                for p in (*chapters()[chapter][1], *chapters()[chapter][0])
            }
        )
        order = {name: i for i, name in enumerate(pages)}
        lines, seen = [], defaultdict(list)
        modules = sorted(
            (f for f in folder.glob("*.py") if f.stem != "__init__"),
            key=lambda f: (order.get(f.stem, 99), f.stem),
        )
        for module in modules:
            for name in public_names(module):
                seen[name].append(module.stem)
                lines.append(f"from .{module.stem} import {name} as {name}")
        wrong += [
            f"mmrec/{folder.name}: {n} is public in {' and '.join(m)}"
            for n, m in seen.items()
            if len(m) > 1
        ]
        wrong += [
            f"mmrec/{folder.name}: {n} is a module and a public name"
            for n in seen
            if n in {m.stem for m in modules}
        ]
        title = f"Chapter {int(chapter[:2])}: {folder.name}." if chapter else folder.name
        text = FACE.format(title=title)
        if folder.name in seen:
            text = text.replace("from mmrec", "import sys\n\nfrom mmrec", 1) + CALLED.format(
                name=folder.name
            )
        (folder / "__init__.py").write_text(text, "utf-8")
        (folder / "__init__.pyi").write_text("\n".join(lines) + "\n", "utf-8")
    return wrong
