// What the headers of an answer say of the answer itself (Adyen, Development resources, "API idempotency").
#pragma once

#include <span>
#include <string>

namespace switchyard::psp::adyen {

struct AnswerHeaders {
  // False where whoever made the call kept no headers: then nothing is concluded from what is not there.
  bool are_known = false;
  // The key under which the request was done once. Empty: Adyen does not say that it was.
  std::string idempotency_key{};
  // "transient-error: true": nothing is final, and the same request under the same key is to be sent again.
  bool is_transient = false;
};

// `lines`: "Name: value", names in any case. No lines at all are headers that were not kept.
AnswerHeaders read_headers(std::span<const std::string> lines);

}  // namespace switchyard::psp::adyen
