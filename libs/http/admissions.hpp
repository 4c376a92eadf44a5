// How many connections there are, in all and of each client, who may still come in, and what memory each
// client's connections may have.
//
// A client is an IPv4 address or an IPv6 network of 64 bits, of which a host may use every address.
// Safe to use from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <variant>

#include <boost/asio/ip/address.hpp>

#include "http/buffer_budget.hpp"
#include "http/limits.hpp"

namespace switchyard::http {

// The address that stands for its client: an IPv4 address, also where it came mapped into IPv6, or the first
// of the /64 that an IPv6 address is in.
boost::asio::ip::address client_of(const boost::asio::ip::address& address);

class Admissions {
 public:
  enum class Refusal { too_many, too_many_of_address };
  // How much an address may have: as much as one client, or all.
  enum class Share { of_one_client, all };

  explicit Admissions(const Limits& limits) : limits_(limits), buffers_(limits.buffered_bytes_max) {}
  Admissions(const Admissions&) = delete;
  Admissions& operator=(const Admissions&) = delete;

  // Kept as long as the connection is there; it counts no more once it is destroyed. The admissions outlive
  // it.
  class Ticket {
   public:
    Ticket(Admissions& admissions, const boost::asio::ip::address& client, BufferBudget& buffers)
        : admissions_(&admissions, {client}), buffers_(buffers) {}

    // The connection's share is of this; there as long as the ticket is.
    BufferBudget& buffers() const { return buffers_; }

   private:
    struct GiveBack {
      boost::asio::ip::address client;
      void operator()(Admissions* admissions) const { admissions->give_back(client); }
    };
    std::unique_ptr<Admissions, GiveBack> admissions_;
    std::reference_wrapper<BufferBudget> buffers_;
  };

  std::variant<Ticket, Refusal> admit(const boost::asio::ip::address& address,
                                      Share share = Share::of_one_client);

 private:
  struct Client {
    explicit Client(const Limits& limits, BufferBudget& all)
        : buffers(limits.buffered_bytes_per_address_max, &all) {}

    std::size_t connections = 0;
    BufferBudget buffers;
  };

  void give_back(const boost::asio::ip::address& client);

  const Limits limits_;
  BufferBudget buffers_;
  std::mutex mutex_;
  std::size_t connections_ = 0;
  // Of those that have a connection.
  std::map<boost::asio::ip::address, Client> clients_;
};

}  // namespace switchyard::http
