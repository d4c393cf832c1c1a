"""Building a model bundle: each model fetched or found, converted, put in place as a whole, entered in the manifest."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from virnucpro.bundle.bundle import check, open_bundle
from virnucpro.bundle.classifier import CLASSIFIER, card_text
from virnucpro.bundle.manifest import MANIFEST, read_manifest, write_manifest
from virnucpro.encoders.kind import WEIGHTS
from virnucpro.encoders.kinds import KINDS
from virnucpro.errors import ModelError
from virnucpro.fetch import convert_classifier, convert_dnabert_s, convert_esm2
from virnucpro.fetch.convert import write_folder
from virnucpro.fetch.download import DownloadError, NotThere
from virnucpro.fetch.locks import locked
from virnucpro.fetch.obtain import Obtained, download_source, find_source
from virnucpro.fetch.sources import Item

DOWNLOADS = ".downloads"
NAME_OF_BUNDLE = "virnucpro"  # not the folder's: equal bundles have equal manifests, wherever they lie

Say = Callable[[str], None]


def fetch(bundle: Path, items: list[Item], brought: Path | None, say: Say, keep: bool = False, **progress) -> None:
    """Bring `items` into the folder `bundle`; what is there and whole is left alone.

    brought: a folder with the sources' files, instead of the network. keep: leave downloads in place once converted.
    Errors: ModelError, DownloadError; what was finished stays, and what was begun is continued by the next call.
    """
    bundle, brought = bundle.resolve(), brought.resolve() if brought else None  # what messages name
    with locked(bundle, say):
        missing = [item for item in items if not whole(bundle, item)]
        for item in items:
            if item not in missing:
                say(f"{item.name}: is there, unchanged")
                if not keep:
                    discard_downloads(bundle, item)  # left by a call that was ended just before it removed them
        for item in missing:
            fetch_item(bundle, item, brought, say, keep, **progress)
        say("reading all back and checking it")
        result = open_bundle(bundle, full=bool(missing))
        for item in items:
            if item.kind == "classifier":
                check(result, item.name)
            for name in files_of(item):
                result.verify(f"{item.folder}/{name}")
        say(f"{bundle}: {len(result.manifest.files)} files, all as {MANIFEST} says")


def files_of(item: Item) -> tuple[str, ...]:
    return (CLASSIFIER, WEIGHTS) if item.kind == "classifier" else KINDS[item.kind].files


def whole(bundle: Path, item: Item) -> bool:
    """Whether the bundle holds the item with every file as the manifest says."""
    if not (bundle / MANIFEST).is_file():
        return False
    opened = open_bundle(bundle)
    try:
        for name in files_of(item):
            opened.verify(f"{item.folder}/{name}")
    except ModelError:
        return False
    return True


def fetch_item(bundle: Path, item: Item, brought: Path | None, say: Say, keep: bool, **progress) -> None:
    """Fetch one item from its first source that has it, convert it and enter it."""
    problems = []
    for source in item.sources:
        downloads = bundle / DOWNLOADS / item.name / source.layout
        try:
            if brought:
                got = find_source(bundle, item, source, brought, say)
                if got is None:
                    names = [f.name for f in (*source.files, *source.weights[:1])]
                    problems.append(f"{' and '.join(names)} (in {', '.join([item.name, *source.folder_names()])})")
                    continue
            else:
                got = download_source(bundle, item, source, downloads, say, **progress)
        except NotThere as e:
            problems.append(str(e))
            say(f"{item.name}: {e}")
            continue
        try:
            install(bundle, item, source.layout, got, say)
        except ModelError as e:
            if not brought:  # what cannot be converted is not what it was said to be; a new call starts afresh
                shutil.rmtree(downloads)
                raise DownloadError(f"{item.name}: what came is no such model: {e}") from e
            raise
        # The manifest comes last: what it lists counts as whole, whenever this call is ended.
        got.record(bundle, "file" if brought else "download")
        enter(bundle, item, got)
        if not keep and not brought:
            discard_downloads(bundle, item)
        return
    where = f"{brought}: {item.name} is not there; looked for " if brought else f"{item.name}: no source has it: "
    raise DownloadError(where + "; or ".join(problems))


def discard_downloads(bundle: Path, item: Item) -> None:
    """Remove what was downloaded of an item."""
    shutil.rmtree(bundle / DOWNLOADS / item.name, ignore_errors=True)
    with suppress(OSError):
        (bundle / DOWNLOADS).rmdir()  # unless another model's download waits there to be continued


def install(bundle: Path, item: Item, layout: str, got: Obtained, say: Say) -> None:
    """Convert the files into a folder beside its place and move it there."""
    say(f"{item.name}: converting")
    new = bundle / f".new-{item.name}"
    shutil.rmtree(new, ignore_errors=True)
    convert(item, layout, got, new, origin_of(got))
    place = bundle / item.folder
    old = bundle / f".old-{item.name}"
    shutil.rmtree(old, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def enter(bundle: Path, item: Item, got: Obtained) -> None:
    """Enter the item in the bundle's manifest, with the others that are there."""
    has = (bundle / MANIFEST).is_file()
    known = dict(read_manifest(bundle).files) if has else {}
    name = read_manifest(bundle).name if has else NAME_OF_BUNDLE
    others = {p: e for p, e in known.items() if not p.startswith(f"{item.folder}/") and (bundle / p).is_file()}
    own = [f"{item.folder}/{f}" for f in files_of(item)]
    write_manifest(bundle, name, {item.folder: (origin_of(got), item.licence)}, others, [*others, *own])


def origin_of(got: Obtained) -> str:
    return ", ".join(file.url for file, _ in got.files)


def convert(item: Item, layout: str, got: Obtained, folder: Path, origin: str) -> None:
    """Write the item's folder of a bundle from its source's files; ModelError where they are not that model's."""
    first = got.folder / got.files[0][0].name
    weights = [file.name for file, _ in got.files if file.name.endswith((".safetensors", ".bin"))]
    if item.kind == "classifier":
        features = sum(e["dim"] for e in item.card["encoders"])
        write_folder(folder, None, convert_classifier.from_virnucpro(first, features), origin)
        card = {"name": item.name, **item.card, "licence": item.licence, "source": origin}
        (folder / CLASSIFIER).write_text(card_text(card), encoding="utf-8")
        return
    if item.kind == "dnabert_s":
        config, tensors, tokenizer = convert_dnabert_s.from_hub(got.folder, weights)
    elif layout == "fair_esm":
        config, tensors = convert_esm2.from_fair_esm(first)
    else:
        config, tensors = convert_esm2.from_hub(got.folder, weights)
    has = {"layers": config["num_hidden_layers"], "dim": config["hidden_size"]}
    if item.shape and has != item.shape:
        raise ModelError(f"{first}: has {has}, {item.name} has {dict(item.shape)}: it is another model.")
    write_folder(folder, config, tensors, origin)
    if item.kind == "dnabert_s":
        (folder / "tokenizer.json").write_bytes(tokenizer)
