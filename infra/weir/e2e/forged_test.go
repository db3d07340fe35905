package e2e_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

// hubAccess is what somebody holds who took over the control plane's machine.
type hubAccess struct {
	key   ed25519.PrivateKey
	hub   *hub.Hub
	to    hub.Recipient
	admin jetstream.JetStream
	ws    id.Workspace
	name  string
}

func takeOver(t *testing.T, r *roles) *hubAccess {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "control", "keys", "control.key"))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	operator, err := hub.LoadOperator(filepath.Join(r.dir, "control", "hub"))
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Planes []struct {
			ID          id.Plane
			SealingKey  string
			IdentityKey []byte
		}
		Workspaces []struct {
			ID   id.Workspace
			Name string
		}
	}
	if err := json.Unmarshal([]byte(fetch(t, "http://"+r.http+"/api/v1/status", r.token)), &status); err != nil {
		t.Fatal(err)
	}
	plane, account := status.Planes[0], hub.Account{Region: "eu"}
	sealing, err := secret.ParsePublic(plane.SealingKey)
	if err != nil {
		t.Fatal(err)
	}
	a := &hubAccess{key: ed25519.NewKeyFromSeed(seed), to: hub.Recipient{Plane: plane.ID, Account: account, Sealing: sealing}, ws: status.Workspaces[0].ID, name: status.Workspaces[0].Name}
	a.hub, err = hub.New(hub.Config{Address: "nats://" + r.hub, Operator: operator, Key: a.key, Accounts: []hub.Account{account},
		PlaneKey: func(id.Plane) (ed25519.PublicKey, bool) { return plane.IdentityKey, true }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.hub.Close)
	creds, err := operator.Admin(account)
	if err != nil {
		t.Fatal(err)
	}
	a.admin = connectJS(t, r.hub, creds.JWT, creds.Seed.Reveal())
	return a
}

func connectJS(t *testing.T, hub, jwt, seed string) jetstream.JetStream {
	t.Helper()
	keys, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+hub, nats.UserJWT(func() (string, error) { return jwt, nil }, keys.Sign))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// put writes raw bytes where the plane looks for its pointer.
func (a *hubAccess) put(t *testing.T, data []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := a.admin.Publish(ctx, fmt.Sprintf("$KV.POINTERS.%s.%s", a.to.Plane, a.ws), data); err != nil {
		t.Fatal(err)
	}
}

func (a *hubAccess) pointer(number uint64, digest workspace.Digest) wire.Pointer {
	return wire.Pointer{Format: wire.Version, Plane: a.to.Plane, Workspace: a.ws, Region: "eu", Number: number, Digest: digest, IssuedAt: time.Now().UTC()}
}

// TestRevisionsThatMustNotRun puts a revision on the hub that the plane cannot
// run, then pointers that nobody may have written, then nothing at all.
func TestRevisionsThatMustNotRun(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	r := startRoles(t)
	config := hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL})
	r.apply(0, config)
	a := takeOver(t, r)
	flows := func(id string) {
		t.Helper()
		accept(t, "http://"+r.gateway, "/v1/track", "wk_web", fmt.Sprintf(`{"userId":"u","event":"E","messageId":%q}`, id))
		until(t, id+" at the webhook", func() bool { return hook.ids()[id] == 1 })
	}
	flows("before")

	bad := workspace.Config{Format: workspace.Format, Workspace: a.ws, Name: a.name, Region: "eu",
		Destinations: []workspace.Destination{{ID: id.New[id.Destination](), Name: "odd", Type: "teleporter"}}}
	body, digest, err := workspace.Encode(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.hub.Point(t.Context(), a.to, a.pointer(50, digest), body); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nacked := false
	for ack, err := range a.hub.Acks(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if ack.Number != 50 {
			continue
		}
		nacked = ack.State == wire.Rejected && ack.Running == 1 && len(ack.Problems) > 0 && strings.HasPrefix(ack.Problems[0].Path, "destinations[0]") && ack.Problems[0].Code == "unknown_type"
		if !nacked {
			t.Errorf("the ack of a revision that cannot run: %+v", ack)
		}
		break
	}
	if !nacked {
		t.Error("a revision that cannot run was not nacked")
	}
	flows("after a bad revision")

	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(key ed25519.PrivateKey, p wire.Pointer) []byte {
		b, err := envelope.Sign(key, envelope.Pointer, p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	foreign := a.pointer(60, digest)
	foreign.Plane = id.New[id.Plane]()
	tampered := signed(a.key, a.pointer(61, digest))
	tampered[len(tampered)/2] ^= 1
	gone := a.pointer(62, "")
	gone.Tombstone = true
	for name, tc := range map[string]struct {
		data  []byte
		alarm string
	}{
		"unsigned":             {[]byte(`{"number":70}`), "pointer_unsigned"},
		"signed by a stranger": {signed(stranger, gone), "pointer_foreign"},
		"of another plane":     {signed(a.key, foreign), "pointer_foreign"},
		"tampered with":        {tampered, "pointer_unsigned|pointer_foreign"},
		"older":                {signed(a.key, a.pointer(2, digest)), "pointer_stale"},
	} {
		before := alarms(t, r, tc.alarm)
		a.put(t, tc.data)
		until(t, "an alarm of a pointer "+name, func() bool { return alarms(t, r, tc.alarm) > before })
		flows("after one " + name)
	}

	for _, bucket := range []string{"KV_POINTERS", "KV_BODIES", "KV_SECRETS"} {
		s, err := a.admin.Stream(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	flows("after the hub was emptied")
	r.plane.kill()
	r.startPlane()
	flows("after a cold start with an empty hub")

	out := r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL, "third": hook.URL}))
	if !contains(out, "third") {
		t.Errorf("apply after all that:\n%s", out)
	}
}

// alarms returns how often the plane raised one of the codes, given with | between.
func alarms(t *testing.T, r *roles, codes string) (n int) {
	t.Helper()
	var status struct {
		Planes []struct {
			Alarms []struct {
				Code  string
				Count int
			}
		}
	}
	if err := json.Unmarshal([]byte(fetch(t, "http://"+r.http+"/api/v1/status", r.token)), &status); err != nil {
		t.Fatal(err)
	}
	for _, a := range status.Planes[0].Alarms {
		if contains("|"+codes+"|", "|"+a.Code+"|") {
			n += a.Count
		}
	}
	return n
}
