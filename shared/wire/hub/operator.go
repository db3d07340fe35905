package hub

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// userLifetime is how long a plane's admission to the hub is good. A plane that
// runs or starts cold must not lose it while the control plane is away for 30
// days.
const userLifetime = 365 * 24 * time.Hour

// Account parts the hub: one for the regional planes of a region, and one for
// each organization's private planes of a region. No subject leads from one
// account into another.
type Account struct {
	Region       string
	Organization id.Organization // empty: the regional planes
}

func (a Account) String() string {
	if a.Organization == "" {
		return a.Region
	}
	return a.Region + "/" + string(a.Organization)
}

func (a Account) check() error {
	if !workspace.ValidRegion(a.Region) || a.Organization != "" && !id.Valid(a.Organization) {
		return fault.New(fault.Invalid, "A hub account belongs to a region and to at most one organization.")
	}
	return nil
}

// Operator is the root key of a hub: an nkey seed from which the keys of all
// its accounts are derived, so that it is the only thing to keep. It prints as
// ***.
type Operator struct{ seed secret.String }

// NewOperator returns a new root key.
func NewOperator() (Operator, error) {
	kp, err := nkeys.CreateOperator()
	if err != nil {
		return Operator{}, fault.New(fault.Internal, "No operator key could be made: %v.", err)
	}
	seed, err := kp.Seed()
	if err != nil {
		return Operator{}, fault.New(fault.Internal, "No operator key could be made: %v.", err)
	}
	return ParseOperator(string(seed))
}

// ParseOperator reads a seed as NATS tools write it (SO...).
func ParseOperator(seed string) (Operator, error) {
	prefix, _, err := nkeys.DecodeSeed([]byte(seed))
	if err != nil || prefix != nkeys.PrefixByteOperator {
		return Operator{}, fault.New(fault.Invalid, "This is not the seed of a NATS operator key; it begins with SO.")
	}
	return Operator{seed: secret.NewString(seed)}, nil
}

// LoadOperator reads the root key in dir, and makes it, readable by its owner
// alone, when there is none.
func LoadOperator(dir string) (Operator, error) {
	name := filepath.Join(dir, "operator.nk")
	seed, err := os.ReadFile(name)
	if err == nil {
		return ParseOperator(string(seed))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Operator{}, fmt.Errorf("read the hub's operator key: %w", err)
	}
	op, err := NewOperator()
	if err != nil {
		return Operator{}, err
	}
	if err := durable.WriteFile(name, []byte(op.seed.Reveal()), 0o600); err != nil {
		return Operator{}, fmt.Errorf("keep the hub's operator key: %w", err)
	}
	return op, nil
}

// root returns the operator's key pair.
func (o Operator) root() (nkeys.KeyPair, error) {
	kp, err := nkeys.FromSeed([]byte(o.seed.Reveal()))
	if err != nil {
		return nil, fault.New(fault.Invalid, "There is no operator key.")
	}
	return kp, nil
}

// account derives the key pair of one account: HKDF-SHA256 of the operator's
// seed with the account's name as info.
func (o Operator) account(name string) (nkeys.KeyPair, error) {
	_, raw, err := nkeys.DecodeSeed([]byte(o.seed.Reveal()))
	if err != nil {
		return nil, fault.New(fault.Invalid, "There is no operator key.")
	}
	key, err := hkdf.Key(sha256.New, raw, nil, "weir hub account 1\x00"+name, 32)
	if err != nil {
		return nil, fault.New(fault.Internal, "No account key could be derived: %v.", err)
	}
	seed, err := nkeys.EncodeSeed(nkeys.PrefixByteAccount, key)
	if err != nil {
		return nil, fault.New(fault.Internal, "No account key could be derived: %v.", err)
	}
	return nkeys.FromSeed(seed)
}

// systemAccount is the name of the account through which accounts are made.
const systemAccount = "system"

// accountJWT returns the public key of an account and the claims that the
// operator signs for it. revoked are the NATS user keys whose admissions up to a time
// are good no more.
func (o Operator) accountJWT(name string, revoked map[string]time.Time) (public, token string, err error) {
	root, err := o.root()
	if err != nil {
		return "", "", err
	}
	kp, err := o.account(name)
	if err != nil {
		return "", "", err
	}
	if public, err = kp.PublicKey(); err != nil {
		return "", "", fmt.Errorf("account %s: %w", name, err)
	}
	claims := jwt.NewAccountClaims(public)
	claims.Name = name
	for key, at := range revoked {
		claims.RevokeAt(key, at)
	}
	if name != systemAccount {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	}
	if token, err = claims.Encode(root); err != nil {
		return "", "", fmt.Errorf("account %s: %w", name, err)
	}
	return public, token, nil
}

// user signs a user of an account.
func (o Operator) user(account string, claims *jwt.UserClaims) (string, error) {
	kp, err := o.account(account)
	if err != nil {
		return "", err
	}
	token, err := claims.Encode(kp)
	if err != nil {
		return "", fault.New(fault.Invalid, "This is not the public key of a NATS user: %v.", err)
	}
	return token, nil
}

// Admin returns credentials that may do everything within one account: for the
// control end, and for an operator's own tools.
func (o Operator) Admin(a Account) (wire.Credentials, error) {
	if err := a.check(); err != nil {
		return wire.Credentials{}, err
	}
	return o.admin(a.String())
}

func (o Operator) admin(account string) (wire.Credentials, error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return wire.Credentials{}, fault.New(fault.Internal, "No user key could be made: %v.", err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		return wire.Credentials{}, fault.New(fault.Internal, "No user key could be made: %v.", err)
	}
	seed, err := kp.Seed()
	if err != nil {
		return wire.Credentials{}, fault.New(fault.Internal, "No user key could be made: %v.", err)
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = "control"
	token, err := o.user(account, claims)
	if err != nil {
		return wire.Credentials{}, err
	}
	return wire.Credentials{JWT: token, Seed: secret.NewString(string(seed))}, nil
}

// plane signs the admission of a plane: exactly its grants, for userLifetime.
func (o Operator) plane(a Account, userKey string, p id.Plane) (string, error) {
	if !nkeys.IsValidPublicUserKey(userKey) || !id.Valid(p) {
		return "", fault.New(fault.Invalid, "A plane is enrolled with its identifier and the public key of its NATS user (it begins with U).")
	}
	claims := jwt.NewUserClaims(userKey)
	claims.Name = string(p)
	claims.Expires = time.Now().Add(userLifetime).Unix()
	permit(claims, p)
	return o.user(a.String(), claims)
}
