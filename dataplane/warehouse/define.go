package warehouse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/dataplane/layout"
	"weir/dataplane/warehouse/removal"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
)

// leastSync is the shortest time between two loads of a destination; specs of kinds that
// are slow by each load, or bill for it, have a longer one.
const leastSync = time.Second

// Define returns what makes a Kind from the files spec.yaml, layout.yaml and reserved.txt of
// its folder and a function that opens it with typed settings. The files are read once, by
// the first call, which panics when one is missing or wrong: they are compiled in. The fields syncEvery, wakeEvery, retention, retentionOf and those of
// layout.Options are read for every kind. Settings with a method File name the path
// that the kind gives to Deps.File; those with a method Check list what a spec cannot
// refuse.
func Define[S any](folder fs.FS, open func(context.Context, S, Deps) (Warehouse, error)) func() Kind {
	return sync.OnceValue(func() Kind { return define(folder, open) })
}

func define[S any](folder fs.FS, open func(context.Context, S, Deps) (Warehouse, error)) Kind {
	text, err := fs.ReadFile(folder, "spec.yaml")
	if err != nil {
		panic(err)
	}
	spec, err := catalog.Parse(text)
	if err != nil {
		panic(err)
	}
	dialect, err := layout.Read(folder)
	if err != nil {
		panic(fmt.Errorf("%s: %w", spec.Name, err))
	}
	loads := dialect.Lower()
	return Kind{Spec: spec, Layout: dialect, Open: func(settings []byte, secrets map[string]secret.String) (Opened, error) {
		if err := check(spec, settings, secrets); err != nil {
			return Opened{}, err
		}
		filled := catalog.Fill(spec, settings)
		var s S
		var c struct {
			SyncEvery catalog.Duration `json:"syncEvery"`
			WakeEvery catalog.Duration `json:"wakeEvery"`

			Retention   catalog.Duration `json:"retention"`
			RetentionOf []string         `json:"retentionOf"`
			layout.Options
		}
		if err := errors.Join(json.Unmarshal(filled, &s), json.Unmarshal(filled, &c)); err != nil {
			return Opened{}, fault.Problems("The settings could not be read.", []fault.Problem{{
				Path: "settings", Code: "malformed", Text: "The settings do not fit their spec.",
			}})
		}
		if with, ok := any(&s).(interface {
			SetSecrets(map[string]secret.String)
		}); ok {
			with.SetSecrets(secrets)
		}
		if with, ok := any(&s).(interface{ SetBase(string) }); ok {
			with.SetBase(catalog.BaseURL(spec, filled))
		}
		if with, ok := any(&s).(interface{ Check() []fault.Problem }); ok {
			if problems := with.Check(); len(problems) > 0 {
				return Opened{}, fault.Problems("The settings of this "+spec.Title+" destination have problems:", problems)
			}
		}
		keep, problems := removal.Read(c.Retention.Std(), c.RetentionOf)
		if len(problems) > 0 {
			return Opened{}, fault.Problems("The settings of this "+spec.Title+" destination have problems:", problems)
		}
		var file string
		if with, ok := any(s).(interface{ File() string }); ok {
			file = with.File()
		}
		return Opened{SyncEvery: max(c.SyncEvery.Std(), leastSync), WakeEvery: c.WakeEvery.Std(), Layout: loads, Options: c.Options, File: file, Retention: keep,
			Open: func(ctx context.Context, d Deps) (Warehouse, error) { return open(ctx, s, d) }}, nil
	}}
}

// check lists every problem of settings and secrets together.
func check(spec catalog.Spec, settings []byte, secrets map[string]secret.String) error {
	names := slices.Sorted(maps.Keys(secrets))
	problems := catalog.Check(spec, settings, "settings")
	problems = append(problems, catalog.CheckSecretNames(spec, names, "secrets")...)
	for _, name := range names {
		if slices.ContainsFunc(spec.Secrets, func(f catalog.Field) bool { return f.Name == name }) {
			problems = append(problems, catalog.CheckSecret(spec, name, []byte(secrets[name].Reveal()), "secrets."+name)...)
		}
	}
	return fault.Problems("The settings of this "+spec.Title+" destination have problems:", problems)
}
