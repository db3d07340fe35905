package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/dataplane/queue/queuetest"
	"weir/shared/fault"
)

// open opens a store that the test closes.
func open(t *testing.T, cfg natsstore.Config) *natsstore.Store {
	t.Helper()
	s, err := natsstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustAppend(t *testing.T, l queue.Log, key, data string) uint64 {
	t.Helper()
	seq, err := l.Append(t.Context(), key, []byte(data))
	if err != nil {
		t.Fatalf("Append(%q, %q): %v", key, data, err)
	}
	return seq
}

// wait waits until is says true.
func wait(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for this: %s", what)
		}
	}
}

func TestJetStreamKeepsTheContract(t *testing.T) {
	t.Parallel()
	s := open(t, natsstore.Config{Dir: t.TempDir(), Partitions: 32})
	next := 0
	queuetest.Kit(t, func(*testing.T) queue.Log { // a fresh partition is an empty log
		next++
		return s.Log(queue.Parked, next-1)
	})
}

func TestLogsArePartedByKindAndPartition(t *testing.T) {
	t.Parallel()
	s := open(t, natsstore.Config{Dir: t.TempDir()})
	kinds := []queue.Kind{queue.Events, queue.Journal, queue.Parked, queue.Dead, queue.Quarantine, queue.Bad}
	for _, k := range kinds {
		for p := range s.Partitions() {
			mustAppend(t, s.Log(k, p), "", fmt.Sprint(k, p))
		}
	}
	for _, k := range kinds {
		for p, l := range s.Logs(k) {
			r, err := l.Last(t.Context())
			if err != nil || r.Seq != 1 || string(r.Data) != fmt.Sprint(k, p) {
				t.Errorf("%v of partition %d has %d %q, %v", k, p, r.Seq, r.Data, err)
			}
		}
	}
}

func TestRecordsOfEventsAndJournalAreNeverDeletedOneByOne(t *testing.T) {
	t.Parallel()
	s := open(t, natsstore.Config{Dir: t.TempDir()})
	for _, k := range []queue.Kind{queue.Events, queue.Journal} {
		seq := mustAppend(t, s.Log(k, 0), "", "x")
		if err := s.Log(k, 0).Delete(t.Context(), seq); err == nil || fault.KindOf(err) != fault.Denied {
			t.Errorf("Delete in %v = %v, want denied", k, err)
		}
	}
}

func TestAReopenedStoreHasItsRecordsAndGoesOnWithItsNumbers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir})
	mustAppend(t, s.Log(queue.Events, 0), "", "kept")
	emptied := s.Log(queue.Events, 1)
	for range 3 {
		mustAppend(t, emptied, "", "x")
	}
	if err := emptied.Purge(t.Context(), 4, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Healthy(); err == nil {
		t.Error("a closed store is healthy")
	}
	if _, err := emptied.Append(t.Context(), "", nil); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Append to a closed store = %v, want unavailable", err)
	}

	s = open(t, natsstore.Config{Dir: dir})
	r, err := s.Log(queue.Events, 0).Last(t.Context())
	if err != nil || string(r.Data) != "kept" {
		t.Errorf("Last = %q, %v, want what was written before", r.Data, err)
	}
	st, err := s.Log(queue.Events, 1).State(t.Context())
	if err != nil || st.First != 4 || st.Last != 3 {
		t.Errorf("State of an emptied log = %+v, %v, want first 4, last 3", st, err)
	}
	if seq := mustAppend(t, s.Log(queue.Events, 1), "", "y"); seq != 4 {
		t.Errorf("the next number is %d, want 4", seq)
	}
}

func TestASecondProcessIsKeptAwayFromTheDataDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir})
	_, err := natsstore.Open(t.Context(), natsstore.Config{Dir: dir})
	if err == nil || fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second Open = %v, want a conflict that names %s", err, dir)
	}
	mustAppend(t, s.Log(queue.Events, 0), "", "the first is not disturbed")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, natsstore.Config{Dir: dir})
}

func TestAnotherNumberOfPartitionsIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir, Partitions: 3})
	slots := s.Slots()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := natsstore.Open(t.Context(), natsstore.Config{Dir: dir, Partitions: 4})
	if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "3 partitions") {
		t.Errorf("Open with 4 = %v, want invalid with the number there is", err)
	}
	s = open(t, natsstore.Config{Dir: dir})
	if s.Partitions() != 3 || s.Slots() != slots {
		t.Errorf("reopened with %d partitions, want 3 and the same slots", s.Partitions())
	}
}

func TestConfigIsCheckedAsAWhole(t *testing.T) {
	t.Parallel()
	_, err := natsstore.Open(t.Context(), natsstore.Config{Partitions: 257, Replicas: 3, MaxBytes: -1})
	if err == nil || fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 4 {
		t.Errorf("Open = %v, want four problems", err)
	}
}

func TestAFullLogIsLimitedAndTakesMoreAfterAPurge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir, Partitions: 1, MaxBytes: 1})
	log := s.Log(queue.Stage, 0)
	data := make([]byte, 7<<20)
	var err error
	n := 0
	for ; n < 20; n++ {
		if _, err = log.Append(t.Context(), "", data); err != nil {
			break
		}
	}
	if err == nil || fault.KindOf(err) != fault.Limited {
		t.Fatalf("Append to a full log = %v, want limited", err)
	}
	if err := s.Healthy(); err != nil {
		t.Errorf("Healthy = %v, want nil: a full log is not a broken one", err)
	}
	mustAppend(t, s.Log(queue.Journal, 0), "", "the journal has a limit of its own")
	for _, k := range []queue.Kind{queue.Parked, queue.Dead, queue.Quarantine, queue.Bad} {
		for range n + 1 {
			if _, err := s.Log(k, 0).Append(t.Context(), "", data); err != nil {
				t.Fatalf("Append to %s past its limit of %d bytes: %v, want it taken: it has no other place", k, s.Limit(k), err)
			}
		}
	}
	if err := log.Purge(t.Context(), 3, ""); err != nil {
		t.Fatal(err)
	}
	if seq, err := log.Append(t.Context(), "", data); err != nil || seq != uint64(n+1) {
		t.Errorf("Append after the purge = %d, %v, want %d", seq, err, n+1)
	}
}

// TestLimitsRiseWithoutARestart: logs that were opened on a full disk are not small for long.
func TestLimitsRiseWithoutARestart(t *testing.T) {
	t.Parallel()
	s := open(t, natsstore.Config{Dir: t.TempDir(), Partitions: 1, MaxBytes: 1})
	before := s.Limit(queue.Stage)
	data := make([]byte, 7<<20)
	for n := range 2 { // before and after
		for range 10 {
			_, err := s.Log(queue.Stage, 0).Append(t.Context(), "dst", data)
			if full := err != nil; full && (n == 1 || fault.KindOf(err) != fault.Limited) {
				t.Fatalf("Append = %v", err)
			} else if full {
				break
			}
		}
		if err := s.Raise(100 * 8 * before); err != nil {
			t.Fatal(err)
		}
	}
	if after := s.Limit(queue.Stage); after <= 10*before || s.Limit(queue.Parked) <= 10*before {
		t.Errorf("STAGE may hold %d bytes, and could hold %d", after, before)
	}
	if err := s.Raise(1); err != nil || s.Limit(queue.Stage) <= before {
		t.Errorf("limits fell to %d, %v", s.Limit(queue.Stage), err)
	}
}

func TestAfterAWriteErrorTheServerIsRestarted(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Fatalf("this test needs the device /dev/full: %v", err)
	}
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir})
	log := s.Log(queue.Events, 0)
	mustAppend(t, log, "", "x")
	blocks, err := filepath.Glob(filepath.Join(dir, "queue", "jetstream", "*", "streams", "EVENTS_0", "msgs", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks of the log found: %v", err)
	}
	for i := 2; i < 10; i++ { // the next blocks will be on a disk without room
		if err := os.Symlink("/dev/full", filepath.Join(filepath.Dir(blocks[0]), fmt.Sprintf("%d.blk", i))); err != nil {
			t.Fatal(err)
		}
	}
	data := make([]byte, 1<<20)
	acked := uint64(1)
	begun := time.Now()
	for range 40 {
		seq, err := log.Append(t.Context(), "", data)
		if err != nil {
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("Append without room = %v, want unavailable", err)
			}
			break
		}
		acked = seq
	}
	if acked == 41 {
		t.Fatal("nothing failed")
	}
	if err := s.Healthy(); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Healthy = %v, want unavailable", err)
	}
	t.Logf("%d records were acknowledged before the error, seen after %v", acked, time.Since(begun))
	if _, err := log.Append(t.Context(), "", nil); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the next Append = %v, want unavailable", err)
	}
	// There is room again.
	links, err := filepath.Glob(filepath.Join(filepath.Dir(blocks[0]), "*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil && to == "/dev/full" {
			if err := os.Remove(l); err != nil {
				t.Fatal(err)
			}
		}
	}
	wait(t, "a record that is taken again", func() bool {
		_, err := log.Append(t.Context(), "", []byte("again"))
		return err == nil
	})
	if err := s.Healthy(); err != nil {
		t.Errorf("Healthy = %v after a record was taken", err)
	}
	kept := uint64(0)
	for rec, err := range log.ReadTo(t.Context(), 1, "") {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Seq != kept+1 {
			t.Fatalf("record %d comes after %d", rec.Seq, kept)
		}
		kept = rec.Seq
	}
	if kept <= acked {
		t.Errorf("%d records are kept, want the %d that were acknowledged and one", kept, acked)
	}
}

// cluster is a server of its own on a port, which can be restarted.
type cluster struct {
	opts server.Options
	srv  *server.Server
}

func startCluster(t *testing.T, change func(*server.Options)) *cluster {
	t.Helper()
	c := &cluster{opts: server.Options{
		ServerName: "cluster", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: queue.MaxPayload,
	}}
	if change != nil {
		change(&c.opts)
	}
	c.start(t)
	t.Cleanup(c.stop)
	u, err := url.Parse(c.srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(u.Port(), &c.opts.Port); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	opts := c.opts // a server writes into its options
	srv, err := server.NewServer(&opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	c.srv = srv
}

func (c *cluster) stop() { c.srv.Shutdown(); c.srv.WaitForShutdown() }

func TestAClusterWithSmallMessagesIsRefused(t *testing.T) {
	t.Parallel()
	c := startCluster(t, func(o *server.Options) { o.MaxPayload = 1 << 20 })
	_, err := natsstore.Open(t.Context(), natsstore.Config{Address: c.srv.ClientURL()})
	if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("Open = %v, want invalid with the name of the option", err)
	}
}

func TestAMissingClusterIsUnavailable(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	address := c.srv.ClientURL()
	c.stop()
	if _, err := natsstore.Open(t.Context(), natsstore.Config{Address: address}); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Open = %v, want unavailable", err)
	}
}

func TestReadersSurviveServerRestartsWithoutGapOrRepetition(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	s := open(t, natsstore.Config{Address: c.srv.ClientURL()})
	log := s.Log(queue.Parked, 0)
	const n = 300
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	type result struct {
		seqs []uint64
		err  error
	}
	results := make(chan result, 3)
	read := func(key string) {
		var res result
		for r, err := range log.Read(ctx, 1, key) {
			if res.err = err; err != nil {
				break
			}
			res.seqs = append(res.seqs, r.Seq)
			if string(r.Data) == "end" {
				break
			}
		}
		results <- res
	}
	go read("")
	go read("k0")
	go read("k1")
	var want [3][]uint64 // all, k0, k1
	written := uint64(0)
	for i := 0; written < n; i++ {
		if i%100 == 50 {
			c.stop()
			c.start(t)
		}
		key := fmt.Sprintf("k%d", i%2)
		seq, err := log.Append(ctx, key, []byte("x"))
		if err != nil {
			if fault.KindOf(err) != fault.Unavailable {
				t.Fatalf("Append: %v", err)
			}
			if ctx.Err() != nil {
				t.Fatal("the appends do not come to an end")
			}
			wait(t, "the connection is back", func() bool { return s.Healthy() == nil })
			continue
		}
		written = seq
	}
	for _, key := range []string{"k0", "k1"} {
		wait(t, "the last record is written", func() bool { _, err := log.Append(ctx, key, []byte("end")); return err == nil })
	}
	for r, err := range log.ReadTo(ctx, 1, "") {
		if err != nil {
			t.Fatal(err)
		}
		want[0] = append(want[0], r.Seq)
		if r.Key == "k0" {
			want[1] = append(want[1], r.Seq)
		} else {
			want[2] = append(want[2], r.Seq)
		}
	}
	want[0] = want[0][:len(want[0])-1] // the reader of all ends at the first end
	seen := map[string]bool{}
	for range 3 {
		res := <-results
		if res.err != nil {
			t.Fatalf("Read: %v", res.err)
		}
		seen[fmt.Sprint(res.seqs)] = true
	}
	for i, w := range want {
		if !seen[fmt.Sprint(w)] {
			t.Errorf("no reader yielded %v: reader %d has a gap or a repetition", w, i)
		}
	}
}

func TestReadersEndWithTheStore(t *testing.T) {
	t.Parallel()
	s := open(t, natsstore.Config{Dir: t.TempDir()})
	ended := make(chan error, 1)
	go func() {
		var last error
		for _, err := range s.Log(queue.Events, 0).Read(context.Background(), 1, "") {
			last = err
		}
		ended <- last
	}()
	mustAppend(t, s.Log(queue.Events, 0), "", "x")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the reader ended with %v, want unavailable", err)
	}
}

func TestCallsFailSoonWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	s := open(t, natsstore.Config{Address: c.srv.ClientURL()})
	log := s.Log(queue.Events, 0)
	mustAppend(t, log, "", "x")
	c.stop()
	wait(t, "the store is unhealthy", func() bool { return s.Healthy() != nil })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := log.Append(ctx, "", []byte("y")); err == nil || fault.KindOf(err) != fault.Unavailable || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("Append = %v, want unavailable at once", err)
	}
	c.start(t)
	wait(t, "the store is healthy", func() bool { return s.Healthy() == nil })
	if seq := mustAppend(t, log, "", "z"); seq != 2 {
		t.Errorf("the next number is %d, want 2: what was refused must not be sent later", seq)
	}
}
