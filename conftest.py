"""One test per notebook, found by discovery: each is executed through papermill with the `[test:
...]` values of its parameters. They run side by side, one thread each, those that took longest
the last time first.
"""

import importlib.util, json, os, sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from mmrec.report.reports import execute, parameters

COST = "mmrec/seconds"  # in pytest's cache: what each notebook cost on this machine
FIRST = (
    Path(__file__).parent / ".ci" / "seconds.json"
)  # for a checkout that has run nothing yet: a copy of that, now and then


def pytest_xdist_auto_num_workers(config):
    "As many workers as cores; a single notebook runs in this process."
    named = [a for a in config.args if a.endswith(".ipynb")]
    if len(named) == len(config.args) == 1:
        return 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def pytest_configure(config):
    if hasattr(
        config, "workerinput"
    ):  # kernels inherit it: two notebooks do not fight for the same cores
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser):
    parser.addoption(
        "--cold",
        action="store_true",
        help="start each kernel from nothing, in place of a fork of one that has its imports",
    )


def warm(config):
    "What forks this run's kernels, made at the first page; None where they start from nothing."
    if config.getoption("--cold") or not hasattr(os, "fork") or sys.platform == "darwin":
        return None
    if not hasattr(config, "_warm"):
        found = importlib.util.spec_from_file_location("warm", FIRST.parent / "warm.py")
        config._warm_module = importlib.util.module_from_spec(found)
        found.loader.exec_module(config._warm_module)
        # one for all workers, started by the process that runs them
        config._warm = config._warm_module.Warm(getattr(config, "workerinput", {}).get("warm", ""))
    return config._warm_module.kernels(config._warm)


def pytest_configure_node(node):
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what is forked has chosen its threads
    if warm(node.config) is not None:
        node.workerinput["warm"] = node.config._warm.path


def pytest_unconfigure(config):
    if hasattr(config, "_warm"):
        config._warm.close()


def cost(config) -> dict[str, float]:
    "Seconds of computing per notebook, from the last runs here, else as committed."
    return (
        json.loads(FIRST.read_text()) | config.cache.get(COST, {})
        if FIRST.is_file()
        else config.cache.get(COST, {})
    )


def pytest_collection_modifyitems(config, items):
    known = cost(config)
    items.sort(
        key=lambda i: -known.get(i.nodeid, 60)
    )  # stable: a new page is taken for one of middling length


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        seen[report.nodeid] = dict(report.user_properties).get("cpu", report.duration)


seen: dict[str, float] = {}


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput") and seen:
        session.config.cache.set(
            COST,
            dict(
                sorted((session.config.cache.get(COST, {}) | seen).items(), key=lambda kv: -kv[1])
            ),
        )


def pytest_collect_file(file_path: Path, parent):
    if file_path.suffix == ".ipynb" and ".ipynb_checkpoints" not in file_path.parts:
        return File.from_parent(parent, path=file_path)


class File(pytest.File):
    def collect(self):
        yield Notebook.from_parent(self, name="runs")


class Notebook(pytest.Item):
    def runtest(self):
        out = self.config._tmp_path_factory.mktemp("notebook") / self.path.name
        small = {p.name: p.test for p in parameters(self.path).values() if p.test is not None}
        before = os.times()
        with warm(self.config) or nullcontext([]) as forked:
            execute(self.path, out, small, progress=False)
        # the kernel is a child: its computing does not depend on what else the machine does
        after = os.times()
        spent = (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
            + sum(kernel.cpu for kernel in forked)
        )
        if spent:
            self.user_properties.append(("cpu", round(spent, 1)))

    def repr_failure(self, excinfo):
        return str(excinfo.value)  # papermill's error holds the cell and its traceback

    def reportinfo(self):
        return self.path, None, f"{self.path.name}"
