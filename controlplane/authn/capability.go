package authn

import (
	"context"
	"fmt"
	"time"

	"weir/controlplane/store"
	"weir/shared/capability"
	"weir/shared/id"
)

// Capability signs what a browser or CLI may ask of one plane about one
// workspace, and leaves an audit row. Origin is the browser origin that will
// use it, empty for programs. Whether who may have it was decided before.
func (s *Service) Capability(ctx context.Context, who store.Actor, plane id.Plane, ws id.Workspace, action capability.Action, origin string) (token string, expires time.Time, err error) {
	expires = s.now().Add(capability.Lifetime).UTC().Truncate(time.Second)
	token, err = capability.Sign(s.key, capability.Grant{Plane: plane, Workspace: ws, Action: action, Origin: origin, Expires: expires})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("issue a capability for %s: %w", ws, err)
	}
	if err := s.store.Record(ctx, who, "capability.issue", "workspace "+string(ws), string(action)); err != nil {
		return "", time.Time{}, fmt.Errorf("issue a capability for %s: %w", ws, err)
	}
	return token, expires, nil
}
