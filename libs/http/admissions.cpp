#include "http/admissions.hpp"

#include <algorithm>

namespace switchyard::http {

namespace ip = boost::asio::ip;

ip::address client_of(const ip::address& address) {
  if (address.is_v4()) return address;
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6);
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return ip::address_v6(bytes);
}

std::variant<Admissions::Ticket, Admissions::Refusal> Admissions::admit(const ip::address& address,
                                                                        Share share) {
  const auto client = client_of(address);
  const std::lock_guard lock(mutex_);
  if (connections_ >= connections_max_) return Refusal::too_many;
  auto& of_client = of_client_[client];
  if (share == Share::of_one_client && of_client >= connections_per_address_max_)
    return Refusal::too_many_of_address;
  ++connections_;
  ++of_client;
  return Ticket(*this, client);
}

void Admissions::give_back(const ip::address& client) {
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto of_client = of_client_.find(client);
  if (--of_client->second == 0) of_client_.erase(of_client);
}

}  // namespace switchyard::http
