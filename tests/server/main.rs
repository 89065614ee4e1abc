//! The module in real servers.
//!
//! **Goal**: a server with the module does what the contract says, whoever asks, whatever
//! happens to the server, and on each server the module supports.
//!
//! **Method**: every test starts the servers it needs and ends them (`support`), so tests
//! share nothing and run side by side. They are one program, so that the support is compiled
//! and everything linked once. A module's name selects its tests:
//! `cargo test --test server reserve_rows`.
//!
//! | Question | Modules |
//! |---|---|
//! | Is every answer of a sale's commands right? | `reserve_rows` `reserve_limits` `reserve_replays` `replace` `checkout_rows` `release_rows` `refund_rows` `manage` `create_again` `reads` `audit` `batch` `line` `door` `beyond` |
//! | Of a rate limit's, and is every copy of it the same? | `rate` |
//! | And of a filter's? | `bloom_commands` `bloom_aliases` `bloom_clients` `bloom_settings` |
//! | What is the answer to bad input? | `grammar` `bad_input` `error_texts` |
//! | What do clients, consumers and other modules see? | `client_view` `acl` `optimistic` `orders_stream` `all_events` `keyspace_events` `listeners` `gateway` |
//! | Is it the same sale after it was saved, loaded or moved? | `persistence` `moved_keys` `old_dump` `bloom_keys` |
//! | Is a replica the same sale? | `replication` `resync` `pauses` `writable_replicas` |
//! | What survives a crash, a failover, an upgrade? | `crash` `sentinel` `versions` |
//! | And in a cluster? | `cluster` `cluster_reshard` `slot_migration` |
//! | What does damage do? | `damaged_files` `damaged_payload` `forged_primary` `broken` |
//! | What if clocks step, memory is short, or a sale is large? | `clocks` `maxmemory` `scarce_memory` `leaks` `attackers` `large_sale` |
//! | Does an operator get what the pages promise? | `settings` `info` `doctor` `monitoring` `install` `older_server` `docker` |

mod support;

mod acl;
mod all_events;
mod attackers;
mod audit;
mod bad_input;
mod batch;
mod beyond;
mod bloom_aliases;
mod bloom_clients;
mod bloom_commands;
mod bloom_keys;
mod bloom_settings;
mod broken;
mod checkout_rows;
mod client_view;
mod clocks;
mod cluster;
mod cluster_reshard;
mod crash;
mod create_again;
mod damaged_files;
mod damaged_payload;
mod docker;
mod doctor;
mod door;
mod error_texts;
mod forged_primary;
mod gateway;
mod grammar;
mod info;
mod install;
mod keyspace_events;
mod large_sale;
mod leaks;
mod line;
mod listeners;
mod manage;
mod maxmemory;
mod monitoring;
mod moved_keys;
mod old_dump;
mod older_server;
mod optimistic;
mod orders_stream;
mod pauses;
mod persistence;
mod rate;
mod reads;
mod refund_rows;
mod release_rows;
mod replace;
mod replication;
mod reserve_limits;
mod reserve_replays;
mod reserve_rows;
mod resync;
mod scarce_memory;
mod sentinel;
mod settings;
mod slot_migration;
mod versions;
mod writable_replicas;
