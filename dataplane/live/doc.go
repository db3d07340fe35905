// Package live shows events as they pass to whoever watches, without slowing
// them down.
//
// Engines hand each step of an event to a Hub. While nobody watches, that costs
// one atomic load; while somebody does, only the sightings that a watch asked
// for are copied. A watch holds a bounded number of sightings and bytes: what
// does not fit is left out and counted, so a slow reader costs no memory and
// holds nobody up. Watches are few per workspace and per plane, and no workspace
// can take those of all.
//
// It refuses more watches than that. It keeps nothing: what passed before a
// watch began is not seen, and nothing here is durable or booked.
package live
