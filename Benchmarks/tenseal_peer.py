"""TenSEAL's side of `Benchmarks/measure encryption`: one line of JSON with seconds and bytes.

    tenseal_peer.py public|symmetric WEIGHTS PROCESSES

TenSEAL has a pool of threads, which it does not use for vectors: by itself it computes on one core. So the weights are
divided among processes, one a core, as someone who wants both cores would do. Each step begins when all are ready for it;
it takes as long as the slowest.
"""

import json
import multiprocessing
import sys
import time

import numpy
import tenseal


def work(symmetric, count, threads, barrier, results):
    kind = tenseal.ENCRYPTION_TYPE.SYMMETRIC if symmetric else tenseal.ENCRYPTION_TYPE.ASYMMETRIC
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40], n_threads=threads,
                              encryption_type=kind)
    context.global_scale = 2**40
    weights = numpy.random.default_rng(1).normal(0, 0.05, count)
    seconds = {}

    def timed(name, body):
        barrier.wait()
        start = time.monotonic()
        result = body()
        seconds[name] = time.monotonic() - start
        return result

    # From weights to the bytes that travel, from bytes into the sum, from the sum's bytes to weights.
    upload = timed("encrypt", lambda: tenseal.ckks_vector(context, weights).serialize())
    total = tenseal.ckks_vector_from(context, upload)

    def add():
        nonlocal total
        total += tenseal.ckks_vector_from(context, upload)

    timed("add", add)
    download = total.serialize()
    values = timed("decrypt", lambda: tenseal.ckks_vector_from(context, download).decrypt())
    error = float(numpy.abs(numpy.array(values) - 2 * weights).max())
    results.put((seconds, len(upload), error))


def main():
    kind, count, processes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    barrier = multiprocessing.Barrier(processes)
    results = multiprocessing.Queue()
    # With as many threads as cores in each process: should a version come that uses them, it has them.
    workers = [multiprocessing.Process(target=work, args=(kind == "symmetric", count // processes, multiprocessing.cpu_count(),
                                                          barrier, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    figures = {step: max(seconds[step] for seconds, _, _ in found) for step in ("encrypt", "add", "decrypt")}
    print(json.dumps(figures | {"bytes": sum(size for _, size, _ in found), "error": max(error for _, _, error in found)}))


main()
