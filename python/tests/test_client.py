"""The client against a site that is played by the test."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import numpy as np

import tessera_client
from tessera_client import (
    BFloat16Array,
    NotFederatedError,
    ProtocolError,
    TesseraAborted,
    TesseraEnded,
    Update,
    safetensors,
)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class PlayedSite:
    """A site's end of the socket, by hand."""

    def __init__(self, test):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "socket")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        test.addCleanup(self.listener.close)
        self.test = test
        self.count = 0

    def accept(self):
        self.connection, _ = self.listener.accept()
        self.lines = self.connection.makefile("rb")
        self.test.addCleanup(self.connection.close)
        self.test.addCleanup(self.lines.close)
        hello = self.hear()
        self.say(
            type="welcome", protocol=1, job="digits", site="north", site_index=2, data="/data/north", folder=self.folder
        )
        return hello

    def say(self, **message):
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self):
        return json.loads(self.lines.readline())

    def task(self, name="train", parameters=None, **more):
        self.count += 1
        file = None
        if parameters is not None:
            file = f"task-{self.count}.safetensors"
            safetensors.write(os.path.join(self.folder, file), parameters)
        self.say(type="task", task=self.count, name=name, round=1, rounds=3, attempt=1, seed=5, file=file, **more)

    def close(self):
        self.connection.shutdown(socket.SHUT_RDWR)


class ClientTests(unittest.TestCase):
    MODEL = {"weight": np.array([1, 2], np.float32), "count": np.array(3)}

    def begin(self):
        """A played site, and a client that is connected to it."""
        played = PlayedSite(self)
        with unittest.mock.patch.dict(os.environ, {"TESSERA_SOCKET": played.path}):
            thread = threading.Thread(target=played.accept)
            thread.start()
            site = tessera_client.init(orphan_grace=1000)
            thread.join()
        self.addCleanup(site.close)
        return played, site

    def test_a_task_is_received_and_answered(self):
        played, site = self.begin()
        self.assertEqual((site.job, site.name, site.index, site.data), ("digits", "north", 2, "/data/north"))
        played.task(parameters=self.MODEL, metadata={"samples": 9}, metrics={"loss": "nan"}, headers={"a": "b"})
        self.assertTrue(site.is_running())
        self.assertTrue(site.is_running())
        model = site.receive()
        self.assertEqual((model.task, model.round, model.rounds, model.seed), ("train", 1, 3, 5))
        self.assertEqual(model.metadata["samples"], 9)
        self.assertEqual(model.metadata["headers"], {"a": "b"})
        self.assertTrue(np.isnan(model.metadata["metrics"]["loss"]))
        self.assertEqual(model.generator().integers(100), np.random.default_rng(5).integers(100))
        with self.assertRaises(ProtocolError):
            site.receive()
        site.log("loss", 0.5, step=3)
        self.assertEqual(played.hear(), {"type": "log", "name": "loss", "value": 0.5, "step": 3})
        # Numbers of another size are those of the model.
        site.send(
            {"count": np.array(4), "weight": model.parameters["weight"] * np.float64(2)},
            metrics={"loss": float("inf"), "n": np.float32(0.5)},
            samples=np.int64(7),
            steps=2,
        )
        answer = played.hear()
        file = answer.pop("file")
        self.assertEqual(
            answer,
            {
                "type": "answer",
                "task": 1,
                "kind": "weights",
                "metrics": {"loss": "inf", "n": 0.5},
                "samples": 7,
                "steps": 2,
            },
        )
        arrays, _ = safetensors.read(os.path.join(played.folder, file))
        self.assertEqual(list(arrays), ["weight", "count"])
        self.assertEqual(arrays["weight"].dtype, np.float32)
        np.testing.assert_array_equal(arrays["weight"], [2, 4])
        with self.assertRaises(ProtocolError):
            site.send(self.MODEL)
        played.say(type="end")
        self.assertFalse(site.is_running())
        self.assertFalse(site.is_running())
        with self.assertRaises(TesseraEnded):
            site.receive()

    def test_parameters_that_do_not_fit_are_named(self):
        played, site = self.begin()
        played.task(parameters={**self.MODEL, "b": BFloat16Array.of([1.0])})
        site.receive()
        good = {**self.MODEL, "b": BFloat16Array.of([2.0])}
        for change, message in (
            ({"weight": np.zeros(3, np.float32)}, r"'weight' has the shape \(3,\)"),
            ({"count": np.array(1.5)}, "'count' is of the type F64"),
            ({"more": np.zeros(1)}, "have \\['more'\\]"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                site.send({**good, **change})
        with self.assertRaisesRegex(ValueError, "lack \\['count'\\]"):
            site.send({"weight": self.MODEL["weight"], "b": good["b"]})
        with self.assertRaises(ValueError):
            site.send(good, samples=-1)
        with self.assertRaises(ValueError):
            site.send(good, kind="gradient")
        with self.assertRaises(ValueError):
            site.send()
        # The task is still there to be answered; a bfloat16 tensor takes numbers.
        site.send({**good, "b": np.array([0.5])})
        arrays, _ = safetensors.read(os.path.join(played.folder, played.hear()["file"]))
        np.testing.assert_array_equal(arrays["b"].float32(), [0.5])

    def test_functions_answer_tasks(self):
        played, site = self.begin()
        thread = threading.Thread(
            target=site.serve,
            kwargs={
                "train": lambda model: Update(model.parameters, {"loss": 1}, 3, 4),
                "evaluate": lambda model: ({"accuracy": 0.5}, 8),
                "submit": lambda model: None,
            },
        )
        thread.start()
        played.task(parameters=self.MODEL)
        self.assertEqual(played.hear()["samples"], 3)
        played.task("evaluate", parameters=self.MODEL)
        answer = played.hear()
        self.assertEqual((answer["kind"], answer["metrics"], answer["samples"]), ("metrics", {"accuracy": 0.5}, 8))
        self.assertNotIn("file", answer)
        played.task("submit model")
        self.assertEqual(played.hear(), {"type": "refuse", "task": 3, "why": "nothing to share"})
        played.task("initialize")
        self.assertEqual(played.hear(), {"type": "refuse", "task": 4, "why": "unknown task"})
        played.say(type="end")
        thread.join()

    def test_progress_is_not_sent_too_often(self):
        played, site = self.begin()
        for _ in range(1000):
            site.progress()
        site.log("end", 1)
        kinds = []
        while not kinds or kinds[-1] != "log":
            kinds.append(played.hear()["type"])
        self.assertLess(kinds.count("progress"), 20)
        self.assertGreater(kinds.count("progress"), 0)

    def raises_at_the_next_call(self, error, message, site):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                site.progress()
            except error as raised:
                self.assertRegex(str(raised), message)
                return
        self.fail("nothing was raised")

    def test_an_abort_is_raised(self):
        played, site = self.begin()
        played.task(parameters=self.MODEL)
        site.receive()
        played.say(type="abort", reason="the job is over")
        self.raises_at_the_next_call(TesseraAborted, "the job is over", site)
        for call in (site.is_running, lambda: site.send(self.MODEL), lambda: site.log("a", 1)):
            with self.assertRaises(TesseraAborted):
                call()

    def test_a_site_that_is_gone_is_an_abort(self):
        played, site = self.begin()
        played.close()
        with self.assertRaises(TesseraAborted):
            site.is_running()

    def test_a_refused_message_says_why(self):
        played, site = self.begin()
        played.say(type="error", message="'weight' is missing")
        self.raises_at_the_next_call(ProtocolError, "'weight' is missing", site)

    def test_a_site_that_breaks_the_protocol_is_an_error(self):
        for line in (b"{\n", b"[1]\n", b"x" * (2 << 20)):
            played, site = self.begin()
            with contextlib.suppress(OSError):
                played.connection.sendall(line)
            with self.assertRaises(ProtocolError):
                site.is_running()
        played, site = self.begin()
        played.say(type="task", task=1, name="train", round=1, seed=1, file="../secret")
        with self.assertRaises(ProtocolError):
            site.receive()

    def test_a_site_of_another_version_is_an_error(self):
        played = PlayedSite(self)

        def answer():
            played.connection, _ = played.listener.accept()
            self.addCleanup(played.connection.close)
            played.say(type="welcome", protocol=2)

        threading.Thread(target=answer).start()
        with unittest.mock.patch.dict(os.environ, {"TESSERA_SOCKET": played.path}):
            with self.assertRaisesRegex(ProtocolError, "version 1"):
                tessera_client.init(orphan_grace=1000)

    def test_a_program_whose_site_is_gone_ends(self):
        played = PlayedSite(self)
        script = (
            "import tessera_client, time\n"
            "tessera_client.init(orphan_grace=0.2).log('ready', 1)\n"
            "while True: time.sleep(1)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script], env={**os.environ, "TESSERA_SOCKET": played.path, "PYTHONPATH": ROOT}
        )
        played.accept()
        played.hear()
        self.assertIsNone(process.poll())
        played.close()
        self.assertEqual(process.wait(timeout=10), -signal.SIGTERM)


class AloneTests(unittest.TestCase):
    def run_alone(self, **variables):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TESSERA_")}
        return unittest.mock.patch.dict(os.environ, {**environment, **variables}, clear=True)

    def test_without_a_site_there_is_a_clear_message(self):
        with self.run_alone(), self.assertRaisesRegex(NotFederatedError, "TESSERA_ALONE"):
            tessera_client.init()
        for rounds in ("many", "0"):
            with self.run_alone(TESSERA_ALONE=rounds), self.assertRaisesRegex(NotFederatedError, "number of rounds"):
                tessera_client.init()

    def test_alone_a_program_gets_its_own_answers(self):
        with self.run_alone(TESSERA_ALONE="3", TESSERA_DATA="."):
            site = tessera_client.init()
        self.assertEqual(site.data, os.getcwd())
        rounds, told = [], io.StringIO()

        def train(model):
            rounds.append(model.round)
            return {"a": model.parameters["a"] * 2}

        with contextlib.redirect_stderr(told):
            site.serve(train, lambda model: {"a": model.parameters["a"][0]}, lambda model: {"a": np.ones(1)})
        self.assertEqual(rounds, [1, 2, 3])
        self.assertIn("round 3/3, evaluate: a 8", told.getvalue())
        folder = site.folder
        site.close()
        self.assertFalse(os.path.exists(folder))

    def test_alone_a_program_that_has_no_first_weights_is_told_so(self):
        with self.run_alone(TESSERA_ALONE="1"):
            site = tessera_client.init()
        with self.assertRaisesRegex(tessera_client.TesseraError, "'initialize'"):
            site.serve(train=lambda model: model.parameters)
        site.close()


class RoundsTests(unittest.TestCase):
    """The loop that frameworks share, by an imitation of Keras."""

    class Weight:
        def __init__(self, name):
            self.name = name

    class Network:
        def __init__(self):
            self.weights = [RoundsTests.Weight("dense_4/kernel:0"), RoundsTests.Weight("dense_4/bias:0")]
            self.values = [np.zeros((2, 2), np.float32), np.zeros(2, np.float32)]

        def get_weights(self):
            return self.values

        def set_weights(self, values):
            self.values = [np.array(value) for value in values]

    def test_each_round_is_loaded_and_sent(self):
        import tessera_client.keras as tessera

        played = PlayedSite(self)
        network = self.Network()
        accuracies = iter((0.5, 0.9, 0.7))

        def trainer():
            with tessera_client.Site(tessera_client.site.Channel(played.path, 1000)) as site:
                for part in tessera.rounds(network, lambda: {"mean": network.values[0].mean()}, "accuracy", site):
                    network.values = [value + 1 for value in network.values]
                    part.send({"accuracy": next(accuracies)}, samples=5)

        thread = threading.Thread(target=trainer)
        thread.start()
        played.accept()
        played.task("initialize")
        first = self.model(played)
        self.assertEqual(list(first), ["000.kernel", "001.bias"])
        played.task("submit model")
        self.assertEqual(played.hear()["why"], "nothing to share")
        for number in range(3):
            played.task(parameters={name: value + 10 * number for name, value in first.items()})
            np.testing.assert_array_equal(self.model(played)["001.bias"], [10 * number + 1] * 2)
        played.task("evaluate", parameters={name: value + 4 for name, value in first.items()})
        self.assertEqual(played.hear()["metrics"], {"mean": 4.0})
        # The best of its own, by accuracy.
        played.task("submit model")
        np.testing.assert_array_equal(self.model(played)["001.bias"], [11, 11])
        played.say(type="end")
        thread.join()

    def model(self, played):
        arrays, _ = safetensors.read(os.path.join(played.folder, played.hear()["file"]))
        return arrays


try:
    import torch
except ImportError:
    torch = None


@unittest.skipIf(torch is None, "torch is not installed")
class TorchTests(unittest.TestCase):
    def test_a_module_comes_back_as_it_was(self):
        import tessera_client.torch as tessera

        with tempfile.TemporaryDirectory() as folder:
            for dtype in (torch.float32, torch.bfloat16, torch.float64):
                network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).to(dtype)
                path = os.path.join(folder, f"{dtype}.safetensors")
                safetensors.write(path, tessera.state(network))
                other = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).to(dtype)
                tessera.load(other, safetensors.read(path)[0])
                for (name, mine), theirs in zip(network.state_dict().items(), other.state_dict().values()):
                    self.assertEqual(mine.dtype, theirs.dtype, name)
                    self.assertTrue(torch.equal(mine, theirs), name)


if __name__ == "__main__":
    unittest.main()
