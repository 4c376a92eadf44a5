"""compose.yaml: what its parts promise each other."""

import pathlib
import re

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML (Debian: python3-yaml) is not installed")

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
BEHIND_THE_ROUTER = ("auth-api", "core-api", "psp-events")


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s)", text).groups()
    return int(number) / (1000 if unit == "ms" else 1)


def setting(service, name):
    """What it is unless .env says otherwise."""
    value = SERVICES[service]["environment"][name]
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))


def router_option(name):
    (value,) = [word.partition("=")[2] for word in SERVICES["router"]["command"] if word.startswith(f"--{name}=")]
    return value


@pytest.mark.parametrize("service", BEHIND_THE_ROUTER)
def test_the_router_closes_idle_connections_before_the_service(service):
    """Or it sends a request into a connection that is just being closed, and the client gets 502."""
    assert seconds(router_option("serverstransport.forwardingtimeouts.idleconntimeout")) + 10 <= int(
        setting(service, "KEEP_ALIVE_SECONDS"))


@pytest.mark.parametrize("service", BEHIND_THE_ROUTER)
def test_the_router_notices_a_drain_before_it_ends(service):
    labels = SERVICES[service]["labels"]
    check = f"traefik.http.services.{service}.loadbalancer.healthcheck."
    notices_s = seconds(labels[check + "interval"]) + seconds(labels[check + "timeout"])
    assert labels[check + "path"] == "/health"
    # Twice: a router that is busy, or has just read a new configuration, asks later.
    assert int(setting(service, "DRAIN_SECONDS")) > 2 * notices_s


@pytest.mark.parametrize("service", BEHIND_THE_ROUTER)
def test_a_container_has_time_to_drain_and_to_stop(service):
    needed_s = 3 * int(setting(service, "DRAIN_SECONDS")) + int(setting(service, "SHUTDOWN_SECONDS"))
    assert seconds(SERVICES[service]["stop_grace_period"]) >= needed_s + 5


def test_the_router_tries_often_enough_beside_a_container_that_starts():
    """traefik/traefik#13261: until it is healthy it is a server without an address, and every second try meets it."""
    attempts = int(re.search(r"attempts: (\d+)", (ROOT / "deploy/traefik/routes.yaml").read_text()).group(1))
    assert 0.5 ** attempts < 1e-5


def test_the_router_tries_another_container_where_none_was_reached():
    routes = (ROOT / "deploy/traefik/routes.yaml").read_text()
    chains = re.findall(r"middlewares: \[(.*)\]", routes)
    assert len(chains) == len(BEHIND_THE_ROUTER)
    for chain in chains:
        assert chain.split(", ")[-1] == "retry", "after the body was read, next to the service"
    retry = re.search(r"\n    retry:\n      retry:\n((?: {8}.*\n)+)", routes).group(1)
    assert set(re.findall(r"^ *(\w+):", retry, re.M)) == {"attempts", "initialInterval"}, \
        "nothing that makes it send again what a service may have got"
    assert seconds(router_option("serverstransport.forwardingtimeouts.dialtimeout")) <= 1


def test_a_service_without_a_healthy_container_is_503_not_404():
    assert router_option("providers.docker.allowemptyservices") == "true"


def test_the_database_is_healthy_only_with_the_password_of_today():
    (_, check) = SERVICES["postgres"]["healthcheck"]["test"]
    assert "PGPASSWORD=" in check and "127.0.0.1" not in check, "pg_hba.conf of the official image trusts 127.0.0.1"


def test_variables_have_names_that_the_documents_know():
    text = (ROOT / "compose.yaml").read_text() + (ROOT / "deploy/traefik/routes.yaml").read_text()
    names = set(re.findall(r"\$\{([A-Z_]+)", text))
    documents = "".join((ROOT / name).read_text() for name in (
        ".env.example", "deploy/README.md", "docs/settings.md", "deploy/offline/images.env"))
    unknown = {name for name in names if not re.search(rf"\b{name}\b", documents)}
    assert unknown <= {"DOCKER_SOCKET", "PROMETHEUS_PORT", "ROUTER_DASHBOARD"}, unknown


# ---- The images

def test_each_service_has_its_dockerfile_and_all_are_one():
    folders = {path.parent.name for path in (ROOT / "services").glob("*/CMakeLists.txt")}
    assert {path.parent.name for path in (ROOT / "services").glob("*/Dockerfile")} == folders
    for folder in folders:
        assert (ROOT / "services" / folder / "Dockerfile").readlink() == pathlib.Path("../Dockerfile")
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "services/Dockerfile").read_text(), re.M)
    assert folders <= set(stages) and {f"{folder}-source" for folder in folders} <= set(stages)


@pytest.mark.parametrize("service", [name for name, service in SERVICES.items() if "build" in service])
def test_an_image_is_built_for_its_own_service(service):
    build = SERVICES[service]["build"]
    assert build["dockerfile"] == "services/Dockerfile", "BuildKit does not follow the link in the service's folder"
    assert build["args"]["SERVICE"] == service == SERVICES[service]["image"].removeprefix("local/")


def test_no_stage_of_the_dockerfile_compiles_more_than_one_service():
    """The classic builder makes all stages before the one it is asked for: a stage for each service would compile them all."""
    text = (ROOT / "services/Dockerfile").read_text()
    assert re.findall(r"--target (\S+)", text) == ['"$SERVICE"']
