package natsstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/event"
	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/shared/id"
)

// victim is the argument that makes this program write events until it is killed.
const victim = "write-until-killed"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == victim {
		if err := writeUntilKilled(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled prints the id of each event once it is acknowledged.
func writeUntilKilled(dir, round string) error {
	s, err := natsstore.Open(context.Background(), natsstore.Config{Dir: dir, MaxBytes: 4 << 30})
	if err != nil {
		return err
	}
	w := queue.NewWriter(s.Logs(queue.Events), s.Slots())
	go func() { _ = w.Run(context.Background()) }()
	failed := make(chan error)
	for c := range 32 {
		go func() {
			for n := 0; ; n++ {
				e := numbered(fmt.Sprintf("%s-%d", round, c), n, 1000)
				if err := w.Append(context.Background(), []event.Event{e}); err != nil {
					failed <- err
				}
				fmt.Println(e.MessageID) // one write, so it is whole or not there
			}
		}()
	}
	return <-failed
}

func TestAcknowledgedEventsOutliveAKilledProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var acked []string
	for round := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], victim, dir, fmt.Sprint(round))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for n := 0; ; n++ {
			if n == 200*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			line, err := lines.ReadString('\n') // what was printed before the kill counts, too
			if err != nil {
				if n < 200 {
					t.Fatalf("the victim ended after %d events: %v", n, err)
				}
				break
			}
			acked = append(acked, strings.TrimSuffix(line, "\n"))
		}
		_ = cmd.Wait() // it was killed
	}
	s := open(t, natsstore.Config{Dir: dir})
	there := map[string]int{}
	newest := map[string]int64{}
	for _, l := range s.Logs(queue.Events) {
		last := uint64(0)
		for _, f := range frames(t, l) {
			if f.Seq != last+1 {
				t.Errorf("frame %d comes after %d", f.Seq, last)
			}
			last = f.Seq
			for _, e := range f.Events {
				there[string(e.MessageID)]++
				if n := e.ReceivedAt.UnixMilli(); n != newest[e.User] {
					t.Errorf("user %s has number %d, want %d", e.User, n, newest[e.User])
				}
				newest[e.User]++
			}
		}
	}
	for _, m := range acked {
		if there[m] != 1 {
			t.Errorf("%s was acknowledged and is there %d times", m, there[m])
		}
	}
}

// numbered returns an event of a user with a number that order can be told by.
func numbered(user string, n, size int) event.Event {
	return event.Event{Source: "src", User: user, MessageID: id.Event(fmt.Sprintf("%s/%d", user, n)), ReceivedAt: time.UnixMilli(int64(n)).UTC(), JSON: make([]byte, size)}
}

// frames decodes all of a log.
func frames(t *testing.T, log queue.Log) []queue.Frame {
	t.Helper()
	var all []queue.Frame
	for r, err := range log.ReadTo(context.Background(), 1, "") {
		if err != nil {
			t.Fatalf("ReadTo: %v", err)
		}
		f, err := queue.DecodeFrame(r.Data)
		if err != nil {
			t.Fatalf("DecodeFrame of record %d: %v", r.Seq, err)
		}
		f.Seq = r.Seq
		all = append(all, f)
	}
	return all
}
