package capability_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func grant() capability.Grant {
	return capability.Grant{
		Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadDead, Destinations: []id.Destination{"dst_a"},
		Origin: "https://weir.example", Expires: now.Add(capability.Lifetime),
	}
}

func want() capability.Want {
	return capability.Want{Plane: "pl_a", Workspace: "ws_a", Action: capability.ReadDead, Destination: "dst_a", Origin: "https://weir.example"}
}

func keys(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestAGrantComesBackFromItsToken(t *testing.T) {
	t.Parallel()
	public, private := keys(t)
	token, err := capability.Sign(private, grant())
	if err != nil {
		t.Fatal(err)
	}
	got, err := capability.Verify(public, token, now, want())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(grant(), got); d != "" {
		t.Errorf("grant (-want +got):\n%s", d)
	}
	if strings.ContainsAny(token, " +/=\n") {
		t.Errorf("the token %q does not fit a header", token)
	}
}

func TestWhatAGrantDoesNotCoverIsDenied(t *testing.T) {
	t.Parallel()
	public, private := keys(t)
	stranger, _ := keys(t)
	token, err := capability.Sign(private, grant())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key    ed25519.PublicKey
		at     time.Time
		change func(*capability.Want)
		text   string
	}{
		"expired":             {public, now.Add(capability.Lifetime), nil, "ended"},
		"too long":            {public, now.Add(-2 * time.Minute), nil, "longer than"},
		"another key":         {stranger, now, nil, "not issued"},
		"no key":              {nil, now, nil, "not issued"},
		"another plane":       {public, now, func(w *capability.Want) { w.Plane = "pl_b" }, "plane"},
		"another workspace":   {public, now, func(w *capability.Want) { w.Workspace = "ws_b" }, "workspace"},
		"another action":      {public, now, func(w *capability.Want) { w.Action = capability.RedriveDead }, "dead:redrive"},
		"another origin":      {public, now, func(w *capability.Want) { w.Origin = "https://evil.example" }, "page"},
		"no origin":           {public, now, func(w *capability.Want) { w.Origin = "" }, "page"},
		"another destination": {public, now, func(w *capability.Want) { w.Destination = "dst_b" }, "destination"},
		"all destinations":    {public, now, func(w *capability.Want) { w.Destination = "" }, "destination"},
	} {
		w := want()
		if tc.change != nil {
			tc.change(&w)
		}
		got, err := capability.Verify(tc.key, token, tc.at, w)
		if err == nil || fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want Denied with %q", name, err, tc.text)
		}
		if got.Plane != "" {
			t.Errorf("%s: the grant %+v came with the refusal", name, got)
		}
	}
}

func TestAGrantOfSomeWillDoForACallerThatKeepsToThem(t *testing.T) {
	t.Parallel()
	public, private := keys(t)
	token, err := capability.Sign(private, grant())
	if err != nil {
		t.Fatal(err)
	}
	w := want()
	w.Destination, w.Part = "", true
	if _, err := capability.Verify(public, token, now, w); err != nil {
		t.Errorf("Verify of a part: %v", err)
	}
	if w.Destination = "dst_b"; err == nil {
		_, err = capability.Verify(public, token, now, w)
	}
	if fault.KindOf(err) != fault.Denied {
		t.Errorf("Verify of another destination: %v, want Denied", err)
	}
}

func TestAGrantOfSeveralWorkspacesIsForCallersThatKeepToThem(t *testing.T) {
	t.Parallel()
	public, private := keys(t)
	several := capability.Grant{Plane: "pl_a", Workspaces: []id.Workspace{"ws_a", "ws_b"}, Action: capability.ReadLedger, Expires: now.Add(time.Minute)}
	token, err := capability.Sign(private, several)
	if err != nil {
		t.Fatal(err)
	}
	ask := capability.Want{Plane: "pl_a", Action: capability.ReadLedger, Part: true}
	if _, err := capability.Verify(public, token, now, ask); fault.KindOf(err) != fault.Denied {
		t.Errorf("Verify for one workspace: %v, want Denied", err)
	}
	ask.Workspace, ask.Many = "ws_a", true
	if _, err := capability.Verify(public, token, now, ask); fault.KindOf(err) != fault.Denied {
		t.Errorf("Verify for ws_a by its name: %v, want Denied", err)
	}
	ask.Workspace = ""
	got, err := capability.Verify(public, token, now, ask)
	if d := cmp.Diff(several, got); d != "" || err != nil {
		t.Errorf("grant (-want +got):\n%s, %v", d, err)
	}
	for name, change := range map[string]func(*capability.Grant){
		"one beside":        func(g *capability.Grant) { g.Workspace = "ws_c" },
		"no identifier":     func(g *capability.Grant) { g.Workspaces = []id.Workspace{"ws_a", ""} },
		"of another action": func(g *capability.Grant) { g.Action = capability.ReadDead },
		"of some sources":   func(g *capability.Grant) { g.Sources = []id.Source{"src_a"} },
	} {
		g := several
		change(&g)
		if _, err := capability.Sign(private, g); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Sign with %s: %v, want Invalid", name, err)
		}
	}
}

func TestForgedTokensAreDenied(t *testing.T) {
	t.Parallel()
	public, private := keys(t)
	token, err := capability.Sign(private, grant())
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"", ".", "..", "weircap1..", "weircap2" + token[8:], token + ".x", token + "=", token[:len(token)-1], strings.Repeat("a.", 100_000)}
	for i := range token {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		forged = append(forged, token[:i]+string(c)+token[i+1:])
	}
	// A signature of the same key over the same bytes in another domain.
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	forged = append(forged, "weircap1."+base64.RawURLEncoding.EncodeToString(body)+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, body)))
	// A genuine signature over a limit that this build does not know.
	unknown := []byte(strings.Replace(string(body), "{", `{"onlyOnSundays":true,`, 1))
	sig := ed25519.Sign(private, append([]byte("weir capability 1\x00"), unknown...))
	forged = append(forged, "weircap1."+base64.RawURLEncoding.EncodeToString(unknown)+"."+base64.RawURLEncoding.EncodeToString(sig))
	for _, f := range forged {
		if _, err := capability.Verify(public, f, now, want()); err == nil || fault.KindOf(err) != fault.Denied {
			t.Errorf("Verify(%.80q): %v, want Denied", f, err)
		}
	}
}

func TestAGrantThatCouldMeanAllIsNotSigned(t *testing.T) {
	t.Parallel()
	_, private := keys(t)
	for name, change := range map[string]func(*capability.Grant){
		"plane":     func(g *capability.Grant) { g.Plane = "" },
		"workspace": func(g *capability.Grant) { g.Workspace = "" },
		"action":    func(g *capability.Grant) { g.Action = "" },
		"end":       func(g *capability.Grant) { g.Expires = time.Time{} },
	} {
		g := grant()
		change(&g)
		if _, err := capability.Sign(private, g); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("Sign without %s: %v, want Invalid", name, err)
		}
	}
}
