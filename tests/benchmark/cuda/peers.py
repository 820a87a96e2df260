#!/usr/bin/env python3
"""Hyperion's peers on a GPU: PyTorch eager and compiled, which means cuBLAS, cuDNN and Triton; JAX where it is installed.

    peers.py --serve            answer requests on standard input (serve.hpp says in which words)
    peers.py --check            read cases, a line each as `hyperion_benchmark --list-gpu` prints them, and name those
                                without a peer here or with another clock; needs no PyTorch
    peers.py [--json FILE]      read cases likewise, measure the peers alone, print a table and write JSON

A sample is taken as Hyperion's is: between two events around one call, after 256 MiB were written; the host is ahead, so
that what a launch costs there is not in it. Contenders of a case that fail are left out, with a line on standard error.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the board is shared with Hyperion

FLUSH_BYTES = 256 << 20
WARM_UPS = 4

torch = None  # set by load_torch()


def load_torch():
    """Why PyTorch cannot measure here; None when it can."""
    global torch
    try:
        import torch as found
    except ImportError as error:
        return f"PyTorch is absent ({error})"
    if not found.cuda.is_available():
        return f"PyTorch {found.__version__} finds no GPU"
    torch = found
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    return None


def numbers(shape):
    return [int(n) for n in re.findall(r"\d+", shape)]


def torch_dtype(name):
    return {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[name]


def normal(shape, dtype):
    return torch.randn(shape, device="cuda", dtype=torch_dtype(dtype))


class Wall:
    """A contender for the clock "wall" whose work torch.cuda.synchronize() does not wait for."""

    def __init__(self, call, wait):
        self.call, self.wait = call, wait

    def __call__(self):
        return self.call()


# ---- cases: each gives pairs of a name and a function of no arguments


def eager_and_compiled(function, *tensors, **options):
    compiled = torch.compile(function, dynamic=False, **options)
    yield "PyTorch eager", lambda: function(*tensors)
    yield "torch.compile", lambda: compiled(*tensors)


def copy(shape, dtype):
    source = torch.empty(4 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    yield "PyTorch copy_", lambda: target.copy_(source)


def memory(function, matrices, vectors):
    def case(shape, dtype):
        rows, columns = numbers(shape)
        tensors = [normal((rows, columns), dtype) for _ in range(matrices)]
        tensors += [normal((columns,), dtype) for _ in range(vectors)]
        yield from eager_and_compiled(function, *tensors)

    return case


def rms_norm(x, y, w):
    z = (x + y).float()
    return (z * torch.rsqrt(z.square().mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * w


MEMORY = {
    "add": memory(lambda x, y: x + y, 2, 0),
    "gelu(x*w+b)*y+x": memory(lambda x, y, w, b: torch.nn.functional.gelu(x * w + b) * y + x, 2, 2),
    "softmax": memory(lambda x: torch.softmax(x, -1), 1, 0),
    "layer_norm": memory(lambda x, w, b: torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b), 1, 2),
    "rms_norm(x+y)": memory(rms_norm, 2, 1),
    "sum rows": memory(lambda x: x.sum(-1), 1, 0),
    "sum columns": memory(lambda x: x.sum(0), 1, 0),
    "sum all": memory(lambda x: x.sum(), 1, 0),
    "argmax rows": memory(lambda x: x.argmax(-1), 1, 0),
    "transpose": memory(lambda x: x.t().contiguous(), 1, 0),
}


def with_gradient(function, vectors):
    """Results and gradients, given the gradient of the result."""

    def case(shape, dtype):
        rows, columns = numbers(shape)
        x, dy = normal((rows, columns), dtype).requires_grad_(), normal((rows, columns), dtype)
        inputs = [x] + [normal((columns,), dtype).requires_grad_() for _ in range(vectors)]
        compiled = torch.compile(function, dynamic=False)
        yield "PyTorch eager", lambda: torch.autograd.grad(function(*inputs), inputs, dy)
        yield "torch.compile", lambda: torch.autograd.grad(compiled(*inputs), inputs, dy)

    return case


ROWS = {
    "softmax, with gradient": with_gradient(lambda x: torch.softmax(x, -1), 0),
    "layer_norm, with gradients": with_gradient(
        lambda x, w, b: torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b), 2
    ),
    "rms_norm, with gradients": with_gradient(lambda x, w: torch.nn.functional.rms_norm(x, (x.shape[-1],), w, 1e-6), 1),
}


def factors(layout, shape, dtype):
    m, n, k = numbers(shape)
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    lhs = normal((k, m), dtype).t() if layout[0] == "T" else normal((m, k), dtype)
    rhs = normal((n, k), dtype).t() if layout[1] == "T" else normal((k, n), dtype)
    return lhs, rhs


def gemm(layout):
    def case(shape, dtype):
        lhs, rhs = factors(layout, shape, dtype)
        out = torch.empty((lhs.shape[0], rhs.shape[1]), device="cuda", dtype=lhs.dtype)
        yield "cuBLAS", lambda: torch.matmul(lhs, rhs, out=out)

    return case


def gemm_with_epilogue(shape, dtype):
    lhs, rhs = factors("NT", shape, dtype)
    bias = normal((rhs.shape[1],), dtype)
    weight = rhs.t()
    yield from eager_and_compiled(
        lambda x, w, b: torch.nn.functional.gelu(torch.nn.functional.linear(x, w, b)), lhs, weight, bias
    )


def convolution(channels_last):
    def case(shape, dtype):
        batch, channels, side, _, outputs, kernel, _, stride = numbers(shape)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        x = normal((batch, channels, side, side), dtype).to(memory_format=layout)
        w = normal((outputs, channels, kernel, kernel), dtype).to(memory_format=layout)
        yield "cuDNN", lambda: torch.nn.functional.conv2d(x, w, stride=stride, padding=kernel // 2)

    return case


def cross_entropy(shape, dtype):
    tokens, classes = numbers(shape)
    logits = normal((tokens, classes), dtype).requires_grad_()
    labels = torch.randint(0, classes, (tokens,), device="cuda")
    loss = torch.nn.functional.cross_entropy
    compiled = torch.compile(loss, dynamic=False)
    yield "PyTorch eager", lambda: torch.autograd.grad(loss(logits, labels), logits)
    yield "torch.compile", lambda: torch.autograd.grad(compiled(logits, labels), logits)


def gpt2_shapes():
    """As gpt2_parameters() of cases_training.cpp."""
    width = 768
    shapes = [(50257, width)]
    for _ in range(12):
        for inputs, outputs in ((1, 3), (1, 1), (1, 4), (4, 1)):
            shapes += [(outputs * width, inputs * width), (outputs * width,)]
        shapes += [(width,)] * 4
    return shapes + [(width,)] * 2


def adamw(is_flat):
    def case(shape, dtype):
        parameters = [normal(s, dtype).requires_grad_() for s in gpt2_shapes()]
        if is_flat:
            count = sum(p.numel() for p in parameters)
            parameters = [normal((count,), dtype).requires_grad_()]
        for p in parameters:
            p.grad = normal(p.shape, dtype)
        fused = torch.optim.AdamW(parameters, lr=1e-4, fused=True)
        yield "PyTorch fused", fused.step

    return case


def embedding_tensors(shape, dtype):
    tokens, vocabulary, width = numbers(shape)
    return torch.randint(0, vocabulary, (tokens,), device="cuda"), vocabulary, tokens, width


def embedding(shape, dtype):
    index, vocabulary, _, width = embedding_tensors(shape, dtype)
    table = normal((vocabulary, width), dtype)
    yield from eager_and_compiled(torch.nn.functional.embedding, index, table)


def embedding_gradient(shape, dtype):
    index, vocabulary, tokens, width = embedding_tensors(shape, dtype)
    gradient = normal((tokens, width), dtype)
    function = torch.ops.aten.embedding_dense_backward
    yield "PyTorch eager", lambda: function(gradient, index, vocabulary, -1, False)
    zeros = lambda: torch.zeros((vocabulary, width), device="cuda", dtype=gradient.dtype)
    yield "PyTorch index_add_", lambda: zeros().index_add_(0, index, gradient)


def small_sum(x, y):
    return x + y * 1.5


def one_launch(shape, dtype):
    x, y = normal((1024,), dtype), normal((1024,), dtype)
    yield "PyTorch eager", lambda: torch.add(x, y, alpha=1.5)
    compiled = torch.compile(small_sum, dynamic=False)
    yield "torch.compile", lambda: compiled(x, y)


def softmaxes(*tensors):
    return [torch.softmax(x * 1.5, -1) for x in tensors]


def small_tensors():
    return [normal((64, 128 + 32 * k), "f32") for k in range(25)]


def plan_of_kernels(shape, dtype):
    tensors = small_tensors()
    yield from eager_and_compiled(softmaxes, *tensors)
    replayed = torch.compile(softmaxes, dynamic=False, mode="reduce-overhead")
    yield "torch.compile reduce-overhead", lambda: replayed(*tensors)


def compilation(shape, dtype):
    """Seconds of the first call of a function that was never compiled."""
    is_one = shape == "one kernel"
    tensors = [normal((1024,), dtype) for _ in range(2)] if is_one else small_tensors()
    function = small_sum if is_one else softmaxes
    import torch._inductor.config as config

    def once():
        torch._dynamo.reset()
        with config.patch(force_disable_caches=True):
            torch.cuda.synchronize()
            start = time.perf_counter()
            torch.compile(function, dynamic=False)(*tensors)
            torch.cuda.synchronize()
            return time.perf_counter() - start

    yield "torch.compile", once


# ---- a training step of the MLP of training_step_peer.py

BATCH = 128


class MlpStep:
    def __init__(self, mode):
        torch.manual_seed(0)
        nn = torch.nn
        model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)).cuda()
        self.parameters = list(model.parameters())
        self.inputs = torch.randn((BATCH, 784), device="cuda")
        self.labels = torch.randint(0, 10, (BATCH,), device="cuda")
        self.optimizer = torch.optim.SGD(self.parameters, lr=0.01, momentum=0.9)

        def loss_of(x, y):
            return nn.functional.cross_entropy(model(x), y)

        self.loss_of = loss_of if mode is None else torch.compile(loss_of, dynamic=False, mode=mode)
        torch.cuda.synchronize()

    def __call__(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_of(self.inputs, self.labels)
        loss.backward()
        self.optimizer.step()
        return loss


def jax_mlp_step():
    import jax
    import jax.numpy as jnp

    def loss_of(p, x, y):
        logits = jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3]
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))

    @jax.jit
    def step(p, v, x, y):
        gradient = jax.grad(loss_of)(p, x, y)
        v = [0.9 * a + g for a, g in zip(v, gradient)]
        return [a - 0.01 * b for a, b in zip(p, v)], v

    key = jax.random.PRNGKey(0)
    p = [0.05 * jax.random.normal(key, s) for s in ((784, 512), (512,), (512, 10), (10,))]
    state = [p, [jnp.zeros_like(a) for a in p]]
    x, y = jax.random.normal(key, (BATCH, 784)), jnp.arange(BATCH) % 10
    if jax.devices()[0].platform != "gpu":
        raise RuntimeError("JAX finds no GPU")

    def call():
        state[:] = step(*state, x, y)

    return Wall(call, lambda: jax.block_until_ready(state))


def mlp_step(shape, dtype):
    yield "PyTorch eager", MlpStep(None)
    yield "torch.compile", MlpStep("default")
    yield "torch.compile reduce-overhead", MlpStep("reduce-overhead")
    try:
        yield "JAX jit", jax_mlp_step()
    except Exception as error:
        print("JAX:", error, file=sys.stderr)


def mlp_first_step(shape, dtype):
    """In processes of their own, without what importing takes; once, because a process takes seconds to start."""

    def sample(mode, cache):
        environment = dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache, TRITON_CACHE_DIR=cache + "/triton")
        command = [sys.executable, os.path.abspath(__file__), "--first-step", mode]
        return float(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout)

    def contender(mode):
        seconds = []

        def once():
            if not seconds:
                with tempfile.TemporaryDirectory() as cache:
                    seconds.append(sample(mode, cache))
                    if "warm" in shape:
                        seconds[0] = sample(mode, cache)
            return seconds[0]

        return once

    yield "torch.compile", contender("default")


def first_step(mode):
    problem = load_torch()
    if problem:
        sys.exit(problem)
    step = MlpStep(mode)
    start = time.perf_counter()
    step().item()
    print(time.perf_counter() - start)


CASES = {
    ("machine", "copy"): copy,
    **{("memory", name): case for name, case in MEMORY.items()},
    **{("rows", name): case for name, case in ROWS.items()},
    **{("gemm", layout): gemm(layout) for layout in ("NN", "NT", "TN", "TT")},
    ("gemm", "NT + bias + gelu"): gemm_with_epilogue,
    ("convolution", "conv2d NHWC"): convolution(True),
    ("convolution", "conv2d NCHW"): convolution(False),
    ("training", "cross entropy forward and backward"): cross_entropy,
    ("training", "AdamW, GPT-2 124M"): adamw(False),
    ("training", "AdamW, flat"): adamw(True),
    ("training", "embedding"): embedding,
    ("training", "embedding gradient"): embedding_gradient,
    ("latency", "one launch, device"): one_launch,
    ("latency", "one launch, back to back"): one_launch,
    ("latency", "plan of 25 kernels, device"): plan_of_kernels,
    ("latency", "plan of 25 kernels, back to back"): plan_of_kernels,
    ("latency", "mlp step, SGD momentum"): mlp_step,
    ("latency", "compile and run"): compilation,
    ("latency", "mlp step, first op to loss"): mlp_first_step,
}
WALL = {("latency", name) for name in ("one launch, back to back", "plan of 25 kernels, back to back", "mlp step, SGD momentum")}
ONCE = {("latency", name) for name in ("compile and run", "mlp step, first op to loss")}


def clock_of(key):
    return "wall" if key in WALL else "once" if key in ONCE else "device"


# ---- measuring


class Bench:
    """The contenders of one case."""

    def __init__(self):
        self.flushed = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
        self.cycles_per_second = self.measure_sleep()
        self.contenders = []

    def measure_sleep(self):
        cycles = 10_000_000
        return cycles / self.between_events(lambda: torch.cuda._sleep(cycles))

    @staticmethod
    def between_events(call):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) * 1e-3

    def prepare(self, suite, name, shape, dtype):
        self.release()
        case = CASES.get((suite, name))
        if case is None:
            raise RuntimeError(f"no peer of {suite} {name}")
        is_once = (suite, name) in ONCE
        for label, call in case(shape, dtype):
            try:
                host = 0.0
                for _ in range(0 if is_once else WARM_UPS):
                    torch.cuda.synchronize()
                    start = time.perf_counter()
                    call()
                    host = time.perf_counter() - start
                torch.cuda.synchronize()
                self.contenders.append((label, call, host))
            except Exception as error:  # the others go on
                print(f"{suite} {name} {shape} {dtype}: {label}: {error}", file=sys.stderr, flush=True)
                if "CUDA error" in str(error):
                    raise
        if not self.contenders:
            raise RuntimeError("every peer failed")
        return [label for label, _, _ in self.contenders]

    def measure(self, clock, count):
        measure = {"device": self.device_seconds, "wall": self.wall_seconds, "once": self.once_seconds}[clock]
        return [measure(call, host, count) for _, call, host in self.contenders]

    def device_seconds(self, call, host, count):
        pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)]
        for begin, end in pairs:
            # The GPU waits until the host has launched everything.
            if host > 30e-6:
                torch.cuda._sleep(int(1.5 * host * self.cycles_per_second))
            self.flushed.zero_()
            begin.record()
            call()
            end.record()
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) * 1e-3 for begin, end in pairs]

    def wall_seconds(self, call, host, count):
        wait = call.wait if isinstance(call, Wall) else torch.cuda.synchronize
        call()
        wait()
        start = time.perf_counter()
        for _ in range(count):
            call()
        wait()
        return [(time.perf_counter() - start) / count]

    def once_seconds(self, call, host, count):
        return [call() for _ in range(count)]

    def release(self):
        self.contenders = []
        torch.cuda.synchronize()
        torch._dynamo.reset()
        torch.cuda.empty_cache()


def version_text():
    text = f"PyTorch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"
    try:
        import jax

        text += f", JAX {jax.__version__}"
    except ImportError:
        pass
    return text


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())


def serve():
    # Whatever else prints must not land among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(*fields):
        print(*fields, sep="\t", file=answers, flush=True)

    problem = load_torch()
    if problem:
        say("absent", problem)
        return
    say("hello", version_text())
    bench = Bench()
    for line in sys.stdin:
        word, *fields = line.rstrip("\n").split("\t")
        try:
            if word == "prepare":
                say("ready", *bench.prepare(*fields))
            elif word == "measure":
                samples = bench.measure(fields[0], int(fields[1]))
                say("seconds", *(" ".join(f"{s:.9g}" for s in each) for each in samples))
            else:
                bench.release()
                say("released")
        except Exception as error:
            say("absent", one_line(error))


def read_cases():
    return [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]


def check():
    wrong = 0
    for suite, name, shape, dtype, clock in read_cases():
        key = (suite, name)
        if key not in CASES:
            print("no peer of", suite, name, shape, dtype)
        elif clock_of(key) != clock:
            print(f"{suite} {name}: the clock is {clock_of(key)}, not {clock}")
        else:
            continue
        wrong += 1
    sys.exit(1 if wrong else 0)


def measure_alone(json_path):
    problem = load_torch()
    if problem:
        sys.exit(problem)
    print(version_text())
    bench, rows = Bench(), []
    for suite, name, shape, dtype, clock in read_cases():
        try:
            labels = bench.prepare(suite, name, shape, dtype)
            samples = bench.measure(clock, {"device": 15, "wall": 200, "once": 1}[clock])
        except Exception as error:
            print(f"{name} {shape} {dtype}: {one_line(error)}", flush=True)
            continue
        for label, seconds in zip(labels, samples):
            median = statistics.median(seconds)
            print(f"{name:36} {shape:30} {dtype:5} {median * 1e6:12.1f} us  {label}", flush=True)
            rows.append({"suite": suite, "name": name, "shape": shape, "dtype": dtype, "device": "cuda:0", "threads": 1,
                         "median": median * 1e6, "unit": "us", "peer": label})
    if json_path:
        with open(json_path, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)
            file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="answer requests on standard input")
    parser.add_argument("--check", action="store_true", help="name the cases on standard input that have no peer here")
    parser.add_argument("--first-step", metavar="MODE", help="take one training step in this mode of torch.compile")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
    elif arguments.check:
        check()
    elif arguments.first_step:
        first_step(arguments.first_step)
    else:
        measure_alone(arguments.json)


if __name__ == "__main__":
    main()
