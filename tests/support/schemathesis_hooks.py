"""What a property-based tester of an OpenAPI document cannot know of core-api; loaded by schemathesis itself."""

import itertools
import os
import re

import schemathesis

from support import tokens

_user_ids = itertools.count(500_001)


@schemathesis.auth(refresh_interval=None)
class MerchantOfItsOwn:
    """A merchant of its own for each request: a key that comes again with another body is rightly 422."""

    def get(self, case, context):
        return os.environ["TOKEN_SECRET"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {tokens.mint(data, user_id=next(_user_ids))}"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.label.startswith("POST /transaction") and isinstance(case.body, dict):
        say_what_no_schema_can(case.body)
    # A key of digits may pass for a card number, which is refused.
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str):
        case.headers["Idempotency-Key"] = without_card_numbers(key)


def say_what_no_schema_can(body):
    # A token is in the header already, and two are 400.
    if isinstance(body.get("token"), str):
        del body["token"]
    # To JSON Schema 100.0 is an integer.
    amount = body.get("amount")
    if isinstance(amount, float) and amount.is_integer():
        body["amount"] = int(amount)
    for name in ("reference", "description"):
        if isinstance(body.get(name), str):
            body[name] = without_card_numbers(body[name])
    for name in ("payment_method", "return_url"):
        if name in body:
            body[name] = all_without_card_numbers(body[name])
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values()):
        body["metadata"] = {without_card_numbers(name): without_card_numbers(value) for name, value in metadata.items()}


def all_without_card_numbers(value):
    if isinstance(value, dict):
        return {name: all_without_card_numbers(member) for name, member in value.items()}
    return without_card_numbers(value) if isinstance(value, str) else value


def without_card_numbers(text):
    """A text with as many digits as the shortest card number has none of them any more."""
    return re.sub(r"[0-9]", "x", text) if len(re.findall(r"[0-9]", text)) >= 12 else text
