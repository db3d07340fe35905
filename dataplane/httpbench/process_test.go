// Package httpbench_test compares the fast paths of packages httpserve and httpsend
// with net/http and with fasthttp. Each contestant is a process of its own, so that
// its processor time and garbage are its own; they take turns of a few milliseconds,
// so that whatever else the machine does falls on all of them.
package httpbench_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// contestant is what one process does, with the address of its counterpart.
type contestant struct {
	name string
	// start returns the address that the process listens on, if any, and what it
	// does when it is told to send n requests.
	start func(counterpart string) (address string, send func(n int) error, err error)
}

// contestantCommand makes the test binary a contestant.
const contestantCommand = "contestant"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == contestantCommand {
		kind := servers
		if os.Args[3] != "" { // clients have somewhere to send to
			kind = clients
		}
		for _, c := range kind {
			if c.name == os.Args[2] {
				if err := contend(c, os.Args[3]); err != nil {
					fmt.Fprintln(os.Stderr, c.name, err)
					os.Exit(1)
				}
				os.Exit(0)
			}
		}
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// contend answers each line of stdin, a number of requests to send, with what the
// process has used in all.
func contend(c contestant, counterpart string) error {
	address, send, err := c.start(counterpart)
	if err != nil {
		return err
	}
	fmt.Println("listening", address)
	for {
		var n int
		if _, err := fmt.Fscanln(os.Stdin, &n); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if n > 0 {
			if err := send(n); err != nil {
				return err
			}
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano()+u.Stime.Nano(), m.Mallocs, m.TotalAlloc)
	}
}

// usage is what a process has used: processor time in ns, allocations, and their bytes.
type usage struct{ cpu, mallocs, bytes float64 }

// process is a contestant that runs.
type process struct {
	name    string
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	used    usage // in the turns so far
	lasted  time.Duration
}

func start(b *testing.B, c contestant, counterpart string) *process {
	b.Helper()
	p := &process{name: c.name, cmd: exec.Command(os.Args[0], contestantCommand, c.name, counterpart)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = p.in.Close()
		if err := p.cmd.Wait(); err != nil {
			b.Errorf("%s: %v", c.name, err)
		}
	})
	line, err := p.out.ReadString('\n')
	p.address = strings.TrimSpace(strings.TrimPrefix(line, "listening"))
	if err != nil {
		b.Fatalf("%s: %q, %v", c.name, line, err)
	}
	return p
}

// ask lets the process send n requests and returns what it has used so far.
func (p *process) ask(b *testing.B, n int) (u usage) {
	if _, err := fmt.Fprintln(p.in, n); err != nil {
		b.Fatalf("%s: %v", p.name, err)
	}
	if _, err := fmt.Fscanln(p.out, &u.cpu, &u.mallocs, &u.bytes); err != nil {
		b.Fatalf("%s: %v", p.name, err)
	}
	return u
}

// turn is the number of requests that a contestant serves or sends in a row.
const turn = 4096

// compare gives the contestants turns until each had b.N requests, and reports what
// one took, and the others' processor time as a multiple of the first one's.
func compare(b *testing.B, all []*process, play func(p *process, n int)) {
	b.ResetTimer()
	for left := b.N; left > 0; left -= turn {
		for _, p := range all {
			before, began := p.ask(b, 0), time.Now()
			play(p, min(left, turn))
			p.lasted += time.Since(began)
			after := p.ask(b, 0)
			p.used.cpu += after.cpu - before.cpu
			p.used.mallocs += after.mallocs - before.mallocs
			p.used.bytes += after.bytes - before.bytes
		}
	}
	n := float64(b.N)
	for _, p := range all {
		b.ReportMetric(p.used.cpu/n/1e3, p.name+"-cpu-µs")
		b.ReportMetric(p.used.mallocs/n, p.name+"-allocs")
		b.ReportMetric(p.used.bytes/n, p.name+"-B")
		if p != all[0] {
			b.ReportMetric(p.used.cpu/all[0].used.cpu, p.name+"/"+all[0].name+"-cpu")
			b.ReportMetric(p.lasted.Seconds()/all[0].lasted.Seconds(), p.name+"/"+all[0].name+"-time")
		}
	}
	b.ReportMetric(0, "ns/op")
}
