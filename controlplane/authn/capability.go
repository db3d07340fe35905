package authn

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/chain"
	"weir/shared/capability"
)

// readsEvery is for how long one row of the audit log stands for capabilities that read the same.
const readsEvery = time.Hour

// Capability signs what a browser or CLI may ask of one plane about one
// workspace, and leaves an audit row that names it all, unless it reads counts only. Of
// capabilities that read the same, for the same caller at the same address, the first leaves
// the row for an hour. The end of g is set here. Whether who may have it was decided before.
func (s *Service) Capability(ctx context.Context, who store.Actor, g capability.Grant) (token string, expires time.Time, err error) {
	g.Expires = s.now().Add(capability.Lifetime).UTC().Truncate(time.Second)
	token, err = capability.Sign(s.key, g)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("issue a capability for %s: %w", g.Workspace, err)
	}
	if g.Action.CountsOnly() { // the console asks every few seconds
		return token, g.Expires, nil
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{who.String(), who.ID, chain.OriginOf(ctx).Address, g.Origin, string(g.Plane), string(g.Workspace), limits(g)}, "\x00")))
	said := string(sum[:])
	if g.Action.Reads() && !s.reads.Open(said, 1) {
		return token, g.Expires, nil
	}
	if err := s.store.Record(ctx, who, "capability.issue", "workspace "+string(g.Workspace), limits(g)); err != nil {
		return "", time.Time{}, fmt.Errorf("issue a capability for %s: %w", g.Workspace, err)
	}
	s.reads.Count(said)
	return token, g.Expires, nil
}

// limits is what g allows, in words for the audit.
func limits(g capability.Grant) string {
	var b strings.Builder
	b.WriteString(string(g.Action))
	for _, s := range g.Sources {
		b.WriteString(" " + string(s))
	}
	for _, d := range g.Destinations {
		b.WriteString(" " + string(d))
	}
	return b.String()
}

// Encrypt is clear as the database may keep it: Decrypt of the same what alone reads it.
func (s *Service) Encrypt(what string, clear []byte) []byte { return s.atrest.Encrypt(what, clear) }

// Decrypt reverses Encrypt. fault.Internal: it is damaged, or of another control plane.
func (s *Service) Decrypt(what string, kept []byte) ([]byte, error) {
	return s.atrest.Decrypt(what, kept)
}
