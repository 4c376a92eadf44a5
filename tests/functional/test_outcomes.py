"""What the simulated PSP can answer, and the final state each answer leads to, checked against the PSP's own ledger."""

import pytest

from support import amounts, storage
from support.waiting import eventually

DECLINES = [amounts.INSUFFICIENT_FUNDS, amounts.ISSUER_DECLINE, amounts.SUSPECTED_FRAUD]


def approved(server, transaction_id):
    return [charge for charge in storage.charges(server.ledger, transaction_id) if charge.outcome == "approved"]


@pytest.mark.quick
@pytest.mark.parametrize("amount, currency", [(100, "USD"), (1, "JPY"), (10**12, "KWD")])
def test_an_ordinary_amount_is_captured_with_one_charge(merchant, amount, currency):
    transaction = merchant.wait_final(merchant.created(amount, currency)["id"])
    assert transaction["status"] == "captured" and len(transaction["operations"]) == 1
    [charge] = storage.charges(merchant.server.ledger, transaction["id"])
    assert (charge.amount, charge.currency, charge.outcome) == (amount, currency, "approved")


@pytest.mark.quick
@pytest.mark.parametrize("currency", ["USD", "JPY"])
@pytest.mark.parametrize("amount", DECLINES)
def test_declines(merchant, amount, currency):
    transaction = merchant.wait_final(merchant.created(amount, currency)["id"])
    assert transaction["status"] == "declined" and len(transaction["operations"]) == 1
    assert approved(merchant.server, transaction["id"]) == []
    [charge] = storage.charges(merchant.server.ledger, transaction["id"])
    assert charge.outcome == "declined" and charge.code


def test_each_decline_has_a_code_of_its_own(merchant):
    codes = set()
    for amount in DECLINES:
        transaction = merchant.wait_final(merchant.created(amount)["id"])
        codes.add(storage.charges(merchant.server.ledger, transaction["id"])[0].code)
    assert len(codes) == 3


@pytest.mark.quick
def test_a_network_error_before_sending_is_retried_and_then_failed(merchant):
    transaction = merchant.wait_final(merchant.created(amounts.NETWORK_ERROR_BEFORE_SENDING)["id"])
    assert transaction["status"] == "failed"
    [authorization] = transaction["operations"]
    assert (authorization["status"], authorization["sends"]) == ("failed", 3), "one operation, sent again under one key"
    assert storage.charges(merchant.server.ledger,
                           transaction["id"]) == [], "nothing was sent, so nothing was charged"


@pytest.mark.quick
def test_a_lost_answer_is_looked_up_and_captured_with_one_charge(merchant):
    transaction = merchant.wait_final(merchant.created(amounts.ANSWER_LOST)["id"])
    assert transaction["status"] == "captured" and len(transaction["operations"]) == 1
    assert len(approved(merchant.server, transaction["id"])) == len(storage.charges(merchant.server.ledger,
        transaction["id"])) == 1


def test_a_lost_answer_is_unknown_in_between(merchant):
    """The state that is told is never better than what is known."""
    created = merchant.created(amounts.ANSWER_LOST)
    seen = set()

    def final():
        transaction = merchant.show(created["id"])
        seen.add(transaction["status"])
        return transaction["status"] in amounts.FINAL_STATUSES
    eventually(final, "a final state", interval_s=0)
    assert seen <= {"queued", "processing", "unknown", "captured"} and "captured" in seen


@pytest.mark.parametrize("amount", [200010, 200013, 200016, 200018, 300013, 300015, 500000, 500002, 20001, 2000110])
def test_neighbours_of_special_amounts_are_ordinary(merchant, amount):
    assert merchant.wait_final(merchant.created(amount)["id"])["status"] == "captured"


def test_a_mixed_crowd_reaches_its_final_states_and_matches_the_ledger(merchant):
    """Slow outcomes must not hold up ordinary ones, and nothing is charged that was not captured."""
    wanted = [*amounts.FINAL_STATUS, 100, 200, 300] * 5
    expected = {merchant.created(amount)["id"]: amounts.expected_status(amount) for amount in wanted}
    for identifier, status in expected.items():
        assert merchant.wait_final(identifier)["status"] == status
        assert len(approved(merchant.server, identifier)) == (1 if status == "captured" else 0)
        assert len(storage.charges(merchant.server.ledger, identifier)) <= 1


def test_a_final_state_never_changes(merchant):
    identifiers = [merchant.created(amount)["id"] for amount in amounts.FINAL_STATUS]
    final = {identifier: merchant.wait_final(identifier) for identifier in identifiers}
    barrier = merchant.created(1)["id"]
    merchant.wait_final(barrier)
    for identifier, before in final.items():
        assert merchant.show(identifier) == before


def test_unfinished_work_is_taken_up_after_a_restart(start_switchyard, merchant_of):
    server = start_switchyard()
    merchant = merchant_of(server, user_id=1)
    created = {merchant.created(amount)["id"]: amount for amount in [*amounts.FINAL_STATUS] * 4}
    merchant.close()
    assert server.stop() == 0
    server.start()
    for identifier, amount in created.items():
        assert merchant.wait_final(identifier)["status"] == amounts.expected_status(amount)
        assert len(storage.charges(server.ledger, identifier)) <= 1


def test_the_three_programs_reach_the_same_outcomes(three_services, merchant_of):
    merchant = merchant_of(three_services)
    expected = {merchant.created(amount)["id"]: amounts.expected_status(amount) for amount in [*amounts.FINAL_STATUS,
        100]}
    for identifier, status in expected.items():
        assert merchant.wait_final(identifier)["status"] == status
        assert len(approved(three_services, identifier)) == (1 if status == "captured" else 0)


@pytest.mark.quick
def test_the_connector_takes_up_new_work_quickly(three_services, merchant_of):
    """It polls the store every 100 ms at most; the bound here leaves room for a loaded machine."""
    merchant = merchant_of(three_services)
    merchant.wait_final(merchant.created()["id"])
    merchant.wait_final(merchant.created()["id"], timeout_s=2)
