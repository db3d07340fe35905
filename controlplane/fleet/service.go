package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/hub"
)

// Config says what a Service stands on. All fields but Origins, Log and Now are
// required.
type Config struct {
	Store *store.Store
	// Enrol returns the admission of a plane to the hub: hub.Hub.Enrol.
	Enrol func(ctx context.Context, a hub.Account, userKey string, p id.Plane) (string, error)
	// Expel ends the admission of a plane to the hub, and removes what the hub has of it:
	// hub.Hub.Expel.
	Expel func(ctx context.Context, a hub.Account, p id.Plane) error
	// Ask wants a beat of a plane at once, which names ask: hub.Hub.Ask.
	Ask func(ctx context.Context, a hub.Account, p id.Plane, ask uint64) error
	// Beats gives the verified beats of all planes: hub.Hub.Beats.
	Beats         func(ctx context.Context) iter.Seq2[wire.Beat, error]
	HubAddress    string            // where planes reach the hub, nats://host:port
	ControlKey    ed25519.PublicKey // signs pointers and secrets
	CapabilityKey ed25519.PublicKey // signs capabilities
	Origins       []string          // browser origins that may open a plane's view
	Log           *slog.Logger      // nil discards
	Now           func() time.Time  // nil means time.Now
}

// Service is the fleet. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu      sync.Mutex
	keys    map[id.Plane]ed25519.PublicKey
	unknown map[id.Plane]time.Time // asked for in vain, and when
	asks    uint64                 // the number of the newest ask
	waiting map[id.Plane][]*waiter // in the order of their asks
}

// New checks cfg. Nothing runs before Run.
func New(cfg Config) (*Service, error) {
	var missing []error
	need := func(ok bool, what string) {
		if !ok {
			missing = append(missing, fault.New(fault.Invalid, "the fleet needs %s", what))
		}
	}
	need(cfg.Store != nil, "a store")
	need(cfg.Enrol != nil, "a way to enrol planes at the hub")
	need(cfg.Expel != nil, "a way to expel planes from the hub")
	need(cfg.Ask != nil, "a way to ask planes for a beat")
	need(cfg.Beats != nil, "the planes' beats")
	need(cfg.HubAddress != "", "the hub's address")
	need(len(cfg.ControlKey) == ed25519.PublicKeySize, "the control plane's public key")
	need(len(cfg.CapabilityKey) == ed25519.PublicKeySize, "the public key of capabilities")
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, keys: map[id.Plane]ed25519.PublicKey{}, unknown: map[id.Plane]time.Time{}, waiting: map[id.Plane][]*waiter{}}, nil
}

// Fingerprint is what people compare to be sure of a plane: the first 16 bytes
// of the SHA-256 of its identity key, in hex.
func Fingerprint(identity []byte) string {
	sum := sha256.Sum256(identity)
	return hex.EncodeToString(sum[:16])
}

// Recipient is p as the hub addresses it.
func Recipient(p store.Plane) hub.Recipient {
	return hub.Recipient{Plane: p.ID, Account: account(p.Region, p.Organization), Sealing: secret.PublicKey(p.SealingKey)}
}

// Accounts returns the hub accounts that the planes of the store belong to, for
// hub.Config.
func Accounts(ctx context.Context, s *store.Store) ([]hub.Account, error) {
	planes, err := s.Planes(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list the hub's accounts: %w", err)
	}
	var all []hub.Account
	for _, p := range planes {
		if a := account(p.Region, p.Organization); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all, nil
}

func account(region string, organization id.Organization) hub.Account {
	return hub.Account{Region: region, Organization: organization}
}

// Place returns the plane that a new workspace of org in a region goes to: the regional
// plane that joined first, or where there is none the private one of org that joined
// first. fault.Missing: no such plane has joined in this region.
func (s *Service) Place(ctx context.Context, org store.OrganizationID, region string) (store.Plane, error) {
	planes, err := s.cfg.Store.Planes(ctx, region)
	if err != nil {
		return store.Plane{}, fmt.Errorf("place a workspace in %s: %w", region, err)
	}
	none := fault.New(fault.Missing, "no data plane has joined in region %q: invite one with weir plane invite --region", region)
	if region == "" || len(planes) == 0 {
		return store.Plane{}, none
	}
	if i := slices.IndexFunc(planes, func(p store.Plane) bool { return p.Kind == store.Regional }); i >= 0 {
		return planes[i], nil
	}
	for _, p := range planes {
		takes, err := s.takes(ctx, p, org)
		if err != nil {
			return store.Plane{}, fmt.Errorf("place a workspace in %s: %w", region, err)
		}
		if takes {
			return p, nil
		}
	}
	return store.Plane{}, none
}

// takes reports whether a private plane takes workspaces of org. Of those that joined before
// planes belonged to organizations, which are of none that there is, all do.
func (s *Service) takes(ctx context.Context, p store.Plane, org store.OrganizationID) (bool, error) {
	owner := store.OrganizationID(p.Organization)
	if owner == org {
		return true, nil
	}
	_, err := s.cfg.Store.Tenancy().Organization(ctx, owner)
	if fault.KindOf(err) == fault.Missing {
		return true, nil
	}
	return false, err
}

// silence is how old a plane's newest beat may be before it counts as
// unhealthy: three beats and a bit.
const silence = 45 * time.Second

// Healthy reports whether a plane said that it is well, and lately: a beat of the future is
// from before a clock stepped back.
func (s *Service) Healthy(p store.Plane) bool {
	return p.Healthy && s.cfg.Now().Sub(p.LastBeat).Abs() < silence
}

// Silent is the code of the alarm of a plane that was heard once and is not any more. The
// control plane raises it: the plane cannot.
const Silent wire.Code = "plane_silent"

// Judge returns p as it is to be shown now: Healthy only while it is heard, and with an alarm
// when it is not.
func (s *Service) Judge(p store.Plane) store.Plane {
	if p.LastBeat.IsZero() {
		return p
	}
	p.Healthy = s.Healthy(p)
	if s.cfg.Now().Sub(p.LastBeat).Abs() >= silence {
		p.Alarms = append([]wire.Alarm{{Code: Silent, Count: 1}}, p.Alarms...)
	}
	return p
}

// Bounds of Key's memory of planes that do not exist, and how long it keeps one.
const (
	maxUnknown  = 1024
	keepUnknown = 5 * time.Second
	keyDeadline = 5 * time.Second
)

// Key returns the identity key of a plane that has joined, for hub.Config.
// It asks the store once a plane, and no more than every 5 seconds for one that
// is not there.
func (s *Service) Key(p id.Plane) (ed25519.PublicKey, bool) {
	now := s.cfg.Now()
	s.mu.Lock()
	key, known := s.keys[p]
	asked, unknown := s.unknown[p]
	s.mu.Unlock()
	if known || unknown && now.Sub(asked) < keepUnknown {
		return key, known
	}
	ctx, cancel := context.WithTimeout(context.Background(), keyDeadline)
	defer cancel()
	row, err := s.cfg.Store.Plane(ctx, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.keys[p] = row.IdentityKey
		delete(s.unknown, p)
		return row.IdentityKey, true
	case fault.KindOf(err) != fault.Missing:
		s.cfg.Log.Warn("plane's key not read", "plane", p, "error", err)
		return nil, false
	}
	if len(s.unknown) >= maxUnknown {
		clear(s.unknown)
	}
	s.unknown[p] = now
	return nil, false
}
