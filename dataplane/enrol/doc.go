// Package enrol lets a data plane join: it makes the plane's keys in the data
// directory, enrols the plane at a control plane with an invitation, and keeps
// what the control plane told. Private keys never leave the data directory, and
// the keys of the control plane are pinned from then on.
package enrol
