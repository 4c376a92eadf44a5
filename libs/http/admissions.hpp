// How many connections there are, in all and of each client, and who may still come in.
//
// A client is an IPv4 address or an IPv6 network of 64 bits, of which a host may use every address.
// Safe to use from any thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <variant>

#include <boost/asio/ip/address.hpp>

namespace switchyard::http {

// The address that stands for its client: an IPv4 address, also where it came mapped into IPv6, or the first
// of the /64 that an IPv6 address is in.
boost::asio::ip::address client_of(const boost::asio::ip::address& address);

class Admissions {
 public:
  enum class Refusal { too_many, too_many_of_address };
  // How many connections an address may have: as many as one client, or all.
  enum class Share { of_one_client, all };

  Admissions(std::size_t connections_max, std::size_t connections_per_address_max)
      : connections_max_(connections_max), connections_per_address_max_(connections_per_address_max) {}
  Admissions(const Admissions&) = delete;
  Admissions& operator=(const Admissions&) = delete;

  // Kept as long as the connection is there; it counts no more once it is destroyed. The admissions outlive
  // it.
  class Ticket {
   public:
    Ticket(Admissions& admissions, const boost::asio::ip::address& client)
        : admissions_(&admissions, {client}) {}

   private:
    struct GiveBack {
      boost::asio::ip::address client;
      void operator()(Admissions* admissions) const { admissions->give_back(client); }
    };
    std::unique_ptr<Admissions, GiveBack> admissions_;
  };

  std::variant<Ticket, Refusal> admit(const boost::asio::ip::address& address,
                                      Share share = Share::of_one_client);

 private:
  void give_back(const boost::asio::ip::address& client);

  const std::size_t connections_max_;
  const std::size_t connections_per_address_max_;
  std::mutex mutex_;
  std::size_t connections_ = 0;
  std::map<boost::asio::ip::address, std::size_t> of_client_;
};

}  // namespace switchyard::http
