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
  if (connections_ >= limits_.connections_max) return Refusal::too_many;
  auto& known = clients_.try_emplace(client, limits_, buffers_).first->second;
  if (share == Share::of_one_client && known.connections >= limits_.connections_per_address_max)
    return Refusal::too_many_of_address;
  ++connections_;
  ++known.connections;
  return Ticket(*this, client, share == Share::all ? buffers_ : known.buffers);
}

void Admissions::give_back(const ip::address& client) {
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto known = clients_.find(client);
  if (--known->second.connections == 0) clients_.erase(known);
}

}  // namespace switchyard::http
