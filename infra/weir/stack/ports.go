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

// claim finds a free address for what the flag name names, of the nth plane: the
// port of a plus ten for every plane before it. Port 0, and a default that is taken,
// mean any free port; note says so of the second. What is free now can be taken a
// moment later; then the listener says so.
func (a Address) claim(name string, nth int, note func(format string, a ...any)) (string, error) {
	host, text, err := net.SplitHostPort(a.Text)
	if err != nil {
		return "", fault.New(fault.Invalid, "--%s: %q is not host:port", name, a.Text)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", fault.New(fault.Invalid, "--%s: %q is not host:port", name, a.Text)
	}
	if port == 0 {
		return FreeAddress(host)
	}
	port += 10 * nth
	free, err := try(host, port)
	if err != nil && a.Given {
		return "", fault.New(fault.Unavailable, "--%s: %s:%d cannot be used: %v", name, host, port, err)
	}
	if err != nil {
		if free, err = FreeAddress(host); err == nil {
			note("weir: port %d is taken, so --%s is %s", port, name, free)
		}
	}
	return free, err
}

// FreeAddress finds a free port of host below those that systems give to connections (32768 and
// up on Linux): any of these can be a connection's own end when the listener comes.
func FreeAddress(host string) (string, error) {
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
