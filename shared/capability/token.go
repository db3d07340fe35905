package capability

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"weir/shared/fault"
	"weir/shared/id"
)

const (
	// prefix begins every token; the number is the format.
	prefix = "weircap1"
	// domain keeps these signatures apart from all others of the same key.
	domain = "weir capability 1\x00"
	// maxToken is the longest token that is looked at, in bytes.
	maxToken = 16 << 10
	// maxSkew is how far into the future beyond Lifetime a token may still be
	// good: the clocks of two planes differ.
	maxSkew = time.Minute
)

// Want is what a request needs. Source and Destination are empty when it is
// about the whole workspace, Origin when no browser sent it. An empty Workspace
// asks only whether the token is good for this plane and action. Part says that
// the caller keeps to the grant's Sources and Destinations itself, so that a
// grant of some will do. Many says that it keeps to the grant's Workspaces itself; a grant
// of several is denied otherwise.
type Want struct {
	Plane       id.Plane
	Workspace   id.Workspace
	Action      Action
	Source      id.Source
	Destination id.Destination
	Origin      string
	Part        bool
	Many        bool
}

// Sign returns the token that carries g. fault.Invalid: g names no plane,
// workspace, action or end, so it could be read as "all", or several workspaces where it
// may not.
func Sign(key ed25519.PrivateKey, g Grant) (string, error) {
	if !id.Valid(g.Plane) || !g.about() || g.Action == "" || g.Expires.IsZero() {
		return "", fault.New(fault.Invalid, "A capability names a plane, a workspace, an action and when it ends.")
	}
	if len(key) != ed25519.PrivateKeySize {
		return "", fault.New(fault.Internal, "There is no key to sign capabilities with.")
	}
	g.Expires = g.Expires.UTC()
	body, err := json.Marshal(g)
	if err != nil {
		return "", fault.New(fault.Internal, "The capability cannot be written: %v.", err)
	}
	sig := ed25519.Sign(key, append([]byte(domain), body...))
	enc := base64.RawURLEncoding
	return prefix + "." + enc.EncodeToString(body) + "." + enc.EncodeToString(sig), nil
}

// about reports whether g names one workspace, or several where it may.
func (g Grant) about() bool {
	if len(g.Workspaces) == 0 {
		return id.Valid(g.Workspace)
	}
	return g.Workspace == "" && g.Action.OfMany() && len(g.Sources)+len(g.Destinations) == 0 &&
		!slices.ContainsFunc(g.Workspaces, func(ws id.Workspace) bool { return !id.Valid(ws) })
}

// Verify returns the grant of token if it is signed by key's owner, not over at
// now, and allows every want.
//
// fault.Denied in all other cases, with a sentence that says which; the grant
// is then zero.
func Verify(key ed25519.PublicKey, token string, now time.Time, want ...Want) (Grant, error) {
	g, ok := read(key, token)
	if !ok {
		return Grant{}, fault.New(fault.Denied, "This capability was not issued by the control plane of this plane; open the page again to get one.")
	}
	if !now.Before(g.Expires) {
		return Grant{}, fault.New(fault.Denied, "This capability ended at %s; open the page again to get a new one.", g.Expires.Format(time.RFC3339))
	}
	if g.Expires.After(now.Add(Lifetime + maxSkew)) {
		return Grant{}, fault.New(fault.Denied, "This capability is good for longer than %s; the clock of this plane may be behind.", Lifetime)
	}
	for _, w := range want {
		if err := g.allows(w); err != nil {
			return Grant{}, err
		}
	}
	return g, nil
}

// read takes a token apart; ok is false when anything about it is not as Sign
// made it.
func read(key ed25519.PublicKey, token string) (g Grant, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || parts[0] != prefix || len(key) != ed25519.PublicKeySize {
		return Grant{}, false
	}
	enc := base64.RawURLEncoding.Strict()
	body, err := enc.DecodeString(parts[1])
	if err != nil {
		return Grant{}, false
	}
	sig, err := enc.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, append([]byte(domain), body...), sig) {
		return Grant{}, false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields() // a limit that this build does not know would be ignored
	if err := dec.Decode(&g); err != nil {
		return Grant{}, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return Grant{}, false
	}
	return g, true
}

// allows says whether g covers w.
func (g Grant) allows(w Want) error {
	switch {
	case g.Plane != w.Plane:
		return fault.New(fault.Denied, "This capability is for the plane %s, not for %s.", g.Plane, w.Plane)
	case len(g.Workspaces) > 0 && !w.Many:
		return fault.New(fault.Denied, "This capability is for several workspaces; this needs one for its workspace alone.")
	case w.Workspace != "" && g.Workspace != w.Workspace:
		return fault.New(fault.Denied, "This capability is for another workspace.")
	case g.Action != w.Action:
		return fault.New(fault.Denied, "This capability allows %s; this needs %s.", g.Action, w.Action)
	case g.Origin != w.Origin:
		return fault.New(fault.Denied, "This capability may not be used from here: it is bound to the page that asked for it.")
	case !(w.Part && w.Source == "") && !covers(g.Sources, w.Source):
		return fault.New(fault.Denied, "This capability does not cover this source.")
	case !(w.Part && w.Destination == "") && !covers(g.Destinations, w.Destination):
		return fault.New(fault.Denied, "This capability does not cover this destination.")
	}
	return nil
}

// covers reports whether a list of a grant allows one object; an empty list
// allows all, and a list of some does not allow asking about the whole.
func covers[T ~string](list []T, one T) bool {
	if len(list) == 0 {
		return true
	}
	for _, v := range list {
		if v == one && one != "" {
			return true
		}
	}
	return false
}
