"""Amounts in minor units that make the simulated PSP behave in a special way, in any currency."""

INSUFFICIENT_FUNDS = 200011
ISSUER_DECLINE = 200012
SUSPECTED_FRAUD = 200017
NETWORK_ERROR_BEFORE_SENDING = 300014
ANSWER_LOST = 500001
SLOW = 600001
TIME_OUT_BEFORE_CHARGE = 600002  # the first time
ERROR_AFTER_CHARGE = 600003
RESET_AFTER_CHARGE = 600004
GARBAGE_AFTER_CHARGE = 600005
# Approved, declined, or taken back by itself when a second is over.
PENDING = 700001
PENDING_THEN_DECLINED = 700002
TAKEN_BACK = 700003

FINAL_STATUS = {
    INSUFFICIENT_FUNDS: "declined",
    ISSUER_DECLINE: "declined",
    SUSPECTED_FRAUD: "declined",
    NETWORK_ERROR_BEFORE_SENDING: "failed",
    ANSWER_LOST: "captured",
    SLOW: "captured",
    TIME_OUT_BEFORE_CHARGE: "captured",
    ERROR_AFTER_CHARGE: "captured",
    RESET_AFTER_CHARGE: "captured",
    GARBAGE_AFTER_CHARGE: "captured",
}
FINAL_STATUSES = {"captured", "declined", "failed"}


def expected_status(amount):
    return FINAL_STATUS.get(amount, "captured")
