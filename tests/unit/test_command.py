"""The command line: options from dataclasses, one line for a mistake, exit codes, nothing heavy for --help."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from imagelake import cli, errors
from imagelake.command import parse
from imagelake.lake.lake import Lake

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("name", cli.JOBS)
def test_help_lists_the_first_line_of_the_job(name: str, imagelake: Run) -> None:
    job = import_module(cli.module_of(name))
    assert (job.__doc__ or "").partition("\n")[0] == cli.JOBS[name]
    shown = imagelake(*name.split(), "--help")
    assert shown.returncode == 0
    assert cli.JOBS[name] in shown.stdout


def test_options_come_from_the_config() -> None:
    job = import_module("imagelake.jobs.extract")
    config, as_json = parse(
        job, ["--lake", "L", "--only", "hashes, exif", "--embed", "a", "--embed", "b", "--no-pixel-hash", "--json"], "x"
    )
    assert (config.lake, config.only, config.embed, config.pixel_hash, as_json) == (
        "L",
        ("hashes", "exif"),
        ("a", "b"),
        False,
        True,
    )
    plain, as_json = parse(job, ["--lake", "L"], "x")
    assert (plain, as_json) == (job.Config("L"), False)


def test_the_variable_stands_for_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    job = import_module("imagelake.jobs.extract")
    monkeypatch.setenv("IMAGELAKE_LAKE", "from-the-environment")
    assert parse(job, [], "x")[0].lake == "from-the-environment"
    assert parse(job, ["--lake", "given"], "x")[0].lake == "given"
    monkeypatch.delenv("IMAGELAKE_LAKE")
    with pytest.raises(errors.UsageError, match="IMAGELAKE_LAKE"):
        parse(job, [], "x")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["dig"], 2, "no job 'dig'"),
        (["extract", "--lake", "{lake}", "--fast"], 2, "--fast"),
        (["extract", "--lake", "{lake}", "--only", "colour"], 2, "choose from hashes,exif,thumbnails,quality"),
        (["extract", "--lake", "{lake}", "--only", ""], 2, "nothing to make"),
        (["extract", "--lake", "{lake}", "--engine", "quick"], 2, "--engine"),
        (["extract", "--lake", "{lake}", "--embed", "clip"], 2, "--embed"),
        (["extract", "--lake", "{lake}/none"], 3, "imagelake init"),
        (["ingest", "--lake", "{lake}", "{lake}/no-such-folder"], 4, "no-such-folder"),
        (["extract", "--lake", "{lake}", "--embed", "open_clip:ViT-B-32/no/such/file.pt"], 5, "no/such/file.pt"),
        (["sql", "--lake", "{lake}", "select nothing from images"], 6, "nothing"),
        (["extract", "--lake", "{lake}", "--address", "127.0.0.1:1"], 9, "Ray"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    arguments: list[str], code: int, said: str, lake: Lake, imagelake: Run
) -> None:
    if "--address" in arguments:
        pytest.importorskip("ray")
    done = imagelake(*(a.format(lake=lake.root) for a in arguments), HF_HUB_OFFLINE="1")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("imagelake: ")
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_the_tree_of_errors_shows_every_exit_code() -> None:
    for error in (v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.ImagelakeError)):
        assert f"({error.exit_code})" in (errors.__doc__ or "").split(error.__name__, 1)[1].split("\n")[0]


def test_the_report_is_one_line_of_json(lake: Lake, imagelake: Run, tmp_path: Path) -> None:
    done = imagelake("extract", "--lake", lake.root, "--json", "--quiet")
    report = json.loads(done.stdout)
    assert (report["job"], report["status"], report["read"]) == ("extract", "succeeded", 0)
    assert done.stdout.count("\n") == 1
    script = Path(import_module("imagelake.jobs.extract").__file__ or "")
    same = subprocess.run(
        [sys.executable, script, "--lake", lake.root, "--json", "--quiet"], capture_output=True, text=True, check=True
    )
    assert {**json.loads(same.stdout), "run_id": "", "seconds": 0} == {**report, "run_id": "", "seconds": 0}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from imagelake.cli import main; main(['--help'])\n"
        "print(sorted({'torch', 'ray', 'duckdb', 'pyarrow', 'PIL', 'numpy', 'deltalake'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", [n for n in cli.JOBS if n != "search"])
def test_jobs_do_not_import_torch_or_ray(name: str) -> None:
    heavy = "{'torch', 'ray', 'open_clip', 'timm'}"
    code = f"import sys, {cli.module_of(name)}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
