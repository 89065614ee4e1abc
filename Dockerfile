# A server with flashsale:
#
#   docker build -t flashsale .
#   docker run --rm -p 127.0.0.1:6379:6379 flashsale
#
# On another server, Redis 7.0 and later or Valkey 8.0 and later, on Debian 12 or later:
#
#   docker build -t flashsale:valkey --build-arg SERVER_IMAGE=valkey/valkey:8 \
#     --build-arg SERVER=valkey-server .

ARG BUILD_IMAGE=rust:1-bookworm
ARG SERVER_IMAGE=redis:8-bookworm

FROM ${BUILD_IMAGE} AS build
# bindgen generates the module API's bindings with it.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libclang-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /flashsale
COPY Cargo.toml Cargo.lock ./
COPY engine/Cargo.toml engine/
COPY engine/fuzz/Cargo.toml engine/fuzz/
# The dependencies alone, beside an empty engine and module: a layer that stays as long as
# these files do. What they name has to be there.
RUN mkdir -p src benches/server engine/src engine/benches engine/fuzz/src engine/fuzz/targets \
 && touch src/lib.rs benches/server/main.rs engine/src/lib.rs engine/benches/engine.rs engine/fuzz/src/lib.rs \
 && sed -n 's|^path = "\(targets/.*\)"|engine/fuzz/\1|p' engine/fuzz/Cargo.toml | xargs touch \
 && cargo build --locked --release
COPY engine/src engine/src
COPY src src
# Files come with the moments they were changed, which may be before that build: cargo
# would take the empty crates for the newer ones.
RUN touch src/lib.rs engine/src/lib.rs && cargo build --locked --release

FROM ${SERVER_IMAGE}
LABEL org.opencontainers.image.title="flashsale" \
      org.opencontainers.image.description="A server with the module flashsale" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# The server's program; its client is named like it.
ARG SERVER=redis-server
ENV FLASHSALE_SERVER=${SERVER}
# The user that the images of Redis and Valkey have for their servers, by number, because
# its name differs. Their /data is that user's already. The socket is for the health
# check, whoever the server runs as.
RUN command -v "$FLASHSALE_SERVER" \
 && mkdir -p /data /run/flashsale \
 && chown 999:999 /data \
 && chmod 1777 /run/flashsale
COPY redis.conf /usr/local/etc/flashsale/flashsale.conf
# Same settings, other places. CONFIG REWRITE puts a new file in the place of the old one,
# so the folder has to be the server's, whoever it runs as.
RUN sed -i -e 's|^dir .*|dir /data|' \
           -e 's|^loadmodule .*|loadmodule /usr/local/lib/flashsale/libflashsale.so|' \
           /usr/local/etc/flashsale/flashsale.conf \
 && chown -R 999:999 /usr/local/etc/flashsale \
 && chmod -R a+rwX /usr/local/etc/flashsale
COPY scripts/docker/ /usr/local/bin/
COPY --from=build /flashsale/target/release/libflashsale.so /usr/local/lib/flashsale/
USER 999:999
WORKDIR /data
VOLUME /data
EXPOSE 6379
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["flashsale-health"]
ENTRYPOINT ["flashsale-start"]
CMD []
