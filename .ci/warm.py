"""Kernels that start at once. One process imports what nearly every page imports, then is forked
for each page: a kernel costs hundredths of a second in place of five seconds of imports. It holds
other people's packages only, nothing of mmrec: each page still imports that itself.

`kernels()` is used by conftest.py; this file run as a program is the process that is forked.
"""

import atexit, gc, importlib, json, os, random, signal, subprocess, sys, threading
from contextlib import contextmanager, suppress

HELD = (
    "torch numpy pandas pyarrow.parquet scipy.sparse.linalg scipy.stats scipy.optimize "
    "sklearn.linear_model sklearn.cluster sklearn.decomposition sklearn.feature_extraction.text "
    "matplotlib.pyplot matplotlib_inline.backend_inline hypothesis PIL.Image safetensors.torch "
    "tqdm jaxtyping transformers transformers.modeling_utils torchvision ipykernel.kernelapp"
).split()


class Warm:
    "The process that is forked, as seen from a test; asked line by line in JSON."

    def __init__(self):
        # where ipykernel would send figures, asked for before matplotlib is imported
        env = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        # -P: the folder of this file is no place to import from
        self.process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Kernel:
    "One forked kernel, with as much of `subprocess.Popen` as jupyter_client uses."

    stdin = stdout = stderr = None

    def __init__(self, warm: Warm, argv, env, cwd):
        self.warm, self.returncode, self.cpu = warm, None, 0.0
        self.pid = warm.ask(do="start", argv=argv, env=dict(env), cwd=str(cwd or os.getcwd()))

    def poll(self):
        if self.returncode is None:
            self.returncode, self.cpu = self.warm.ask(do="poll", pid=self.pid)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self.returncode, self.cpu = self.warm.ask(do="wait", pid=self.pid)
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

    def launch(cmd, env=None, cwd=None, **other):
        # python -m ipykernel_launcher ARGUMENTS, as the kernel of this environment is started
        if cmd[1:2] == ["-Xfrozen_modules=off"]:
            cmd = [cmd[0], *cmd[2:]]
        if cmd[1:3] != ["-m", "ipykernel_launcher"]:
            return cold(cmd, env=env, cwd=cwd, **other)
        started.append(Kernel(warm, cmd[3:], os.environ if env is None else env, cwd))
        return started[-1]

    local_provisioner.launch_kernel = launch
    try:
        yield started
    finally:
        local_provisioner.launch_kernel = cold


def _become_kernel(argv, env, cwd):
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what a page prints past its kernel is no answer to a question
    os.environ.clear()
    # the kernel goes when its parent goes, and its parent is the process that was forked
    os.environ.update(env | {"JPY_PARENT_PID": str(os.getppid())})
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    os.chdir(cwd)
    random.seed()
    sys.modules["numpy"].random.seed()
    sys.argv = ["ipykernel_launcher", *argv]
    from ipykernel import kernelapp

    try:
        kernelapp.launch_new_instance()
    except SystemExit:
        pass
    # what has to be put away is; taking the shared memory apart piece by piece would copy it
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(0)


def _ended(pid, options):
    "Exit status as subprocess gives it and seconds of computing, its own processes' among them."
    try:
        found, status, used = os.wait4(pid, options)
    except ChildProcessError:
        return 0, 0.0
    if not found:
        return None, 0.0
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the test that was interrupted says what ends
    for name in HELD:
        with suppress(ImportError, OSError):  # what is broken here is found by the pages
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no kernel's collector walks through (and so copies) what all of them share
    while line := sys.stdin.readline():
        asked = json.loads(line)
        if asked["do"] == "start":
            if not (answer := os.fork()):
                return _become_kernel(asked["argv"], asked["env"], asked["cwd"])
            with suppress(OSError):  # both do it: whoever asks next finds the group
                os.setpgid(answer, answer)
        else:
            answer = _ended(asked["pid"], os.WNOHANG if asked["do"] == "poll" else 0)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
