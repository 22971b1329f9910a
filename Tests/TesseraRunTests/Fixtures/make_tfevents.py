"""Makes scalars.tfevents and resumed.tfevents, which TensorBoardFileTests.swift writes again, byte for byte.

Needs tensorboard (the fixture is made by 2.21.0). With the name of a folder, prints what TensorBoard reads in it instead:

    python3 make_tfevents.py
    python3 make_tfevents.py FOLDER
"""

import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

# name, value, step, wall time
SCALARS = [
    ("loss", 2.302585092994046, 0, 1800000000.25),
    ("loss", 0.1, 1, 1800000001.5),
    ("genauigkeit/größe", -0.0, 2, 1800000002.0),
    ("x", float("inf"), 127, 1800000003.0),
    ("x", float("-inf"), 128, 1800000004.0),
    ("x", float("nan"), 1 << 40, 1800000005.0),
    ("x", 1e300, -1, -0.5),
    ("", 3.0, 3, 0.0),
    ("n" * 300, 16777217.0, 4, 1800000006.0),
]


def make(path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1800000000.125, file_version="brain.Event:2").SerializeToString())
        for name, value, step, time in SCALARS:
            summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
            writer.write(Event(wall_time=time, step=step, summary=summary).SerializeToString())


def make_resumed(path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        time = 1800000009.5
        writer.write(Event(wall_time=time, file_version="brain.Event:2").SerializeToString())
        log = SessionLog(status=SessionLog.START)
        writer.write(Event(wall_time=time, step=7, session_log=log).SerializeToString())


def show(folder):
    for run in sorted({path.parent for path in pathlib.Path(folder).rglob("*tfevents*")}):
        accumulator = EventAccumulator(str(run), size_guidance={"scalars": 0})
        accumulator.Reload()
        print(run, "file version", accumulator.file_version)
        for name in accumulator.Tags()["scalars"]:
            for scalar in accumulator.Scalars(name):
                print(f"  {name[:20]!r} {scalar.value!r} step {scalar.step} at {scalar.wall_time!r}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        show(sys.argv[1])
    else:
        make(pathlib.Path(__file__).with_name("scalars.tfevents"))
        make_resumed(pathlib.Path(__file__).with_name("resumed.tfevents"))
