"""Installs `mmrec` and, inside it as `mmrec.nbs`, the notebooks it is made from. All settings stand
in settings.ini.
"""

from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=["="], interpolation=None)
parser.read(here / "settings.ini", encoding="utf-8")
cfg = parser["DEFAULT"]
extras = {
    k.removesuffix("_requirements"): cfg[k].split() for k in cfg if k.endswith("_requirements")
}

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    keywords=cfg["keywords"],
    author=cfg["author"],
    author_email=cfg["author_email"],
    url=f"https://github.com/{cfg['user']}/{cfg['repo']}" if cfg["user"] else None,
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Intended Audience :: Education",
        "Framework :: Jupyter",
    ]
    + [f"Programming Language :: Python :: 3.{m}" for m in (11, 12, 13)],
    python_requires=f">={cfg['min_python']}",
    packages=[*find_packages(include=["mmrec", "mmrec.*"]), "mmrec.nbs"],
    package_dir={"mmrec.nbs": "nbs"},
    package_data={
        "mmrec": ["py.typed", "*.pyi", "*/*.pyi", "*/static/*"],
        "mmrec.nbs": ["**/*.ipynb", "*/*.json"],
    },
    install_requires=cfg["requirements"].split(),
    extras_require=extras,
    entry_points={"console_scripts": ["mmrec=mmrec.report.reports:main"]},
    zip_safe=False,
)
