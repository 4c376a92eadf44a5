"""`switchyard doctor` as the tests ask it."""

import json

from support.ports import free_port
from support.programs import SECRET, development_settings, run_to_exit


def examine(folder, *arguments, env_file=None, **overrides):
    """{subject: finding} of one run, with an exit code that fits."""
    settings = development_settings(folder, **{"HTTP_PORT": free_port(), **overrides})
    before = ["--env-file", str(env_file)] if env_file else []
    done = run_to_exit("switchyard", [*before, "doctor", "--json", *arguments], settings, folder)
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == (0 if all(finding["ok"] for finding in findings.values()) else 1), done
    assert SECRET not in done.stdout
    return findings


def only_wrong(findings):
    """The one finding that is not good; it says what to do."""
    [wrong] = [finding for finding in findings.values() if not finding["ok"]]
    assert wrong["remedy"]
    return wrong
