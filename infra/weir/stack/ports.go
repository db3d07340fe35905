package stack

import (
	"fmt"
	"math/rand/v2"
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
	if port == 0 {
		return anyFree(host)
	}
	port += 10 * nth
	free, err := try(host, port)
	if err != nil && a.Given {
		return "", fault.New(fault.Unavailable, "%s:%d cannot be used: %v", host, port, err)
	}
	if err != nil {
		return anyFree(host)
	}
	return free, nil
}

// anyFree finds a port below those that systems give to connections (32768 and
// up on Linux): any of these can be a connection's own end when the listener comes.
func anyFree(host string) (string, error) {
	const first, last, tries = 20000, 32767, 100
	var free string
	var err error
	for range tries {
		if free, err = try(host, first+rand.IntN(last-first+1)); err == nil {
			return free, nil
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// try listens for a moment.
func try(host string, port int) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
