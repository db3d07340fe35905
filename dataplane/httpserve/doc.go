// Package httpserve serves HTTP/1.1 and HTTP/2 on a listener, as net/http does,
// with a bound of connections and an orderly end.
//
// Without TLS, small POST requests that arrive whole are read and answered by
// code of this package, the fast path: it needs no goroutine and no buffers per
// request, and takes a fraction of net/http's processor time. A connection that
// sends anything else, or sends slowly, is net/http's from then on, with the bytes
// that were read of it. Config.Standard leaves every connection to net/http. Both
// ways a request gets the same verdict; FuzzServe holds them to it.
//
// A handler on the fast path sees a request whose body is in memory and whose
// context does not end with the connection. Its answer is sent in one piece when
// it returns; a Content-Type that the handler did not set is not added.
//
// A client's mistake is never answered with 5xx: net/http's own 501 and 505
// become 400. Nothing that a client sent is logged.
package httpserve
