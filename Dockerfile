# A Redis server with flashsale:
#
#   docker build -t flashsale .
#   docker run --rm -p 6379:6379 flashsale

FROM rust:1-bookworm AS build
# bindgen generates the module API's bindings with it.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libclang-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /flashsale
COPY Cargo.toml Cargo.lock ./
COPY src src
# Named in Cargo.toml, so it has to be there.
COPY benches benches
RUN cargo build --release --locked

FROM redis:8-bookworm
COPY --from=build /flashsale/target/release/libflashsale.so /usr/local/lib/flashsale/
COPY redis.conf /usr/local/etc/flashsale.conf
# Same settings, other places.
RUN sed -i -e 's|^dir .*|dir /data|' \
           -e 's|^loadmodule .*|loadmodule /usr/local/lib/flashsale/libflashsale.so|' \
           /usr/local/etc/flashsale.conf
# Protected mode refuses everybody outside of the container; what may reach the port is
# for the one who publishes it to say.
CMD ["redis-server", "/usr/local/etc/flashsale.conf", "--protected-mode", "no"]
