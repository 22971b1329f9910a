"""What tests of real processes have in common: a federation's kits, its server and sites, and the commands of a console.

$TESSERA names the program, if it is not the launcher of this clone.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parent.parent
tessera = os.environ.get("TESSERA") or str(root / "tessera")
passed = failed = 0


def check(what, holds, shown=""):
    global passed, failed
    if holds:
        passed += 1
        print(f"ok: {what}", flush=True)
    else:
        failed += 1
        print(f"FAILED: {what}: {str(shown)[:600]}", flush=True)


def finish():
    """Says how it went, and ends."""
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


def free_ports(count):
    """Ports that nobody has, and that differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Federation:
    """The processes of one federation, on a port of their own."""

    def __init__(self, folder, sites):
        self.folder = folder
        self.names = ["server"] + [f"site-{number + 1}" for number in range(sites)]
        self.port = free_ports(1)[0]
        self.processes = {}

    def kit(self, name):
        return str(self.folder / "kits" / name)

    def launch(self, name, *words, environment=None, program=tessera):
        """Starts a program of a kit; what it says is in NAME.log."""
        with open(self.folder / f"{name}.log", "a") as log:
            self.processes[name] = subprocess.Popen(
                [program, "federation", words[0], self.kit(name), *words[1:]],
                stdout=subprocess.DEVNULL, stderr=log, env=dict(os.environ, **(environment or {})))

    def start(self, name, *words, program=tessera):
        if name != "server":
            return self.launch(name, "site", "--server", f"127.0.0.1:{self.port}", "--lanes", "1", program=program)
        self.launch(name, "server", "--host", "127.0.0.1", "--port", str(self.port), *words, program=program)
        # Whoever asks too early is refused: the port says when it is time.
        while self.processes[name].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.005)
        sys.exit(f"the server has ended: {(self.folder / 'server.log').read_text()[-2000:]}")

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        return [process.wait(timeout=30) for process in self.processes.values()]

    def environment(self, user):
        return dict(os.environ, TESSERA_KIT=self.kit(user), TESSERA_SERVER=f"127.0.0.1:{self.port}")

    def ask(self, *words, user="ada", as_json=True, code=0):
        process = subprocess.run(
            [tessera, "federation", *words, *(["--json"] if as_json else [])], capture_output=True, text=True,
            env=self.environment(user))
        if process.returncode != code:
            raise RuntimeError(f"{words}: exit {process.returncode}: {process.stdout}{process.stderr}")
        if not as_json:
            return process.stdout + process.stderr
        if code != 0:
            return json.loads(process.stderr)["error"]
        return [json.loads(line) for line in process.stdout.splitlines()]

    def watch(self, job, moment):
        """The events of a job, until one of a kind has come; all that came."""
        events = []
        process = subprocess.Popen(
            [tessera, "federation", "watch", job, "--json"], stdout=subprocess.PIPE, text=True,
            env=self.environment("ada"))
        for line in process.stdout:
            events.append(json.loads(line))
            if moment(events[-1]):
                break
        process.kill()
        process.wait()
        return events

    def job(self, name, text):
        folder = self.folder / "jobs" / name
        folder.mkdir(parents=True)
        (folder / "job.yml").write_text(text)
        return str(folder)


def plan(name, rounds, sites):
    return f"""name: {name}
workflow: {{type: fedavg, rounds: {rounds}}}
model: linear
executor: {{type: classifier, epochs: 1}}
minimum_sites: {sites}
"""


def finished_round(number):
    return lambda event: event["event"] == "round finished" and event["round"]["round"] >= number
