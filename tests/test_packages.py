"""What gitbackup is installed from: the package, the image, and where the tests run."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click

import gitbackup
from gitbackup.cli.app import app
from gitbackup.cli.command_list import COMMANDS

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))


def instructions() -> list[tuple[str, str]]:
    """The words and arguments of the Containerfile, comments and line breaks aside."""
    text = (PROJECT / "Containerfile").read_text("utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    parts = [line.partition(" ") for line in lines if line]
    return [(word, " ".join(rest.split())) for word, _, rest in parts]


def having(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def test_the_image_runs_gitbackup_and_not_as_root() -> None:
    """By a number, in a folder of that user's that outlives the container."""
    assert having("USER") == ["10001"]
    assert [*dict(instructions())][-2:] == ["ENTRYPOINT", "CMD"]
    assert json.loads(having("ENTRYPOINT")[0]) == ["gitbackup"]
    (volume,) = having("VOLUME")
    (made,) = [rest for rest in having("RUN") if "useradd" in rest]
    assert "useradd --uid 10001" in made
    assert f"install -d -m 0700 -o gitbackup -g gitbackup {volume}" in made
    assert f"GITBACKUP_REPO={volume}/" in having("ENV")[0]


def test_the_image_is_small() -> None:
    """What only building needs stays behind, and no list or cache of packages is kept."""
    assert all("slim" in base for base in having("FROM"))
    installing = [rest for rest in having("RUN") if "apt-get install" in rest]
    assert len(installing) == 1
    assert "--no-install-recommends" in installing[0]
    assert "rm -rf /var/lib/apt/lists/*" in installing[0]
    assert all("--no-cache-dir" in rest for rest in having("RUN") if "pip" in rest)


def test_what_the_image_runs_are_commands_of_gitbackup() -> None:
    checked = json.loads(having("HEALTHCHECK")[0].partition("CMD ")[2])
    for words in (checked[1:], json.loads(having("CMD")[0])):
        root = click.Context(app, **app.context_settings)
        name, command, rest = app.resolve_command(root, words)
        assert name in COMMANDS
        assert command is not None
        command.make_context(name, rest, parent=root)


def test_the_image_is_made_of_files_that_docker_is_given() -> None:
    """They are in the checkout, .dockerignore lets them through, and all that a build needs is
    among them."""
    copied = [rest for rest in having("COPY") if "--from" not in rest]
    sources = {name for rest in copied for name in shlex.split(rest)[:-1]}
    assert [name for name in sources if not (PROJECT / name).exists()] == []
    ignored = (PROJECT / ".dockerignore").read_text("utf-8").split()
    let_through = {name[1:] for name in ignored if name.startswith("!")}
    assert ignored[0] == "*"
    assert sources == let_through
    project, hatch = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]
    needed = {"pyproject.toml", project["readme"], *project["license-files"]}
    wheel = hatch["build"]["targets"]["wheel"]
    needed |= {
        *wheel["packages"],
        hatch["version"]["path"],
        "docs",
        wheel["hooks"]["custom"]["path"],
    }
    assert {name for name in needed if not {name, Path(name).parts[0]} & sources} == set()


def test_each_python_that_the_package_names_is_tried_on_the_code_host() -> None:
    kept = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    workflow = (PROJECT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    (tried,) = re.findall(r"^        python: \[(.*)\]$", workflow, re.MULTILINE)
    assert json.loads(f"[{tried}]") == kept
    assert PYPROJECT["project"]["requires-python"] == f">={kept[0]}"


def test_the_version_is_written_once() -> None:
    """In version.py, where the build finds it."""
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    path = PROJECT / PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{gitbackup.__version__}"' in path.read_text("utf-8")


def test_a_build_installs_what_the_commands_need_to_tell_their_help() -> None:
    """As the package's own dependencies name it."""
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["hooks"]["custom"]["dependencies"]} <= {*PYPROJECT["project"]["dependencies"]}


def test_a_build_makes_the_man_pages_with_nothing_else_installed(tmp_path: Path) -> None:
    """pip builds in an environment that has only what the build names."""
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    there = {*wheel["hooks"]["custom"]["dependencies"]}
    project = PYPROJECT["project"]
    extras = [one for extra in project["optional-dependencies"].values() for one in extra]
    absent = [
        re.split(r"\W", one)[0] for one in (*project["dependencies"], *extras) if one not in there
    ]
    program = """
import sys
from pathlib import Path
sys.modules.update(dict.fromkeys(sys.argv[3:]))  # None: importing it fails
from gitbackup.cli.manual import write
print(len(list(write(Path(sys.argv[1]), Path(sys.argv[2])))))
"""
    words = [sys.executable, "-c", program, str(PROJECT / "docs"), str(tmp_path), *absent]
    run = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert int(run.stdout) > len(COMMANDS)


def test_all_that_is_in_the_checkout_is_in_the_source_archive() -> None:
    """But for files that only a checkout has a use for."""
    listed = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    here = {path.name for path in PROJECT.iterdir() if path.name[0] != "."}
    built = {"build", "dist", "site", "data-git-backup", "pyproject.toml"}  # hatch adds that
    missing = {n for n in here - built if not any(fnmatch.fnmatch(n, one) for one in listed)}
    assert missing == set()
