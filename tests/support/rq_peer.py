"""The Python side of a queue: programs of `rq_original/` and RQ's own command line, run with the RQ under test."""

import itertools
import json
import subprocess
from collections import Counter
from pathlib import Path

from support.processes import Process, inherited_environment
from support.waiting import PATIENCE, eventually

_ORIGINAL = Path(__file__).resolve().parent / "rq_original"
AMOUNT_THAT_FAILS = 666
AMOUNT_THAT_TAKES_A_SECOND = 1001
_number = itertools.count(1)


class PythonWorker(Process):
    """The original psp-connector. Its charges are counted in `charges_file`, which several may share, or not at all."""

    def __init__(self, rq, redis_url, charges_file, folder, worker="SimpleWorker", burst=False,
                 amount_that_fails=AMOUNT_THAT_FAILS):
        self.charges_file = charges_file
        counted = {} if charges_file is None else {"CHARGES_FILE": str(charges_file)}
        super().__init__(f"python-worker-{next(_number)}",
                         [rq.python, _ORIGINAL / "psp_connector.py", *(["--burst"] if burst else [])], folder,
                         {"REDIS_URL": redis_url, **counted, "WORKER": worker,
                          "AMOUNT_THAT_FAILS": str(amount_that_fails),
                          "AMOUNT_THAT_TAKES_A_SECOND": str(AMOUNT_THAT_TAKES_A_SECOND),
                          "PYTHONDONTWRITEBYTECODE": "1"})

    def wait_listening(self):
        def listens():
            if not self.alive():
                raise RuntimeError(f"the Python worker ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            return "Listening on default" in self.log()
        eventually(listens, "the Python worker to listen")
        return self


def charges(charges_file):
    """Job id -> how often the original function ran for it."""
    if not charges_file.exists():
        return Counter()
    return Counter(line.split(" ")[0] for line in charges_file.read_text().splitlines())


class RqPeer:
    def __init__(self, rq, redis_url, folder):
        self.rq = rq
        self.redis_url = redis_url
        self.folder = folder
        self.charges_file = folder / "python-charges"
        self._workers = []

    def _run(self, command, stdin_text=""):
        done = subprocess.run([str(word) for word in command], input=stdin_text, text=True, capture_output=True,
                              env={**inherited_environment(), "REDIS_URL": self.redis_url, "TERM": "dumb",
                                   "PYTHONDONTWRITEBYTECODE": "1"},
                              timeout=120 * PATIENCE)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def enqueue(self, *lines):
        """Jobs as the original core-api makes them; their ids."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return self._run([self.rq.python, _ORIGINAL / "core_api.py"], text).splitlines()

    def enqueue_transaction(self, user_id=1, amount=100, currency="USD", **options):
        line = {"user_id": user_id, "amount": amount, "currency": currency}
        return self.enqueue({**line, "options": options} if options else line)[0]

    def look(self, *words):
        return json.loads(self._run([self.rq.python, _ORIGINAL / "look.py", *words]))

    def job(self, identifier):
        return self.look("job", identifier)[0]

    def wait_job(self, identifier, status, timeout_s=30.0):
        def reached():
            job = self.job(identifier)
            return job if job["status"] == status else None
        return eventually(reached, f"job {identifier} to be {status}", timeout_s, interval_s=0.2)

    def command_line(self, *words):
        """RQ's own `rq`."""
        beside_python = Path(self.rq.python).parent / "rq"
        return self._run([beside_python, *words, "--url", self.redis_url])

    def shut_down(self, worker_name):
        self._run([self.rq.python, _ORIGINAL / "look.py", "shutdown", worker_name])

    def start_worker(self, **arguments):
        worker = PythonWorker(self.rq, self.redis_url, self.charges_file, self.folder, **arguments)
        self._workers.append(worker)
        return worker.start().wait_listening()

    def charges(self):
        return charges(self.charges_file)

    def stop_workers(self):
        for worker in self._workers:
            if worker.alive():
                worker.kill()
