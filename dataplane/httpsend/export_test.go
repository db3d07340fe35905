package httpsend

import "net"

// WholeAnswer is wholeAnswer.
var WholeAnswer = wholeAnswer

// SetQuiet lets quiet say which idle connections are good.
func (t *Transport) SetQuiet(quiet func(net.Conn) bool) {
	t.fast.quiet = func(c *fastConn) bool { return quiet(c.conn) }
}
