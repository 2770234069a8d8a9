"""Holds an instance to its own description: sends the examples of /openapi.json, or requests of all kinds that schemathesis makes of it.

    openapi.py --url http://HOST:PORT examples
    openapi.py --url http://HOST:PORT fuzz
    openapi.py --url http://HOST:PORT required      the same, shorter: for an instance on which actors are required

Shares no code with Viewmill. Says what does not fit, and ends with 1.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

# The examples in an order in which they make sense, and how each ends.
LIFE = [
    ("createOrder", "tea", 201),
    ("createOrder", "won", 201),
    ("createOrder", "mistake", 201),
    ("recordPayment", "declined", 200),
    ("recordPayment", "paid", 200),
    ("approveOrder", "approved", 200),
    ("changeAddress", "moved", 200),
    ("shipOrder", "sent", 200),
    ("deliverOrder", "arrived", 200),
    ("refundPayment", "late", 200),
    ("rejectOrder", "sold-out", 200),
    ("cancelOrder", "mistake", 200),
    ("getOrder", "tea", 200),
    ("getHistory", "all", 200),
    ("getHistory", "first", 200),
    ("listOrders", "newest", 200),
    ("listOrders", "delivered", 200),
    ("getDashboard", "all", 200),
    ("getCommand", "tea", 200),
]
# Headers that any server may add; all others must be described.
GENERAL = {"content-type", "content-length", "date", "cache-control", "x-content-type-options", "connection", "transfer-encoding"}
WAIT_SECONDS = 20


class Instance:
    def __init__(self, url: str) -> None:
        self.address = urllib.parse.urlsplit(url).netloc
        self.spec: dict = json.loads(self.ask("GET", "/openapi.json", {}, None)[2])
        self.faults: list[str] = []

    def ask(self, method: str, path: str, headers: dict, body: bytes | None) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection(self.address, timeout=WAIT_SECONDS)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def operations(self) -> Iterator[tuple[str, str, dict]]:
        for path, methods in self.spec["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def check(self, what: str, pointer: list[str], status: int, headers: dict, body: bytes) -> None:
        """An answer is one of those that the operation at `pointer` describes."""
        operation = self.spec
        for part in pointer:
            operation = operation[part]
        described = operation["responses"].get(str(status))
        if described is None:
            self.faults.append(f"{what}: {status} is not described: {body!r}")
            return
        for name, header in described.get("headers", {}).items():
            if header.get("required") and name.lower() not in headers:
                self.faults.append(f"{what}: {status} without {name}")
        unknown = headers.keys() - GENERAL - {name.lower() for name in described.get("headers", {})}
        if unknown:
            self.faults.append(f"{what}: {status} with {sorted(unknown)}, which are not described")
        kind = headers.get("content-type", "").split(";")[0]
        if kind not in described.get("content", {}):
            if body or described.get("content"):
                self.faults.append(f"{what}: {status} of type {kind!r}, which is not described")
        elif kind.endswith("json"):
            escaped = [part.replace("~", "~0").replace("/", "~1") for part in [*pointer, "responses", str(status), "content", kind, "schema"]]
            # References in the document are those of the schema.
            schema = {**self.spec, "$ref": "#/" + "/".join(escaped)}
            validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
            self.faults += [f"{what}: {status} {fault.json_path}: {fault.message}" for fault in validator.iter_errors(json.loads(body))]


def request(path: str, operation: dict, example: str | None) -> tuple[str, dict, bytes | None]:
    """The example of that name, over parameters and body."""
    query, headers = {}, {}
    for parameter in operation.get("parameters", []):
        value = parameter.get("examples", {}).get(example, {}).get("value")
        if value is None:
            continue
        match parameter["in"]:
            case "path":
                path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(str(value), safe=""))
            case "query":
                query[parameter["name"]] = value
            case "header":
                headers[parameter["name"]] = str(value)
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}).get(example)
    if body is not None:
        headers["Content-Type"] = "application/json"
    return path + ("?" + urllib.parse.urlencode(query) if query else ""), headers, body and json.dumps(body["value"]).encode()


def names(operation: dict) -> set[str]:
    named = [parameter.get("examples", {}) for parameter in operation.get("parameters", [])]
    named.append(operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {}))
    return {name for examples in named for name in examples}


def send_examples(instance: Instance) -> None:
    OpenAPIV31SpecValidator(instance.spec).validate()
    by_id = {operation["operationId"]: (path, method, operation) for path, method, operation in instance.operations()}
    sent = {(operation_id, example) for operation_id, example, _ in LIFE}
    for operation_id, (path, _, operation) in by_id.items():
        if "tags" not in operation:
            instance.faults.append(f"{path} is not described")
        instance.faults += [f"{operation_id}/{name} is never sent" for name in names(operation) if (operation_id, name) not in sent]
    token: dict = {}
    # What needs no example can be asked without.
    plain = [(operation_id, None, 200) for operation_id, (path, method, _) in by_id.items() if method == "get" and "{" not in path]
    for operation_id, example, expected in LIFE + plain:
        path, method, operation = by_id[operation_id]
        target, headers, body = request(path, operation, example)
        what = f"{operation_id}/{example}"
        # As a client that wants to read what it wrote.
        status, answered, text = instance.ask(method.upper(), target, headers | (token if method == "get" else {}), body)
        if status != expected:
            instance.faults.append(f"{what}: {status} {text!r}")
        instance.check(what, ["paths", path, method], status, answered, text)
        if "consistency-token" in answered:
            token = {"Consistency-Token": answered["consistency-token"]}
    print(f"{len(LIFE) + len(plain)} examples sent")


def fuzz(url: str, examples: int, phases: str, paths: str = "") -> int:
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
    checks += "negative_data_rejection,valid_data_is_accepted,missing_required_header,unsupported_method,allow_header_conformance,"
    checks += "described_parameters_are_known"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{url}/openapi.json", "--url", url, "--checks", checks]
    command += ["--phases", phases, "--max-examples", str(examples), "--seed", "1", "--generation-deterministic"]
    command += ["--request-timeout", str(WAIT_SECONDS), "--continue-on-failure", "--warnings", "off"]
    command += ["--include-path-regex", paths] if paths else []
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": here, "SCHEMATHESIS_HOOKS": "schemathesis_hooks"}
    # It leaves files where it runs.
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run(command, check=False, cwd=directory, env=environment).returncode


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--max-examples", type=int, default=6)
    parser.add_argument("what", choices=["examples", "fuzz", "required"])
    # Every script is told where the topics are.
    parser.add_argument("--bootstrap")
    parser.add_argument("--prefix")
    arguments = parser.parse_args()
    if arguments.what == "fuzz":
        sys.exit(fuzz(arguments.url, arguments.max_examples, "examples,coverage,fuzzing,stateful"))
    if arguments.what == "required":
        # The engine's own routes ask nobody.
        sys.exit(fuzz(arguments.url, 1, "examples,coverage", "^/api/"))
    instance = Instance(arguments.url)
    send_examples(instance)
    for fault in instance.faults:
        print(fault)
    sys.exit(bool(instance.faults))


if __name__ == "__main__":
    main()
