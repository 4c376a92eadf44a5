// The ISO 4217 table: every current code that has a minor unit.
//
// Source: List One of the ISO 4217 maintenance agency (SIX Group) as of amendment 180, 1 January 2026, when
// BGN was withdrawn. Codes with no minor unit (metals, XDR, XSU, XUA, XTS, XXX, bond market units) are left
// out: no amount in minor units exists for them. Funds codes (CHE, CLF, UYW ...) are in List One and are
// kept.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace switchyard {

struct CurrencyRow {
  char letters[4];
  std::uint16_t numeric;
  std::uint8_t minor_unit_digits;

  constexpr std::string_view code() const { return {letters, 3}; }
};

struct WithdrawnRow {
  char letters[4];
  std::uint8_t minor_unit_digits;

  constexpr std::string_view code() const { return {letters, 3}; }
};

// Sorted by code. clang-format would give each row a line of its own.
// clang-format off
inline constexpr auto currency_table = std::to_array<CurrencyRow>({
    {"AED", 784, 2}, {"AFN", 971, 2}, {"ALL", 8, 2}, {"AMD", 51, 2}, {"AOA", 973, 2}, {"ARS", 32, 2},
    {"AUD", 36, 2}, {"AWG", 533, 2}, {"AZN", 944, 2}, {"BAM", 977, 2}, {"BBD", 52, 2}, {"BDT", 50, 2},
    {"BHD", 48, 3}, {"BIF", 108, 0}, {"BMD", 60, 2}, {"BND", 96, 2}, {"BOB", 68, 2}, {"BOV", 984, 2},
    {"BRL", 986, 2}, {"BSD", 44, 2}, {"BTN", 64, 2}, {"BWP", 72, 2}, {"BYN", 933, 2}, {"BZD", 84, 2},
    {"CAD", 124, 2}, {"CDF", 976, 2}, {"CHE", 947, 2}, {"CHF", 756, 2}, {"CHW", 948, 2}, {"CLF", 990, 4},
    {"CLP", 152, 0}, {"CNY", 156, 2}, {"COP", 170, 2}, {"COU", 970, 2}, {"CRC", 188, 2}, {"CUP", 192, 2},
    {"CVE", 132, 2}, {"CZK", 203, 2}, {"DJF", 262, 0}, {"DKK", 208, 2}, {"DOP", 214, 2}, {"DZD", 12, 2},
    {"EGP", 818, 2}, {"ERN", 232, 2}, {"ETB", 230, 2}, {"EUR", 978, 2}, {"FJD", 242, 2}, {"FKP", 238, 2},
    {"GBP", 826, 2}, {"GEL", 981, 2}, {"GHS", 936, 2}, {"GIP", 292, 2}, {"GMD", 270, 2}, {"GNF", 324, 0},
    {"GTQ", 320, 2}, {"GYD", 328, 2}, {"HKD", 344, 2}, {"HNL", 340, 2}, {"HTG", 332, 2}, {"HUF", 348, 2},
    {"IDR", 360, 2}, {"ILS", 376, 2}, {"INR", 356, 2}, {"IQD", 368, 3}, {"IRR", 364, 2}, {"ISK", 352, 0},
    {"JMD", 388, 2}, {"JOD", 400, 3}, {"JPY", 392, 0}, {"KES", 404, 2}, {"KGS", 417, 2}, {"KHR", 116, 2},
    {"KMF", 174, 0}, {"KPW", 408, 2}, {"KRW", 410, 0}, {"KWD", 414, 3}, {"KYD", 136, 2}, {"KZT", 398, 2},
    {"LAK", 418, 2}, {"LBP", 422, 2}, {"LKR", 144, 2}, {"LRD", 430, 2}, {"LSL", 426, 2}, {"LYD", 434, 3},
    {"MAD", 504, 2}, {"MDL", 498, 2}, {"MGA", 969, 2}, {"MKD", 807, 2}, {"MMK", 104, 2}, {"MNT", 496, 2},
    {"MOP", 446, 2}, {"MRU", 929, 2}, {"MUR", 480, 2}, {"MVR", 462, 2}, {"MWK", 454, 2}, {"MXN", 484, 2},
    {"MXV", 979, 2}, {"MYR", 458, 2}, {"MZN", 943, 2}, {"NAD", 516, 2}, {"NGN", 566, 2}, {"NIO", 558, 2},
    {"NOK", 578, 2}, {"NPR", 524, 2}, {"NZD", 554, 2}, {"OMR", 512, 3}, {"PAB", 590, 2}, {"PEN", 604, 2},
    {"PGK", 598, 2}, {"PHP", 608, 2}, {"PKR", 586, 2}, {"PLN", 985, 2}, {"PYG", 600, 0}, {"QAR", 634, 2},
    {"RON", 946, 2}, {"RSD", 941, 2}, {"RUB", 643, 2}, {"RWF", 646, 0}, {"SAR", 682, 2}, {"SBD", 90, 2},
    {"SCR", 690, 2}, {"SDG", 938, 2}, {"SEK", 752, 2}, {"SGD", 702, 2}, {"SHP", 654, 2}, {"SLE", 925, 2},
    {"SOS", 706, 2}, {"SRD", 968, 2}, {"SSP", 728, 2}, {"STN", 930, 2}, {"SVC", 222, 2}, {"SYP", 760, 2},
    {"SZL", 748, 2}, {"THB", 764, 2}, {"TJS", 972, 2}, {"TMT", 934, 2}, {"TND", 788, 3}, {"TOP", 776, 2},
    {"TRY", 949, 2}, {"TTD", 780, 2}, {"TWD", 901, 2}, {"TZS", 834, 2}, {"UAH", 980, 2}, {"UGX", 800, 0},
    {"USD", 840, 2}, {"USN", 997, 2}, {"UYI", 940, 0}, {"UYU", 858, 2}, {"UYW", 927, 4}, {"UZS", 860, 2},
    {"VED", 926, 2}, {"VES", 928, 2}, {"VND", 704, 0}, {"VUV", 548, 0}, {"WST", 882, 2}, {"XAD", 396, 2},
    {"XAF", 950, 0}, {"XCD", 951, 2}, {"XCG", 532, 2}, {"XOF", 952, 0}, {"XPF", 953, 0}, {"YER", 886, 2},
    {"ZAR", 710, 2}, {"ZMW", 967, 2}, {"ZWG", 924, 2},
});

// Codes of List Three (withdrawn) that had a minor unit: no longer accepted, and readable for as long as a
// payment in them may be stored. A code is moved here when an amendment withdraws it, never dropped. Sorted.
inline constexpr auto withdrawn_table = std::to_array<WithdrawnRow>({
    {"ADP", 0}, {"AFA", 2}, {"ALK", 2}, {"ANG", 2}, {"AOK", 0}, {"AON", 0}, {"AOR", 0}, {"ARA", 2}, {"ARP", 2},
    {"ARY", 2}, {"ATS", 2}, {"AYM", 2}, {"AZM", 2}, {"BAD", 2}, {"BEC", 2}, {"BEF", 2}, {"BEL", 2}, {"BGJ", 2},
    {"BGK", 2}, {"BGL", 2}, {"BGN", 2}, {"BOP", 2}, {"BRB", 2}, {"BRC", 2}, {"BRE", 2}, {"BRN", 2}, {"BRR", 2},
    {"BUK", 2}, {"BYB", 2}, {"BYR", 0}, {"CHC", 2}, {"CSD", 2}, {"CSJ", 2}, {"CSK", 2}, {"CUC", 2}, {"CYP", 2},
    {"DDM", 2}, {"DEM", 2}, {"ECS", 2}, {"ECV", 2}, {"EEK", 2}, {"ESA", 2}, {"ESB", 2}, {"ESP", 0}, {"FIM", 2},
    {"FRF", 2}, {"GEK", 2}, {"GHC", 2}, {"GHP", 2}, {"GNE", 2}, {"GNS", 2}, {"GQE", 2}, {"GRD", 2}, {"GWE", 2},
    {"GWP", 2}, {"HRD", 2}, {"HRK", 2}, {"IEP", 2}, {"ILP", 2}, {"ILR", 2}, {"ISJ", 2}, {"ITL", 0}, {"LAJ", 2},
    {"LSM", 2}, {"LTL", 2}, {"LTT", 2}, {"LUC", 2}, {"LUF", 2}, {"LUL", 2}, {"LVL", 2}, {"LVR", 2}, {"MGF", 0},
    {"MLF", 2}, {"MRO", 2}, {"MTL", 2}, {"MTP", 2}, {"MVQ", 2}, {"MXP", 2}, {"MZE", 2}, {"MZM", 2}, {"NIC", 2},
    {"NLG", 2}, {"PEH", 2}, {"PEI", 2}, {"PES", 2}, {"PLZ", 2}, {"PTE", 2}, {"RHD", 2}, {"ROK", 2}, {"ROL", 2},
    {"RUR", 2}, {"SDD", 2}, {"SDP", 2}, {"SIT", 2}, {"SKK", 2}, {"SLL", 2}, {"SRG", 2}, {"STD", 2}, {"SUR", 2},
    {"TJR", 2}, {"TMM", 2}, {"TPE", 0}, {"TRL", 2}, {"UAK", 2}, {"UGS", 2}, {"UGW", 2}, {"USS", 2}, {"UYN", 2},
    {"UYP", 2}, {"VEB", 2}, {"VEF", 2}, {"VNC", 2}, {"YDD", 2}, {"YUD", 2}, {"YUM", 2}, {"YUN", 2}, {"ZAL", 2},
    {"ZMK", 2}, {"ZRN", 2}, {"ZRZ", 2}, {"ZWC", 2}, {"ZWD", 2}, {"ZWL", 2}, {"ZWN", 2}, {"ZWR", 2},
});
// clang-format on

}  // namespace switchyard
