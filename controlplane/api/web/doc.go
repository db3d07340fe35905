// Package web is what every handler of the control plane's API uses of HTTP: it reads
// bodies, preconditions and pages, bounds requests, and answers with problem details
// (RFC 9457), whose status follows from the fault's kind in problem.go alone.
//
// It refuses bodies over 8 MiB (64 KiB from strangers), requests that take longer than
// 30 seconds, and JSON with unknown or doubled members. It never answers with the text
// of an internal error.
package web
