// Package neighbours measures what a tenant that does harm costs another one on the
// same plane. For each kind of harm it starts a weir, sends events of the good tenant
// to a webhook at a moderate rate, first alone and then beside the harm, and compares
// the p99 of the time from the planned send to the arrival. Nothing of the good tenant
// may be lost or refused.
//
// Harm that fills a log has a small disk in memory, in a mount namespace of its own,
// so that it is full after some hundred megabytes.
package neighbours
