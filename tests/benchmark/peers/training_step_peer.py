#!/usr/bin/env python3
"""Times eager PyTorch training steps on the CPU: the peer of Hyperion's own.

    training_step_peer.py [--json FILE] [--threads 1 2]   measure, print a table, write JSON
    training_step_peer.py --serve                         answer requests on standard input (pytorch.cpp says how)

Models, both with batch 128, cross-entropy, SGD 0.01 with momentum 0.9, one fixed batch:
  mlp   784-512-10, ReLU
  cnn   conv3 1-16, ReLU, pool 2, conv3 16-32, ReLU, pool 2 (both padded to keep the size), 1568-128-10, ReLU;
        1 x 28 x 28 images

They are the models of `hyperion train mnist` (tools/hyperion/models.hpp): change both together.

A step is zero_grad, forward, backward, update; no data loading. Without PyTorch nothing is measured and nothing fails.
"""

import argparse
import ctypes
import json
import os
import statistics
import sys
import time

# Debian's PyTorch multiplies matrices with OpenBLAS, which is read from the environment: peers.cpp says why.
with open("/proc/cpuinfo", encoding="utf-8") as cpu_info:
    if "avx512f" in cpu_info.read():
        os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "22")

try:
    import torch
    from torch import nn
except ImportError as error:
    torch = None
    absent_reason = f"PyTorch is absent ({error}): apt-get install python3-torch, or set HYPERION_PYTHON"

BATCH = 128
TURNS = 15
TURN_SECONDS = 0.2


def make_model(name):
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)), (BATCH, 784)
    if name == "cnn":
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10),
        )
        return model, (BATCH, 1, 28, 28)
    raise ValueError(f"unknown model '{name}': mlp or cnn")


def set_threads(threads):
    """PyTorch does not tell OpenBLAS, whose idle threads would spin on the clock of a race with one thread."""
    torch.set_num_threads(threads)
    try:
        ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(threads)
    except (AttributeError, OSError):
        pass  # another BLAS


class TrainingStep:
    def __init__(self, name):
        torch.manual_seed(0)
        self.model, shape = make_model(name)
        self.inputs = torch.randn(shape)
        self.labels = torch.randint(0, 10, (BATCH,))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9)
        for _ in range(5):
            self.step()

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(self.model(self.inputs), self.labels)
        loss.backward()
        self.optimizer.step()

    def turn(self, threads, seconds):
        """Trains for about `seconds`, and returns the seconds of one step."""
        set_threads(threads)
        self.step()
        # CPU time of the process where one thread does the work, as in clock_seconds of bench.hpp.
        clock = time.process_time if threads == 1 else time.perf_counter
        start, count = clock(), 0
        while clock() - start < seconds or count == 0:
            self.step()
            count += 1
        return (clock() - start) / count


def serve():
    if torch is None:
        print("absent", absent_reason, flush=True)
        return
    print("ready PyTorch", torch.__version__, flush=True)
    steps = {}
    for line in sys.stdin:
        name, threads, seconds = line.split()
        if name not in steps:
            steps[name] = TrainingStep(name)
        print(steps[name].turn(int(threads), float(seconds)), flush=True)


def measure(thread_counts, json_path):
    rows = []
    if torch is None:
        print(absent_reason)
    else:
        print(f"PyTorch {torch.__version__}, eager, batch {BATCH}, median of {TURNS} turns")
        for name in ("mlp", "cnn"):
            step = TrainingStep(name)
            for threads in thread_counts:
                median = statistics.median(step.turn(threads, TURN_SECONDS) for _ in range(TURNS))
                print(f"{name:4} {threads} thread{'s' if threads > 1 else ' '}  {median * 1e3:8.3f} ms per step")
                rows.append({"name": name, "threads": threads, "median": median, "unit": "s",
                             "peer": f"PyTorch {torch.__version__}"})
    if json_path:
        with open(json_path, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)
            file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="answer requests on standard input")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    else:
        measure(arguments.threads, arguments.json)


if __name__ == "__main__":
    main()
