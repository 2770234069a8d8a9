"""What schemathesis cannot know of HTTP, and what it does not look for."""

import schemathesis


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """A server passes over headers that it does not know."""
    return "x-schemathesis-unknown-property" not in (case.headers or {})


# What no shape tells: whether the server has given a text, and what are keys and indexes of a store.
GIVEN = {"?cursor", "Consistency-Token", "?from", "?to", "?prefix", "?index"}
# Whether an amount is what is due, only the order knows; and no shape counts the digits of a number.
UNTOLD = {"mismatch", "out-of-range"}
# What a valid request may meet: it is for the order to decide, or for who asks.
MET = {401, 403, 404, 409, 412, 422, 429}


@schemathesis.check
def valid_data_is_accepted(context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """As positive_data_acceptance, which knows no texts that only the server can make."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400 or response.status_code in MET:
        return
    if response.status_code == 400 and "{key}" in case.operation.path:
        return
    faults = response.json().get("errors", []) if response.status_code == 400 else []
    unfit = [fault for fault in faults if fault["pointer"] not in GIVEN and fault["code"] not in UNTOLD]
    # Of one order there are no pages.
    unfit = [fault for fault in unfit if fault["pointer"] != "?limit" or "asOf" not in (case.query or {})]
    assert faults and not unfit, f"valid data was refused: {response.status_code} {unfit or response.text}"


@schemathesis.check
def described_parameters_are_known(context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case) -> None:
    """Values may be refused, but not names that the description has."""
    if response.status_code != 400:
        return
    described = {f"?{parameter.name}" for parameter in case.operation.query}
    unknown = {fault["pointer"] for fault in response.json().get("errors", []) if fault["code"] == "unknown-parameter"}
    assert not described & unknown, f"{described & unknown} are described, and not known"
