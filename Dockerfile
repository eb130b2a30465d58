# docker build -t quorumd .      or ./dev image, which names version and commit
# docker run -p 2379:2379 quorumd  is a cluster of one; QUORUMD_… variables configure it (docs/operations.md)
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      clang-16 lld-16 cmake ninja-build libboost1.81-dev libboost-json1.81-dev libboost-program-options1.81-dev \
      capnproto libcapnp-dev libyaml-cpp-dev libspdlog-dev libabsl-dev libxxhash-dev libzstd-dev libnghttp2-dev libssl-dev libwslay-dev libprotobuf-dev protobuf-compiler libsystemd-dev libgoogle-perftools-dev pkgconf \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG COMMIT=
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=clang++-16 -DQUORUMD_TESTS=OFF \
      "-DQUORUMD_COMMIT=$COMMIT" \
 && ninja -C /build \
 && DESTDIR=/image cmake --install /build --prefix /usr --strip

FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      libboost-container1.81.0 libboost-json1.81.0 libboost-program-options1.81.0 libcapnp-0.9.2 libyaml-cpp0.7 libspdlog1.10 libfmt9 \
      libabsl20220623 libzstd1 libnghttp2-14 libssl3 libwslay1 libprotobuf32 libsystemd0 libgoogle-perftools4 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 990 quorumd \
 && useradd --system --uid 990 --gid quorumd --home-dir /var/lib/quorumd --shell /usr/sbin/nologin quorumd \
 && install -d -o quorumd -g quorumd -m 0700 /var/lib/quorumd \
 && install -d -o quorumd -g quorumd -m 0755 /run/quorumd
COPY --from=build /image/usr/bin/quorumd /usr/bin/quorumd
COPY LICENSE /usr/share/doc/quorumd/copyright
COPY --from=build /image/usr/share/doc/quorumd/examples/quorumd.yaml /etc/quorumd/quorumd.yaml
# The file of the image listens for clients on every interface, or no published port would reach it. A library that is
# missing here fails the build, not the start.
RUN sed -i 's/^  client: 127\.0\.0\.1:2379$/  client: 0.0.0.0:2379/' /etc/quorumd/quorumd.yaml \
 && grep -q '^  client: 0\.0\.0\.0:2379$' /etc/quorumd/quorumd.yaml \
 && quorumd version && quorumd check-config /etc/quorumd/quorumd.yaml
ARG COMMIT=
ARG VERSION=
LABEL org.opencontainers.image.title="quorumd" \
      org.opencontainers.image.description="A replicated, linearizable key-value and coordination service" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.base.name="debian:bookworm-slim"
USER quorumd
VOLUME /var/lib/quorumd
EXPOSE 2379 2380
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["quorumd", "health"]
ENTRYPOINT ["quorumd"]
CMD ["serve", "--config", "/etc/quorumd/quorumd.yaml"]
