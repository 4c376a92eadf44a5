// The query of GET /transaction, read and checked.
#pragma once

#include <expected>
#include <string_view>

#include "http/message.hpp"
#include "store/store.hpp"

namespace switchyard::core {

// 422 for a parameter that is not known, is there twice, or has a value that is none, an empty one too: a
// misspelt filter must not return everything. A limit of 0 if no transaction can be what two of them say.
std::expected<store::TransactionFilter, http::Response> read_filter(std::string_view query);

}  // namespace switchyard::core
