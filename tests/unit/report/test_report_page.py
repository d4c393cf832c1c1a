"""The HTML page: made offline, small, nothing in it that an input could have smuggled in; and what it shows."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import metadata

import pytest
import simulated_run as sim
from multiqc import BaseMultiqcModule

from virnucpro.report.evidence_section import evidence_section
from virnucpro.report.inputs import read_run
from virnucpro.report.outcome import judge, machine_summary
from virnucpro.report.threshold_section import threshold_section

# The script of a page that MultiQC makes is its own; what follows the first of our sections is this report's.
OURS = 'id="mqc-section-wrapper-glance-figures"'


class Elements(HTMLParser):
    """Collects the elements, the attributes that run code, and the text outside of scripts and styles."""

    def __init__(self):
        super().__init__()
        self.tags, self.handlers, self.loads, self.words, self.inside = [], [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [v for n, v in attrs if n == "src" or (n == "href" and tag == "link")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)


def report(root, tmp_path, summaries, plan, reports, expected=None):
    args = sim.write_run(tmp_path / "in", summaries, plan, reports, expected)
    out = tmp_path / "out"
    config = root / "assets" / "multiqc_config.yml"
    command = [sys.executable, root / "bin" / "report.py", *args, "--multiqc_config", config, "--out", out]
    # A settings file of the user's own must not matter.
    home = tmp_path / "home"
    home.mkdir()
    (home / ".multiqc_config.yaml").write_text("title: SOMETHING ELSE\ntemplate: simple\n", encoding="utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not list(temporary.iterdir())
    page = (out / "multiqc_report.html").read_text(encoding="utf-8")
    ours = Elements()
    ours.feed(page[page.index(OURS) :])
    return out, page, ours, done


@pytest.fixture(scope="module")
def hostile(root, tmp_path_factory):
    """A run with failures and ids that try to be HTML."""
    plan = sim.plan(["a", "b"], tasks=3)
    reports = sim.reports_of(plan, skip=("esm2_002",))
    frame = {"shard": "a.shard_00001", "frame_key": 7, "frame_id": sim.HOSTILE, "reason": f"reason {sim.HOSTILE}"}
    reports[0] |= {"failed": [frame], "attempt": 2}
    virus = {"id": sim.HOSTILE, "description": "<img src=x onerror=alert(1)>", "length": 900, "virus_score": 0.9}
    a = sim.summary("a", 3, 4, 5, 1, 2, top_viruses=[virus], state="partial", reason=sim.HOSTILE)
    b = {**sim.summary("<i>b</i>", 2, 2), "files": [sim.HOSTILE]}
    return report(root, tmp_path_factory.mktemp("hostile"), [a, b], plan, reports, {"a": [], sim.HOSTILE: []})


def test_nothing_from_an_input_becomes_markup(hostile):
    _, page, ours, _ = hostile
    assert ours.handlers == []
    assert "img" not in ours.tags and "i" not in [t for t, w in zip(ours.tags, ours.words, strict=False) if w == "b"]
    assert "<script>alert" not in page and "<i>b</i>" not in page and "onerror=alert(1)>" not in page
    assert "\u202e" not in page
    assert any('<script>alert("x")</script>|a\'b & "ü"' in w for w in ours.words)


def test_failures_and_missing_tasks_are_shown(hostile):
    out, _, ours, done = hostile
    text = " ".join(ours.words)
    assert "Not complete." in text
    assert "task esm2_002: no result: it failed; 1,006 frames" in text
    assert "the record is empty" in text
    assert "problem: task esm2_002" in done.stdout
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] is False and summary["missing_tasks"] == ["esm2_002"]


def test_the_card_citation_parameters_and_versions_are_shown(hostile):
    text = " ".join(hostile[2].words)
    for words in ("Proviruses and plasmids", "bbaf224", "samplesheet.csv", "EMBED_ESM2", "2.11.0", "2,838,000,000"):
        assert words in text


def test_versions_have_those_of_the_report_itself(hostile):
    versions = json.loads((hostile[0] / "versions.json").read_text(encoding="utf-8"))
    assert versions["PREDICT:EMBED_ESM2"]["torch"] == "2.11.0"
    assert versions["REPORT"]["multiqc"] == metadata.version("multiqc")
    assert metadata.version("multiqc") in hostile[2].words


def test_dnabert_s_is_cited_as_in_the_list_of_citations(root, hostile):
    listed = (root / "CITATIONS.md").read_text(encoding="utf-8").replace("*", "")
    (cited,) = (w for w in hostile[2].words if w.startswith("Zhou Z"))
    assert cited.split("embeddings. ")[1] in listed


def test_how_the_run_was_started_is_shown(hostile):
    text = " ".join(hostile[2].words)
    for value in sim.LAUNCH.values():
        assert value in text
    assert "its commit is not known" not in text


def test_a_classifier_that_was_not_named_is_shown_all_the_same(hostile):
    text = " ".join(hostile[2].words)
    assert "classifier" not in sim.PARAMS
    assert "virnucpro_500 (not given: the bundle's only one)" in text


def test_a_users_own_multiqc_settings_do_not_matter(hostile):
    assert "SOMETHING ELSE" not in hostile[1]
    assert "nf-virnucpro" in hostile[1]


def test_the_page_loads_nothing_and_asks_nobody(hostile):
    _, page, ours, _ = hostile
    whole = Elements()
    whole.feed(page)
    assert [url for url in whole.loads if not url.startswith("data:")] == []
    assert "Summarize report" not in page
    assert 'aiReportMetadataBase64 = "e30="' in page
    assert "iframe" not in ours.tags


def page_of(root, tmp_path, *summaries):
    """The page's own text, made in this process: quicker, and MultiQC keeps state between two pages."""
    from virnucpro.report.page import write_page

    sim.write_run(tmp_path / "in", list(summaries), None, [], {"lost": ["lost.fa"]} if not summaries else None)
    run = read_run(tmp_path / "in" / "summaries", None, expected=tmp_path / "in" / "expected.json")
    page = write_page(run, judge(run, []), root / "assets" / "multiqc_config.yml", tmp_path / "out").read_text(
        encoding="utf-8"
    )
    ours = Elements()
    ours.feed(page[page.index(OURS) :])
    return " ".join(ours.words)


def test_no_open_frame(root, tmp_path):
    text = page_of(root, tmp_path, sim.summary("random", no_open_frame=50))
    for words in ("No sequence could be scored", "No sequence was scored.", "No sequence was called virus."):
        assert words in text


@pytest.mark.parametrize(
    ("summary", "words"),
    [(sim.summary("soil", other=50, no_open_frame=9), "No sequence was called virus"), (sim.summary("x"), "Complete.")],
)
def test_banner(tmp_path, summary, words):
    from virnucpro.report.outcome_sections import glance_section

    sim.write_run(tmp_path, [summary], None, [])
    run = read_run(tmp_path / "summaries", None)
    (section,) = glance_section(run, judge(run, []), [], None).sections
    assert words in section.content and "could be scored" not in section.content


def sections(tmp_path, add, summaries, models=None):
    """{name: content} of the sections that `add` adds for a run."""
    sim.write_run(tmp_path, summaries, None, [])
    (tmp_path / "models.json").write_text(json.dumps(models or {}), encoding="utf-8")
    run = read_run(tmp_path / "summaries", None, models=tmp_path / "models.json")
    module = BaseMultiqcModule(name="x", anchor="x")
    add(module, run)
    return {section.name: section.content for section in module.sections}


def cells(content):
    """Rows of the first table, without markup."""
    rows = re.findall(r"<tr>(.*?)</tr>", content.split("</table>")[0])
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)] for row in rows[1:]]


# Of a hundred viruses 80 have .5 and more, 40 .7 and more; of a hundred others 10 and none.
CURVE = {"virus": 100, "others": 100, "score": [0.5, 0.7], "sensitivity": [0.8, 0.4], "specificity": [0.9, 1.0]}


def test_thresholds_have_their_price(tmp_path):
    """By hand: at .5 and 1 % viruses .008 of all are found and .099 wrong; at .7 none was wrong, of 100: one in 101."""
    models = {"classifier": {"name": "c_500", "thresholds": {"1000": CURVE}}, "second": {"name": "c_300"}}
    summaries = [sim.summary("a", virus=2, min_score=0.7), sim.summary("b", other=2, min_score=0.9, prevalence=0.12)]
    content = sections(tmp_path, threshold_section, summaries, models)["Thresholds and their price"]
    nbsp = "\u00a0"
    expected = {
        "0.5": ["80.0 %", "10.0 %", 0.008 / (0.008 + 0.099), 0.04 / (0.04 + 0.095), 0.16 / 0.24, 0.4 / 0.45],
        "0.6": ["60.0 %", "5.0 %", *(0.6 * p / (0.6 * p + 0.05 * (1 - p)) for p in (0.01, 0.05, 0.2, 0.5))],
        "0.7": ["40.0 %", "0.0 %", *(0.4 * p / (0.4 * p + (1 - p) / 101) for p in (0.01, 0.05, 0.2, 0.5))],
    }
    rows = cells(content)
    assert [row[:2] for row in rows] == [["1,000", score] for score in ("0.5", "0.6", "0.7", "0.9")]
    for row in rows[:3]:
        *measured, a, b, c, d = expected[row[1]]
        told = [*measured, *(f"{100 * share:.0f} %" for share in (a, b, c, d))]
        assert [cell.replace(nbsp, " ") for cell in row[2:]] == told
    assert rows[3][2].replace(nbsp, " ") == "13.3 %"  # between .4 at .7 and none at 1
    assert content.count("<strong>") == 2 and "<strong>0.7</strong>" in content and "<strong>0.9</strong>" in content
    assert "The card of c_300 has no sensitivity and specificity by score" in content
    assert "let expect that 12.0\u00a0% of their sequences are viral" in content


def test_a_run_that_calls_by_rate_says_so(tmp_path):
    models = {"classifier": {"name": "c", "thresholds": {"1000": CURVE}}}
    summaries = [sim.summary("a", virus=2, max_fdr=0.05, prevalence=0.2, prevalence_given=True)]
    content = sections(tmp_path, threshold_section, summaries, models)["Thresholds and their price"]
    assert "called viruses by <code>q_value</code> (0.05, --max_fdr)" in content and "let expect" not in content


def test_calls_are_grouped_by_what_they_rest_on(tmp_path):
    def row(evidence, chunks, virus, other):
        return {"evidence": evidence, "scored_chunks": chunks, "virus": virus, "other": other}

    a = [row("open_frames", "1", 1, 3), row("open_frames", "8+", 2, 0), row("screened", "0", 0, 9)]
    b = [row("both", "2-3", 1, 1), row("open_frames", "1", 2, 0), row("open_frames", "4-7", 0, 1)]
    summaries = [sim.summary("a", calls_by_evidence=a), sim.summary("b", calls_by_evidence=b), sim.summary("c")]
    (content,) = sections(tmp_path, lambda m, run: evidence_section(m, run.summaries), summaries).values()
    assert [[cell.replace("\u00a0", " ") for cell in line] for line in cells(content)] == [
        ["open frames", "1", "3", "3", "50.0 %"],
        ["open frames", "4-7", "0", "1", "0.0 %"],
        ["open frames", "8+", "2", "0", "100.0 %"],
        ["open frames and stretches", "2-3", "1", "1", "50.0 %"],
        ["screening alone, not embedded", "0", "0", "9", "0.0 %"],
    ]


def test_a_better_genetic_code_is_told(tmp_path):
    from virnucpro.report.outcome_sections import glance_section

    better = [{"15": {"sequences": n, "bases": 9000 * n, "longest": name}} for n, name in ((2, "<k1>"), (1, "k2"))]
    samples = [sim.summary(name, other=3, better_genetic_codes=b) for name, b in zip("ba", better, strict=True)]
    samples.append(sim.summary("c", other=5, genetic_codes={"1": {"sequences": 5, "bases": 9, "longest": "x"}}))
    sim.write_run(tmp_path, samples, None, [])
    run = read_run(tmp_path / "summaries", None)
    outcome = judge(run, [])
    (section,) = glance_section(run, outcome, [], None).sections
    assert "<strong>3 long sequences</strong> (27,000 bases; for example k2 of sample a)" in section.content
    assert "under genetic code 15: use <code>--genetic_code auto</code>" in section.content
    assert "were read with genetic code" not in section.content
    assert machine_summary(run, outcome, [], None)["better_genetic_codes"] == {"15": {"sequences": 3, "bases": 27_000}}


def test_other_genetic_codes_in_use_are_told(tmp_path):
    from virnucpro.report.outcome_sections import glance_section

    used = {code: {"sequences": n, "bases": 9000 * n, "longest": "k"} for code, n in (("1", 2), ("4", 3))}
    sim.write_run(tmp_path, [sim.summary("a", other=5, genetic_codes=used)], None, [])
    run = read_run(tmp_path / "summaries", None)
    (section,) = glance_section(run, judge(run, []), [], None).sections
    assert "3 sequences (27,000 bases) were read with genetic code 4." in section.content
    assert "genetic code 1" not in section.content


def test_a_long_phage_stands_above_a_fragment_with_one_chunk(root, tmp_path):
    row = {"description": "", "max_p_virus": 0.99}
    fragment = {"id": "fragment", "length": 1200, "virus_score": 0.99, "chunks": 3, "chunks_scored": 1}
    phage = {"id": "phage", "length": 20_000, "virus_score": 0.8, "chunks": 40, "chunks_scored": 25}
    top = [{**row, **fragment, "chunks_virus": 1}, {**row, **phage, "chunks_virus": 24}]
    text = page_of(root, tmp_path, sim.summary("lake", virus=2, top_viruses=top))
    assert text.index("phage") < text.index("fragment")
    assert "24 (96\u00a0%)" in text and "1 (100\u00a0%)" in text  # of the scored chunks, not of all
    assert "most viral chunks first" in text and "chunks scored" in text


def test_failures_are_counted_by_kind_with_one_example(root, tmp_path):
    words = "{!r} at position {} is no nucleotide letter; it looks like a protein, VirNucPro reads DNA"
    proteins = [
        {"level": "sequence", "id": f"protein_{i}", "reason": words.format("EFILPQ"[i % 6], i + 1)} for i in range(900)
    ]
    empty = {"level": "sequence", "id": "void", "reason": "there is no sequence under this header"}
    summary = sim.summary("a", failed=901, failures=[*proteins, empty], failures_total=901)
    text = page_of(root, tmp_path, summary)
    assert text.count(words.format("…", "N")) == 1
    kind = text.split(words.format("…", "N"))[1]
    assert kind.split()[:2] == ["sequence", "900"]
    assert "a · protein_0 : 'E' at position 1 is no nucleotide letter" in kind


def test_failures_that_no_table_of_the_run_lists_are_counted(root, tmp_path):
    text = page_of(root, tmp_path, sim.summary("a", other=1, failed=3, failures_total=1503))
    assert "3 of the 3 rows of" in text and "1,500 more failures are not in it" in text


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("task esm2_002 has 1,006 frames, 2.5 GiB", "task esm2_002 has N frames, N GiB"),
        ("the file's end is cut, isn't it's", "the file's end is cut, isn't it's"),
        ('"\'" at position 3', "'…' at position N"),
        ("'\\xe9' at position 3", "'…' at position N"),
    ],
)
def test_kind_of_a_reason(reason, kind):
    from virnucpro.report.outcome_sections import reason_kind

    assert reason_kind(reason) == kind


def test_how_to_read_the_scores(root, tmp_path):
    text = page_of(root, tmp_path, sim.summary("a", virus=4, other=9, min_score=0.7), sim.summary("b", virus=3))
    assert "reaches 0.5 or 0.7 ( --min_score )" in text and "not a calibrated probability" in text
    assert "3 of 7 viral sequences rest on a single scored chunk, 2 of 7 are shorter than a chunk" in text
    assert "This classifier is calibrated" not in text


def test_a_calibrated_classifier_is_said_to_be_one(root, tmp_path):
    text = page_of(root, tmp_path, sim.summary("a", virus=4, other=9) | {"prevalence": 0.3, "prevalence_given": False})
    assert "This classifier is calibrated: virus_probability and q_value in sequences.tsv" in " ".join(text.split())


def test_no_sample_at_all(root, tmp_path):
    text = page_of(root, tmp_path)
    assert "sample lost: no result" in text
    assert "virus_score" not in text[: text.index("no result")]
    assert "random" not in text


def test_a_thousand_samples_and_tasks_stay_small_and_say_what_is_capped(root, tmp_path):
    plan = sim.plan([f"s{i:04d}" for i in range(20)], tasks=1000, frames=100)
    made = [sim.summary("s", 20, 60, 20, 2, 1, seed=i) for i in range(50)]
    summaries = [made[i % 50] | {"sample": f"s{i:04d}"} for i in range(1000)]
    out, page, ours, done = report(root, tmp_path, summaries, plan, sim.reports_of(plan, gpus=16))
    assert len(page.encode()) < 5_000_000
    text = " ".join(ours.words)
    assert "1,000 of 2,000 tasks are shown" in text
    assert "500 of 20,000 viral sequences" in text
    assert "500 of the 1,000 rows of" in text
    assert "more failures are not in it" not in text
    assert len(json.loads((out / "summary.json").read_text(encoding="utf-8"))["per_sample"]) == 1000
    assert "problems more, all in summary.json" in done.stdout


def test_regions_are_drawn_and_counted(root, tmp_path):
    tracks = [
        {"id": f"contig_{i}", "length": 50_000, "regions": [[1000, 3000 + i]], "scores": [[250, 0.25], [2000, 0.75]]}
        for i in range(8)
    ]
    more = {"regions": 20, "provirus_regions": 15, "tracks": tracks}
    plan = sim.plan(["a", "b"], tasks=1)
    summaries = [sim.summary(s, 20, 60, 20, 2, 1) | more for s in ("a", "b")]
    _, page, ours, _ = report(root, tmp_path, summaries, plan, sim.reports_of(plan))
    text = " ".join(ours.words)
    assert "40 viral regions were found; 30 of them are part of a longer sequence" in text
    assert "12 of 16 sequences are drawn" in text
    assert page.count('aria-label="Scores along') == 12
    assert "a: contig_7" in text and "a: contig_1" not in text, "those with the longest regions"
