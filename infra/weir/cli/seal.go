package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/infra/weir/cli/manifest"
	"weir/infra/weir/cli/remote"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

// envPrefix is what the names of variables begin with that secrets are read
// from without further leave: a configuration that somebody sent must not be
// able to carry away a machine's other variables.
const envPrefix = "WEIR_SECRET_"

// sealer closes the secrets of a file for the planes of their region.
type sealer struct {
	k      *console
	dir    string // of the configuration file
	allow  []string
	reseal bool
	pins   *pins
	values map[*manifest.File]map[string][]byte // by Wanted.Path
	planes map[string][]remote.Plane            // checked ones, by region
}

func (k *console) newSealer(dir string, f applyFlags) (*sealer, error) {
	p, err := loadPins(dir)
	if err != nil {
		return nil, err
	}
	return &sealer{k: k, dir: dir, allow: f.allowEnv, reseal: f.reseal, pins: p,
		values: map[*manifest.File]map[string][]byte{}, planes: map[string][]remote.Plane{}}, nil
}

// read gets the values of all secrets from this machine, before any server is
// asked, and reports every one that is not there.
func (s *sealer) read(files []*manifest.File) error {
	var problems []fault.Problem
	for _, f := range files {
		s.values[f] = map[string][]byte{}
		for _, w := range f.Secrets {
			if w.From == manifest.Kept {
				continue
			}
			value, err := s.value(w)
			if err != nil {
				problems = append(problems, fault.Problem{Path: f.At(w.Path), Code: "secret_unreadable", Text: err.Error()})
				continue
			}
			s.values[f][w.Path] = value
		}
	}
	return fault.Problems("secrets cannot be read, and nothing was changed", problems)
}

func (s *sealer) value(w manifest.Wanted) ([]byte, error) {
	value, err := s.fetch(w)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("%s %s is empty; give it a value", w.From, w.Name)
	}
	if len(value) > secret.MaxClear {
		return nil, fmt.Errorf("%s %s holds over %d KiB, which is no secret", w.From, w.Name, secret.MaxClear>>10)
	}
	return value, nil
}

func (s *sealer) fetch(w manifest.Wanted) ([]byte, error) {
	if w.From == manifest.FromEnv {
		if (!strings.HasPrefix(w.Name, envPrefix) || w.Name == envPrefix) && !slices.Contains(s.allow, w.Name) {
			return nil, fmt.Errorf("the variable %s may not be read: secrets come from %s... only; rename it, or allow it with --allow-env %s", w.Name, envPrefix, w.Name)
		}
		value, ok := s.k.Env(w.Name)
		if !ok {
			return nil, fmt.Errorf("the environment variable %s is not set; export it and apply again", w.Name)
		}
		return []byte(value), nil
	}
	name := w.Name
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.dir, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be opened: %w", err)
	}
	defer func() { _ = f.Close() }()
	value, err := io.ReadAll(io.LimitReader(f, secret.MaxClear+3)) // a byte too many, and a line break
	if err != nil {
		return nil, fmt.Errorf("the file cannot be read: %w", err)
	}
	value = bytes.TrimSuffix(value, []byte("\n"))
	return bytes.TrimSuffix(value, []byte("\r")), nil
}

// seal puts the secrets of a proposal into its document: version and
// fingerprint of unchanged ones, envelopes of the others. current is the newest
// configuration, zero for none.
func (s *sealer) seal(ctx context.Context, control *remote.Control, p *proposal, current *manifest.Document) error {
	if len(p.file.Secrets) == 0 {
		return nil
	}
	doc := &p.Document
	ws := current.ID
	if ws == "" {
		if doc.ID == "" {
			doc.ID = id.New[id.Workspace]()
		}
		ws = doc.ID
	}
	doc.Destinations = slices.Clone(doc.Destinations)
	var problems []fault.Problem
	for _, w := range p.file.Secrets {
		d := &doc.Destinations[w.Destination]
		former := match(current, d)
		if d.Secrets == nil {
			d.Secrets = map[string]manifest.Secret{}
		}
		var had manifest.Secret
		if former != nil {
			had = former.Secrets[w.Field]
		}
		if w.From == manifest.Kept {
			if had.Version != w.Version || had.Fingerprint != w.Fingerprint {
				problems = append(problems, fault.Problem{Path: p.file.At(w.Path), Code: "secret_unknown",
					Text: "the control plane does not hold this version of the secret; give its value by { from: env, name: WEIR_SECRET_... } or { from: file, path: ... }"})
			}
			d.Secrets[w.Field] = manifest.Secret{Version: w.Version, Fingerprint: w.Fingerprint}
			continue
		}
		sealed, err := s.one(ctx, control, doc.Region, ws, d, former, had, w, s.values[p.file][w.Path])
		if err != nil {
			return fmt.Errorf("seal %s: %w", p.file.At(w.Path), err)
		}
		d.Secrets[w.Field] = sealed
	}
	return fault.Problems("secrets cannot be sealed, and nothing was changed", problems)
}

// match finds the destination in current that d continues, or nil.
func match(current *manifest.Document, d *manifest.Destination) *manifest.Destination {
	if d.ID != "" {
		for i := range current.Destinations {
			if current.Destinations[i].ID == d.ID {
				return &current.Destinations[i]
			}
		}
	}
	if former := current.Destination(d.Name); former != nil || d.Was == "" {
		return former
	}
	return current.Destination(d.Was)
}

// one returns a secret's new state, sealed only when it changed.
func (s *sealer) one(ctx context.Context, control *remote.Control, region string, ws id.Workspace, d, former *manifest.Destination, had manifest.Secret, w manifest.Wanted, value []byte) (manifest.Secret, error) {
	dest := d.ID
	switch {
	case former != nil && former.ID != "":
		dest = former.ID
	case dest == "":
		d.ID = id.New[id.Destination]()
		dest = d.ID
	}
	name := secret.Name{Workspace: ws, Destination: dest, Field: w.Field, Version: had.Version + 1}
	mark := secret.Fingerprint(name, value)
	if mark == had.Fingerprint && !s.reseal {
		return manifest.Secret{Version: had.Version, Fingerprint: had.Fingerprint}, nil
	}
	planes, err := s.region(ctx, control, region)
	if err != nil {
		return manifest.Secret{}, err
	}
	out := manifest.Secret{Version: name.Version, Fingerprint: mark, Sealed: map[id.Plane][]byte{}}
	for _, p := range planes {
		envelope, err := secret.Seal(secret.PublicKey(p.SealingKey), name, value)
		if err != nil {
			return manifest.Secret{}, fmt.Errorf("for plane %s: %w", p.Name, err)
		}
		out.Sealed[p.ID] = envelope
	}
	return out, nil
}

// region returns the planes of a region whose keys are proven and pinned.
func (s *sealer) region(ctx context.Context, control *remote.Control, region string) ([]remote.Plane, error) {
	if planes, ok := s.planes[region]; ok {
		return planes, nil
	}
	planes, err := control.Planes(ctx, region)
	if err != nil {
		return nil, fmt.Errorf("find the planes of region %s: %w", region, err)
	}
	if len(planes) == 0 {
		return nil, fault.New(fault.Missing, "region %s has no data plane to seal secrets to; let one join: weir plane invite --region %s", region, region)
	}
	var wrong []error
	for _, p := range planes {
		if p.Region != region || !id.Valid(p.ID) {
			wrong = append(wrong, fault.New(fault.Denied, "the control plane names plane %s of region %s among those of %s; nothing was sealed", p.ID, p.Region, region))
		} else if err := verify(p); err != nil {
			wrong = append(wrong, err)
		} else if isNew, err := s.pins.check(p); err != nil {
			wrong = append(wrong, err)
		} else if isNew {
			s.k.note("weir: plane %s (%s, %s) is new here; its identity is %s", clean(p.Name), p.ID, clean(p.Region), fingerprint(p.IdentityKey))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	s.planes[region] = planes
	return planes, nil
}

// verify checks that a plane's sealing key is signed by its identity key.
func verify(p remote.Plane) error {
	if len(p.IdentityKey) != ed25519.PublicKeySize || !wire.VerifySealingKey(p.IdentityKey, p.SealingKey, p.SealingKeySignature) {
		return fault.New(fault.Denied, "the sealing key of plane %s (%s) is not signed by the plane's identity, so nothing was sealed to it; ask who runs the plane to let it join anew", p.Name, p.ID)
	}
	return nil
}
