// Package connector runs programs of others that read rows of other systems: Singer taps and
// Airbyte connectors. Which there are says the plane's owner, by a folder with a folder for
// each; a configuration only names one. They are not trusted.
//
// A connector runs in namespaces of its own (users, processes, network, mounts, IPC). It sees
// the system's programs and libraries, its own folder and what its owner names besides, all
// read-only; a scratch directory in memory, in which its files with settings and secrets are;
// nothing of the plane's data, no variable and no file of the plane. Its network is a
// loopback, where a proxy of the plane takes requests to the hosts that the owner allows and
// dials as the plane does for everybody else. It has no capabilities and cannot get any. Its
// processes together have bounds of memory, processor time and number, each has one of open
// files, and all end with the first one, with the plane, or when Stop says so.
//
// What it writes to stdout is the caller's to read, who slows it down by not reading. What it
// writes to stderr goes to a bounded file of the plane, without the values of secrets.
//
// Linux alone has these namespaces. Where they are forbidden no connector runs.
package connector
