#ifndef KANTOKU_SERVICES_PLATFORM_RPC_PARTITIONED_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_PARTITIONED_SERVICE_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/replicas/partition_map.h"
#include "services/platform/replicas/served_partitions.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/rpc/service.h"
#include "services/platform/rpc/unary.h"

namespace kantoku::platform {

// Where the calls of a service go. What it refers to outlives the service.
template <typename Served>
struct PartitionRoutes {
  const PartitionMap& map;
  const ServedPartitions<Served>& here;
  Forwarder* forwarder = nullptr;  // Null: all partitions are here.

  // Who is to answer a call: one of them, or nobody for now.
  struct Place {
    std::shared_ptr<Served> here;
    std::string address;
  };
  Place Find(uint32_t partition, const Call& call) const {
    if (partition >= map.count()) return {};  // Said by whoever marked the call.
    PartitionMap::Place place = map.Find(partition);
    if (place.here) return {.here = here.Find(partition)};
    if (forwarder == nullptr || IsForwarded(call)) return {};
    return {.address = std::move(place.address)};
  }
  // What a call is told that nobody can answer for now.
  static absl::Status Nowhere(uint32_t partition) {
    return NotHere(absl::StrCat("partition ", partition));
  }
};

// What the answer to a call that was divided has at most, if it is for more than one item: as much
// as that of a call that was not.
inline constexpr size_t kMaxDividedBytes = size_t{16} << 20;

// How a request about many items is taken apart.
template <typename Request>
struct BatchParts {
  // Of each item; of a bad one any. None of them of a request that is refused as a whole, whoever
  // gets it.
  std::function<std::vector<uint32_t>(const Request&)> slots;
  // The same request about these items alone. Its answer has `results`, one for each.
  std::function<Request(const Request&, const std::vector<int>& items)> take;
};

// A service whose component is divided into partitions: what a call is about says in which one it
// is answered, here by what serves it, or by the replica that has it. A call that was forwarded
// here is answered here or, where the partition is gone again, not at all (UNAVAILABLE, NOT_OWNER).
//
// Thread-safe.
template <typename Served>
class PartitionedService : public Service {
 public:
  using Routes = PartitionRoutes<Served>;

  PartitionedService(std::string full_name, Routes routes)
      : Service(std::move(full_name)), routes_(routes) {}

 protected:
  const Routes& routes() const { return routes_; }
  const PartitionMap& map() const { return routes_.map; }

  using Place = typename Routes::Place;
  Place Find(uint32_t partition, const Call& call) const { return routes_.Find(partition, call); }
  // What a call is told that nobody can answer for now.
  absl::Status Nowhere(uint32_t partition) const {
    return NotHere(absl::StrCat("partition ", partition, " of ", full_name()));
  }

  // Has a call answered where its partition is; here by `answer(served)`.
  template <typename Request, typename Response, typename Answer>
  void Route(UnaryCall* call, CallMonitor::Method& monitor, const std::string& method,
             uint32_t partition, const Request& request, Response* response, Answer answer) {
    const Place place = Find(partition, *call);
    if (place.here != nullptr) return answer(*place.here);
    HandleUnary(call, monitor, [&](const Identity&, Reply reply) {
      if (place.address.empty()) return reply(Nowhere(partition));
      routes_.forwarder->Forward(
          *call, PathOf(method), {.address = place.address, .partition = partition}, request,
          response,
          [reply = std::move(reply)](const absl::Status& status) mutable { reply(status); });
    });
  }

  // A method whose request, once it is sound, is about one slot.
  template <typename Impl, typename Request, typename Response>
  void HandleInSlot(const std::string& method, CallMonitor::Method& monitor,
                    void (Impl::*handle)(Served&, UnaryCall*, const Request*, Response*),
                    std::function<uint32_t(const Request&)> slot_of) {
    HandleSoundWith<Request, Response>(
        method, monitor,
        [this, &monitor, method, handle, slot_of = std::move(slot_of)](
            UnaryCall* call, const Request* request, Response* response) {
          Route(call, monitor, method, map().OfSlot(slot_of(*request)), *request, response,
                [&](Served& served) {
                  (static_cast<Impl*>(this)->*handle)(served, call, request, response);
                });
        });
  }

  // A method whose request, once it is sound, is about many items, each with an answer at its place
  // in `results`. Those of several partitions are asked for apart; where one of them cannot be
  // asked, the call fails. What is too much for one answer then is to be asked for again
  // (RESOURCE_EXHAUSTED, ANSWER_TOO_LARGE).
  template <typename Impl, typename Request, typename Response>
  void HandleBatch(const std::string& method, CallMonitor::Method& monitor,
                   void (Impl::*handle)(Served&, UnaryCall*, const Request*, Response*),
                   BatchParts<Request> parts) {
    HandleSoundWith<Request, Response>(method, monitor,
                                       BatchHandler(method, monitor, handle, std::move(parts)));
  }

  // The same of requests as they come.
  template <typename Impl, typename Request, typename Response>
  void HandleAnyBatch(const std::string& method, CallMonitor::Method& monitor,
                      void (Impl::*handle)(Served&, UnaryCall*, const Request*, Response*),
                      BatchParts<Request> parts) {
    HandleUnaryWith<Request, Response>(method,
                                       BatchHandler(method, monitor, handle, std::move(parts)));
  }

  std::string PathOf(const std::string& method) const {
    return absl::StrCat("/", full_name(), "/", method);
  }
  Forwarder* forwarder() const { return routes_.forwarder; }

 private:
  template <typename Impl, typename Request, typename Response>
  auto BatchHandler(const std::string& method, CallMonitor::Method& monitor,
                    void (Impl::*handle)(Served&, UnaryCall*, const Request*, Response*),
                    BatchParts<Request> parts) {
    return [this, &monitor, method, handle, parts = std::move(parts)](
               UnaryCall* call, const Request* request, Response* response) {
      std::map<uint32_t, std::vector<int>> items;  // By partition.
      if (map().count() > 1) {
        const std::vector<uint32_t> slots = parts.slots(*request);
        for (size_t i = 0; i < slots.size(); ++i) {
          items[map().OfSlot(slots[i])].push_back(static_cast<int>(i));
        }
      }
      if (items.size() > 1) return Divide(call, monitor, method, *request, response, items, parts);
      Route(call, monitor, method, items.empty() ? 0 : items.begin()->first, *request, response,
            [&](Served& served) {
              (static_cast<Impl*>(this)->*handle)(served, call, request, response);
            });
    };
  }

  // A call that is answered in parts.
  template <typename Request, typename Response>
  struct Divided {
    struct Part {
      std::vector<int> items;
      Request request;
      Response response;
    };

    Divided(Reply reply, Response* response, size_t parts)
        : response(response), parts(parts), reply(std::move(reply)), missing(parts) {}

    void Answered(const absl::Status& status) {
      {
        MutexLock lock(mutex);
        outcome.Update(status);
        if (--missing > 0) return;
      }
      if (outcome.ok()) Join();
      reply(outcome);
    }
    void Join() {
      int count = 0;
      for (const Part& part : parts) count += static_cast<int>(part.items.size());
      for (int i = 0; i < count; ++i) response->add_results();
      for (Part& part : parts) {
        if (part.response.results_size() != static_cast<int>(part.items.size())) {
          outcome = absl::InternalError("an answer has not one result for each item");
          return;
        }
        for (size_t i = 0; i < part.items.size(); ++i) {
          response->mutable_results(part.items[i])
              ->Swap(part.response.mutable_results(static_cast<int>(i)));
        }
      }
      CutToSize();
    }
    // Each part has as much as one answer may have.
    void CutToSize() {
      size_t bytes = 0;
      for (auto& result : *response->mutable_results()) {
        const size_t before = bytes;
        bytes += result.ByteSizeLong();
        if (before == 0 || bytes <= kMaxDividedBytes) continue;
        bytes = before;
        result.Clear();
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
        result.mutable_status()->set_reason("ANSWER_TOO_LARGE");
        result.mutable_status()->set_message("the answer is full; ask for it again");
      }
    }

    Response* const response;
    std::vector<Part> parts;
    Reply reply;
    Mutex mutex;
    size_t missing ABSL_GUARDED_BY(mutex);
    absl::Status outcome;  // Guarded until nothing is missing.
  };

  template <typename Request, typename Response>
  void Divide(UnaryCall* call, CallMonitor::Method& monitor, const std::string& method,
              const Request& request, Response* response,
              const std::map<uint32_t, std::vector<int>>& items, const BatchParts<Request>& parts) {
    HandleUnary(call, monitor, [&](const Identity&, Reply reply) {
      if (IsForwarded(*call)) return reply(Nowhere(items.begin()->first));
      std::vector<Forwarder::Target> targets;
      for (const auto& [partition, its] : items) {
        PartitionMap::Place place = routes_.map.Find(partition);
        if (!place.here && place.address.empty()) return reply(Nowhere(partition));
        targets.push_back(
            {.address = place.here ? "" : std::move(place.address), .partition = partition});
      }
      auto divided =
          std::make_shared<Divided<Request, Response>>(std::move(reply), response, items.size());
      size_t next = 0;
      for (const auto& [partition, its] : items) {
        auto& part = divided->parts[next];
        part.items = its;
        part.request = parts.take(request, its);
        routes_.forwarder->Forward(
            *call, PathOf(method), targets[next], part.request, &part.response,
            [divided](const absl::Status& status) { divided->Answered(status); });
        ++next;
      }
    });
  }

  const Routes routes_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_PARTITIONED_SERVICE_H_
