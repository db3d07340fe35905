// Command bench is the load run of the product: it starts the built binary as a
// process on a fresh directory, sends it events over its public port, receives
// them again as a webhook, and prints a table of figures, each with its target
// and its ratio to a baseline of the same run: a bare net/http handler that was
// measured in the same way, unless the row says otherwise.
//
//	go run ./infra/weir/bench -weir bin/weir
//
// Sink and handler are processes of their own (this binary, started with the
// hidden command "receive"), so that their CPU time is not the generator's. All
// of it is on loopback and bounded in time. Children end with the run, also when
// it is killed; its directory is removed, unless it is killed.
//
// A paced load is an open loop: it does not wait for answers, and latencies count
// from the planned moment. A full load is a closed loop: each connection sends
// when it has the answer to its last request. Where the ratio to the bare handler has a
// target, and at 70 %, both are measured three times in turn and the middle one counts:
// a shared machine changes its speed. After each load the run waits until
// the sink has everything, so that the next one starts at rest, and CPU time is
// that of the product's process tree from the first request to the last arrival.
//
// Rows of a warehouse and webhooks that fail are measured on a second
// weir, so that they are not in the first one's memory. An event is a row when a
// `weir query` that ran all the time has returned it, the query's own time and
// the pause before it included. Isolation is the difference between runs in turn
// with and without nine failing webhooks beside the one that works, for each failure.
//
// With -only neighbours it measures what a tenant that does harm costs another one, for
// each kind of harm: dead letters, quarantine, dedupe keys and staged events past their
// quotas, a workspace that cannot be loaded, warehouses that hang, slow bodies, heavy
// code, wide queries, and hostile code to judge and to try. Here -seconds is the time
// of each load, and -kind chooses.
//
// With -only rows it sends a million events (-events) as fast as they are acknowledged and
// waits until the ledger has all of them as delivered, and the warehouse as rows.
//
// With -only freshness it sends 200 events a second into DuckDB, Postgres and ClickHouse in
// turn, loaded every two seconds, for -seconds, and asks all the time which are rows.
//
// With -only pulls it pulls as many rows (-events) of a tool that answers at once, and sends
// events beside that, and alone, for -seconds.
//
// With -only kinds it measures a destination that takes batches, and the memory of a
// plane with a thousand destinations of twenty kinds.
//
// With -only api it measures the control plane with a thousand workspaces: apply, ledger
// and status of the command line, reads over HTTP, and decisions of the policy. Here
// -seconds is the time of the reads.
//
// With -only soak it sends for half an hour (-soak) at 70 % of what weir bears, while
// five webhooks beside the one that works fail and recover in turn. Memory,
// goroutines and descriptors are compared between the second quarter and the last,
// the books are looked at all the time, and at the end every webhook has everything.
//
// Disk is what the kernel was given to write, purged files included: nothing on
// tmpfs. CPU time by stage is sampled by weir's own profiler, one second after the
// other, and without workers: gateway is everything from a connection to the log,
// lanes from a partition to the destination. With -profile DIR the profiles stay there.
//
// The exit code is 1 when weir did not start, or an acknowledged event did not
// arrive, or one of a tenant beside harm was refused; 2 for wrong usage. A missed target is marked in the table only: a
// figure depends on the machine and on what else runs there.
package main
