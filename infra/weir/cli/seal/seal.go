// Package seal closes the secrets of a configuration for the data planes of its
// region, on the machine of the person who typed them.
//
// Values come from the environment (WEIR_SECRET_*, and what was allowed by
// name) or from files. Nothing is sealed to a key that is not signed by its
// plane's identity, or to a plane whose identity differs from the one pinned in
// weir.pins. A value is sealed for where the settings send it; one that is the one
// sealed before, for the same place, is left alone.
package seal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"weir/infra/weir/cli/manifest"
	"weir/infra/weir/cli/remote"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/envelope"
	"weir/shared/workspace/document"
)

// envPrefix is what the names of variables begin with that secrets are read
// from without further leave: a configuration that somebody sent must not be
// able to carry away a machine's other variables.
const envPrefix = "WEIR_SECRET_"

// Config is what a Sealer needs. Dir is the configuration file's folder: files
// of secrets are relative to it, and weir.pins lies in it. Allow names further
// variables that may be read. Reseal seals unchanged values too. Note gets a
// line for each plane that is new here.
type Config struct {
	Dir    string
	Allow  []string
	Reseal bool
	Env    func(string) (string, bool)
	Note   func(line string)
}

// Sealer closes the secrets of one run of a command. Seal may be called by several
// goroutines at once, after Read and before SavePins.
type Sealer struct {
	cfg    Config
	pins   *pins
	values map[*manifest.File]map[string][]byte // by Wanted.Path
	planes map[string][]remote.Plane            // checked ones, by region
	specs  []catalog.Spec

	asking sync.Mutex    // over planes and pins
	marks  chan struct{} // bounds the fingerprints that are made at once
}

// New returns a Sealer with the pins of the folder. fault.Invalid: weir.pins is
// damaged.
func New(cfg Config) (*Sealer, error) {
	p, err := loadPins(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &Sealer{cfg: cfg, pins: p, values: map[*manifest.File]map[string][]byte{}, planes: map[string][]remote.Plane{}, specs: catalog.All(),
		marks: make(chan struct{}, min(runtime.GOMAXPROCS(0), atOnce))}, nil
}

// SavePins keeps the identities of planes that were new, and is to be called
// before what was sealed is sent.
func (s *Sealer) SavePins() error { return s.pins.save() }

// Read gets the values of all secrets from this machine, before any server is
// asked, and reports every one that is not there.
func (s *Sealer) Read(files []*manifest.File) error {
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
			if wrong := s.check(f, w, value); len(wrong) > 0 {
				problems = append(problems, wrong...)
				continue
			}
			s.values[f][w.Path] = value
		}
	}
	return fault.Problems("secrets cannot be read, and nothing was changed", problems)
}

// check lists what is wrong with a value, which nobody sees any more once it is sealed.
// An object of a kind that is not known here is left to the control plane.
func (s *Sealer) check(f *manifest.File, w manifest.Wanted, value []byte) (problems []fault.Problem) {
	var spec catalog.Spec
	known := false
	if w.Family == secret.Source {
		source := f.Document.Sources[w.Index]
		spec, known = private.Find(s.specs, source.Type, source.Spec, catalog.Sources)
	} else {
		d := f.Document.Destinations[w.Index]
		spec, known = private.Find(s.specs, d.Type, d.Spec, catalog.Destinations, catalog.Warehouses)
	}
	if !known {
		return nil
	}
	for _, p := range catalog.CheckSecret(spec, w.Field, value, w.Path) {
		if p.Code == "unknown_field" {
			continue // the control plane says so, too
		}
		problems = append(problems, fault.Problem{Path: f.At(p.Path), Code: "secret_unreadable", Text: fmt.Sprintf("%s %s: %s", w.From, w.Name, p.Text)})
	}
	return problems
}

func (s *Sealer) value(w manifest.Wanted) ([]byte, error) {
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

func (s *Sealer) fetch(w manifest.Wanted) ([]byte, error) {
	if w.From == manifest.FromEnv {
		if (!strings.HasPrefix(w.Name, envPrefix) || w.Name == envPrefix) && !slices.Contains(s.cfg.Allow, w.Name) {
			return nil, fmt.Errorf("the variable %s may not be read: secrets come from %s... only; rename it, or allow it with --allow-env %s", w.Name, envPrefix, w.Name)
		}
		value, ok := s.cfg.Env(w.Name)
		if !ok {
			return nil, fmt.Errorf("the environment variable %s is not set; export it and apply again", w.Name)
		}
		return []byte(value), nil
	}
	name := w.Name
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.cfg.Dir, name)
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

// Seal puts the secrets of a file, after Read, into doc, which is the file's
// document on its way: version and fingerprint of unchanged ones, envelopes of
// the others, and identifiers of new objects that hold some. current is the
// newest configuration with its identifiers, zero for none.
func (s *Sealer) Seal(ctx context.Context, control *remote.Control, file *manifest.File, doc, current *document.Document) error {
	if len(file.Secrets) == 0 {
		return nil
	}
	ws := current.ID
	if ws == "" {
		if doc.ID == "" {
			doc.ID = id.New[id.Workspace]()
		}
		ws = doc.ID
	}
	doc.Sources, doc.Destinations = slices.Clone(doc.Sources), slices.Clone(doc.Destinations)
	var problems []fault.Problem
	var all []*given
	for _, w := range file.Secrets {
		o := s.holder(w, doc, current)
		if *o.secrets == nil {
			*o.secrets = map[string]document.Secret{}
		}
		had := o.former[w.Field]
		if w.From == manifest.Kept {
			if had.Version != w.Version || had.Fingerprint != w.Fingerprint {
				problems = append(problems, fault.Problem{Path: file.At(w.Path), Code: "secret_unknown",
					Text: "the control plane does not hold this version of the secret; give its value by { from: env, name: WEIR_SECRET_... } or { from: file, path: ... }"})
			}
			(*o.secrets)[w.Field] = document.Secret{Version: w.Version, Fingerprint: w.Fingerprint}
			continue
		}
		value, there := s.values[file][w.Path]
		if !there {
			continue // Read reported it
		}
		name := secret.Name{Workspace: ws, Family: w.Family, Object: o.id(), Field: w.Field, Version: had.Version + 1}
		all = append(all, &given{at: file.At(w.Path), name: name, to: o.to, had: had, value: value, into: *o.secrets})
	}
	if err := s.compare(ctx, all); err != nil {
		return err
	}
	for _, g := range all {
		sealed, err := s.one(ctx, control, doc.Region, g)
		if err != nil {
			return fmt.Errorf("seal %s: %w", g.at, err)
		}
		g.into[g.name.Field] = sealed
	}
	return fault.Problems("secrets cannot be sealed, and nothing was changed", problems)
}

// given is a secret whose value is at hand, and what there was before.
type given struct {
	at    string
	name  secret.Name
	to    secret.Binding
	had   document.Secret
	value []byte
	into  map[string]document.Secret
	mark  string // its new fingerprint; "": it is unchanged
}

// atOnce is how many fingerprints are made at once at most: each takes 19 MiB, those of
// releases before 64.
const atOnce = 8

// compare makes the fingerprints of what may have changed, on all processors; those of all
// workspaces together are atOnce at most.
func (s *Sealer) compare(ctx context.Context, all []*given) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(s.marks))
	for _, one := range all {
		g.Go(func() error {
			s.marks <- struct{}{}
			defer func() { <-s.marks }()
			if ctx.Err() == nil && (s.cfg.Reseal || !secret.Same(one.had.Fingerprint, one.name, one.to, one.value)) {
				one.mark = secret.Fingerprint(one.name, one.to, one.value)
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// object is a source or destination that holds secrets.
type object struct {
	id      func() string // its identifier; a new object gets one
	secrets *map[string]document.Secret
	former  map[string]document.Secret // what the newest configuration has, nil for a new object
	to      secret.Binding             // where its secrets are sent
}

// holder finds the object of doc that holds w, and what it continues.
func (s *Sealer) holder(w manifest.Wanted, doc, current *document.Document) object {
	if w.Family == secret.Source {
		source := &doc.Sources[w.Index]
		o := object{secrets: &source.Secrets, to: s.binding(source.Type, source.Spec, source.Settings, catalog.Sources)}
		var known id.Source
		byID := func(f document.Source) bool { return source.ID != "" && f.ID == source.ID }
		if former := match(current.Sources, byID, current.Source, source.Name, source.Was); former != nil {
			o.former, known = former.Secrets, former.ID
		}
		o.id = func() string { return string(identify(known, &source.ID, id.New[id.Source])) }
		return o
	}
	d := &doc.Destinations[w.Index]
	o := object{secrets: &d.Secrets, to: s.binding(d.Type, d.Spec, d.Settings, catalog.Destinations, catalog.Warehouses)}
	var known id.Destination
	byID := func(f document.Destination) bool { return d.ID != "" && f.ID == d.ID }
	if former := match(current.Destinations, byID, current.Destination, d.Name, d.Was); former != nil {
		o.former, known = former.Secrets, former.ID
	}
	o.id = func() string { return string(identify(known, &d.ID, id.New[id.Destination])) }
	return o
}

// binding is where the secrets of an object are sent. Of a kind that this build does
// not know it is empty; the control plane refuses what does not fit.
func (s *Sealer) binding(kind, own string, settings []byte, families ...catalog.Family) secret.Binding {
	spec, ok := private.Find(s.specs, kind, own, families...)
	if !ok {
		return ""
	}
	return secret.Binding(catalog.SentTo(spec, settings))
}

// identify returns known, else *own, which is made when it is empty.
func identify[K ~string](known K, own *K, make func() K) K {
	if known != "" {
		return known
	}
	if *own == "" {
		*own = make()
	}
	return *own
}

// match finds the object of the newest configuration that another continues, or
// nil: the one with its identifier, its name, or its former name.
func match[T any](current []T, byID func(T) bool, byName func(string) *T, name, was string) *T {
	if i := slices.IndexFunc(current, byID); i >= 0 {
		return &current[i]
	}
	if former := byName(name); former != nil || was == "" {
		return former
	}
	return byName(was)
}

// one returns a secret's new state, sealed only when it changed.
func (s *Sealer) one(ctx context.Context, control *remote.Control, region string, g *given) (document.Secret, error) {
	if g.mark == "" {
		return document.Secret{Version: g.had.Version, Fingerprint: g.had.Fingerprint}, nil
	}
	planes, err := s.region(ctx, control, region)
	if err != nil {
		return document.Secret{}, err
	}
	out := document.Secret{Version: g.name.Version, Fingerprint: g.mark, Sealed: map[id.Plane][]byte{}}
	for _, p := range planes {
		envelope, err := secret.Seal(secret.PublicKey(p.SealingKey), g.name, g.to, g.value)
		if err != nil {
			return document.Secret{}, fmt.Errorf("for plane %s: %w", p.Name, err)
		}
		out.Sealed[p.ID] = envelope
	}
	return out, nil
}

// region returns the planes of a region whose keys are proven and pinned.
func (s *Sealer) region(ctx context.Context, control *remote.Control, region string) ([]remote.Plane, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
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
			s.cfg.Note(fmt.Sprintf("plane %s (%s, %s) is new here; its identity is %s", p.Name, p.ID, p.Region, fingerprint(p.IdentityKey)))
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
	if len(p.IdentityKey) != ed25519.PublicKeySize || !envelope.VerifySealingKey(p.IdentityKey, p.SealingKey, p.SealingKeySignature) {
		return fault.New(fault.Denied, "the sealing key of plane %s (%s) is not signed by the plane's identity, so nothing was sealed to it; ask who runs the plane to let it join anew", p.Name, p.ID)
	}
	return nil
}
