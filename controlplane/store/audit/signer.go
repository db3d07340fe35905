package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"
	"time"

	"weir/controlplane/store/chain"
	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/audithead"
	"weir/shared/delay"
	"weir/shared/durable"
	"weir/shared/fault"
)

// SignerConfig is what a Signer needs. All but Logger and Now is required.
type SignerConfig struct {
	Log    *Log
	Key    ed25519.PrivateKey // of the control plane
	File   string             // remembers heads outside of the database; made when absent
	Logger *slog.Logger       // nil discards
	Now    func() time.Time   // nil means time.Now
}

// Signer signs how far chains go and compares chains with that.
type Signer struct {
	cfg SignerConfig

	mu    sync.Mutex
	heads map[string]head // by the name of the chain: the newest that this process signed
}

// head is a place in a chain.
type head struct {
	Number uint64 `json:"number"`
	Digest string `json:"digest"`
}

// NewSigner checks cfg and reads what was remembered. fault.Invalid: cfg or the file is
// unusable.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if cfg.Log == nil || len(cfg.Key) != ed25519.PrivateKeySize || cfg.File == "" {
		return nil, fault.New(fault.Invalid, "the signer of the audit log needs a log, a key and a file")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Signer{cfg: cfg, heads: map[string]head{}}
	text, err := os.ReadFile(cfg.File)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "cannot read how far the audit log was signed: %v", err)
	}
	if err := json.Unmarshal(text, &s.heads); err != nil {
		return nil, fault.New(fault.Invalid, "the file %s, which says how far the audit log was signed, is damaged; look at the log with weir audit verify, then remove the file", cfg.File)
	}
	return s, nil
}

func (s *Signer) now() time.Time { return database.Stored(s.cfg.Now()) }

func (s *Signer) remembered(name string) head {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heads[name]
}

// message is what is signed of a head.
func message(name string, h head, at time.Time) []byte {
	return fmt.Appendf(nil, "weir audit head 1\n%s\n%d\n%s\n%s\n", name, h.Number, h.Digest, at.UTC().Format(time.RFC3339Nano))
}

func (s *Signer) mine(name string, h head, at time.Time, signature []byte) bool {
	key, ok := s.cfg.Key.Public().(ed25519.PublicKey)
	return ok && ed25519.Verify(key, message(name, h, at), signature)
}

// How often chains are signed: those that went on, and the others, so that an old
// signature is a sign of something wrong.
const (
	every = time.Minute
	again = time.Hour
)

// Run signs until ctx ends, and returns nil then. What fails is tried again.
func (s *Signer) Run(ctx context.Context) error {
	for {
		if err := s.Sign(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "audit log not signed", "error", err)
		}
		if !delay.For(ctx, every) {
			return nil
		}
	}
}

// Sign brings rows of a former release into their chains and signs the chains that went
// on, or that were not signed for an hour. A chain that lost what was signed is not signed
// again: that is logged as an error, each time.
func (s *Signer) Sign(ctx context.Context) error {
	if _, err := s.cfg.Log.Adopt(ctx); err != nil {
		return err
	}
	next, err := database.Read(ctx, s.sign)
	if err != nil {
		return fmt.Errorf("sign the audit log: %w", err)
	}
	return s.remember(next)
}

// sign is Sign of what is in chains; it returns what is to be remembered.
func (s *Signer) sign(ctx context.Context) (map[string]head, error) {
	client := s.cfg.Log.db.Ent()
	chains, err := client.AuditChain.Query().All(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := client.AuditHead.Query().All(ctx)
	if err != nil {
		return nil, err
	}
	signed := map[string]*ent.AuditHead{}
	for _, h := range heads {
		signed[h.ID] = h
	}
	s.mu.Lock()
	next := maps.Clone(s.heads)
	s.mu.Unlock()
	for _, c := range chains {
		h := head{c.Number, c.Digest}
		former := signed[c.ID]
		if former != nil && former.Number == h.Number && former.Digest == h.Digest && next[c.ID] == h && s.now().Sub(former.SignedAt) < again {
			continue
		}
		ok, err := s.sound(ctx, client, c.ID, former, next[c.ID], h)
		if err != nil {
			return nil, err
		}
		if !ok {
			s.cfg.Logger.ErrorContext(ctx, "audit log changed or cut off", "organization", c.ID)
			continue
		}
		at := s.now()
		err = client.AuditHead.Create().SetID(c.ID).SetNumber(h.Number).SetDigest(h.Digest).SetSignedAt(at).
			SetSignature(ed25519.Sign(s.cfg.Key, message(c.ID, h, at))).OnConflictColumns(audithead.FieldID).UpdateNewValues().Exec(ctx)
		if err != nil {
			return nil, err
		}
		next[c.ID] = h
	}
	return next, nil
}

// sound reports whether the chain still has its end, and what was signed of it before.
func (s *Signer) sound(ctx context.Context, client *ent.Client, name string, former *ent.AuditHead, known, end head) (bool, error) {
	organization := name
	if name == chain.Name("") {
		organization = ""
	}
	check := []head{end, known}
	if former != nil && s.mine(name, head{former.Number, former.Digest}, former.SignedAt, former.Signature) {
		check = append(check, head{former.Number, former.Digest})
	}
	for _, h := range check {
		if h.Number == 0 {
			continue
		}
		if there, err := s.there(ctx, client, organization, h); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// remember keeps heads outside of the database, when they changed.
func (s *Signer) remember(next map[string]head) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if maps.Equal(s.heads, next) {
		return nil
	}
	text, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("encode how far the audit log was signed: %w", err)
	}
	if err := durable.WriteFile(s.cfg.File, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("remember how far the audit log was signed: %w", err)
	}
	s.heads = next
	return nil
}
