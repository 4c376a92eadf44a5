"""Metrics stand on a port of their own; openapi.json tells what is really served."""

import json
import re

import pytest

from support import exposition
from support.http_client import once
from support.merchants import Merchant, login
from support.problems import assert_problem
from support.programs import run_to_exit
from support.waiting import eventually

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EXISTING_ID = "0190a000-0000-7000-8000-000000000000"


# ---- metrics

def metrics_of(server):
    reply = once(server.metrics, "GET", "/metrics")
    assert reply.status == 200 and reply.media_type == "text/plain"
    return exposition.parse(reply.body.decode())


@pytest.mark.quick
def test_metrics_are_valid_and_have_the_expected_families(switchyard, merchant):
    merchant.wait_final(merchant.created()["id"])
    families = metrics_of(switchyard)
    assert {"switchyard_http_requests_total", "switchyard_transactions_total"} <= set(families)
    for name, (kind, samples) in families.items():
        assert samples, f"{name} has no samples"
        if kind == "counter":
            assert name.endswith("_total") and all(value >= 0 for value in samples.values())
        if kind == "histogram":
            assert_histogram(name, samples)


def assert_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        bound = dict(labels).get("le")
        rest = tuple(label for label in labels if label[0] != "le")
        series.setdefault(rest, {})[(sample, bound)] = value
    for values in series.values():
        buckets = sorted((float(bound), value) for (sample, bound),
                         value in values.items() if sample == f"{name}_bucket")
        assert buckets and buckets[-1][0] == float("inf")
        assert [value for _, value in buckets] == sorted(value for _,
                                                         value in buckets), f"buckets of {name} are not cumulative"
        assert buckets[-1][1] == values[(f"{name}_count", None)]


@pytest.mark.quick
def test_metrics_count(switchyard, merchant):
    def counted():
        families = metrics_of(switchyard)
        return (exposition.total(families, "switchyard_http_requests_total"),
                exposition.total(families, "switchyard_transactions_total"))
    before = counted()
    for number in range(10):
        merchant.wait_final(merchant.created(number + 1)["id"])
    eventually(lambda: counted()[0] >= before[0] + 10 and counted()[1] >= before[1] + 10, "the counters to move")


@pytest.mark.quick
def test_logins_by_result_commits_and_the_version_are_told(start_switchyard, tmp_path):
    server = start_switchyard(LOGIN_FAILURES_PER_USER=1)

    def logins(result):
        return exposition.total(metrics_of(server), "switchyard_logins_total", result=result)
    login(server)
    Merchant(server).created()
    for password in ("wrong", "wrong as well"):
        once(server.auth, "POST", "/token", json.dumps({"username": "becky", "password": password}).encode(),
             {"Content-Type": "application/json"})
    assert [logins(result) for result in ("success", "invalid", "too_many_failures", "undecided")] == [1, 1, 1, 0]
    families = metrics_of(server)
    commits = families["switchyard_store_commit_duration_seconds"][1]
    assert commits[("switchyard_store_commit_duration_seconds_count", ())] == 1
    version = run_to_exit("switchyard", ["--version"], {}, tmp_path).stdout.strip()
    assert families["switchyard_build_info"][1] == {("switchyard_build_info", (("version", version),)): 1}


def test_labels_are_bounded(switchyard, merchant):
    """A path or a user in a label would let a stranger fill the memory."""
    def series():
        return sum(len(samples) for _, samples in metrics_of(switchyard).values())
    merchant.get("/nowhere")
    before = series()
    for number in range(300):
        merchant.get(f"/nowhere/{number}")
        merchant.get(f"/transaction/{number}")
        once(switchyard.root, f"M{number}", "/transaction/health")
    assert series() <= before + 30


@pytest.mark.quick
@pytest.mark.parametrize("path", ["/metrics", "/auth/metrics", "/transaction/metrics"])
def test_metrics_are_not_served_through_the_router(switchyard, path):
    assert_problem(once(switchyard.root, "GET", path), 404)


@pytest.mark.parametrize("path", ["/token", "/transaction", "/auth/token", "/transaction/transaction"])
def test_the_metrics_port_serves_nothing_else(switchyard, path):
    assert once(switchyard.metrics, "GET", path).status == 404
    assert once(switchyard.metrics, "POST", path, b"{}", {"Content-Type": "application/json"}).status in (404, 405)


def test_metrics_hold_no_secret(switchyard):
    login(switchyard)
    text = once(switchyard.metrics, "GET", "/metrics").body.decode()
    assert "alice" not in text and "eyJ" not in text


def test_each_of_the_three_programs_has_metrics(three_services):
    for program in three_services.programs:
        port = int(program.settings["METRICS_PORT"])
        reply = once(type(three_services.core)("127.0.0.1", port, ""), "GET", "/metrics")
        assert reply.status == 200 and exposition.parse(reply.body.decode()), program.name
    for endpoint in (three_services.auth, three_services.core):
        assert once(endpoint, "GET", "/metrics").status == 404


# ---- openapi.json

@pytest.fixture(scope="module")
def document(switchyard):
    return document_of(switchyard.core)


def document_of(endpoint):
    reply = once(endpoint, "GET", "/openapi.json")
    assert reply.status == 200 and reply.media_type in ("application/json", "application/openapi+json")
    return reply.json()


def schemas(node):
    """Every schema-like object of the document, to look for references."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


@pytest.mark.quick
def test_document_is_openapi_3_1(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] and document["info"]["version"]
    assert set(document) <= {"openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components",
                             "security", "tags", "externalDocs"}
    operation_ids = []
    for path, item in document["paths"].items():
        assert path.startswith("/")
        for method, operation in item.items():
            if method in ("parameters", "summary", "description", "servers"):
                continue
            assert method in ("get", "put", "post", "delete", "options", "head", "patch", "trace"), method
            assert operation["responses"], f"{method} {path} has no responses"
            for code, response in operation["responses"].items():
                assert re.fullmatch(r"[1-5](\d\d|XX)|default", code)
                assert "$ref" in response or response["description"]
            if "operationId" in operation:
                operation_ids.append(operation["operationId"])
            parameters = [resolve(document, one)
                          for one in [*item.get("parameters", []), *operation.get("parameters", [])]]
            named = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), f"path parameters of {method} {path}"
    assert len(operation_ids) == len(set(operation_ids))


@pytest.mark.quick
def test_every_reference_of_the_document_leads_somewhere(document):
    for node in schemas(document):
        reference = node.get("$ref")
        if isinstance(reference, str):
            assert reference.startswith("#/")
            target = document
            for part in reference[2:].split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]


def test_nullable_is_not_used(document):
    """It was removed with 3.1; a type list says it now."""
    assert not any("nullable" in node for node in schemas(document))


def served(endpoint, method, path, headers):
    """True when the route and method exist, whatever they think of an empty request."""
    body = None if method in ("GET", "DELETE") else b"{}"
    concrete = re.sub(r"\{\w+\}", EXISTING_ID, path)
    reply = once(endpoint, method, concrete, body, {"Content-Type": "application/json", **headers})
    if reply.status == 405:
        return False
    if reply.status == 404:
        return "{" in path and "ransaction" in reply.json()["error"] + reply.json()["detail"]
    return True


@pytest.mark.quick
def test_document_lists_exactly_what_is_served(switchyard, document, merchant):
    candidates = set(document["paths"]) | {"/transaction", "/transaction/{id}", "/health", "/openapi.json",
                                           "/metrics", "/token",
                                           "/transaction/{id}/capture", "/transaction/{id}/void",
                                           "/transaction/{id}/refund"}
    for path in sorted(candidates):
        listed = {method.upper() for method in document["paths"].get(path, {})} & set(METHODS)
        answered = {method for method in METHODS if served(switchyard.core, method, path, merchant.authorization)}
        assert answered == listed, f"{path}: served {answered or 'nothing'}, documented {listed or 'nothing'}"


@pytest.mark.quick
def test_the_document_of_auth_api_lists_exactly_what_is_served(switchyard):
    document = document_of(switchyard.auth)
    test_document_is_openapi_3_1(document)
    test_every_reference_of_the_document_leads_somewhere(document)
    assert {path: set(item) for path, item in document["paths"].items()} == {
        "/token": {"post"}, "/health": {"get"}, "/openapi.json": {"get"}}
    for path in document["paths"]:
        methods = {method for method in METHODS if served(switchyard.auth, method, path, {})}
        assert methods == {method.upper() for method in document["paths"][path]}


@pytest.mark.quick
def test_the_document_of_psp_events_lists_exactly_what_is_served(switchyard):
    document = document_of(switchyard.events)
    test_document_is_openapi_3_1(document)
    test_every_reference_of_the_document_leads_somewhere(document)
    assert {path: set(item) for path, item in document["paths"].items()} == {
        "/{account}/events": {"post"}, "/health": {"get"}, "/openapi.json": {"get"}}
    assert {method for method in METHODS if once(switchyard.events, method, "/a/events", b"").status != 405} == {"POST"}
    for path in ("/health", "/openapi.json"):
        assert {method for method in METHODS if served(switchyard.events, method, path, {})} == {"GET"}


def test_a_client_made_from_the_documents_can_log_in_and_pay(switchyard):
    """What the documents say is enough: paths, members, and where the token goes."""
    auth, core = document_of(switchyard.auth), document_of(switchyard.core)
    credentials = auth["components"]["schemas"]["Credentials"]["required"]
    reply = once(switchyard.auth, "POST", next(iter(auth["paths"])), dict_body(credentials, ["alice", "password"]), JSON)
    token = reply.json()[auth["components"]["schemas"]["Token"]["required"][0]]
    members = core["components"]["schemas"]["NewTransaction"]["required"]
    reply = once(switchyard.core, "POST", next(iter(core["paths"])), dict_body(members, [100, "USD"]),
                 {**JSON, "Authorization": f"Bearer {token}"})
    assert reply.status == 200 and set(core["components"]["schemas"]["Transaction"]["required"]) <= set(reply.json())


JSON = {"Content-Type": "application/json"}


def dict_body(names, values):
    return json.dumps(dict(zip(names, values, strict=True))).encode()


@pytest.mark.quick
def test_documented_members_are_those_of_a_real_reply(document, merchant):
    """The 200 of POST /transaction: every required member is there, and nothing is there that is not described."""
    response = document["paths"]["/transaction"]["post"]["responses"]["200"]
    schema = resolve(document, resolve(document, response)["content"]["application/json"]["schema"])
    transaction = merchant.created()
    assert set(schema.get("required", [])) <= set(transaction) <= set(schema["properties"])


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        node = target
    return node


def test_statuses_that_occur_are_documented(document, merchant):
    documented = set(document["paths"]["/transaction"]["post"]["responses"])
    occurring = {"200", "400", "401", "403", "409", "413", "415", "422", "503"}
    assert "default" in documented or "4XX" in documented or occurring <= documented
