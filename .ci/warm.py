"""Kernels that start at once. One process imports what nearly every page imports, then is forked
for each page: a kernel costs hundredths of a second in place of five seconds of imports. It holds
other people's packages only, nothing of mmrec: each page still imports that itself.

`kernels()` is used by conftest.py; this file run as a program is the process that is forked.
"""

import atexit, gc, importlib, json, os, random, select, shutil, signal, socket, subprocess, sys
import tempfile, threading, time
from contextlib import contextmanager, suppress

HELD = (
    "torch numpy pandas pyarrow.parquet scipy.sparse.linalg scipy.stats scipy.optimize "
    "sklearn.linear_model sklearn.cluster sklearn.decomposition sklearn.feature_extraction.text "
    "matplotlib.pyplot matplotlib_inline.backend_inline hypothesis PIL.Image safetensors.torch "
    "tqdm jaxtyping transformers transformers.modeling_utils torchvision ipykernel.kernelapp "
    "jupyter_client.provisioning papermill nbconvert lightgbm "
    # what an optimiser and a text encoder load when they are first made
    "torch._dynamo transformers.models.auto transformers.models.bert.modeling_bert"
).split()


class Warm:
    "The process that is forked, as seen from who asks it: line by line, in JSON, over a socket."

    def __init__(self, path: str = ""):  # the socket of one that runs; "": starts one
        self.path, self.process, self.turn = path, None, threading.Lock()
        if not path:
            folder = tempfile.mkdtemp(prefix="mmrec-", dir="/tmp")  # the name of a socket is short
            self.path = f"{folder}/warm"
            # where ipykernel would send figures, asked for before matplotlib is imported
            env = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
            # pyarrow's own memory pool has a thread, and only what has none is safely forked
            env["ARROW_DEFAULT_MEMORY_POOL"] = "system"
            # -P: the folder of this file is no place to import from
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__, self.path],
                env=env,
                text=True,
                stdin=subprocess.PIPE,  # it ends when this does
                stdout=subprocess.PIPE,
            )
            self.process.stdout.readline()  # the socket is there
        self.socket = None  # opened by who asks first

    def ask(self, **what):
        with self.turn:
            if self.socket is None:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(self.path)
                self.lines = self.socket.makefile("rw")
            self.lines.write(json.dumps(what) + "\n")
            self.lines.flush()
            return json.loads(self.lines.readline())

    def close(self):
        if self.socket is not None:
            self.lines.close(), self.socket.close()
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)


class Kernel:
    "One forked kernel, with as much of `subprocess.Popen` as jupyter_client uses."

    stdin = stdout = stderr = None

    def __init__(self, warm: Warm, argv, env, cwd):
        self.warm, self.returncode, self.cpu = warm, None, 0.0
        self.pid = warm.ask(
            do="start", argv=argv, env=dict(env), cwd=str(cwd or os.getcwd()), by=os.getpid()
        )

    def poll(self):
        if self.returncode is None:
            self.returncode, self.cpu = self.warm.ask(do="poll", pid=self.pid)
        return self.returncode

    def wait(self, timeout=None):
        while self.poll() is None:  # others ask meanwhile
            time.sleep(0.02)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


@contextmanager
def kernels(warm: Warm):
    "Within, what this process starts as a kernel is forked; the list of those that were."
    from jupyter_client.provisioning import local_provisioner

    started, cold = [], local_provisioner.launch_kernel

    local_provisioner.launch_kernel = _launch(warm, cold, started)
    try:
        yield started
    finally:
        local_provisioner.launch_kernel = cold


def _launch(warm: Warm, cold, started: list):
    "What starts kernels, with what starts those that cannot be forked."

    def launch(cmd, env=None, cwd=None, **other):
        # python -m ipykernel_launcher ARGUMENTS, as the kernel of this environment is started
        if cmd[1:2] == ["-Xfrozen_modules=off"]:
            cmd = [cmd[0], *cmd[2:]]
        if cmd[1:3] != ["-m", "ipykernel_launcher"]:
            return cold(cmd, env=env, cwd=cwd, **other)
        started.append(Kernel(warm, cmd[3:], os.environ if env is None else env, cwd))
        return started[-1]

    return launch


def _become_kernel(argv, env, cwd, path, report):
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what a page prints past its kernel is no answer to a question
    os.environ.clear()
    # the kernel goes when its parent goes, and its parent is the process that was forked
    os.environ.update(env | {"JPY_PARENT_PID": str(os.getppid())})
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    tempfile.tempdir = None  # that of the page, not that of the tests
    os.chdir(cwd)
    random.seed()
    sys.modules["numpy"].random.seed()
    os.fsync = lambda file: None  # no page cuts the power; waiting for a disk computes nothing
    sys.argv = ["ipykernel_launcher", *argv]
    if report:  # a page looks at its pictures: this module, loaded in a kernel, makes them
        sys.modules.pop("matplotlib_inline.backend_inline", None)
    from ipykernel import kernelapp
    from jupyter_client.provisioning import local_provisioner as local

    # a page that runs a report: its kernel is a fork as well
    local.launch_kernel = _launch(Warm(path), local.launch_kernel, [])
    try:
        # by hand: ipykernel read the variable when it was imported, before the fork
        kernelapp.launch_new_instance(parent_handle=os.getppid())
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        # what has to be put away is; taking the shared memory apart piece by piece would copy it
        with suppress(BaseException):
            threading._shutdown()
            atexit._run_exitfuncs()
        os._exit(0)


def _ended(pid):
    "Exit status as subprocess gives it and seconds of computing, its own processes' among them."
    try:
        found, status, used = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return 0, 0.0
    if not found:
        return None, 0.0
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def _line(caller) -> str:
    with suppress(OSError):
        return caller.readline()
    return ""


def main(path: str):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test that was interrupted says what ends
    door = socket.socket(socket.AF_UNIX)
    door.bind(path)
    door.listen()
    print("ready", flush=True)
    for name in HELD:
        with suppress(ImportError, OSError):  # what is broken here is found by the pages
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no kernel's collector walks through (and so copies) what all of them share
    inside: dict[int, list] = {}  # kernel -> [who asked for it, seconds of those it asked for]
    callers: dict = {}
    while True:
        for ready in select.select([sys.stdin, door, *callers], [], [])[0]:
            if ready is sys.stdin:
                return None
            if ready is door:
                caller = door.accept()[0]
                callers[caller] = caller.makefile("rw")
            elif line := _line(callers[ready]):
                asked = json.loads(line)
                if asked["do"] == "start":
                    if not (answer := os.fork()):
                        for held in (door, *callers.values(), *callers):
                            held.close()
                        report = asked["by"] in inside  # asked for by a page
                        return _become_kernel(
                            asked["argv"], asked["env"], asked["cwd"], path, report
                        )
                    inside[answer] = [asked["by"], 0.0]
                    with suppress(OSError):  # both do it: whoever asks next finds the group
                        os.setpgid(answer, answer)
                else:
                    code, spent = _ended(asked["pid"])
                    if code is not None:
                        by, more = inside.pop(asked["pid"], (0, 0.0))
                        spent += more
                        if by in inside:
                            inside[by][1] += spent
                    answer = code, spent
                with suppress(OSError):  # who asked is gone
                    callers[ready].write(json.dumps(answer) + "\n")
                    callers[ready].flush()
            else:
                with suppress(OSError):
                    callers.pop(ready).close()
                ready.close()


if __name__ == "__main__":
    main(sys.argv[1])
