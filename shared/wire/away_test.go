package wire_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/hub"
)

// eventually waits for a state.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestPointersGoOnAfterTheHubRestarted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	p.follow()
	ws := id.New[id.Workspace]()
	p.point(ws, 1)
	p.next(1)
	s.server.Close()
	eventually(t, "the plane notices that the hub is away", func() bool { return !p.edge.Connected() })
	if err := p.edge.Ack(t.Context(), wire.Ack{Workspace: ws, Number: 1, State: wire.Applied}); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Ack with the hub away: %v, want Unavailable", err)
	}
	s.serve()
	p.next(1) // all current ones come again
	eventually(t, "the control end can point again", func() bool {
		ptr, body := p.revision(ws, 2)
		err := s.hub.Point(t.Context(), p.recipient(), ptr, body)
		return err == nil || fault.KindOf(err) == fault.Conflict // the answer to an earlier try was lost
	})
	ptr := p.next(2)
	if _, err := p.edge.Body(t.Context(), ws, ptr.Digest); err != nil {
		t.Error(err)
	}
	eventually(t, "acks are taken again", func() bool {
		return p.edge.Ack(t.Context(), wire.Ack{Workspace: ws, Number: 2, State: wire.Applied}) == nil
	})
	for a, err := range s.hub.Acks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Number == 2 {
			break
		}
	}
}

func TestAnEmptiedHubChangesNothingAndIsFilledAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	eu := hub.Account{Region: "eu"}
	p := s.plane(eu)
	p.follow()
	ws := id.New[id.Workspace]()
	p.point(ws, 1)
	p.next(1)
	js, err := jetstream.New(s.admin(eu))
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"POINTERS", "BODIES", "SECRETS", "ACKS", "BEATS"} {
		if err := js.DeleteStream(t.Context(), "KV_"+bucket); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.hub.Pointed(t.Context(), p.recipient(), ws); err == nil || fault.KindOf(err) != fault.Missing {
		t.Errorf("Pointed on an emptied hub: %v, want Missing", err)
	}
	p.point(ws, 2)
	p.next(2)
	if len(p.alarms) > 0 {
		t.Errorf("the emptied hub raised %s", <-p.alarms)
	}
	if len(p.pointers) > 0 {
		t.Errorf("the emptied hub brought %+v", <-p.pointers)
	}
}

func TestAPlaneStartsBeforeItsHub(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	ws := id.New[id.Workspace]()
	p.point(ws, 1)
	p.edge.Close()
	s.server.Close()
	p.edge = p.dial("nats://" + s.listen)
	p.follow()
	if p.edge.Connected() {
		t.Error("connected to a hub that is not there")
	}
	s.serve()
	p.next(1)
}

func TestTheHeartbeatIsHeardAndIsNoPointer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	p.follow()
	if !p.edge.Heard().IsZero() {
		t.Errorf("heard at %s before anything was sent", p.edge.Heard())
	}
	done := make(chan error, 1)
	go func() { done <- s.hub.Run(t.Context()) }()
	eventually(t, "the heartbeat is heard", func() bool { return !p.edge.Heard().IsZero() })
	if len(p.pointers)+len(p.alarms) > 0 {
		t.Error("the heartbeat was taken for a pointer")
	}
}

func TestAnAskIsHeardAndGoesOnInHeartbeats(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	p.follow()
	if err := s.hub.Ask(t.Context(), hub.Account{Region: "eu"}, p.id, 7); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ask is heard", func() bool { return p.edge.Asked() == 7 })
	heard := p.edge.Heard()
	go func() { _ = s.hub.Run(t.Context()) }()
	eventually(t, "a heartbeat", func() bool { return p.edge.Heard().After(heard) })
	if p.edge.Asked() != 7 || len(p.pointers)+len(p.alarms) > 0 {
		t.Errorf("after a heartbeat the ask is %d with %d pointers and %d alarms, want 7 alone", p.edge.Asked(), len(p.pointers), len(p.alarms))
	}
}

func TestAcksOfAnAccountThatComesLaterAreHeard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plane(hub.Account{Region: "eu"})
	got := make(chan wire.Ack, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a, err := range s.hub.Acks(t.Context()) {
			if err != nil {
				return
			}
			got <- a
		}
	}()
	q := s.plane(hub.Account{Region: "us", Organization: id.New[id.Organization]()})
	if err := q.edge.Ack(t.Context(), wire.Ack{Workspace: id.New[id.Workspace](), Number: 1, State: wire.Applied}); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-got:
		if a.Plane != q.id {
			t.Errorf("ack %+v, want one of %s", a, q.id)
		}
	case <-time.After(patience):
		t.Fatal("the ack was not heard")
	}
	s.hub.Close()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Acks did not end with Close")
	}
}
