"""Every command that a document prints is one that exists, with its options: as far as can be seen without running it."""

import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from support.programs import binary

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")),
             *sorted((ROOT / "deploy").rglob("*.md")), *sorted((ROOT / "services").rglob("README.md"))]


def lines_of_code(document):
    """What stands in fences without a language, one command a line: no prompt, no comment, no pipe to elsewhere."""
    for block in re.findall(r"^ *```(?:sh|bash)?\n(.*?)^ *```", document.read_text(), re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            yield re.sub(r"\s#\s.*$", "", line).removeprefix("$ ").strip()


def commands(pattern):
    """(document, words) of each printed command that begins with what matches, alone or behind && or |."""
    found = []
    for document in DOCUMENTS:
        for line in lines_of_code(document):
            for part in re.split(r"\s*(?:&&|\|\||\||;)\s+", line):
                if re.match(pattern, part):
                    try:
                        words = shlex.split(part)
                    except ValueError:
                        continue  # a quotation that another part of the line ends
                    found.append(pytest.param(words, id=f"{document.relative_to(ROOT)}: {part[:60]}"))
    assert found, f"no document prints {pattern}"
    return found


def output(*words):
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def options(words):
    return {word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)}


# ---- Compose

@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_command_needs_a_compose_that_debian_does_not_have(document):
    """deploy/README.md defines `compose`, which is either."""
    for line in lines_of_code(document):
        if not line.startswith("compose()"):
            assert not re.match(r"(?:\w+=\S+ )*docker[ -]compose\b", line), f"{line}: compose ... is either"


@pytest.fixture(scope="module")
def compose():
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]) and output(*words, "version")[0] == 0:
            return words
    pytest.skip("Compose is not installed")


@pytest.mark.parametrize("words", commands(r"compose (?!\(\))"))
def test_compose_takes_it(compose, words):
    first = 1
    while words[first].startswith("-"):
        first += 2
    global_options, (command, *rest) = words[1:first], words[first:]
    for file in [global_options[i + 1] for i in range(0, len(global_options), 2) if global_options[i] == "-f"]:
        assert file.startswith("run/") or (ROOT / file).is_file()
    if command in ("exec", "run"):
        rest = rest[:1]  # what follows the service is another program's
    code, usage = output(*compose, command, "--help")
    assert code == 0, f"compose has no {command}"
    for option in options(rest):
        assert re.search(rf"(?<![\w-]){re.escape(option)}\b", usage), f"{command} has no {option}"


# ---- Ours

@pytest.mark.parametrize("words", commands(r"\./setup\.sh\b"))
def test_setup_takes_it(words):
    code, usage = output("./setup.sh", *(["docker"] if "docker" in words else []), "help")
    assert code == 0
    for word in words[1:]:
        if word == "docker" or word.startswith((">", "2>")):
            continue
        assert re.search(rf"^ +(?:down )?{re.escape(word)}\b", usage, re.M), f"{word} is not in the usage"


def switchyard_words(words):
    """What follows the program's name and the options of its own."""
    rest = words[words.index(next(word for word in words if word == "switchyard" or word.endswith("/switchyard"))) + 1:]
    while rest and rest[0].startswith("--"):
        rest = rest[2 if rest[0] == "--env-file" else 1:]
    return rest


@pytest.mark.parametrize("words", commands(r"(?:\w+=\S+ |runuser .* -- |\S+/)*switchyard [a-z-]"))
def test_switchyard_takes_it(words):
    rest = switchyard_words(words)
    if not rest:
        return
    command = []
    usage = output(binary("switchyard"), "--help")[1]
    while rest and re.search(rf"^ +{re.escape(rest[0])}\b", usage.partition("SUBCOMMANDS")[2] or
                             usage.partition("ubcommands")[2], re.M):
        command.append(rest.pop(0))
        code, usage = output(binary("switchyard"), *command, "--help")
        assert code == 0
    assert command, f"there is no command {rest[0]}"
    for option in options(rest):
        assert re.search(rf"(?<![\w-]){re.escape(option)}\b", usage), f"switchyard {' '.join(command)} has no {option}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_are_there(document):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{target} does not exist"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_headings_that_are_named_are_there(document):
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
        text = ((document.parent / target) if target else document).read_text()
        headings = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                    for heading in re.findall(r"^#+ (.*)$", text, re.M)]
        assert anchor in headings, f"{target}#{anchor}: {headings}"
