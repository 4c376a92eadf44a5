#include "http/message.hpp"

#include <boost/beast/http/status.hpp>

namespace switchyard::http {

std::string_view reason_phrase(unsigned status) {
  const auto phrase = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {phrase.data(), phrase.size()};
}

}  // namespace switchyard::http
