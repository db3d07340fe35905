package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

// InvitationLifetime is how long an invitation is good.
const InvitationLifetime = time.Hour

// tokenPrefix tells people and secret scanners what the token is.
const tokenPrefix = "weir_join_"

// Invite makes an invitation for one plane and returns its token, which is shown
// once and not kept. The organization is for private planes only.
// fault.Invalid: the region, kind or organization is none.
func (s *Service) Invite(ctx context.Context, who store.Actor, region string, kind store.PlaneKind, organization id.Organization) (string, store.Invitation, error) {
	var problems []fault.Problem
	if !workspace.ValidRegion(region) {
		problems = append(problems, fault.Problem{Path: "region", Code: "bad_region", Text: "A region is a short name in lower case, such as eu."})
	}
	switch kind {
	case store.Regional:
		if organization != "" {
			problems = append(problems, fault.Problem{Path: "organization", Code: "not_private", Text: "Only a private plane belongs to an organization."})
		}
	case store.Private:
		if organization == "" { // an installation without organizations still parts its private planes
			organization = id.New[id.Organization]()
		}
		if !id.Valid(organization) {
			problems = append(problems, fault.Problem{Path: "organization", Code: "bad_id", Text: "An identifier is 1 to 64 of a-z, 0-9, '_' and '-'."})
		}
	default:
		problems = append(problems, fault.Problem{Path: "kind", Code: "bad_kind", Text: "A plane is regional or private."})
	}
	if err := fault.Problems("no plane can be invited like this", problems); err != nil {
		return "", store.Invitation{}, err
	}
	token := tokenPrefix + strings.ToLower(rand.Text())
	inv := store.Invitation{
		Token: sha256.Sum256([]byte(token)), Region: region, Kind: kind, Organization: organization,
		CreatedAt: s.cfg.Now(), ExpiresAt: s.cfg.Now().Add(InvitationLifetime),
	}
	if err := s.cfg.Store.CreateInvitation(ctx, who, inv); err != nil {
		return "", store.Invitation{}, fmt.Errorf("invite a plane to %s: %w", region, err)
	}
	return token, inv, nil
}

// Application is a plane that asks to join. All keys are public ones.
type Application struct {
	Token               string
	Name                string // 1 to 64 of a-z, 0-9 and '-'
	IdentityKey         ed25519.PublicKey
	SealingKey          secret.PublicKey
	SealingKeySignature []byte // by the identity key: envelope.SignSealingKey
	NATSKey             string // "U…"
	GatewayURL, ViewURL string // http or https, or empty
	Version             string
	Kinds               []wire.Kind
}

// Admission is what a plane needs to know after joining; nothing in it is secret.
type Admission struct {
	Plane         id.Plane
	Region        string
	Hub           string // address
	JWT           string // admits the holder of the NATS key to the hub
	ControlKey    ed25519.PublicKey
	CapabilityKey ed25519.PublicKey
	Origins       []string
}

// Join admits the plane that holds the token. Repeating it with the same token
// and keys gives the same plane again, until the token expires.
//
// fault.Denied: the token is unknown, expired, or another plane used it.
// fault.Invalid, all problems at once: the application is not whole, or the
// sealing key is not signed by the identity key. fault.Conflict: the name or a
// key is taken. fault.Unavailable: the hub or the store is away; nothing is lost.
func (s *Service) Join(ctx context.Context, a Application) (Admission, error) {
	if err := a.check(); err != nil {
		return Admission{}, err
	}
	token := store.Hash(sha256.Sum256([]byte(a.Token)))
	inv, err := s.cfg.Store.Invitation(ctx, token)
	if err != nil && fault.KindOf(err) == fault.Missing {
		return Admission{}, fault.New(fault.Denied, "the token is not one of an invitation")
	}
	if err != nil {
		return Admission{}, fmt.Errorf("join: %w", err)
	}
	p := store.Plane{
		ID: inv.UsedBy, Name: a.Name, IdentityKey: a.IdentityKey, SealingKey: a.SealingKey,
		SealingKeySignature: a.SealingKeySignature, NATSKey: a.NATSKey, GatewayURL: a.GatewayURL, ViewURL: a.ViewURL,
		Version: a.Version, Kinds: a.Kinds,
	}
	if p.ID == "" {
		p.ID = id.New[id.Plane]()
		// The hub is asked before the token is used up, so that a hub that is away
		// costs nothing. An admission that nobody receives admits nobody.
		if _, err := s.enrol(ctx, account(inv.Region, inv.Organization), a.NATSKey, p.ID); err != nil {
			return Admission{}, err
		}
	}
	who := store.Actor{Kind: store.ByPlane, ID: string(p.ID), Name: string(p.ID)}
	joined, err := s.cfg.Store.JoinPlane(ctx, who, token, p)
	if err != nil {
		return Admission{}, fmt.Errorf("join: %w", err)
	}
	jwt, err := s.enrol(ctx, account(joined.Region, joined.Organization), joined.NATSKey, joined.ID)
	if err != nil {
		return Admission{}, err
	}
	s.cfg.Log.InfoContext(ctx, "plane joined", "plane", joined.ID, "region", joined.Region, "kind", joined.Kind, "fingerprint", Fingerprint(joined.IdentityKey))
	return Admission{
		Plane: joined.ID, Region: joined.Region, Hub: s.cfg.HubAddress, JWT: jwt,
		ControlKey: s.cfg.ControlKey, CapabilityKey: s.cfg.CapabilityKey, Origins: s.cfg.Origins,
	}, nil
}

func (s *Service) enrol(ctx context.Context, a hub.Account, key string, p id.Plane) (string, error) {
	jwt, err := s.cfg.Enrol(ctx, a, key, p)
	if err != nil {
		return "", fmt.Errorf("enrol plane %s at the hub: %w", p, err)
	}
	return jwt, nil
}

var (
	planeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`)
	// natsUser is the text form of a public user key.
	// Source: github.com/nats-io/nkeys, README: base32 with prefix U, 56 characters.
	natsUser = regexp.MustCompile(`^U[A-Z2-7]{55}$`)
)

// Bounds of an application, so that a stranger with a token cannot fill the store.
const (
	maxURL     = 2048
	maxVersion = 64
	maxKinds   = 1000
)

func (a Application) check() error {
	var problems []fault.Problem
	need := func(ok bool, path, code, text string) {
		if !ok {
			problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
		}
	}
	need(planeName.MatchString(a.Name), "name", "bad_name", "A plane's name is 1 to 64 of a-z, 0-9 and '-', a letter or digit first and last.")
	need(len(a.IdentityKey) == ed25519.PublicKeySize, "identityKey", "bad_key", "The identity key is an Ed25519 public key of 32 bytes.")
	need(len(a.SealingKey) == 32, "sealingKey", "bad_key", "The sealing key is an X25519 public key of 32 bytes.")
	need(envelope.VerifySealingKey(a.IdentityKey, a.SealingKey, a.SealingKeySignature), "sealingKeySignature", "bad_signature",
		"The sealing key is not signed by the identity key.")
	need(natsUser.MatchString(a.NATSKey), "natsKey", "bad_key", "The NATS key is a public user key, which begins with U.")
	need(a.GatewayURL == "" || webURL(a.GatewayURL), "gatewayUrl", "bad_url", "The gateway's URL is an http or https address without user and query.")
	need(a.ViewURL == "" || webURL(a.ViewURL), "viewUrl", "bad_url", "The view's URL is an http or https address without user and query.")
	need(len(a.Version) <= maxVersion, "version", "too_large", "The version is longer than 64 bytes.")
	need(len(a.Kinds) <= maxKinds, "kinds", "too_many", "There are more than 1000 kinds.")
	return fault.Problems("the application to join is not whole", problems)
}

func webURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && len(text) <= maxURL && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
