#include "psp-simulator/faults.hpp"

namespace switchyard::psp_simulator {
namespace {

using psp::simulator::Answer;

// JSON that is cut off.
constexpr std::string_view garbage = R"({"id":"sim_)";

// Where the server is to break a response: no client gets to see it.
constexpr std::string_view fault = "Fault";
constexpr const char* reset = "reset";
constexpr const char* withheld = "withheld";

}  // namespace

http::Delivery delivery_of(const http::Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == fault) return value == reset ? http::Delivery::reset : http::Delivery::withheld;
  }
  return http::Delivery::sent;
}

bool is_error(Answer answer) {
  return answer == Answer::error || answer == Answer::error_kept || answer == Answer::transient ||
         answer == Answer::in_use || answer == Answer::too_many;
}

void break_delivery(http::Response& response, Answer answer, std::chrono::milliseconds delay) {
  switch (answer) {
    case Answer::late:
      response.delay = delay;
      break;
    case Answer::withheld:
      response.headers.emplace_back(fault, withheld);
      break;
    case Answer::reset:
    case Answer::unreachable:
      response.headers.emplace_back(fault, reset);
      break;
    case Answer::garbage:
      response.status = 200;
      response.body = garbage;
      break;
    case Answer::given:
    case Answer::error:
    case Answer::error_kept:
    case Answer::transient:
    case Answer::in_use:
    case Answer::too_many:
      break;
  }
}

}  // namespace switchyard::psp_simulator
