// Command bench is the load run of the product: it starts the built binary as a
// process on a fresh directory, sends it events over its public port, receives
// them again as a webhook, and prints a table of figures, each with its target
// and its ratio to a bare net/http handler that was measured in the same run in
// the same way.
//
//	go run ./infra/weir/bench -weir bin/weir
//
// Sink and handler are processes of their own (this binary, started with the
// hidden command "receive"), so that their CPU time is not the generator's. All
// of it is on loopback and bounded in time; children end with the run, also when
// it is killed, and its directory is removed.
//
// The exit code is 1 when weir did not start or an acknowledged event did not
// arrive, 2 for wrong usage. A missed target is marked in the table only: a
// figure depends on the machine and on what else runs there.
package main
