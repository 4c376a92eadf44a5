// The keys of Python's RQ in Redis, and its times to live.
//
// Source: rq 1.10 to 2.10, measured.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace switchyard::rq {

// The one queue that transactions go through.
inline constexpr std::string_view queue_name = "default";

inline constexpr std::string_view queues_key = "rq:queues";
inline constexpr std::string_view queue_key = "rq:queue:default";
// Where a worker keeps what it has taken until it has begun (RQ 1.15 and newer).
inline constexpr std::string_view intermediate_key = "rq:queue:default:intermediate";
inline constexpr std::string_view started_key = "rq:wip:default";
inline constexpr std::string_view finished_key = "rq:finished:default";
inline constexpr std::string_view failed_key = "rq:failed:default";
inline constexpr std::string_view workers_key = "rq:workers";
inline constexpr std::string_view queue_workers_key = "rq:workers:default";
inline constexpr std::string_view suspended_key = "rq:suspended";
inline constexpr std::string_view cleaning_key = "rq:clean_registries:default";

inline std::string job_key(std::string_view id) {
  return "rq:job:" + std::string(id);
}
inline std::string worker_key(std::string_view name) {
  return "rq:worker:" + std::string(name);
}
inline std::string worker_channel(std::string_view name) {
  return "rq:pubsub:" + std::string(name);
}

// What our workers say where RQ's say the version of Python that they run in.
inline constexpr std::string_view our_python_version = "none: Switchyard";

// The function that a job calls: RQ's worker imports the original psp-connector as its main module.
inline constexpr std::string_view make_transaction = "__main__.make_transaction";

inline constexpr std::chrono::seconds job_timeout{180};
inline constexpr std::chrono::seconds result_ttl{500};
inline constexpr std::chrono::seconds failure_ttl{31'536'000};
inline constexpr std::chrono::seconds worker_ttl{480};
inline constexpr std::chrono::seconds dead_worker_ttl{60};
inline constexpr std::chrono::seconds cleaning_interval{899};

}  // namespace switchyard::rq
