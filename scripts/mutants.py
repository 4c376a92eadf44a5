"""Breaks the rules of libs/payment on purpose, one at a time, and says which of its unit tests found it. A rule that can be
broken without a test that fails is not kept by the tests.

/usr/bin/python3 scripts/mutants.py [--few N] [--seed SEED] [--tests FILTER] [NAME...]
All of them, those named, or N by chance; SEED repeats both the choice and the simulation's seed. Nothing in the tree is
changed: build/mutants holds a copy of libs/ and its own build. Ends with 1 if one is not found, not found in time, or does
not compile, or if its text is not there any more, once."""

import argparse
import os
import random
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import console
from console import ROOT, elapsed, fail, say, step

WORK = ROOT / "build/mutants"
SOURCE, BUILD = WORK / "source", WORK / "build"
# From the change of the source to the test that fails.
SECONDS_MAX = 60


@dataclass(frozen=True)
class Mutant:
    """rule: what is broken, as it should be. file: in libs/payment. right: stands there once; wrong takes its place."""

    name: str
    rule: str
    file: str
    right: str
    wrong: str


MACHINE, TOTALS, REQUEST, KEYS, NOTICE = "state_machine.cpp", "totals.cpp", "request.cpp", "psp_keys.cpp", "notice.cpp"
MUTANTS = [
    # ---- Who may change what
    Mutant("commit-without-version", "an answer is stored only if nobody has changed the transaction since",
           "simulation/store_model.hpp", "if (now.transaction.version != state.transaction.version) return false;", ""),
    Mutant("claim-keeps-version", "a claim raises the version", MACHINE,
           "  ++state.transaction.version;\n  const auto index = choose_due", "  const auto index = choose_due"),
    Mutant("request-keeps-version", "a merchant's request raises the version", REQUEST, "  ++transaction.version;\n", ""),
    Mutant("late-answer-keeps-version", "an answer that is stored under lock raises the version", MACHINE,
           "  ++state.transaction.version;\n  return Step{", "  return Step{"),
    Mutant("late-answer-of-an-old-claim", "an answer counts only from the latest claim", MACHINE,
           "operation.claims != claim.claims || ", ""),
    Mutant("late-answer-twice", "an answer that is stored already is not applied again", MACHINE,
           " || operation.phase != claim.phase", ""),
    # ---- What is sent, and to whom
    Mutant("new-key-for-a-resend", "a resend goes under the same key", MACHINE, "    ++operation_.sends;\n    if (!operation_.sent_at)",
           "    if (++operation_.sends > 1) operation_.idempotency_key += 'x';\n    if (!operation_.sent_at)"),
    Mutant("new-bytes-for-a-resend", "a resend is the same bytes", MACHINE, "    // Whoever claimed it before died",
           "    operation_.request = *accounts.encode(state, operation_) + ' ';\n    // Whoever claimed it before died"),
    Mutant("resend-of-nothing", "what nobody wrote down is not sent again", MACHINE, "if (operation_.request.empty()) {",
           "if (false) {"),
    Mutant("resend-without-key", "nothing is sent again once the PSP has forgotten the key", MACHINE, "if (key == KeyHold::ended) {",
           "if (false) {"),
    Mutant("resend-in-the-past", "a clock that is behind does not say how long a key is held", KEYS,
           "  if (now < sent_at) return KeyHold::unclear;\n", ""),
    Mutant("resend-of-another-time", "nothing is sent again by a clock that is wrong", KEYS,
           "hold_of_key(operation, held_for, now) == KeyHold::holds", "hold_of_key(operation, held_for, now) != KeyHold::ended"),
    Mutant("unsent-waits-for-one", "what was never written for an account may go to another", MACHINE,
           "if (may_go_elsewhere()) operation_.psp.clear();", ""),
    Mutant("unwritten-is-sent", "what cannot be written is not sent", MACHINE, "    if (!written) return std::move(written.error());\n",
           "    if (!written) written = written.error().reason;\n"),
    Mutant("no-look-up", "after a lease that ended the PSP is asked first", MACHINE, "    action_ = Action::look_up;\n", "    send();\n"),
    Mutant("lease-end-is-not-unknown", "after a lease that ended the first send may have arrived", MACHINE,
           "    if (operation_.phase == Phase::sent) operation_.phase = Phase::unknown;\n    action_", "    action_"),
    Mutant("next-not-held-back", "one unresolved operation at a time", MACHINE, "!is_one_unresolved && operation.number", "operation.number"),
    Mutant("pending-blocks", "a pending operation holds nobody up", "operation.cpp", "return phase == Phase::sent || phase == Phase::unknown;",
           "return phase == Phase::sent || phase == Phase::unknown || phase == Phase::pending;"),
    Mutant("another-psp-is-asked", "nobody but its PSP is asked for an operation", MACHINE,
           "if (!accounts.has(operation_.psp)) return", "if (false) return"),
    Mutant("account-without-room-is-called", "an account that does not answer leaves the others room", MACHINE,
           "if (!accounts.has_room(operation_.psp))", "if (false)"),
    Mutant("elsewhere-after-unknown", "what may have reached a PSP is asked for at no other account", MACHINE,
           "if (step.operation().phase != Phase::sent || !is_recent", "if (!is_recent"),
    Mutant("elsewhere-after-hard-decline", "only a soft decline frees the money for another account", MACHINE,
           "operation.reason.kind == ReasonKind::soft_decline &&", "true &&"),
    Mutant("elsewhere-fails", "what belongs to a PSP that is not configured here waits for a worker that has it", MACHINE,
           "if (is_given_up && operation_.phase == Phase::requested)", "if (operation_.phase == Phase::requested)"),
    Mutant("elsewhere-for-ever", "and not for ever", MACHINE, "const bool is_given_up = waited > longest &&",
           "const bool is_given_up = false &&"),
    Mutant("nameless-charge", "nothing is asked of a charge whose name at the PSP is not known", MACHINE,
           "if (operation_.phase == Phase::requested && !can_be_named(state)) {", "if (false) {"),
    Mutant("refund-goes-elsewhere", "only who took the money gives it back", MACHINE,
           "    if (operation_.kind != Kind::authorize) return;\n    // No PSP", "    // No PSP"),
    Mutant("taken-is-sent-again", "what a PSP took is never sent again", MACHINE, "if (operation_.phase != Phase::unknown) {", "if (false) {"),
    # ---- What is believed
    Mutant("contradiction-ignored", "an amount that was not asked for is not booked", MACHINE,
           "if (!amount || *amount == operation_.amount) return false;", "return false;"),
    Mutant("rejected-after-a-resend", "a resend that is rejected says nothing about the first send", MACHINE,
           "    if (operation_.phase != Phase::sent) return (*this)(OutcomeUnknown{rejected.reason});\n", ""),
    Mutant("not-sent-after-a-resend", "a resend that did not leave says nothing about the first send", MACHINE,
           "    if (operation_.phase != Phase::sent) return (*this)(OutcomeUnknown{not_sent.reason});\n", ""),
    # ---- Money
    Mutant("booked-twice", "what succeeded is booked once", MACHINE, "    book(transaction_, operation_);\n",
           "    book(transaction_, operation_);\n    if (operation_.kind == Kind::refund) book(transaction_, operation_);\n"),
    Mutant("hold-for-everybody", "what only holds is no worker's of another program", MACHINE,
           "if (state.transaction.capture_method == CaptureMethod::automatic &&", "if (true ||"),
    Mutant("name-made-printable", "the PSP's name for a charge is kept as it is", MACHINE,
           "operation_.psp_reference = psp_reference;", "operation_.psp_reference = printable(psp_reference);"),
    Mutant("over-capture", "captures that are open count as taken", TOTALS, "state.transaction.held_minor - open_of(state, Kind::capture)",
           "state.transaction.held_minor"),
    Mutant("capture-beside-void", "beside a void nothing is left to capture", TOTALS, "operation.kind == Kind::void_ ||", ""),
    Mutant("void-beside-capture", "a void stands alone", REQUEST, "return left > 0 && left == state.transaction.held_minor;",
           "return left > 0;"),
    Mutant("no-room-to-undo", "at the bound it can still be given back", REQUEST, "ends_it(state, wanted, *amount) ? operations_max :",
           "ends_it(state, wanted, *amount) ? operations_max - operations_kept :"),
    Mutant("over-refund", "refunds that are open count as given back", TOTALS,
           "transaction.captured_minor - transaction.refunded_minor - open_of(state, Kind::refund),",
           "transaction.captured_minor - transaction.refunded_minor,"),
    Mutant("final-capture-keeps-the-hold", "a final capture releases the rest", TOTALS, "succeeded.is_final ? 0 : rest", "rest"),
    Mutant("hold-below-zero", "a final capture may overtake a pending one", TOTALS,
           "std::max(transaction.held_minor - amount, std::int64_t{0})", "transaction.held_minor - amount"),
    Mutant("take-back-lowers-nothing", "what is taken back lowers the totals", TOTALS, "  state.transaction = std::move(lowered);\n", ""),
    Mutant("take-back-under-a-refund", "what is being given back cannot be taken back", TOTALS, " || left < 0", ""),
    Mutant("put-back-takes-more", "what happened after all takes no more of the hold", MACHINE,
           "if (resolution.succeeded && operation->taken_back) {", "if (false) {"),
    Mutant("request-in-review", "a person looks into it first", REQUEST,
           "  if (transaction.status == Status::manual_review) return refuse_state(state, wanted.kind);\n", ""),
    # ---- Nothing is stuck
    Mutant("hold-that-ran-out-is-kept", "a capture that finds the hold gone ends it", MACHINE,
           "    if (declined.is_hold_over && operation_.kind == Kind::capture) release(transaction_);\n", ""),
    Mutant("due-lost", "what is not over is looked at again", MACHINE,
           "    operation_.due_at = now_ + doubled(policy_.look_up_delay, operation_.look_ups, policy_.look_up_delay_max);\n",
           "    operation_.due_at.reset();\n"),
    Mutant("turn-lost", "the next operation becomes due with the answer to the one before", MACHINE,
           "    if (is_its_turn && !operation.due_at) operation.due_at = now;\n", ""),
    Mutant("pending-for-ever", "a person is asked for what is pending for too long", MACHINE,
           "return now_ - operation_.sent_at.value_or(now_) > policy_.pending_max;", "return false;"),
    Mutant("pending-and-silent-for-ever", "also if the PSP cannot be asked any more", MACHINE,
           "    if (is_late()) {\n      operation_.reason = reason_of(unknown", "    if (false) {\n      operation_.reason = reason_of(unknown"),
    Mutant("customer-for-ever", "what waits for a customer who does not come is ended at the PSP", MACHINE,
           "      action_ = Action::end;\n", ""),
    Mutant("ended-again-and-again", "it is ended once for each claim", MACHINE, " || did_end_) return;", ") return;"),
    Mutant("looked-up-for-ever", "look-ups have a bound", MACHINE,
           "    if (operation_.look_ups >= policy_.look_ups_max) return end_or_ask_a_person();\n", ""),
    Mutant("unknown-ended-for-ever", "what the PSP cannot end either is for a person", MACHINE,
           "policy_.can_end_unknown && !did_end_;", "policy_.can_end_unknown;"),
    # ---- What a PSP says by itself
    Mutant("another-accounts-notice", "an event of another account is not believed", NOTICE,
           "is_at_psp(operation) && is_it(operation)", "is_it(operation)"),
    Mutant("notice-of-another-kind", "what somebody did at the PSP is not taken for what was asked", NOTICE,
           "return notice_.kind && *notice_.kind != operation.kind;", "return false;"),
    Mutant("second-of-ours", "a second payment under our key is not taken for ours", NOTICE,
           "if (is_another(operation)) return contradict(*about, words + named());\n", "\n"),
    Mutant("failed-elsewhere", "a payment that failed at one account takes nothing back that another has", NOTICE,
           "!has_money || has_come_to_nothing(state_.operations[*about].phase)", "!has_money"),
    Mutant("nothing-while-under-way", "what is under way is asked for before it is taken back", NOTICE,
           "if (!about || is_any_under_way_but_refunds()) {", "if (!about) {"),
    Mutant("hold-ends-under-a-capture", "a hold does not end while it may be captured", NOTICE,
           "if (is_any_under_way(Kind::capture) || is_any_under_way(Kind::void_)) return unchanged(How::too_early);\n", "\n"),
    Mutant("money-moved-is-dropped", "money that moved for what came to nothing is for a person", NOTICE, "return is_news ? tell",
           "return is_news && false ? tell"),
    Mutant("older-try-takes-back", "that a try failed takes nothing back", NOTICE,
           "return is_told ? tell(*about, fmt::format(\"{}: {}\", said(), failed.reason))",
           "return is_told ? take_back_now(*about, failed.reason, {})"),
    Mutant("another-is-taken-back", "what another refund came to takes nothing of ours back", NOTICE,
           "(!is_of_another_kind(operation) && !has_another_name(operation))", "!is_of_another_kind(operation)"),
    Mutant("another-is-asked", "the operation that an event is about is asked for", NOTICE,
           "auto asked = ask_now_for(state_, index,", "auto asked = ask_now_for(state_, 0,"),
    Mutant("part-taken-back", "only all of it is taken back without a person", NOTICE, "if (!is_whole || is_by_a_person", "if (is_by_a_person"),
    Mutant("a-persons-word-taken-back", "an event does not take a person's word back", NOTICE, "if (!is_whole || is_by_a_person", "if (!is_whole"),
    Mutant("taken-back-early", "what is yet open is taken back later", NOTICE,
           "return is_under_way(operation.phase) ? How::too_early : How::nothing_new;", "return How::nothing_new;"),
    # ---- What a PSP is told
    Mutant("key-without-merchant", "two merchants' keys differ", KEYS, "installation, merchant.value, to_string(kind), merchants_key",
           "installation, 0, to_string(kind), merchants_key"),
    Mutant("key-without-kind", "a refund and a capture of one key differ", KEYS,
           "installation, merchant.value, to_string(kind), merchants_key", 'installation, merchant.value, "", merchants_key'),
]


def copy_libs() -> None:
    """Only what has changed, so that only that is compiled."""
    wanted = {path.relative_to(ROOT / "libs"): path for path in (ROOT / "libs").rglob("*") if path.is_file()}
    target = SOURCE / "libs"
    for name, path in wanted.items():
        copy = target / name
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    for copy in [path for path in target.rglob("*") if path.is_file() and path.relative_to(target) not in wanted]:
        copy.unlink()


def prepare() -> None:
    """A project beside the real one: everything is the same file but for libs/, and what is ignored."""
    SOURCE.mkdir(parents=True, exist_ok=True)
    for entry in ROOT.iterdir():
        link = SOURCE / entry.name
        if entry.name not in ("build", "libs", "run", "data", ".git") and not link.is_symlink():
            link.symlink_to(entry)
    copy_libs()
    configure = ["cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1 -w",
                 "-DCMAKE_UNITY_BUILD=OFF"]
    if not console.run_logged(WORK / "configure.log", configure, cwd=ROOT):
        fail("CMake could not configure the build of the mutants")


def build() -> bool:
    log = WORK / "build.log"
    with log.open("w") as output:
        return subprocess.run(["ninja", "-C", str(BUILD), "payment_test"], stdout=output, stderr=output, check=False).returncode == 0


def first_failure(seed: int, tests: str, seconds: float) -> str:
    """The test that fails first, and how; empty if none does."""
    command = [str(BUILD / "unit/payment_test"), f"--gtest_filter={tests}", "--gtest_fail_fast"]
    environment = {**os.environ, "SIMULATION_SEED": str(seed)}
    try:
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                             timeout=max(seconds, 1), check=False)
    except subprocess.TimeoutExpired:
        return "it does not end"
    if run.returncode == 0:
        return ""
    started = re.findall(r"^\[ RUN      \] (.*)$", run.stdout, re.MULTILINE)
    failed = re.findall(r"^\[  FAILED  \] ([\w.]+) \(", run.stdout, re.MULTILINE)
    return failed[0] if failed else f"{started[-1] if started else 'its start'} (it aborts)"


def is_found(mutant: Mutant, seed: int, tests: str) -> bool:
    file = SOURCE / "libs/payment" / mutant.file
    text = (ROOT / "libs/payment" / mutant.file).read_text()
    if text.count(mutant.right) != 1:
        say(f"{mutant.name:30} its text stands {text.count(mutant.right)} times in {mutant.file}: {mutant.right.strip()}")
        return False
    began = time.monotonic()
    file.write_text(text.replace(mutant.right, mutant.wrong))
    try:
        if not build():
            say(f"{mutant.name:30} does not compile: {WORK / 'build.log'}")
            return False
        finder = first_failure(seed, tests, SECONDS_MAX - (time.monotonic() - began))
    finally:
        file.write_text(text)
    took = time.monotonic() - began
    in_time = took <= SECONDS_MAX
    say(f"{mutant.name:30} {elapsed(took):>7}  " + (f"{finder}" if finder else f"NOT FOUND: {mutant.rule}") + ("" if in_time else ", TOO LATE"))
    return bool(finder) and in_time


def choose(arguments: argparse.Namespace) -> list[Mutant]:
    if unknown := set(arguments.names) - {mutant.name for mutant in MUTANTS}:
        fail(f"there is no mutant {min(unknown)}", "there are " + ", ".join(mutant.name for mutant in MUTANTS))
    chosen = [mutant for mutant in MUTANTS if not arguments.names or mutant.name in arguments.names]
    return random.Random(arguments.seed).sample(chosen, min(arguments.few, len(chosen))) if arguments.few else chosen


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="mutants.py", description="Breaks the rules of libs/payment on purpose.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--few", type=int, metavar="N", help="so many, chosen by the seed")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31), help="of the choice and of the simulation")
    parser.add_argument("--tests", default="*", metavar="FILTER", help="the unit tests that look for them, as --gtest_filter")
    options = parser.parse_args(arguments)
    mutants = choose(options)
    step("The payment library's unit tests, as they are")
    prepare()
    if not build():
        fail(f"the unit tests do not compile: {WORK / 'build.log'}")
    if finder := first_failure(options.seed, options.tests, 4 * SECONDS_MAX):
        fail(f"{finder} fails before anything is broken", f"SIMULATION_SEED={options.seed} {BUILD / 'unit/payment_test'}")
    step(f"{len(mutants)} mutants; --seed {options.seed} repeats them")
    missed = [mutant.name for mutant in mutants if not is_found(mutant, options.seed, options.tests)]
    console.end_step()
    say(f"{len(mutants) - len(missed)} of {len(mutants)} were found" + (f", not {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    console.main_of("mutants.py", WORK, main)
