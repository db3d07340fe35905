package wire_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
)

func TestPointersThatAreNotGenuineAreRefusedAndAlarmed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	eu := hub.Account{Region: "eu"}
	p := s.plane(eu)
	p.follow()
	ws, other := id.New[id.Workspace](), id.New[id.Workspace]()
	p.point(ws, 10)
	p.next(10)
	nc := s.admin(eu)
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(key ed25519.PrivateKey, change func(*wire.Pointer)) []byte {
		ptr, _ := p.revision(other, 11)
		ptr.Format = wire.Version
		if change != nil {
			change(&ptr)
		}
		b, err := envelope.Sign(key, envelope.Pointer, ptr)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tampered := func() []byte {
		var e envelope.Signed
		if err := json.Unmarshal(signed(s.control, nil), &e); err != nil {
			t.Fatal(err)
		}
		e.Payload = []byte(strings.Replace(string(e.Payload), `"number":11`, `"number":12`, 1))
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	plain, _ := json.Marshal(wire.Pointer{Plane: p.id, Workspace: other, Region: "eu", Number: 11})
	for name, tc := range map[string]struct {
		key   id.Workspace
		value []byte
		want  wire.Code
	}{
		"unsigned":                {other, plain, wire.PointerUnsigned},
		"empty":                   {other, nil, wire.PointerUnsigned},
		"no JSON":                 {other, []byte("\x00\xff"), wire.PointerUnsigned},
		"tampered":                {other, tampered(), wire.PointerForeign},
		"signed by a stranger":    {other, signed(stranger, nil), wire.PointerForeign},
		"for another plane":       {other, signed(s.control, func(q *wire.Pointer) { q.Plane = "pl_other" }), wire.PointerForeign},
		"for another region":      {other, signed(s.control, func(q *wire.Pointer) { q.Region = "us" }), wire.PointerForeign},
		"under another key":       {ws, signed(s.control, nil), wire.PointerForeign},
		"of a newer format":       {other, signed(s.control, func(q *wire.Pointer) { q.Format = wire.Version + 1 }), wire.PointerTooNew},
		"older than seen":         {ws, signed(s.control, func(q *wire.Pointer) { q.Workspace, q.Number = ws, 9 }), wire.PointerStale},
		"another of the same age": {ws, signed(s.control, func(q *wire.Pointer) { q.Workspace, q.Number = ws, 10 }), wire.PointerStale},
	} {
		put(t, nc, "POINTERS", string(p.id)+"."+string(tc.key), tc.value)
		select {
		case got := <-p.alarms:
			if got != tc.want {
				t.Errorf("a pointer %s: alarm %s, want %s", name, got, tc.want)
			}
		case ptr := <-p.pointers:
			t.Errorf("a pointer %s was given out: %+v", name, ptr)
		case <-time.After(patience):
			t.Fatalf("a pointer %s raised no alarm", name)
		}
	}
	put(t, nc, "POINTERS", string(p.id)+"."+string(other), signed(s.control, nil)) // the same, genuine
	p.next(11)
	if len(p.alarms) > 0 {
		t.Errorf("a genuine pointer raised %s", <-p.alarms)
	}
}

func TestBodiesThatWereChangedAreRefusedAndAlarmed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	eu := hub.Account{Region: "eu"}
	p := s.plane(eu)
	ws := id.New[id.Workspace]()
	good := p.point(ws, 1)
	elsewhere := p.point(id.New[id.Workspace](), 1)
	nc := s.admin(eu)
	stored, err := nc.Request(fmt.Sprintf("$JS.API.DIRECT.GET.KV_BODIES.$KV.BODIES.%s.%s", p.id, elsewhere.Digest), nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	put(t, nc, "BODIES", fmt.Sprintf("%s.%s", p.id, good.Digest), stored.Data)
	if _, err := p.edge.Body(t.Context(), ws, good.Digest); err == nil {
		t.Error("a body in another's place was given out")
	}
	p.alarm(wire.BodyDamaged)
}

func TestAcksThatTheirPlaneDidNotSignAreRefusedAndAlarmed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	eu := hub.Account{Region: "eu"}
	p, q := s.plane(eu), s.plane(eu)
	ws := id.New[id.Workspace]()
	ack := func(p *plane, number uint64) {
		t.Helper()
		if err := p.edge.Ack(t.Context(), wire.Ack{Workspace: ws, Number: number, State: wire.Applied}); err != nil {
			t.Fatal(err)
		}
	}
	ack(q, 1)
	nc := s.admin(eu)
	stored, err := nc.Request(fmt.Sprintf("$JS.API.DIRECT.GET.KV_ACKS.$KV.ACKS.%s.%s", q.id, ws), nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	put(t, nc, "ACKS", fmt.Sprintf("%s.%s", p.id, ws), stored.Data) // q's word as p's
	put(t, nc, "ACKS", fmt.Sprintf("%s.%s", p.id, "ws_unsigned"), []byte(`{}`))
	put(t, nc, "ACKS", "pl_unknown.ws_x", stored.Data)
	p.identity = q.identity // p's admission to the hub, without its identity key
	p.edge.Close()
	p.edge = p.dial(s.server.Address())
	eventually(t, "the thief writes", func() bool {
		return p.edge.Ack(t.Context(), wire.Ack{Workspace: "ws_stolen", Number: 1, State: wire.Applied}) == nil
	})
	ack(q, 2)
	for a, err := range s.hub.Acks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if a.Plane != q.id {
			t.Errorf("ack %+v was given out", a)
		}
		if a.Number == 2 {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.forged) != 4 || s.forged[0] != wire.AckForged {
		t.Errorf("alarms %v, want 4 times %s", s.forged, wire.AckForged)
	}
}

// TestWhatOnePlaneFillsIsEmptiedForTheOthers: planes of an account share the bucket of
// acks. One fills it with what it did not sign, and with acks about workspaces that are
// not its own; another can report again.
func TestWhatOnePlaneFillsIsEmptiedForTheOthers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	own := hub.Account{Region: "eu", Organization: id.New[id.Organization]()} // whose bucket is small
	evil, good := s.plane(own), s.plane(own)
	ws := id.New[id.Workspace]()
	ack := func() error {
		return good.edge.Ack(t.Context(), wire.Ack{Workspace: ws, Number: 1, State: wire.Applied})
	}
	for range 10 {
		if err := evil.edge.Ack(t.Context(), wire.Ack{Workspace: id.New[id.Workspace](), Number: 1, State: wire.Applied}); err != nil {
			t.Fatal(err)
		}
	}
	nc, _ := s.raw(evil.creds, "_INBOX_"+string(evil.id))
	junk := bytes.Repeat([]byte("x"), 250_000)
	for n := 0; ack() == nil; n++ {
		if n == 1000 {
			t.Fatal("the bucket has no end")
		}
		msg, err := nc.Request(fmt.Sprintf("$KV.ACKS.%s.ws_%d", evil.id, n), junk, patience)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(msg.Data, []byte(`"error"`)) && len(junk) > 1 { // for what is left, less fits
			junk = junk[:len(junk)/2]
		}
	}
	s.mu.Lock()
	s.placed = func(p id.Plane, w id.Workspace) bool { return p == good.id && w == ws }
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for a, err := range s.hub.Acks(ctx) {
			if err == nil && a.Plane != good.id {
				t.Errorf("ack %+v was given out", a)
			}
		}
	})
	eventually(t, "the other plane reports again", func() bool { return ack() == nil })
	admin := s.admin(own)
	eventually(t, "only its ack is left", func() bool {
		msg, err := admin.Request("$JS.API.STREAM.INFO.KV_ACKS", nil, patience)
		return err == nil && bytes.Contains(msg.Data, []byte(`"messages":1,`))
	})
	cancel()
	group.Wait()
}

// TestAPlanesCredentialsOpenNothingElse attacks with one plane's credentials
// and no code of ours: another plane of its region and another region have
// entries in every bucket, and none of their marks may come back.
func TestAPlanesCredentialsOpenNothingElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	us, eu := hub.Account{Region: "us"}, hub.Account{Region: "eu"}
	attacker, neighbour, foreigner := s.plane(us), s.plane(us), s.plane(eu)
	var marks []string
	victims := []*plane{neighbour, foreigner}
	for _, v := range victims {
		ws := id.New[id.Workspace]()
		ptr := v.point(ws, 1)
		v.follow() // its consumer exists
		v.next(1)
		if err := v.edge.Ack(t.Context(), wire.Ack{Workspace: ws, Number: 1, State: wire.Applied}); err != nil {
			t.Fatal(err)
		}
		if err := v.edge.Beat(t.Context(), wire.Beat{Version: "1.0.0"}); err != nil {
			t.Fatal(err)
		}
		marks = append(marks, string(v.id), string(ws), string(ptr.Digest))
	}
	own := id.New[id.Workspace]()
	attacker.point(own, 1)

	nc, refused := s.raw(attacker.creds, "_INBOX_"+string(attacker.id))
	seen := make(chan *nats.Msg, 10_000)
	for _, subj := range []string{">", "*", "*.>", "$KV.>", "$JS.>", "$SYS.>", "_INBOX.>", "_INBOX_" + string(neighbour.id) + ".>", "_INBOX_*.>", "$JS.API.>", "_R_.>"} {
		if _, err := nc.ChanSubscribe(subj, seen); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-refused:
		case <-time.After(patience):
			t.Errorf("the hub accepted a subscription of %s", subj)
		}
	}
	var answers []string
	for _, r := range attacks(attacker, victims) {
		answers = append(answers, r.send(t, nc, refused))
	}
	for _, v := range victims { // traffic while the attacker listens
		v.point(id.New[id.Workspace](), 1)
	}
	text := strings.Join(answers, "\n")
	for _, m := range marks {
		if strings.Contains(text, m) {
			t.Errorf("%s came back in:\n%s", m, text)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(seen) > 0 {
		t.Errorf("a wildcard subscription received %s", (<-seen).Subject)
	}
	// Nothing of the others was changed by it.
	for _, v := range victims {
		nc := s.admin(v.account)
		for _, bucket := range []string{"ACKS", "BEATS"} {
			msg, err := nc.Request("$JS.API.STREAM.INFO.KV_"+bucket, []byte(`{"subjects_filter":"$KV.`+bucket+`.`+string(v.id)+`.>"}`), patience)
			if err != nil || bucket == "ACKS" && !strings.Contains(string(msg.Data), string(v.id)+".ws_") {
				t.Errorf("after the attack %s has lost what %s wrote: %v", bucket, v.id, err)
			}
		}
		msg, err := nc.Request("$JS.API.DIRECT.GET.KV_BEATS.$KV.BEATS."+string(v.id), nil, patience)
		if err != nil || !strings.Contains(string(msg.Data), "signature") {
			t.Errorf("after the attack the beat of %s is %q, %v", v.id, msg.Data, err)
		}
	}
}

// attack is one request. allowed says that the hub takes the subject, and its
// answer is what matters.
type attack struct {
	subject, body string
	header        nats.Header
	allowed       bool
}

// send returns what came back, empty when the hub refused the subject.
func (a attack) send(t *testing.T, nc *nats.Conn, refused chan string) string {
	t.Helper()
	got := make(chan string, 10)
	reply := nc.NewInbox()
	sub, err := nc.Subscribe(reply, func(m *nats.Msg) { got <- fmt.Sprint(m.Header) + string(m.Data) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishMsg(&nats.Msg{Subject: a.subject, Reply: reply, Data: []byte(a.body), Header: a.header}); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-got:
		if !a.allowed {
			t.Errorf("the hub answered %s %s: %s", a.subject, a.body, text)
		}
		return text
	case <-refused:
		return ""
	case <-time.After(patience):
		t.Errorf("%s was neither answered nor refused", a.subject)
		return ""
	}
}

func attacks(own *plane, victims []*plane) []attack {
	var all []attack
	for _, s := range []string{
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.ACCOUNT.PURGE.x", "$JS.API.SERVER.REMOVE", "$JS.API.META.LEADER.STEPDOWN",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.USER.INFO", "$JS.API.STREAM.CREATE.X",
	} {
		all = append(all, attack{subject: s, body: "{}"})
	}
	for _, b := range []string{"POINTERS", "BODIES", "SECRETS", "ACKS", "BEATS"} {
		k := "KV_" + b
		for _, s := range []string{"STREAM.INFO", "STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.SNAPSHOT", "STREAM.RESTORE", "STREAM.LEADER.STEPDOWN", "CONSUMER.NAMES", "CONSUMER.LIST", "DIRECT.GET"} {
			all = append(all, attack{subject: "$JS.API." + s + "." + k, body: `{"subjects_filter":">","last_by_subj":"$KV.` + b + `.>"}`})
		}
		all = append(all, attack{subject: "$JS.API.STREAM.MSG.GET." + k, body: `{"seq":1}`},
			attack{subject: "$JS.API.STREAM.MSG.DELETE." + k, body: `{"seq":1}`},
			attack{subject: "$JS.API.CONSUMER.CREATE." + k, body: `{"stream_name":"` + k + `","config":{"ack_policy":"none"}}`},
			attack{subject: "$JS.API.CONSUMER.CREATE." + k + "." + string(own.id), body: `{"stream_name":"` + k + `","config":{"ack_policy":"none","name":"` + string(own.id) + `"}}`})
		for _, v := range victims {
			p := string(v.id)
			all = append(all,
				attack{subject: "$JS.API.DIRECT.GET." + k + ".$KV." + b + "." + p + ".>"},
				attack{subject: "$JS.API.DIRECT.GET." + k + ".$KV." + b + "." + p},
				attack{subject: "$KV." + b + "." + p + ".ws_x", body: "x"},
				attack{subject: "$KV." + b + "." + p, body: "x"},
				attack{subject: "$JS.API.CONSUMER.INFO." + k + "." + p},
				attack{subject: "$JS.API.CONSUMER.DELETE." + k + "." + p},
				attack{subject: "$JS.API.CONSUMER.MSG.NEXT." + k + "." + p, body: "1"},
				attack{subject: "$JS.API.CONSUMER.CREATE." + k + "." + string(own.id) + ".$KV." + b + "." + p + ".>", body: "{}"})
		}
	}
	all = append(all, attack{subject: "$KV.POINTERS." + string(own.id) + ".ws_x", body: "x"}, attack{subject: "$KV.BODIES." + string(own.id) + ".x", body: "x"})
	// Subjects that the plane has, with bodies that ask for more.
	create := "$JS.API.CONSUMER.CREATE.KV_POINTERS." + string(own.id) + ".$KV.POINTERS." + string(own.id) + ".>"
	get := "$JS.API.DIRECT.GET.KV_BODIES.$KV.BODIES." + string(own.id) + ".x"
	for _, v := range victims {
		filter := "$KV.POINTERS." + string(v.id) + ".>"
		all = append(all,
			attack{subject: create, allowed: true, body: `{"stream_name":"KV_POINTERS","config":{"name":"` + string(own.id) + `","ack_policy":"none","filter_subject":"` + filter + `"}}`},
			attack{subject: create, allowed: true, body: `{"stream_name":"KV_POINTERS","config":{"name":"` + string(own.id) + `","ack_policy":"none","filter_subjects":["` + filter + `"]}}`},
			attack{subject: create, allowed: true, body: `{"stream_name":"KV_POINTERS","config":{"name":"` + string(v.id) + `","ack_policy":"none"}}`},
			attack{subject: get, allowed: true, body: `{"last_by_subj":"$KV.BODIES.` + string(v.id) + `.>"}`},
			attack{subject: get, allowed: true, body: `{"multi_last":["$KV.BODIES.>"]}`},
			attack{subject: get, allowed: true, body: `{"seq":1}`},
			attack{subject: get, allowed: true, body: `{"seq":1,"next_by_subj":"$KV.BODIES.>"}`})
	}
	// Writes to its own keys that would empty the bucket of all.
	for _, h := range []string{"all", "sub"} {
		all = append(all, attack{subject: "$KV.BEATS." + string(own.id), allowed: true, body: "x", header: nats.Header{"Nats-Rollup": {h}}},
			attack{subject: "$KV.ACKS." + string(own.id) + ".ws_x", allowed: true, body: "x", header: nats.Header{"Nats-Rollup": {h}}})
	}
	return all
}
