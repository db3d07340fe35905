// Package blob keeps objects, each named by a reference: Store is the contract and
// Dir the store on the plane's disk.
//
// It guarantees that an object is durable when Put returns, and that a half-written
// object is never seen. Dir refuses references that leave its folder.
package blob
