"""deploy/kubernetes: what kubectl renders is what an API server takes, and keeps the promises of its README."""

import base64
import copy
import re
import subprocess

import pytest

from support import kubernetes

yaml = pytest.importorskip("yaml", reason="PyYAML (Debian: python3-yaml) is not installed")

NAME = "app.kubernetes.io/name"
WORKLOADS = {"Deployment", "StatefulSet", "Job"}
SERVICES_OF_OURS = {"auth-api": "A", "core-api": "C", "psp-connector": "P", "psp-events": "E", "psp-simulator": "S"}

SECRETS = {
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "POSTGRES_PASSWORD": "a/pass@wo%rd#:?",
    "DATABASE_URL": "postgresql://switchyard@postgres/switchyard",
    "PGPASSWORD": "a/pass@wo%rd#:?",
    "REDIS_URL": "redis://redis:6379/0",
    "PSP_URL": "https://psp.example",
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The objects of each overlay, with secrets."""
    folder = kubernetes.copy_of_manifests(tmp_path_factory.mktemp("rendered"))
    overlays = {}
    for overlay in kubernetes.OVERLAYS:
        path = folder / "overlays" / overlay
        (path / "secrets.env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
        try:
            done = kubernetes.kustomize(path)
        except kubernetes.NotHere as reason:
            pytest.skip(str(reason))
        assert done.returncode == 0, done.stderr
        overlays[overlay] = list(yaml.safe_load_all(done.stdout))
    return overlays


@pytest.fixture(params=kubernetes.OVERLAYS)
def overlay(request):
    return request.param


@pytest.fixture
def objects(rendered, overlay):
    return copy.deepcopy(rendered[overlay])


@pytest.fixture(scope="module")
def api_server():
    try:
        return kubernetes.api_server()
    except kubernetes.NotHere as reason:
        pytest.skip(str(reason))


def of_kind(objects, *kinds):
    return [thing for thing in objects if thing["kind"] in kinds]


def named(objects, kind, name):
    (found,) = [thing for thing in of_kind(objects, kind) if thing["metadata"]["name"] == name]
    return found


def pods(objects):
    """The pod template of each workload, by the workload's name."""
    return {thing["metadata"]["name"]: thing["spec"]["template"] for thing in of_kind(objects, *WORKLOADS)}


def containers(objects):
    return [(name, container) for name, pod in pods(objects).items()
            for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]]


def container(objects, name):
    return pods(objects)[name]["spec"]["containers"][0]


def settings(objects):
    (config,) = of_kind(objects, "ConfigMap")
    return config["data"]


def selects(selector, labels):
    """What a label selector says to a pod's labels; an empty one takes them all."""
    for name, value in selector.get("matchLabels", {}).items():
        if labels.get(name) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def selected(objects, selector):
    return {name for name, pod in pods(objects).items() if selects(selector, pod["metadata"]["labels"])}


# ------------------------------------------------------------------------------------------------- the API server

@pytest.mark.slow
def test_an_api_server_takes_every_object(api_server, rendered, overlay, tmp_path):
    path = tmp_path / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(rendered[overlay]))
    assert api_server.refusals(path) == []


def _rename_a_field(objects):
    probe = container(objects, "auth-api")
    probe["readynessProbe"] = probe.pop("readinessProbe")


def _text_for_a_number(objects):
    named(objects, "Deployment", "psp-connector")["spec"]["replicas"] = "two"


def _container_without_image(objects):
    del container(objects, "core-api")["image"]


def _service_without_ports(objects):
    del named(objects, "Service", "core-api")["spec"]["ports"]


def _selector_of_another(objects):
    named(objects, "Deployment", "auth-api")["spec"]["selector"]["matchLabels"][NAME] = "core-api"


def _quantity_that_is_none(objects):
    container(objects, "auth-api")["resources"]["limits"]["memory"] = "512 MB"


def _root(objects):
    pods(objects)["auth-api"]["spec"]["securityContext"]["runAsNonRoot"] = False


def _no_metric_to_scale_by(objects):
    del named(objects, "HorizontalPodAutoscaler", "auth-api")["spec"]["metrics"][0]["resource"]


def _no_such_protocol(objects):
    named(objects, "NetworkPolicy", "to-redis")["spec"]["egress"][0]["ports"][0]["protocol"] = "HTTP"


def _budget_of_two_kinds(objects):
    named(objects, "PodDisruptionBudget", "core-api")["spec"]["minAvailable"] = 1


def _job_that_always_restarts(objects):
    pods(objects)["migrate"]["spec"]["restartPolicy"] = "Always"


def _no_such_kind(objects):
    named(objects, "Job", "migrate")["kind"] = "Jobs"


def _no_namespace(objects):
    del named(objects, "Deployment", "core-api")["metadata"]["namespace"]


def _route_with_a_misspelt_field(objects):
    rule = named(objects, "HTTPRoute", "switchyard")["spec"]["rules"][0]
    rule["backendRef"] = rule.pop("backendRefs")


def _route_with_no_port(objects):
    del named(objects, "HTTPRoute", "switchyard")["spec"]["rules"][0]["backendRefs"][0]["port"]


def _route_that_cannot_replace_its_prefix(objects):
    named(objects, "HTTPRoute", "switchyard")["spec"]["rules"][0]["matches"][0]["path"]["type"] = "Exact"


def _gateway_with_no_class(objects):
    del named(objects, "Gateway", "switchyard")["spec"]["gatewayClassName"]


def _gateway_with_a_word_for_its_port(objects):
    named(objects, "Gateway", "switchyard")["spec"]["listeners"][0]["port"] = "https"


@pytest.mark.slow
@pytest.mark.parametrize("change, reason", [
    (_rename_a_field, 'unknown field "spec.template.spec.containers[0].readynessProbe"'),
    (_text_for_a_number, "of type int32"),
    (_container_without_image, "containers[0].image: Required value"),
    (_service_without_ports, "spec.ports: Required value"),
    (_selector_of_another, "`selector` does not match template `labels`"),
    (_quantity_that_is_none, "quantities must match the regular expression"),
    (_root, "Pod Security restricted: runAsNonRoot"),
    (_no_metric_to_scale_by, "must populate information for the given metric source"),
    (_no_such_protocol, 'Unsupported value: "HTTP"'),
    (_budget_of_two_kinds, "minAvailable and maxUnavailable cannot be both set"),
    (_job_that_always_restarts, "restartPolicy: Required value: valid values"),
    (_no_such_kind, 'no kind "Jobs" is registered'),
    (_no_namespace, "metadata.namespace: Required value"),
    (_route_with_a_misspelt_field, "unknown fields: [spec.rules[0].backendRef]"),
    (_route_with_no_port, "Must have port for Service reference"),
    (_route_that_cannot_replace_its_prefix, "replacePrefixMatch"),
    (_gateway_with_no_class, "spec.gatewayClassName: Required value"),
    (_gateway_with_a_word_for_its_port, "must be of type integer"),
], ids=lambda value: value.__name__.strip("_") if callable(value) else "")
def test_an_api_server_refuses(api_server, rendered, tmp_path, change, reason):
    """The check above is worth something only if it finds what is wrong, and finds nothing else."""
    objects = copy.deepcopy(rendered["production"])
    change(objects)
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    (refusal,) = api_server.refusals(path)
    assert reason in refusal


@pytest.mark.slow
def test_a_repeated_field_is_refused(api_server, tmp_path):
    """It is lost in an object that was read already, so this is text."""
    path = tmp_path / "twice.yaml"
    path.write_text("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: one\n  name: two\n")
    (refusal,) = api_server.refusals(path)
    assert '"name" already set in map' in refusal


@pytest.mark.slow
def test_an_api_server_takes_what_the_readme_shows(api_server, tmp_path):
    examples = re.findall(r"^```yaml\n(.*?)^```", (kubernetes.MANIFESTS / "README.md").read_text(), re.S | re.M)
    assert examples
    path = tmp_path / "examples.yaml"
    path.write_text("---\n".join(examples))
    assert api_server.refusals(path) == []


# ---------------------------------------------------------------------------------------------------------- secrets

def test_without_secrets_nothing_is_rendered(overlay, tmp_path):
    folder = kubernetes.copy_of_manifests(tmp_path)
    try:
        done = kubernetes.kustomize(folder / "overlays" / overlay)
    except kubernetes.NotHere as reason:
        pytest.skip(str(reason))
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"overlays/{overlay}/secrets.env: no such file" in done.stderr


def test_secrets_come_from_the_file_that_is_not_committed(objects, overlay):
    (secret,) = of_kind(objects, "Secret")
    assert {name: base64.b64decode(value).decode() for name, value in secret["data"].items()} == SECRETS
    ignored = subprocess.run(["git", "-c", f"safe.directory={kubernetes.REPOSITORY}", "check-ignore", "--quiet",
                              f"deploy/kubernetes/overlays/{overlay}/secrets.env"], cwd=kubernetes.REPOSITORY)
    if ignored.returncode == 128:
        pytest.skip("this is not a git repository")
    assert ignored.returncode == 0


def test_no_secret_is_in_the_manifests():
    for path in kubernetes.MANIFESTS.rglob("*.yaml"):
        assert not re.search(r"^kind: Secret$", path.read_text(), re.M), f"{path}: secrets are generated"
    for path in kubernetes.MANIFESTS.rglob("secrets.env.example"):
        values = dict(re.findall(r"^([A-Z_]+)=(.*)$", path.read_text(), re.M))
        assert values.pop("JWT_SECRET") in ("", "A_SECRET")
        for name, value in values.items():
            in_url = re.match(r"[a-z]+://(?:[^@/:]*:([^@/]*)@)?", value)
            assert (in_url[1] or "" if in_url else value) in ("", "A_PASSWORD"), f"{path}: {name}"


def test_secrets_reach_only_who_reads_them(objects):
    (secret,) = of_kind(objects, "Secret")
    reads = {}
    for name, one in containers(objects):
        for variable in one.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                assert reference["name"] == secret["metadata"]["name"]
                assert reference["key"] == variable["name"]
                assert variable["name"] in secret["data"] or reference.get("optional")
                reads.setdefault(variable["name"], set()).add(name)
    assert reads.pop("JWT_SECRET") == {"auth-api", "core-api"}
    assert reads.pop("JWT_SECRET_PREVIOUS") == {"auth-api", "core-api"}
    assert reads.pop("DATABASE_URL") == {"auth-api", "core-api", "psp-connector", "psp-events", "migrate",
                                        "command-line"}
    assert reads.pop("PGPASSWORD") == {"auth-api", "core-api", "psp-connector", "psp-events", "migrate",
                                        "command-line"}
    assert reads.pop("REDIS_URL") == {"core-api", "psp-connector"}
    assert reads.pop("PSP_URL", {"psp-connector"}) == {"psp-connector"}
    assert reads.pop("POSTGRES_PASSWORD", {"postgres"}) == {"postgres"}
    assert reads == {}


# ------------------------------------------------------------------------------------------------------------- pods

def test_pods_may_do_little(objects):
    for name, pod in pods(objects).items():
        spec = pod["spec"]
        ours = spec["containers"][0]["name"] not in ("postgres", "redis")
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] == spec["securityContext"]["runAsGroup"] == (10001 if ours else 999)
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), name
    for name, one in containers(objects):
        assert one["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                          "capabilities": {"drop": ["ALL"]}}, name
        assert {"cpu", "memory"} <= one["resources"]["requests"].keys(), name
        assert "memory" in one["resources"]["limits"], name


def test_images_have_tags(objects):
    for name, one in containers(objects):
        tag = one["image"].rpartition("/")[2].partition(":")[2]
        assert tag and tag != "latest", f"{name}: {one['image']}"


def test_production_takes_nothing_from_local(rendered):
    assert pods(rendered["production"]).keys() == {"auth-api", "core-api", "psp-connector", "psp-events", "migrate",
                                                   "command-line"}
    assert settings(rendered["production"])["SWITCHYARD_ENV"] == "production"
    assert "USERS_FILE" not in settings(rendered["production"])
    for _, one in containers(rendered["production"]):
        assert not one["image"].startswith("local/")


def test_the_connector_knows_its_psp(objects, overlay):
    """Without PSP_URL it would make a simulated one of its own, in each pod."""
    (psp_url,) = [variable for variable in container(objects, "psp-connector")["env"] if variable["name"] == "PSP_URL"]
    if overlay == "local":
        assert psp_url["value"] == "http://psp-simulator:5000"
        assert {"port": 5000}.items() <= named(objects, "Service", "psp-simulator")["spec"]["ports"][0].items()
    else:
        assert psp_url["valueFrom"]["secretKeyRef"]["key"] == "PSP_URL"


def test_probes_ask_for_ports_that_are_there(objects):
    for name, one in containers(objects):
        ports = {port["name"] for port in one.get("ports", [])}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if "httpGet" in one.get(probe, {}):
                assert one[probe]["httpGet"]["port"] in ports, f"{name}: {probe}"


def test_ports_are_those_of_the_settings(objects):
    values = settings(objects)
    for name in SERVICES_OF_OURS.keys() & pods(objects).keys():
        ports = {port["name"]: port["containerPort"] for port in container(objects, name)["ports"]}
        assert ports.pop("metrics") == int(values["METRICS_PORT"])
        assert ports.pop("http", int(values["HTTP_PORT"])) == int(values["HTTP_PORT"])
        annotations = pods(objects)[name]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == values["METRICS_PORT"]
    assert values["HTTP_HOST"] == "0.0.0.0"
    assert values["LOG_FORMAT"] == "json"


def test_a_lost_database_restarts_nobody(objects):
    """/health is 503 then: no requests, but no restart either."""
    for name in SERVICES_OF_OURS.keys() & pods(objects).keys():
        assert container(objects, name)["livenessProbe"]["httpGet"] == {"path": "/metrics", "port": "metrics"}
    for name in ("auth-api", "core-api", "psp-events"):
        for probe in ("startupProbe", "readinessProbe"):
            assert container(objects, name)[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_a_start_may_take_as_long_as_a_migration(objects):
    migration_s = 3600  # statement_timeout of migrate() in libs/store/postgres/schema.cpp
    assert f"statement_timeout = '{migration_s}s'" in (
        kubernetes.REPOSITORY / "libs/store/postgres/schema.cpp").read_text()
    for name in ("auth-api", "core-api", "psp-connector", "psp-events"):
        probe = container(objects, name)["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= migration_s


def test_pods_have_time_to_stop(objects):
    drain_s = 3 * int(settings(objects)["DRAIN_SECONDS"])  # of those that listen, while requests arrive
    margin_s = 10
    for name in SERVICES_OF_OURS.keys() & pods(objects).keys():
        before_s = container(objects, name).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        stops_s = int(settings(objects)["SHUTDOWN_SECONDS"]) + (drain_s if name != "psp-connector" else 0)
        assert pods(objects)[name]["spec"]["terminationGracePeriodSeconds"] >= before_s + stops_s + margin_s


def test_the_router_learns_of_a_stop_and_closes_idle_connections_first(objects):
    """90 s is idleConnTimeout of Traefik's serversTransport; a change of endpoints reaches a router within seconds."""
    assert int(settings(objects)["KEEP_ALIVE_SECONDS"]) >= 90 + 10
    assert int(settings(objects)["DRAIN_SECONDS"]) >= 5
    for name in ("auth-api", "core-api", "psp-events"):
        assert named(objects, "Deployment", name)["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 1, "maxUnavailable": 0}, "a new pod is ready before an old one leaves"


def test_variables_are_those_of_the_configuration(objects):
    """Names of the table of settings, each given to a program that reads it."""
    table = (kubernetes.REPOSITORY / "docs/settings.md").read_text()
    read_by = {name: set(letters.split()) for name, letters in
               re.findall(r"^\| `([A-Z_]+)` \| ([ACEPS ]+) \|", table, re.M)}
    assert len(read_by) > 20
    example = (kubernetes.REPOSITORY / ".env.example").read_text()
    assert settings(objects).keys() <= read_by.keys()
    for name, one in containers(objects):
        if name in ("postgres", "redis"):
            continue
        for variable in one["env"]:
            assert re.search(rf"^(# )?{variable['name']}=", example, re.M), f"{variable['name']} is not in .env.example"
            assert SERVICES_OF_OURS.get(name, "A") in read_by[variable["name"]], f"{name} does not read {variable['name']}"


# ---------------------------------------------------------------------------------------------- what refers to what

def test_all_is_in_one_namespace(objects):
    (namespace,) = of_kind(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for thing in objects:
        if thing is not namespace:
            assert thing["metadata"]["namespace"] == namespace["metadata"]["name"], thing["metadata"]["name"]


def test_selectors_select_their_own_pods_only(objects):
    for workload in of_kind(objects, "Deployment", "StatefulSet"):
        assert selected(objects, workload["spec"]["selector"]) == {workload["metadata"]["name"]}
        for constraint in workload["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert selected(objects, constraint["labelSelector"]) == {workload["metadata"]["name"]}
    for service in of_kind(objects, "Service"):
        assert selected(objects, {"matchLabels": service["spec"]["selector"]}) == {service["metadata"]["name"]}
    for budget in of_kind(objects, "PodDisruptionBudget"):
        assert selected(objects, budget["spec"]["selector"]) == {budget["metadata"]["name"]}


def test_ports_of_services_are_ports_of_their_pods(objects):
    for service in of_kind(objects, "Service"):
        ports = {port["name"]: port["containerPort"] for port in container(objects, service["metadata"]["name"])["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"], service["metadata"]["name"]


def test_the_services_survive_a_node(objects):
    for name in ("auth-api", "core-api", "psp-connector", "psp-events"):
        assert named(objects, "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1
        assert {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} == {
            constraint["topologyKey"] for constraint in pods(objects)[name]["spec"]["topologySpreadConstraints"]}
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert scaler["spec"]["minReplicas"] >= 2
        assert "replicas" not in named(objects, target["kind"], target["name"])["spec"], "each apply would undo it"
    for name in ("psp-connector", "psp-events"):
        assert named(objects, "Deployment", name)["spec"]["replicas"] >= 2


def test_the_route_has_the_paths_of_switchyard_serve(objects, overlay):
    route, gateway = named(objects, "HTTPRoute", "switchyard"), named(objects, "Gateway", "switchyard")
    assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"]}]
    assert route["spec"]["hostnames"] == ["platform"]
    assert {listener["hostname"] for listener in gateway["spec"]["listeners"]} == {"platform"}
    if overlay == "production":
        assert {listener["protocol"] for listener in gateway["spec"]["listeners"]} == {"HTTPS"}
    backends = {}
    for rule in route["spec"]["rules"]:
        (match,), (backend,) = rule["matches"], rule["backendRefs"]
        assert match["path"]["type"] == "PathPrefix"
        assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": {
            "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]
        assert backend["port"] in [port["port"] for port in named(objects, "Service", backend["name"])["spec"]["ports"]]
        backends[match["path"]["value"]] = backend["name"]
    assert backends == {"/auth/": "auth-api", "/transaction/": "core-api", "/psp/": "psp-events"}


# ---------------------------------------------------------------------------------------------------------- network

def _peer(objects, peer):
    if "ipBlock" in peer:
        return peer["ipBlock"]["cidr"]
    if "namespaceSelector" in peer:
        namespace = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        return "/".join([namespace, *peer.get("podSelector", {}).get("matchLabels", {}).values()])
    return " ".join(sorted(selected(objects, peer["podSelector"])))


def _allowed(objects, direction, peers):
    """(pod, peer, port) for all that the policies let through."""
    allowed = set()
    for policy in of_kind(objects, "NetworkPolicy"):
        for rule in policy["spec"].get(direction.lower(), []):
            assert direction in policy["spec"]["policyTypes"]
            for pod in selected(objects, policy["spec"]["podSelector"]):
                for peer in rule[peers]:
                    for port in rule["ports"]:
                        allowed.add((pod, _peer(objects, peer), port["port"]))
    return allowed


def test_nothing_is_allowed_by_default(objects):
    assert named(objects, "NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for policy in of_kind(objects, "NetworkPolicy"):
        assert selected(objects, policy["spec"]["podSelector"]), f"{policy['metadata']['name']} selects no pod"
        for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
            assert rule.get("ports") and (rule.get("from") or rule.get("to")), "an empty list is everything"


def test_pods_reach_only_what_they_need(objects, overlay):
    postgresql, redis, psp = {
        "local": (("postgres", 5432), ("redis", 6379), ("psp-simulator", 5000)),
        "production": (("192.0.2.10/32", 5432), ("192.0.2.20/32", 6379), ("192.0.2.30/32", 443)),
    }[overlay]
    expected = {(pod, "kube-system/kube-dns", 53) for pod in pods(objects)}
    expected |= {(pod, *postgresql) for pod in ("auth-api", "core-api", "psp-connector", "psp-events", "migrate",
                                                  "command-line")}
    expected |= {(pod, *redis) for pod in ("core-api", "psp-connector")}
    expected |= {("psp-connector", *psp)}
    assert _allowed(objects, "Egress", "to") == expected


def test_pods_are_reached_only_by_whom_they_serve(objects, overlay):
    expected = {(pod, "traefik", 5000) for pod in ("auth-api", "core-api", "psp-events")}
    expected |= {(pod, "monitoring", 9464) for pod in SERVICES_OF_OURS.keys() & pods(objects).keys()}
    if overlay == "local":
        expected |= {("postgres", "auth-api command-line core-api migrate psp-connector psp-events", 5432),
                     ("redis", "core-api psp-connector", 6379), ("psp-simulator", "psp-connector", 5000)}
    assert _allowed(objects, "Ingress", "from") == expected


# -------------------------------------------------------------------------------------------------------- migration

def test_the_job_migrates_the_store(objects):
    job = container(objects, "migrate")
    assert job["args"] == ["store", "migrate"]
    assert "command" not in job, "the image's entrypoint is switchyard"
    assert "/switchyard:" in job["image"]


def test_nobody_is_at_the_command_line_until_asked(objects):
    assert named(objects, "Deployment", "command-line")["spec"]["replicas"] == 0
