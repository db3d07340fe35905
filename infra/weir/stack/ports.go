package stack

import (
	"fmt"
	"net"
	"strconv"

	"weir/shared/fault"
)

// Address is where something listens: host:port as asked for, or a default
// that gives way when it is taken.
type Address struct {
	Text  string
	Given bool // by a flag: then it is this or an error
}

// claim finds a free address for each further plane: the port of a plus ten
// for every plane before it. Port 0, and a default that is taken, mean any free
// port. What is free now can be taken a moment later; then the listener says so.
func (a Address) claim(nth int) (string, error) {
	host, text, err := net.SplitHostPort(a.Text)
	if err != nil {
		return "", fault.New(fault.Invalid, "%q is not host:port", a.Text)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", fault.New(fault.Invalid, "%q is not host:port", a.Text)
	}
	if port != 0 {
		port += 10 * nth
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil && a.Given {
		return "", fault.New(fault.Unavailable, "%s:%d cannot be used: %v", host, port, err)
	}
	if err != nil {
		l, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	free := l.Addr().String()
	return free, l.Close()
}
