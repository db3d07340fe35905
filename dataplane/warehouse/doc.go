// Package warehouse is the contract between loads and the kinds of warehouses: what
// a kind declares, what an open warehouse does, and how its failures are named.
package warehouse
