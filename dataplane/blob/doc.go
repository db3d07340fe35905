// Package blob keeps objects on the plane's disk: written whole or not at all,
// named by a key.
//
// It refuses keys that leave its folder. It guarantees that what Commit returned
// for is on disk with fsync, and that a half-written object is never seen.
package blob
