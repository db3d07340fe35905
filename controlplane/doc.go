// Package controlplane is the control plane: it keeps what customers decided
// and brings it to the data planes. This is the only place where its rooms
// meet.
//
// Run takes the data directory for this process before anything else starts,
// opens the store, starts a hub unless there is one outside, and serves the API
// and the console. It carries no event, holds no customer's secret in clear,
// and may be away: data planes run on without it.
//
// The data directory holds the keys that sign for this installation. It belongs
// to one database: started with another one the control plane refuses, because
// planes would refuse what it signs.
package controlplane
