package pull

import (
	"encoding/json"
	"sync"

	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/secret"
)

// Define returns what makes a Kind of a spec.yaml and of what reads the rows of a source with settings
// S, which the catalog's generator writes. Where S has a method Check, that lists what is
// wrong with settings and secrets. The spec is read once, by the first call, which panics
// when it is not right: it is compiled in.
func Define[S any](spec []byte, open func(S, Deps) Puller) func() Kind {
	return sync.OnceValue(func() Kind { return define(spec, open) })
}

func define[S any](spec []byte, open func(S, Deps) Puller) Kind {
	of, err := catalog.Parse(spec)
	if err != nil {
		panic(err)
	}
	if !of.Pulled() {
		panic("the spec of " + of.Name + " has no streams")
	}
	return Kind{Spec: of, Open: func(settings []byte, secrets map[string]secret.String) (Opened, error) {
		refused := func(problems []fault.Problem) error {
			return fault.Problems("The settings of this "+of.Title+" source have problems:", problems)
		}
		if err := refused(catalog.Check(of, settings, "settings")); err != nil {
			return nil, err
		}
		var s S
		filled := catalog.Fill(of, settings)
		if err := json.Unmarshal(filled, &s); err != nil {
			return nil, refused([]fault.Problem{{Path: "settings", Code: "malformed", Text: "The settings do not fit their spec."}})
		}
		if with, ok := any(&s).(interface {
			SetSecrets(map[string]secret.String)
		}); ok {
			with.SetSecrets(secrets)
		}
		if with, ok := any(&s).(interface{ SetBase(string) }); ok {
			with.SetBase(catalog.BaseURL(of, filled))
		}
		if with, ok := any(&s).(interface{ Check() []fault.Problem }); ok {
			if err := refused(with.Check()); err != nil {
				return nil, err
			}
		}
		return func(d Deps) Puller { return open(s, d) }, nil
	}}
}
