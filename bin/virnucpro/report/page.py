"""The HTML page: the sections put together by MultiQC, offline, untouched by settings that lie about on the machine."""

import base64
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import multiqc
from multiqc import BaseMultiqcModule

from virnucpro.report.embedding_sections import embedding_sections
from virnucpro.report.embedding_tasks import by_encoder, device_use, list_tasks
from virnucpro.report.inputs import Run
from virnucpro.report.method_sections import method_sections
from virnucpro.report.outcome import Outcome
from virnucpro.report.outcome_sections import failure_section, glance_section
from virnucpro.report.sample_sections import sample_sections


def write_page(run: Run, outcome: Outcome, config: Path | None, out: Path) -> Path:
    """Write the page of a run of predict into `out`, as `write_modules` does."""
    tasks = list_tasks(run)
    encoders, use = by_encoder(tasks), device_use(tasks)
    return write_modules(
        lambda: [
            glance_section(run, outcome, encoders, use),
            *([sample_sections(run)] if run.summaries else []),
            embedding_sections(tasks, encoders, use, run.models, run.load_unit),
            failure_section(outcome),
            method_sections(run),
        ],
        config,
        out,
    )


def write_modules(make: Callable[[], list[BaseMultiqcModule]], config: Path | None, out: Path) -> Path:
    """Write multiqc_report.html and multiqc_report_data/ into `out`, with the settings of `config` and the modules that
    `make` makes under them.

    Returns the page's path. Raises RuntimeError where MultiQC wrote none.
    """
    # MultiQC reads settings from the home and working folders and from the environment: one user's own colours or
    # sample-name rules would change this report.
    multiqc.config.find_user_files = lambda: None
    # Nor does it carry prompts for language models, which would double its size.
    multiqc.report.add_ai_summary = _no_prompts
    with _temporary_files_removed():
        return _write(make, config, out)


def _write(make: Callable[[], list[BaseMultiqcModule]], config: Path | None, out: Path) -> Path:
    multiqc.reset()
    if config:
        multiqc.load_config(config)
    multiqc.report.modules = make()
    multiqc.write_report(
        output_dir=out,
        filename="multiqc_report.html",
        force=True,
        make_data_dir=True,
        plots_force_interactive=True,
        no_megaqc_upload=True,
        no_version_check=True,
        no_ansi=True,
        quiet=True,
    )
    page = out / "multiqc_report.html"
    if not page.exists():
        raise RuntimeError("MultiQC wrote no report; its messages are above")
    return page


@contextmanager
def _temporary_files_removed() -> Iterator[None]:
    """MultiQC leaves temporary folders behind."""
    before = tempfile.gettempdir()
    with tempfile.TemporaryDirectory() as tempfile.tempdir:
        try:
            yield
        finally:
            tempfile.tempdir = before


def _no_prompts() -> None:
    """What MultiQC's page expects in place of its prompts: empty JSON objects, in base64."""
    empty = base64.b64encode(b"{}").decode()
    multiqc.report.ai_report_metadata_base64 = empty
    multiqc.report.ai_extra_query_options_base64 = empty
    multiqc.report.ai_pseudonym_map_base64 = empty
