// Package kinds measures destinations other than webhooks: how many events a second go
// to one that takes batches, and the memory of a plane with a thousand destinations of
// twenty kinds, each with an address of its own, at rest and with traffic to all.
//
// It starts a weir for each and speaks to it through its ports alone. The other sides
// are stand-ins that take everything.
package kinds
