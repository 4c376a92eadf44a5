#include "routing/adapters.hpp"

#include "payment/names.hpp"

namespace switchyard::routing {
namespace {

constexpr payment::Names<Adapter, adapter_count> adapter_names{{
    {Adapter::stripe, "stripe"},
    {Adapter::adyen, "adyen"},
    {Adapter::simulator, "simulator"},
}};

}  // namespace

std::string_view to_string(Adapter adapter) {
  return payment::name_of(adapter_names, adapter);
}
std::optional<Adapter> parse_adapter(std::string_view text) {
  return payment::value_of(adapter_names, text);
}

bool needs_payment_method(Adapter adapter) {
  return adapter != Adapter::simulator;
}

}  // namespace switchyard::routing
