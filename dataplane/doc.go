// Package dataplane is one data plane: the gateway that takes events, the
// partitions that deliver them, the agent that follows the control plane, and
// the view that people ask. It is the only place where its rooms meet, and the
// only importer of the families of sources and destinations.
//
// A plane joins once (Join) and then runs on what it keeps: it moves events
// with the control plane away, also after a cold start. What it answered 200 to
// is on disk, and is delivered at least once; the books say what became of it.
package dataplane
