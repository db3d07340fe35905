// Package api measures the control plane's API with a thousand workspaces: the command line's
// apply, ledger and status from start to end of the process, reads over HTTP, and
// decisions of the policy.
//
// Reads are an open loop: a request does not wait for the answer to the one before, and its
// time counts from the planned moment. Decisions are measured by the policy's own benchmark,
// of which the median of several runs counts.
package api
