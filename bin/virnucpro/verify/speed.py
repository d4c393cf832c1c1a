"""How fast each encoder is on this device, what it needs, and how near it comes to what the device can."""

from virnucpro.verify.measuring import Bench, Measured
from virnucpro.verify.results import OK, Result
from virnucpro.verify.subjects import Subject

CHECK = "speed"
# Dense 16-bit TFLOP/s by the makers' data sheets
PEAKS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "RTX 4090": 165, "RTX 3090": 71}


def peak_of(device_name: str) -> float | None:
    """TFLOP/s of 16-bit matrix products, where they are known by the GPU's name."""
    return next((tflops for part, tflops in PEAKS.items() if part in device_name), None)


def check_speed(subject: Subject, bench: Bench) -> list[Result]:
    """One line, in the precision that a run takes."""
    measured = bench.measured(subject, bench.chosen[subject.name])
    numbers = {"load_seconds": measured.load_seconds, "memory": measured.memory, "budget": measured.budget}
    numbers |= {f"tokens_per_second_{way}": rate for way, rate in measured.rates.items()}
    words = f"{measured.precision}: "
    words += ", ".join(f"{rate:,.0f} tokens/s {way}" for way, rate in measured.rates.items())
    words += f"; loaded in {measured.load_seconds:.1f} s"
    if measured.memory:
        words += f"; {measured.memory / 1e9:.1f} GB of memory with batches of {measured.budget:,} tokens"
    share = _share_of_peak(subject, measured, bench)
    if share is not None:
        numbers["share_of_peak"] = share
        words += f"; {share:.0%} of the device's peak"
    return [Result(CHECK, subject.name, OK, words, numbers)]


def tokens_per_second(measured: Measured) -> float:
    """Of the way that a run takes: the first that was measured."""
    return next(iter(measured.rates.values()))


def _share_of_peak(subject: Subject, measured: Measured, bench: Bench) -> float | None:
    """Two operations for each weight of a linear layer; attention adds about 1 % at 166 residues and is not counted."""
    peak = peak_of(bench.device.name) if bench.device and bench.device.is_gpu and measured.precision != "fp32" else None
    if peak is None:
        return None
    products = sum(a * b for name, (a, b) in _matrices(subject).items() if "embed" not in name)
    return 2 * products * tokens_per_second(measured) / (peak * 1e12)


def _matrices(subject: Subject) -> dict[str, tuple[int, int]]:
    return {name: shape for name, shape in subject.tensors.items() if len(shape) == 2}
