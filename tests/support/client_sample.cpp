#include "tests/support/sample.hpp"

namespace quorumd::testing {

member_spec sampler::spec() {
  return {
      .name = text(20), .address = coin() ? text(20) : std::string(), .new_name = coin() ? text(20) : std::string()};
}

member_row sampler::member() {
  return {.id = node_id(random_()),
          .name = text(20),
          .address = text(20),
          .client_address = text(20),
          .role = static_cast<member_role>(below(4)),
          .promotes = coin(),
          .leader = coin(),
          .connected = coin(),
          .match = log_index(number()),
          .behind = random_(),
          .incarnation = incarnation(random_())};
}

members_reply sampler::membership() {
  members_reply m{.cluster = cluster_id(random_()),
                  .cluster_name = text(20),
                  .index = log_index(number()),
                  .changing = coin(),
                  .from_leader = coin(),
                  .term = term(number()),
                  .rows = {}};
  for (std::size_t n = below(5); n > 0; --n) m.rows.push_back(member());
  return m;
}

client_request sampler::request() {
  client_request r;
  r.id = random_();
  r.limits = {std::chrono::milliseconds(below(UINT32_MAX)), std::chrono::milliseconds(below(UINT32_MAX))};
  switch (below(13)) {
  case 0:
    r.body = client_hello{.version_min = static_cast<std::uint16_t>(below(65536)),
                          .version_max = static_cast<std::uint16_t>(below(65536)),
                          .software = kept_.emplace_back(text(20)),
                          .bulk = coin()};
    break;
  case 1:
    r.body = range_read{.request = range(),
                        .serializable = coin(),
                        .max_age = std::chrono::milliseconds(below(UINT32_MAX)),
                        .keep = std::chrono::milliseconds(below(UINT32_MAX))};
    break;
  case 2:
    r.body = status_request{.all = coin()};
    break;
  case 3:
    r.body = health_request{};
    break;
  case 4:
    r.body = metrics_request{};
    break;
  case 5:
    r.body = profile_request{.kind = static_cast<profile_kind>(below(2)), .length = std::chrono::seconds(below(500))};
    break;
  case 6:
    r.body = members_request{};
    break;
  case 7: {
    member_change c{.action = static_cast<member_action>(below(6)), .members = {}, .force = coin(), .promote = coin()};
    for (std::size_t n = below(4); n > 0; --n) c.members.push_back(spec());
    r.body = std::move(c);
    break;
  }
  case 8:
    r.body = leader_transfer{.to = coin() ? text(20) : std::string()};
    break;
  case 9:
    r.body = join_request{.name = text(20), .address = text(20)};
    break;
  case 10:
    r.body = snapshot_request{.handle = random_(), .offset = random_(), .at_least = log_index(random_())};
    break;
  case 11:
    r.body = watch_request{.key = kept_.emplace_back(text(20)),
                           .range_end = kept_.emplace_back(text(20)),
                           .start = {revision(number()), static_cast<std::uint32_t>(random_())},
                           .no_put = coin(),
                           .no_delete = coin(),
                           .prev_kv = coin(),
                           .wait = std::chrono::milliseconds(below(UINT32_MAX))};
    break;
  default:
    r.body = command();
    r.call = session_call();
    break;
  }
  return r;
}

metrics_reply sampler::report() {
  metrics_reply m{
      .node = text(10), .up = std::chrono::milliseconds(below(UINT32_MAX)), .distributions = {}, .readings = {}};
  for (std::size_t n = below(4); n > 0; --n) {
    distribution d{.name = text(20), .of = text(5), .unit = static_cast<metric_unit>(below(3)), .values = {}};
    for (std::size_t i = below(6); i > 0; --i) d.values.record(random_() >> below(64), 1 + below(9));
    m.distributions.push_back(std::move(d));
  }
  for (std::size_t n = below(4); n > 0; --n)
    m.readings.push_back({.name = text(20), .of = text(5), .value = random_()});
  m.id = node_id(random_());
  for (std::size_t n = below(4); n > 0; --n) m.members.push_back({.id = node_id(random_()), .name = text(20)});
  return m;
}

client_reply sampler::reply() {
  client_reply r;
  r.id = random_();
  switch (below(11)) {
  case 0: {
    client_error e;
    e.code = static_cast<request_errc>(1 + below(request_errc_last));
    e.text = kept_.emplace_back(text(40));
    e.leader = kept_.emplace_back(text(20));
    if (e.code == request_errc::store) e.store = store_error();
    r.body = e;
    break;
  }
  case 1:
    r.body = hello_reply{.version = static_cast<std::uint16_t>(below(65536)),
                         .software = kept_.emplace_back(text(20)),
                         .node_name = kept_.emplace_back(text(20)),
                         .cluster_name = kept_.emplace_back(text(20))};
    break;
  case 2: {
    const kv::result<kv::reply> outcome = result();
    if (outcome)
      r.body = *outcome;
    else
      r.body = client_error{.code = request_errc::store, .text = {}, .leader = {}, .store = outcome.error()};
    break;
  }
  case 3:
    r.body = range_reply(10);
    break;
  case 4: {
    status_reply s;
    for (std::size_t n = below(5); n > 0; --n) s.rows.push_back(row());
    r.body = s;
    break;
  }
  case 5:
    r.body = report();
    break;
  case 6:
    r.body = profile_reply{.note = kept_.emplace_back(text(40)), .bytes = kept_.emplace_back(text(300))};
    break;
  case 7:
    r.body = membership();
    break;
  case 8:
    r.body = snapshot_reply{.handle = random_(),
                            .index = log_index(random_()),
                            .total = random_(),
                            .bytes = kept_.emplace_back(text(300)),
                            .note = kept_.emplace_back(text(20))};
    break;
  case 9: {
    watch_reply w{.next = {revision(number()), static_cast<std::uint32_t>(random_())}, .events = {}};
    for (std::size_t n = below(5); n > 0; --n) {
      w.events.push_back({.kv = key_value(), .prev = {}});
      if (coin()) w.events.back().prev = key_value();
    }
    r.body = std::move(w);
    break;
  }
  default:
    r.body = health_reply{.serving = coin(), .reason = kept_.emplace_back(text(20))};
    break;
  }
  return r;
}

} // namespace quorumd::testing
