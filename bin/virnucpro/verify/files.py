"""Every file of the bundle against its SHA-256, in full; and whether each classifier fits its encoders."""

from virnucpro.bundle.bundle import Bundle, check
from virnucpro.bundle.classifier import CLASSIFIER, Classifier
from virnucpro.errors import ModelError
from virnucpro.verify.results import FAILED, OK, Result

CHECK = "files"


def check_files(bundle: Bundle, classifiers: list[Classifier]) -> list[Result]:
    """A line for each file that is not as the manifest says and for each classifier; one for all the other files.

    The bundle must have been opened with `full`: what was hashed before is hashed again.
    """
    results, size = [], 0
    for path, entry in bundle.manifest.files.items():
        try:
            bundle.verify(path)
            size += entry.size
        except ModelError as e:
            results.append(Result(CHECK, path, FAILED, str(e)))
    whole = len(bundle.manifest.files) - len(results)
    numbers = {"files": whole, "bytes": size}
    words = f"{whole} files, {size / 1e6:,.1f} MB, have the SHA-256 of the manifest"
    results.insert(0, Result(CHECK, bundle.name, OK, words, numbers))
    for classifier in classifiers:
        try:
            found = check(bundle, str(classifier.folder) if classifier.name not in _names(bundle) else classifier.name)
            fits = " and ".join(e.name for e in found.encoders)
            results.append(Result(CHECK, classifier.name, OK, f"fits {fits}"))
        except ModelError as e:
            if not any(r.text == str(e) for r in results):
                results.append(Result(CHECK, classifier.name, FAILED, str(e)))
    return results


def _names(bundle: Bundle) -> list[str]:
    return bundle.names("classifiers", CLASSIFIER)
