"""Check a built site: every link inside it leads somewhere, anchors included, and no page fetches
anything from elsewhere.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.fetched = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.ids |= {a[k] for k in ("id", "name") if a.get(k)}
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        elif tag == "link" and a.get("href") and a.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(a["href"])
        elif tag in ("img", "script", "iframe", "audio", "video", "source") and a.get("src"):
            self.fetched.append(a["src"])


def check(site: Path) -> list[str]:
    "What is wrong, one line each."
    pages, wrong = (
        {p.resolve(): Page(p.read_text(encoding="utf-8")) for p in site.rglob("*.html")},
        [],
    )
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        if name.as_posix() == "404.html":
            continue  # its links are absolute, for wherever the site is served
        for url in page.links + page.fetched:
            u = urlsplit(url)
            if u.scheme or url.startswith("//"):
                if url in page.fetched and u.scheme != "data":
                    wrong.append(f"{name}: fetches {url[:100]}")
                continue
            target = (path.parent / unquote(u.path)).resolve() if u.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.is_file():
                wrong.append(f"{name}: {url} leads nowhere")
            elif (
                u.fragment
                and target in pages
                and unquote(u.fragment) not in pages[target].ids | {"__top"}
            ):
                wrong.append(f"{name}: {url}: no such place on that page")
    return wrong


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    print(
        *found[:50] or ["every link leads somewhere, nothing is fetched from elsewhere"], sep="\n"
    )
    sys.exit(bool(found))
