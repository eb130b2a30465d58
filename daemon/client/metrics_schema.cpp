#include "daemon/client/metrics_schema.hpp"

#include <algorithm>

namespace quorumd::client::detail {
namespace {

using metrics::histogram;

std::string_view metric_name_part(std::string_view name) {
  return name.substr(0, metric_name_max);
}

std::string read_name(capnp::Text::Reader from) {
  require(from.size() <= metric_name_max, codec_errc::length, "a metric's name is longer than allowed");
  return std::string(text(from));
}

distribution read(schema::Distribution::Reader from) {
  distribution d{.name = read_name(from.getName()),
                 .of = read_name(from.getOf()),
                 .unit = enumerator(from.getUnit(), metric_unit::bytes),
                 .values = {}};
  const auto buckets = from.getBuckets();
  const std::size_t first = from.getFirstBucket();
  require(first + buckets.size() <= histogram::bucket_count, codec_errc::count,
          "a distribution has more buckets than there are");
  for (unsigned i = 0; i < buckets.size(); ++i) d.values.add_bucket(first + i, buckets[i]);
  d.values.add_totals(from.getSum(), from.getMax());
  return d;
}

void fill(schema::Distribution::Builder to, const distribution& d) {
  copy_text(metric_name_part(d.name), [&](unsigned n) { return to.initName(n); });
  copy_text(metric_name_part(d.of), [&](unsigned n) { return to.initOf(n); });
  to.setUnit(static_cast<std::uint8_t>(d.unit));
  to.setSum(d.values.sum());
  to.setMax(d.values.max());
  const histogram::extent used = d.values.used();
  to.setFirstBucket(static_cast<std::uint16_t>(used.first));
  auto buckets = to.initBuckets(static_cast<unsigned>(used.counts.size()));
  for (unsigned i = 0; i < buckets.size(); ++i) buckets.set(i, used.counts[i]);
}

} // namespace

std::size_t words_behind(const metrics_reply& m) {
  const std::size_t distributions = std::min(m.distributions.size(), distributions_max);
  const std::size_t readings = std::min(m.readings.size(), readings_max);
  std::size_t words = text_words(metric_name_part(m.node).size()) + list_words<schema::Distribution>(distributions) +
                      list_words<schema::Reading>(readings);
  const std::size_t members = std::min(m.members.size(), named_members_max);
  words += list_words<schema::NamedMember>(members);
  for (std::size_t i = 0; i < members; ++i) words += text_words(metric_name_part(m.members[i].name).size());
  for (std::size_t i = 0; i < distributions; ++i) {
    const distribution& d = m.distributions[i];
    words += text_words(metric_name_part(d.name).size()) + text_words(metric_name_part(d.of).size()) +
             d.values.used().counts.size();
  }
  for (std::size_t i = 0; i < readings; ++i)
    words +=
        text_words(metric_name_part(m.readings[i].name).size()) + text_words(metric_name_part(m.readings[i].of).size());
  return words;
}

void fill(schema::MetricsReply::Builder to, const metrics_reply& m) {
  copy_text(metric_name_part(m.node), [&](unsigned n) { return to.initNode(n); });
  to.setUpMs(static_cast<std::uint64_t>(m.up.count()));
  auto distributions = to.initDistributions(static_cast<unsigned>(std::min(m.distributions.size(), distributions_max)));
  for (unsigned i = 0; i < distributions.size(); ++i) fill(distributions[i], m.distributions[i]);
  auto readings = to.initReadings(static_cast<unsigned>(std::min(m.readings.size(), readings_max)));
  for (unsigned i = 0; i < readings.size(); ++i) {
    copy_text(metric_name_part(m.readings[i].name), [&](unsigned n) { return readings[i].initName(n); });
    copy_text(metric_name_part(m.readings[i].of), [&](unsigned n) { return readings[i].initOf(n); });
    readings[i].setValue(m.readings[i].value);
  }
  to.setId(m.id.value());
  auto members = to.initMembers(static_cast<unsigned>(std::min(m.members.size(), named_members_max)));
  for (unsigned i = 0; i < members.size(); ++i) {
    members[i].setId(m.members[i].id.value());
    copy_text(metric_name_part(m.members[i].name), [&](unsigned n) { return members[i].initName(n); });
  }
}

metrics_reply read(schema::MetricsReply::Reader from) {
  metrics_reply m;
  m.node = read_name(from.getNode());
  m.up = std::chrono::milliseconds(std::min<std::uint64_t>(from.getUpMs(), number_max));
  const auto distributions = from.getDistributions(); // once: what a reader visits is bounded
  require(distributions.size() <= distributions_max, codec_errc::count,
          "a node names more distributions than there are");
  m.distributions.reserve(distributions.size());
  for (const schema::Distribution::Reader d : distributions) m.distributions.push_back(read(d));
  const auto readings = from.getReadings();
  require(readings.size() <= readings_max, codec_errc::count, "a node names more readings than there are");
  for (const schema::Reading::Reader r : readings)
    m.readings.push_back({.name = read_name(r.getName()), .of = read_name(r.getOf()), .value = r.getValue()});
  m.id = node_id(from.getId());
  const auto members = from.getMembers();
  require(members.size() <= named_members_max, codec_errc::count, "a node names more members than there can be");
  for (const schema::NamedMember::Reader r : members)
    m.members.push_back({.id = node_id(r.getId()), .name = read_name(r.getName())});
  return m;
}

} // namespace quorumd::client::detail
