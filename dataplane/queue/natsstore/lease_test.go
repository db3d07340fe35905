package natsstore_test

import (
	"context"
	"testing"
	"time"

	"weir/dataplane/queue/natsstore"
	"weir/shared/fault"
)

func take(t *testing.T, s *natsstore.Store, p int) *natsstore.Lease {
	t.Helper()
	l, err := s.Lease(t.Context(), p)
	if err != nil {
		t.Fatalf("Lease(%d): %v", p, err)
	}
	if !l.Held() {
		t.Fatalf("Lease(%d) is not held", p)
	}
	return l
}

func TestEachOwnerHasAGreaterEpoch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, natsstore.Config{Dir: dir})
	first := take(t, s, 0)
	if other := take(t, s, 1); other.Epoch != 1 || first.Epoch != 1 {
		t.Errorf("first epochs are %d and %d, want 1", first.Epoch, other.Epoch)
	}
	if _, err := s.Lease(t.Context(), 0); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second Lease in the same store = %v, want a conflict", err)
	}
	if _, err := s.Lease(t.Context(), 2); err == nil || fault.KindOf(err) != fault.Missing {
		t.Errorf("Lease of a partition that is not there = %v, want missing", err)
	}
	if err := first.Release(t.Context()); err != nil || first.Held() {
		t.Errorf("Release = %v, held %v", err, first.Held())
	}
	if err := first.Release(t.Context()); err != nil {
		t.Errorf("Release again = %v", err)
	}
	if second := take(t, s, 0); second.Epoch != 2 {
		t.Errorf("the epoch after a release is %d, want 2", second.Epoch)
	}
	if err := s.Close(); err != nil { // without a release, as after a crash
		t.Fatal(err)
	}
	begun := time.Now()
	s = open(t, natsstore.Config{Dir: dir, LeaseTime: time.Hour})
	if third := take(t, s, 0); third.Epoch != 3 {
		t.Errorf("the epoch after a crash is %d, want 3", third.Epoch)
	}
	t.Logf("took over %v after the crash", time.Since(begun))
}

func TestARunningLeaseKeepsOthersAwayAndAnUnrenewedOneDoesNot(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	cfg := natsstore.Config{Address: c.srv.ClientURL(), LeaseTime: 5 * time.Second}
	a, b := open(t, cfg), open(t, cfg)
	owner := take(t, a, 0)
	run, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- owner.Run(run) }()

	ctx, cancel := context.WithTimeout(t.Context(), cfg.LeaseTime*3/2)
	defer cancel()
	if _, err := b.Lease(ctx, 0); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("Lease of another while the owner renews = %v, want unavailable", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v, want nil after its context ended", err)
	}
	taken := make(chan *natsstore.Lease, 1)
	go func() {
		l, err := b.Lease(t.Context(), 0)
		if err != nil {
			t.Errorf("Lease of another after the owner stopped: %v", err)
		}
		taken <- l
	}()
	wait(t, "the owner does not hold it any more", func() bool { return !owner.Held() })
	select {
	case <-taken:
		t.Error("another took the lease as soon as it was not held any more: there must be time between")
	default:
	}
	next := <-taken
	if next == nil || next.Epoch != 2 || !next.Held() {
		t.Fatalf("the next owner has %+v, want epoch 2", next)
	}
	if err := owner.Run(t.Context()); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("Run of the former owner = %v, want a conflict", err)
	}
	if owner.Held() || !next.Held() {
		t.Errorf("held by the former owner %v, by the next %v", owner.Held(), next.Held())
	}
	if err := owner.Release(t.Context()); err != nil {
		t.Errorf("Release of the former owner = %v", err)
	}
	if !next.Held() {
		t.Error("the former owner's release took the lease from the next")
	}
}

func TestALeaseIsHeldAgainWhenTheServerIsBackInTime(t *testing.T) {
	t.Parallel()
	c := startCluster(t, nil)
	s := open(t, natsstore.Config{Address: c.srv.ClientURL(), LeaseTime: time.Second})
	l := take(t, s, 0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	c.stop()
	wait(t, "the lease is not held without its server", func() bool { return !l.Held() })
	c.start(t)
	wait(t, "the lease is held again", l.Held)
	if l.Epoch != 1 {
		t.Errorf("the epoch is %d, want 1", l.Epoch)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}
