// Package workspace is the shape of a workspace's configuration and the pure
// rules about it: canonical encoding, digest, and the whole-config check.
//
// Encode writes one text for one meaning, so equal configurations have equal
// digests wherever they were made. Decode refuses what this build does not know
// instead of leaving it out: a plane never runs half of a configuration.
package workspace
