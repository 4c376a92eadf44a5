#include "psp/adyen/answer_headers.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace switchyard::psp::adyen {
namespace {

TEST(AdyenAnswerHeaders, AreFoundInAnyCase) {
  const std::vector<std::string> lines{"HTTP/1.1 200 OK", "idempotency-KEY:  key-1 \r\n",
                                       "Transient-Error: TRUE", "X-Idempotency-Key: other"};
  const auto headers = read_headers(lines);
  EXPECT_TRUE(headers.are_known);
  EXPECT_TRUE(headers.is_transient);
  EXPECT_EQ(headers.idempotency_key, "key-1");
}

TEST(AdyenAnswerHeaders, WhatIsNotThereIsNotSaid) {
  EXPECT_FALSE(read_headers({}).are_known);
  const std::vector<std::string> lines{"Content-Type: application/json",
                                       "transient-error: false",
                                       "Idempotency-Key:",
                                       "transient-error true",
                                       ":",
                                       ""};
  const auto headers = read_headers(lines);
  EXPECT_TRUE(headers.are_known);
  EXPECT_FALSE(headers.is_transient);
  EXPECT_EQ(headers.idempotency_key, "");
}

}  // namespace
}  // namespace switchyard::psp::adyen
