"""`switchyard doctor` finds what would go wrong later, and says what to do about it."""

import json
import os
import re
import socket
import subprocess

import pytest

from support.doctor import examine, only_wrong
from support.ports import free_port
from support.programs import REPOSITORY, Program, Switchyard, binary, development_settings, run_to_exit


def test_redis_that_answers(tmp_path, start_redis):
    assert "answers" in examine(tmp_path, REDIS_URL=start_redis().url())["redis"]["text"]


def test_redis_that_does_not_answer_is_named_without_its_password(tmp_path):
    port = free_port()
    wrong = only_wrong(examine(tmp_path, REDIS_URL=f"redis://me:hunter2secret@127.0.0.1:{port}/0"))
    assert wrong["check"] == "redis" and str(port) in wrong["text"] and "REDIS_URL" in wrong["remedy"]
    assert "hunter2secret" not in json.dumps(wrong)


def test_redis_that_refuses_the_password(tmp_path, start_redis):
    redis = start_redis(password="the right one")
    wrong = only_wrong(examine(tmp_path, REDIS_URL=redis.url(password="another")))
    assert wrong["check"] == "redis" and re.search("NOAUTH|AUTH|password", wrong["text"])


def test_a_metrics_port_that_another_program_has(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = only_wrong(examine(tmp_path, METRICS_PORT=port))
    assert wrong["check"] == "metrics" and str(port) in wrong["text"] and "METRICS_PORT" in wrong["remedy"]


def test_a_server_over_this_store_is_health(tmp_path, start_switchyard):
    server = start_switchyard()
    findings = examine(tmp_path, **{name: server.settings[name] for name in ("HTTP_PORT", "METRICS_PORT", "DATABASE_URL")})
    assert all(finding["ok"] for finding in findings.values()), findings
    assert str(server.program.process.pid) in findings["port"]["text"]


def test_a_server_over_another_store_is_said(tmp_path, start_switchyard):
    """The same port, but a DATABASE_URL that names another file: what the operator looks at is not what serves."""
    server = start_switchyard()
    wrong = only_wrong(examine(tmp_path, HTTP_PORT=server.port, DATABASE_URL=f"sqlite:{tmp_path / 'other.db'}"))
    assert wrong["check"] == "port" and "other.db" in wrong["text"]


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_store_that_others_may_read(tmp_path, suffix):
    examine_new_store(tmp_path)
    file = tmp_path / f"switchyard.db{suffix}"
    file.touch()
    file.chmod(0o644)
    wrong = only_wrong(examine(tmp_path))
    assert wrong["check"] == "files" and str(file) in wrong["text"] and "chmod 600" in wrong["remedy"]


def examine_new_store(folder):
    done = run_to_exit("switchyard", ["store", "migrate"], development_settings(folder), folder)
    assert done.returncode == 0, done.stderr
    for file in folder.glob("switchyard.db*"):
        file.chmod(0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_store_that_belongs_to_another_user_than_its_folder(tmp_path):
    """Made by root before the first start: root reads it, and the service that runs as somebody else does not."""
    examine_new_store(tmp_path)
    os.chown(tmp_path, 12345, 12345)
    wrong = only_wrong(examine(tmp_path))
    assert wrong["check"] == "files" and "chown" in wrong["remedy"]


def env_file(folder, *lines):
    file = folder / "settings.env"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("name, meant", [("HTPP_PORT", "HTTP_PORT"), ("max_body_bytes", "MAX_BODY_BYTES"),
                                         ("JWT-SECRET", "JWT_SECRET"), ("LEASE_SECOND", "LEASE_SECONDS")])
def test_a_misspelt_setting_of_an_env_file(tmp_path, name, meant):
    wrong = only_wrong(examine(tmp_path, env_file=env_file(tmp_path, f"{name}=hunter2secret")))
    assert wrong["check"] == "env file" and name in wrong["text"] and meant in wrong["text"]
    assert "hunter2secret" not in json.dumps(wrong)


def test_a_setting_that_an_env_file_gives_twice(tmp_path):
    wrong = only_wrong(examine(tmp_path, env_file=env_file(tmp_path, "MAX_AMOUNT=5", "LOG_LEVEL=info", "MAX_AMOUNT=6")))
    assert wrong["check"] == "env file" and wrong["text"] == "MAX_AMOUNT is given more than once; the last line counts"


def test_a_misspelt_setting_is_in_the_log_of_a_start(tmp_path):
    server = Switchyard(tmp_path)
    file = env_file(tmp_path, "HTPP_PORT=1", "MAX_AMOUNT=5", "MAX_AMOUNT=6")
    server.program = Program("switchyard", ["--env-file", str(file), "serve"], server.settings, tmp_path)
    server.start()
    assert server.stop() == 0
    assert "HTPP_PORT is no setting; perhaps HTTP_PORT was meant" in server.program.log()
    assert "MAX_AMOUNT is given more than once" in server.program.log()


@pytest.mark.parametrize("mode, good", [(0o600, True), (0o640, True), (0o644, False), (0o660, False)])
def test_an_env_file_that_others_may_read_or_change(tmp_path, mode, good):
    """The package's is root's and readable for the group that the services run as."""
    file = env_file(tmp_path, "MAX_AMOUNT=5")
    file.chmod(mode)
    findings = examine(tmp_path, env_file=file)
    assert findings["env file"]["ok"] == good
    assert good or "chmod" in only_wrong(findings)["remedy"]


def test_every_setting_that_is_explained_is_known_and_the_other_way_round(tmp_path):
    text = (REPOSITORY / ".env.example").read_text()
    explained = set(re.findall(r"^(?:# )?([A-Z][A-Z_]*)=", text, re.MULTILINE))
    # Names only: values of some would be wrong together.
    file = env_file(tmp_path, *[f"{name}=" for name in explained | {"TZ", "PGPASSWORD", "COMPOSE_PROJECT_NAME"}])
    assert examine(tmp_path, env_file=file)["env file"]["ok"]
    source = (REPOSITORY / "services/switchyard/known_settings.cpp").read_text()
    table = source[source.index("auto known ="):source.index("});")]
    assert set(re.findall(r'"([A-Z_]+)"', table)) == explained


def test_who_holds_a_port_is_named_and_another_one_offered(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        wrong = only_wrong(examine(tmp_path, HTTP_PORT=port))
    assert wrong["check"] == "port" and f"HTTP_PORT {port} is in use by process {os.getpid()} (" in wrong["text"]
    assert "python" in wrong["text"], "by its command line"
    offered = int(re.search(r"HTTP_PORT=(\d+)$", wrong["remedy"]).group(1))
    assert port < offered <= 65535


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_port_of_another_users_process_is_said_to_be_that_users(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        try:
            done = subprocess.run([binary("switchyard"), "doctor", "--before-start"], cwd="/", user="nobody", group="nogroup",
                                  extra_groups=[], env=development_settings(tmp_path, HTTP_PORT=port), capture_output=True,
                                  text=True, timeout=60)
        except PermissionError as error:
            pytest.skip(f"nobody may not run this build: {error}")
    assert done.returncode == 1 and f"HTTP_PORT {port} is in use by a process of user root" in done.stdout


def test_before_start_looks_at_settings_and_ports_only(tmp_path):
    assert list(examine(tmp_path, "--before-start", METRICS_PORT=free_port())) == ["configuration", "port", "metrics"]
    wrong = only_wrong(examine(tmp_path, "--before-start", MAX_AMOUNT="much"))
    assert "MAX_AMOUNT" in wrong["text"]
    assert not (tmp_path / "switchyard.db").exists()


def test_before_start_takes_no_running_server_for_its_own(tmp_path, start_switchyard):
    """The other checks are content with a Switchyard that answers; a second one cannot listen there."""
    server = start_switchyard()
    ports = {name: server.settings[name] for name in ("HTTP_PORT", "METRICS_PORT")}
    findings = examine(tmp_path, "--before-start", **ports)
    process = server.program.process.pid
    assert not findings["port"]["ok"] and not findings["metrics"]["ok"]
    assert f"process {process}" in findings["port"]["text"]
    replaced = examine(tmp_path, "--before-start", "--replacing", str(process), **ports)
    assert all(finding["ok"] for finding in replaced.values())
    another = examine(tmp_path, "--before-start", "--replacing", str(os.getpid()), **ports)
    assert not another["port"]["ok"]


def test_a_copy_of_a_store_that_is_in_use_is_refused(tmp_path, start_switchyard, postgres_url):
    """What the server accepts behind the copy's back would stay behind in the file."""
    server = start_switchyard()
    arguments = ["store", "copy", "--from", f"sqlite:{server.database}"]
    done = run_to_exit("switchyard", arguments, development_settings(tmp_path, DATABASE_URL=postgres_url), tmp_path)
    assert done.returncode == 1 and str(server.program.process.pid) in done.stderr and "stop" in done.stderr
    assert server.stop() == 0
    done = run_to_exit("switchyard", arguments, development_settings(tmp_path, DATABASE_URL=postgres_url), tmp_path)
    assert done.returncode == 0 and "Done" in done.stdout, done.stderr
