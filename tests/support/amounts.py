"""Amounts in minor units that make the simulated PSP behave in a special way, in any currency."""

INSUFFICIENT_FUNDS = 200011
ISSUER_DECLINE = 200012
SUSPECTED_FRAUD = 200017
NETWORK_ERROR_BEFORE_SENDING = 300014
ANSWER_LOST = 500001

FINAL_STATUS = {
    INSUFFICIENT_FUNDS: "declined",
    ISSUER_DECLINE: "declined",
    SUSPECTED_FRAUD: "declined",
    NETWORK_ERROR_BEFORE_SENDING: "failed",
    ANSWER_LOST: "captured",
}
FINAL_STATUSES = {"captured", "declined", "failed"}


def expected_status(amount):
    return FINAL_STATUS.get(amount, "captured")
