"""What every peer shares: the command line, the images, the clock and the lines that are printed.

A peer hands over two functions and is asked nothing else, so the clock starts and stops at the same place in
every framework. The lines have the form of `aescope train --headless --json`.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy

BATCH_SIZE = 128
LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-7
VALIDATION_IMAGES = 12_000
# Images evaluated at once; divides the number of validation images.
PIECE = 1_000


def arguments():
    """Parse the options that `run` passes to every peer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="folder of gzipped IDX files")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hidden", default="", help="widths between the pixels and the code: 128,64")
    parser.add_argument("--code", type=int, default=32)
    parser.add_argument("--compile", action="store_true", help="compile the step, where that is a choice")
    return parser.parse_args()


def widths(options, pixels=784):
    """The widths of all layers, mirrored around the code: 784-128-64-32-64-128-784."""
    hidden = [int(width) for width in options.hidden.split(",") if width]
    return [pixels, *hidden, options.code, *reversed(hidden), pixels]


def images(folder):
    """Read the training file and return (train, validation), float32 in 0..1, shaped [images, 784]."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz", "rb") as file:
        header = numpy.frombuffer(file.read(16), dtype=">u4")
        if header[0] != 0x803:
            raise SystemExit(f"{file.name}: magic {header[0]:#x} is not that of an IDX file of images")
        pixels = numpy.frombuffer(file.read(), dtype=numpy.uint8).reshape(header[1], header[2] * header[3])
    scaled = pixels.astype(numpy.float32)
    scaled /= 255
    return scaled[VALIDATION_IMAGES:], scaled[:VALIDATION_IMAGES]


def emit(event, **fields):
    """Print one event as a line of JSON."""
    print(json.dumps({"event": event, **fields}), flush=True)


def emit_epoch(epoch, seconds, train_loss, validation_loss):
    """Print what an epoch took (training alone) and reached."""
    emit("epoch", epoch=epoch, seconds=seconds, train_loss=train_loss, validation_loss=validation_loss)


def train(options, version, train_epoch, evaluate, validation):
    """Run the epochs, with the clock around `train_epoch` alone.

    `train_epoch` and `evaluate` return a mean loss that is read at once, so none can leave work behind in a queue.
    `validation` is evaluated in pieces, which keeps it out of the peak of memory.
    """
    emit("start", version=version)
    for epoch in range(1, options.epochs + 1):
        start = time.perf_counter()
        train_loss = float(train_epoch())
        seconds = time.perf_counter() - start
        pieces = range(0, len(validation), PIECE)
        losses = [float(evaluate(validation[start : start + PIECE])) for start in pieces]
        emit_epoch(epoch, seconds, train_loss, sum(losses) / len(losses))
