"""What schemathesis cannot know of HTTP, and what it does not look for."""

import schemathesis


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """A server passes over headers that it does not know."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})


@schemathesis.check
def described_parameters_are_known(context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Values may be refused, but not names that the description has."""
    if response.status_code != 400:
        return
    described = {f"?{parameter.name}" for parameter in case.operation.query}
    unknown = {fault["pointer"] for fault in response.json().get("errors", []) if fault["code"] == "unknown-parameter"}
    assert not described & unknown, f"{described & unknown} are described, and not known"
