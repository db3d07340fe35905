package enrol

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nkeys"

	"weir/shared/durable"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/envelope"
)

// Files of the data directory. All are readable by their owner alone.
const (
	planeFile    = "plane.json"   // what the control plane told at joining, and its pinned keys
	identityFile = "identity.key" // Ed25519 seed, base64: signs acks and beats
	sealingFile  = "sealing.key"  // X25519 private key, base64: opens configurations and secrets
	natsFile     = "hub.nk"       // seed of the plane's NATS user at the hub
)

// Admission is what the control plane told at joining, kept as plane.json:
// nothing in it is secret, and all of it is pinned.
type Admission struct {
	Plane         id.Plane          `json:"plane"`
	Region        string            `json:"region"`
	Hub           string            `json:"hub"`
	JWT           string            `json:"jwt"`
	ControlKey    ed25519.PublicKey `json:"controlKey"`
	CapabilityKey ed25519.PublicKey `json:"capabilityKey"`
	Origins       []string          `json:"origins"`

	// Reach is where people and browsers reach the plane, as was said when it
	// joined; nil when an older version joined, which did not keep it.
	Reach *Reach `json:"reach,omitempty"`
}

// Reach is URLs of a plane; empty ones were not said.
type Reach struct {
	Gateway string `json:"gateway,omitempty"`
	View    string `json:"view,omitempty"`
}

func (a Admission) check() error {
	if !id.Valid(a.Plane) || a.Region == "" || a.Hub == "" || a.JWT == "" ||
		len(a.ControlKey) != ed25519.PublicKeySize || len(a.CapabilityKey) != ed25519.PublicKeySize {
		return fault.New(fault.Invalid, "What the control plane said about this plane is not whole.")
	}
	return nil
}

// Joined reports whether dir holds a plane that has joined.
func Joined(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, planeFile))
	return err == nil
}

// ReadAdmission reads the admission of the plane in dir. fault.Missing: the plane has not joined.
func ReadAdmission(dir string) (Admission, error) {
	var a Admission
	b, err := os.ReadFile(filepath.Join(dir, planeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return a, fault.New(fault.Missing, "The data directory %s holds no plane; let one join first: weir dataplane join --token T --control URL", dir)
	}
	if err != nil {
		return a, fmt.Errorf("read %s: %w", planeFile, err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fault.New(fault.Invalid, "%s is not readable.", planeFile)
	}
	return a, a.check()
}

// Keys are the plane's own; they never leave the data directory.
type Keys struct {
	Identity ed25519.PrivateKey // signs acks and beats
	Sealing  secret.PrivateKey  // opens configurations and secrets
	NATS     secret.String      // seed of the NATS user
	natsKey  string             // its public key, U...
}

// LoadKeys reads the keys in dir and makes those that are missing, so that a
// join that was interrupted goes on with the same ones.
func LoadKeys(dir string) (Keys, error) {
	var k Keys
	seed, err := loadSecret(dir, identityFile, func() ([]byte, error) { return random(ed25519.SeedSize), nil })
	if err != nil {
		return k, err
	}
	if len(seed) != ed25519.SeedSize {
		return k, fault.New(fault.Invalid, "%s does not hold a key.", identityFile)
	}
	k.Identity = ed25519.NewKeyFromSeed(seed)
	sealing, err := loadSecret(dir, sealingFile, func() ([]byte, error) {
		made, err := secret.NewKey()
		if err != nil {
			return nil, err
		}
		return made.Bytes()
	})
	if err != nil {
		return k, err
	}
	if k.Sealing, err = secret.ParsePrivate(sealing); err != nil {
		return k, fmt.Errorf("%s: %w", sealingFile, err)
	}
	nats, err := loadSecret(dir, natsFile, func() ([]byte, error) {
		user, err := nkeys.CreateUser()
		if err != nil {
			return nil, err
		}
		return user.Seed()
	})
	if err != nil {
		return k, err
	}
	user, err := nkeys.FromSeed(nats)
	if err != nil {
		return k, fault.New(fault.Invalid, "%s does not hold a key.", natsFile)
	}
	if k.natsKey, err = user.PublicKey(); err != nil {
		return k, fault.New(fault.Invalid, "%s does not hold a key.", natsFile)
	}
	k.NATS = secret.NewString(string(nats))
	return k, nil
}

// Secret returns the secret of size bytes in the file name of dir, and makes it
// at the first call. fault.Invalid: the file holds something else.
func Secret(dir, name string, size int) ([]byte, error) {
	b, err := loadSecret(dir, name, func() ([]byte, error) { return random(size), nil })
	if err == nil && len(b) != size {
		return nil, fault.New(fault.Invalid, "%s does not hold a secret of %d bytes.", name, size)
	}
	return b, err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

// loadSecret reads a file in base64 and makes it when there is none.
func loadSecret(dir, name string, create func() ([]byte, error)) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s is not base64.", name)
		}
		return b, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	b, err := create()
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	return b, durable.WriteFile(filepath.Join(dir, name), []byte(base64.StdEncoding.EncodeToString(b)+"\n"), 0o600)
}

// signSealing is the identity key's word for the sealing key.
func (k Keys) signSealing() []byte { return envelope.SignSealingKey(k.Identity, k.Sealing.Public()) }
