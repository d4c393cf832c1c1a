"""What a verification works on: bundle, classifiers, encoders, device, precisions, sequences. What cannot be had is a
line, and the rest goes on."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from virnucpro.bundle.bundle import Bundle, open_bundle
from virnucpro.bundle.classifier import Classifier
from virnucpro.embedding.gpus import leased_gpu
from virnucpro.errors import UsageError, VirnucproError
from virnucpro.runtime import cpu_name
from virnucpro.verify.cost import CHECK as COST
from virnucpro.verify.counting import Counts, count
from virnucpro.verify.files import CHECK as FILES
from virnucpro.verify.golden import Golden
from virnucpro.verify.measuring import HALVES, Sets
from virnucpro.verify.precision import CHECK as PRECISION
from virnucpro.verify.results import OK, Result, fault
from virnucpro.verify.sequences import FEW_LENGTHS, LENGTHS, frames_of_fasta, probes, spread
from virnucpro.verify.subjects import Subject, classifier_names, encoder_uses, random_subjects, read_card, subject_in
from virnucpro.verify.verification import Verification, Wanted

LARGE = 5e8  # parameters; on a CPU such an encoder is tried with fewer sequences
HALF_ON_CPU = 5e7  # parameters; on a CPU a larger encoder is not tried in half precision, which takes minutes there
SAMPLE = 256  # open frames that precisions are compared on
LEAST_SAMPLE = 16
CPU_FLOPS = 2e12  # that are worth spending on the sample for each precision of an encoder on a CPU
RESIDUES = 166  # of a frame of 500 bases


def what_is_checked(v: Verification, folder: Path) -> tuple[Bundle | None, list[Classifier], list[Subject]]:
    """The bundle, its classifiers and the encoders under test."""
    wanted = v.wanted
    try:
        if wanted.random:
            v.facts["bundle"] = f"random weights, ESM-2 {wanted.random}"
            return None, [], random_subjects(wanted.random, wanted.tokenizer, folder)
        bundle = open_bundle(wanted.models, full=True)
        v.facts["bundle"] = bundle.name
    except Exception as e:
        v.add([fault("files", str(wanted.models or wanted.random), e)])
        return None, [], []
    names = classifier_names(bundle, wanted.classifier)
    classifiers = _each(v, [(name, lambda name=name: read_card(bundle, name)) for name in names])
    v.facts["classifiers"] = [c.name for c in classifiers]
    uses = encoder_uses(bundle, classifiers, others=not wanted.classifier)
    return bundle, classifiers, _each(v, [(use[1], lambda use=use: subject_in(bundle, *use)) for use in uses])


def _each(v: Verification, readers: list[tuple[str, Callable]]) -> list:
    """What each reads; a line for each that cannot, with its name."""
    found = []
    for name, read in readers:
        try:
            found.append(read())
        except VirnucproError as e:
            v.add([fault(FILES, name, e)])
    return found


def counts_of_input(v: Verification, classifiers: list[Classifier], subjects: list[Subject]) -> Counts | None:
    """Of the input, as a run's classifier reads it; None where that is not possible."""
    length, read, least = 500, "open", 1
    if classifiers:
        main = main_classifier(v.wanted, classifiers)
        length, read, least = main.chunk_length, main.frames, main.min_stretch
    try:
        return count(v.wanted.input, length, read, least, sorted({s.kind for s in subjects}))
    except (OSError, VirnucproError) as e:
        v.add([fault(COST, "input", e)])
        return None


def main_classifier(wanted: Wanted, classifiers: list[Classifier]) -> Classifier:
    """The one that a run's time is reckoned for: the first that was named, else the one for the longest chunks."""
    return classifiers[0] if wanted.classifier else max(classifiers, key=lambda c: c.chunk_length)


def device_for(v: Verification, needed: bool, held: ExitStack):
    """The device, leased into `held` where it is a GPU; else a CPU. None without PyTorch, or where none is needed."""
    if not needed:
        v.facts["device"] = {"type": "cpu", "name": cpu_name(), "uuid": ""}
        return None
    try:
        held.enter_context(leased_gpu(v.wanted.device))  # before PyTorch looks for GPUs
    except VirnucproError as e:
        v.add([fault("device", v.wanted.device, e)])
    try:
        import torch

        from virnucpro.embedding.device import Device, choose_device, choose_precision
    except ImportError as e:
        v.add([fault("device", "PyTorch", e)])
        return None
    v.facts["versions"] = {"PyTorch": torch.__version__, "CUDA": torch.version.cuda or ""} | _versions()
    try:
        device = choose_device(v.wanted.device)
        trial = torch.ones(64, 64, device=device.torch)
        (trial @ trial).sum().item()
    except Exception as e:
        v.add([fault("device", v.wanted.device, e)])
        device = Device(torch.device("cpu"), cpu_name(), "")
    v.facts["device"] = device.report()
    words = f"{device.name}, PyTorch {torch.__version__}"
    if device.is_gpu:
        free, total = torch.cuda.mem_get_info(device.torch)
        words += f", CUDA {torch.version.cuda}, {free / 1e9:.0f} of {total / 1e9:.0f} GB of memory free"
    v.add(
        [
            Result(
                "device", device.torch.type, OK, f"{words}; --precision auto is {choose_precision('auto', device)} here"
            )
        ]
    )
    return device


def _versions() -> dict[str, str]:
    """Of what the encoders are compared with, where it is installed."""
    found = {}
    for name in ("fair-esm", "transformers"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def precision_of(v: Verification, s: Subject, device) -> str:
    """What a run would take for this encoder here."""
    if not s.needs_torch:
        return "fp64"
    if device is None:
        return "fp32"
    from virnucpro.embedding.device import choose_precision

    try:
        return choose_precision(v.wanted.precision, device)
    except UsageError as e:
        v.add([fault(PRECISION, s.name, e)])
        return choose_precision("auto", device)


def halves_of(s: Subject, device, chosen: str) -> tuple[str, ...]:
    """The half precisions to try."""
    if device and not device.is_gpu and s.parameters > HALF_ON_CPU:
        return tuple(p for p in HALVES if p == chosen)
    return HALVES if s.needs_torch else ()


def sets_for(
    wanted: Wanted,
    classifiers: list[Classifier],
    subjects: list[Subject],
    device,
    gold: Golden | None,
    counts: Counts | None,
) -> Sets:
    """The sequences to compute with; fewer where an encoder is large and there is no GPU."""
    on_cpu = not (device and device.is_gpu)
    parameters = max((s.parameters for s in subjects if s.needs_torch), default=0)
    most = SAMPLE
    if on_cpu and parameters:
        most = int(min(SAMPLE, max(LEAST_SAMPLE, CPU_FLOPS / (2 * parameters * RESIDUES))))
    lengths = FEW_LENGTHS if on_cpu and parameters > LARGE else LENGTHS
    sample = spread(counts.kept, most) if counts else []
    if not sample:
        length = main_classifier(wanted, classifiers).chunk_length if classifiers else 500
        sample = spread(frames_of_fasta(wanted.example, length), most)
    return Sets(probes(wanted.example, lengths), sample, gold.frames if gold else [])
