"""One test per notebook, found by discovery: each is executed through papermill with the `[test: ...]` values of its parameters."""
from pathlib import Path

import pytest
from mmrec.report import execute, parameters

def pytest_collect_file(file_path: Path, parent):
    if file_path.suffix == ".ipynb" and ".ipynb_checkpoints" not in file_path.parts: return File.from_parent(parent, path=file_path)

class File(pytest.File):
    def collect(self): yield Notebook.from_parent(self, name="runs")

class Notebook(pytest.Item):
    def runtest(self):
        out = self.config._tmp_path_factory.mktemp("notebook")/self.path.name
        small = {p.name: p.test for p in parameters(self.path).values() if p.test is not None}
        execute(self.path, out, small, progress=False)

    def repr_failure(self, excinfo):
        return str(excinfo.value)  # papermill's error holds the cell and its traceback

    def reportinfo(self): return self.path, None, f"{self.path.name}"
