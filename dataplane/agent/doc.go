// Package agent follows the control plane: it takes signed pointers from the
// hub, fetches and opens what they point at, compiles it and puts it into the
// plan.Holder; and it sends acks and beats up.
//
// It refuses revisions older than the newest it ever saw (kept on disk, so also
// after a restart), those of other regions, and what the plane's guard forbids;
// it then keeps the plan that ran before. What runs is kept on disk with its
// secrets as they came, sealed, and Load runs it again before the hub is asked
// for anything: a plane starts with the hub dead. Absence changes nothing; only
// a signed tombstone removes a workspace.
//
// One goroutine compares what is wanted with what runs, so a lost nudge makes it
// slower, never wrong, and a workspace that cannot proceed delays no other.
package agent
