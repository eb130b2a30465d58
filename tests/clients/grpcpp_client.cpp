// A client on gRPC's own C++ library, whose HTTP/2 is not Go's: `grpcpp_client HOST:PORT`. Ends with 0 and "good", or
// says what is wrong.
#include "rpc.pb.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

namespace pb = etcdserverpb;

constexpr const char* put_path = "/etcdserverpb.KV/Put";
constexpr const char* range_path = "/etcdserverpb.KV/Range";

void require(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

grpc::ByteBuffer buffer_of(const google::protobuf::MessageLite& m) {
  const grpc::Slice slice(m.SerializeAsString());
  return {&slice, 1};
}

template <class Message>
Message message_in(const grpc::ByteBuffer& b) {
  std::vector<grpc::Slice> slices;
  require(b.Dump(&slices).ok(), "an answer cannot be read");
  std::string all;
  for (const grpc::Slice& s : slices) all.append(reinterpret_cast<const char*>(s.begin()), s.size());
  Message m;
  require(m.ParseFromString(all), "an answer is no such message");
  return m;
}

/// One call, as long as it lasts.
struct call {
  grpc::ClientContext context;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  grpc::ByteBuffer answer;
  grpc::Status status;
};

class client {
 public:
  client(const std::string& at, const grpc::ChannelArguments& arguments)
      : stub_(grpc::CreateCustomChannel(at, grpc::InsecureChannelCredentials(), arguments)) {}

  std::unique_ptr<call> begin(const char* path, const google::protobuf::MessageLite& m,
                              std::chrono::milliseconds at_most = std::chrono::seconds(20),
                              grpc_compression_algorithm packing = GRPC_COMPRESS_NONE) {
    auto c = std::make_unique<call>();
    c->context.set_deadline(std::chrono::system_clock::now() + at_most);
    c->context.set_compression_algorithm(packing);
    c->reader = stub_.PrepareUnaryCall(&c->context, path, buffer_of(m), &queue_);
    c->reader->StartCall();
    c->reader->Finish(&c->answer, &c->status, c.get());
    return c;
  }
  void next() {
    void* tag = nullptr;
    bool good = false;
    require(queue_.Next(&tag, &good), "the queue ended");
  }
  /// Of a stream's step.
  [[nodiscard]] bool step() {
    void* tag = nullptr;
    bool good = false;
    return queue_.Next(&tag, &good) && good;
  }
  template <class Message>
  Message ask(const char* path, const google::protobuf::MessageLite& m) {
    const auto c = begin(path, m);
    next();
    require(c->status.ok(), std::string(path) + ": " + c->status.error_message());
    return message_in<Message>(c->answer);
  }
  grpc::Status refused(const char* path, const google::protobuf::MessageLite& m,
                       grpc_compression_algorithm packing = GRPC_COMPRESS_NONE) {
    const auto c = begin(path, m, std::chrono::seconds(20), packing);
    next();
    return c->status;
  }
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream(grpc::ClientContext& context, const char* path) {
    auto s = stub_.PrepareCall(&context, path, &queue_);
    s->StartCall(nullptr);
    require(step(), "the stream does not begin");
    return s;
  }

 private:
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
};

pb::PutRequest put_of(const std::string& key, const std::string& value) {
  pb::PutRequest r;
  r.set_key(key);
  r.set_value(value);
  return r;
}

void keys(client& c) {
  const auto put = c.ask<pb::PutResponse>(put_path, put_of("cpp/a", "1"));
  pb::RangeRequest get;
  get.set_key("cpp/a");
  const auto found = c.ask<pb::RangeResponse>(range_path, get);
  require(found.kvs_size() == 1 && found.kvs(0).value() == "1", "the key is not what was put");
  require(found.header().revision() >= put.header().revision(), "a read is older than the put before it");
  const grpc::Status none = c.refused(put_path, put_of("", "1"));
  require(none.error_code() == grpc::StatusCode::INVALID_ARGUMENT &&
              none.error_message() == "etcdserver: key is not provided",
          "a put without a key: " + none.error_message());
  const grpc::Status packed = c.refused(put_path, put_of("cpp/a", std::string(10'000, 'x')), GRPC_COMPRESS_GZIP);
  require(packed.error_code() == grpc::StatusCode::UNIMPLEMENTED, "gzip: " + packed.error_message());
  require(c.refused("/etcdserverpb.KV/Pot", get).error_code() == grpc::StatusCode::UNIMPLEMENTED, "an unknown method");
}

void many_at_once(client& c) {
  constexpr int n = 2000;
  std::vector<std::unique_ptr<call>> calls;
  for (int i = 0; i < n; ++i)
    calls.push_back(c.begin(put_path, put_of("cpp/many/" + std::to_string(i), std::string(256, 'v'))));
  for (int i = 0; i < n; ++i) c.next();
  for (const auto& one : calls) require(one->status.ok(), "one of many: " + one->status.error_message());
  pb::RangeRequest count;
  count.set_key("cpp/many/");
  count.set_range_end("cpp/many0");
  count.set_count_only(true);
  require(c.ask<pb::RangeResponse>(range_path, count).count() == n, "not all of many are there");
}

void large(client& c) {
  for (int i = 0; i < 5; ++i)
    static_cast<void>(
        c.ask<pb::PutResponse>(put_path, put_of("cpp/large/" + std::to_string(i), std::string(1 << 20, 'l'))));
  pb::RangeRequest all;
  all.set_key("cpp/large/");
  all.set_range_end("cpp/large0");
  const auto found = c.ask<pb::RangeResponse>(range_path, all);
  require(found.kvs_size() == 5 && found.kvs(4).value().size() == 1 << 20, "a large range is not whole");
}

void watch(client& c) {
  grpc::ClientContext context;
  const auto stream = c.stream(context, "/etcdserverpb.Watch/Watch");
  pb::WatchRequest create;
  create.mutable_create_request()->set_key("cpp/w/");
  create.mutable_create_request()->set_range_end("cpp/w0");
  stream->Write(buffer_of(create), nullptr);
  require(c.step(), "the watch cannot be asked for");
  grpc::ByteBuffer bytes;
  const auto next = [&] {
    stream->Read(&bytes, nullptr);
    require(c.step(), "the watch ended");
    return message_in<pb::WatchResponse>(bytes);
  };
  require(next().created(), "the watch is not created");
  for (int i = 0; i < 500; ++i)
    static_cast<void>(c.ask<pb::PutResponse>(put_path, put_of("cpp/w/" + std::to_string(i), "v")));
  for (int seen = 0; seen < 500;) {
    const auto changes = next();
    for (const auto& e : changes.events()) require(e.kv().key() == "cpp/w/" + std::to_string(seen++), "out of order");
  }
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  static_cast<void>(c.step());
  require(status.error_code() == grpc::StatusCode::CANCELLED, "a watch that is given up: " + status.error_message());
}

} // namespace

int main(int count, char** words) {
  require(count == 2, "usage: grpcpp_client HOST:PORT");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1000); // which is answered, not punished
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  client c(words[1], arguments);
  keys(c);
  many_at_once(c);
  large(c);
  watch(c);
  std::puts("good");
}
