package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"weir/shared/egress"
	"weir/shared/fault"
)

func TestCheckByClassOfAddress(t *testing.T) {
	t.Parallel()
	const (
		public  = iota // allowed always
		private        // allowed where private addresses are
		never
	)
	for addr, want := range map[string]int{
		"8.8.8.8": public, "1.1.1.1": public, "100.128.0.1": public, "172.32.0.1": public, "2606:4700::1111": public, "::ffff:8.8.8.8": public,
		"10.1.2.3": private, "127.0.0.1": private, "127.255.255.254": private, "172.16.0.1": private, "172.31.255.255": private,
		"192.168.1.1": private, "100.64.0.1": private, "198.18.0.1": private, "::1": private, "fd12:3456::1": private,
		"::ffff:127.0.0.1": private, "::ffff:10.0.0.1": private,
		"0.0.0.0": never, "0.1.2.3": never, "169.254.169.254": never, "169.254.170.2": never, "169.254.1.1": never,
		"100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never, "224.0.0.1": never, "239.255.255.250": never,
		"255.255.255.255": never, "240.0.0.1": never, "::": never, "::7f00:1": never, "::ffff:169.254.169.254": never, "::ffff:0.0.0.0": never,
		"64:ff9b::7f00:1": never, "64:ff9b:1::1": never, "fe80::1": never, "fe80::1%eth0": never, "ff02::1": never, "fd00:ec2::254": never,
		"fd20:ce::254": never, "2002:7f00:1::": never, "2001:0:1::1": never, "fec0::1": never,
	} {
		a := netip.MustParseAddr(addr)
		for _, allowed := range []bool{false, true} {
			err := egress.Policy{Private: allowed}.Check(a)
			if ok := want == public || want == private && allowed; ok != (err == nil) {
				t.Errorf("Policy{Private: %v}.Check(%s) = %v, want allowed %v", allowed, addr, err, ok)
			}
		}
	}
	if err := (egress.Policy{Private: true}).Check(netip.Addr{}); err == nil {
		t.Error("Check of no address = nil, want an error")
	}
}

func TestDialRefusesAtConnect(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	open := egress.New(egress.Policy{Private: true})
	c, err := open.DialContext(ctx, "tcp", "localhost:"+port) // a name: what it resolves to is checked
	if err != nil {
		t.Fatalf("dial loopback where private addresses are allowed: %v", err)
	}
	c.Close()

	closed := egress.New(egress.Policy{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		c, err := closed.DialContext(ctx, "tcp", host+":"+port)
		if err == nil {
			c.Close()
			t.Errorf("dial %s = connected, want refused", host)
		} else if want := map[bool]fault.Kind{true: fault.Unavailable, false: fault.Denied}[host == "localhost"]; !refusedAs(err, want) {
			t.Errorf("dial %s = %v, want kind %v with code %s", host, err, want, egress.Code)
		}
	}
	for _, network := range []string{"udp", "unix", "ip4:icmp"} {
		if _, err := open.DialContext(ctx, network, "127.0.0.1:"+port); !refusedAs(err, fault.Denied) {
			t.Errorf("dial over %s = %v, want fault.Denied", network, err)
		}
	}
}

func refusedAs(err error, kind fault.Kind) bool {
	var e *fault.Error
	return errors.As(err, &e) && e.Kind == kind && len(e.Problems) == 1 && e.Problems[0].Code == egress.Code
}
