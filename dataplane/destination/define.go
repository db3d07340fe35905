package destination

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/trust"
	"weir/shared/catalog"
	"weir/shared/catalog/requests"
	"weir/shared/fault"
	"weir/shared/secret"
)

// Define returns what makes a Kind that speaks HTTP from its spec.yaml and a function that
// builds it from typed settings (the generated Settings of the kind's folder). The spec is
// read once, by the first call, which panics when it is not complete: it is compiled in.
// Programs start without reading any.
//
// Fields called ordered, concurrency, timeout, batch {size, wait} and rate {requests,
// per} become the kind's Limits, within those of its spec; absent ones mean true, 16,
// 30 s, single events and any rate, or what the spec says. So do interval and fileSize, in
// MiB, of a kind that writes files. Where *S has a method Check() []fault.Problem, it lists
// what the spec cannot refuse; one with a method SetSpec(catalog.Spec) gets the spec as it was
// read.
func Define[S any](spec []byte, build func(S) (Destination, error)) func() Kind {
	return define(spec, func(s S) (Opened, error) {
		d, err := build(s)
		return Opened{HTTP: d}, err
	})
}

// DefineSink is Define for a kind with a protocol of its own. open is called
// when the first batch is to be written, not when settings are checked.
func DefineSink[S any](spec []byte, open func(context.Context, S, Deps) (Sink, error)) func() Kind {
	return define(spec, func(s S) (Opened, error) {
		return Opened{Sink: func(ctx context.Context, d Deps) (Sink, error) { return open(ctx, s, d) }}, nil
	})
}

func define[S any](text []byte, open func(S) (Opened, error)) func() Kind {
	return sync.OnceValue(func() Kind {
		spec, err := catalog.Parse(text)
		if err != nil {
			panic(err)
		}
		return kindOf(spec, open)
	})
}

func kindOf[S any](spec catalog.Spec, open func(S) (Opened, error)) Kind {
	return Kind{Spec: spec, Open: func(settings []byte, secrets map[string]secret.String) (Opened, error) {
		if err := check(spec, settings, secrets); err != nil {
			return Opened{}, err
		}
		names, filled := spec.Events(catalog.Fill(spec, settings))
		var s S
		limits, err := settingsOf(spec, filled, &s)
		if err != nil {
			return Opened{}, err
		}
		if with, ok := any(&s).(interface{ SetSpec(catalog.Spec) }); ok {
			with.SetSpec(spec)
		}
		if with, ok := any(&s).(interface{ SetBase(string) }); ok {
			with.SetBase(catalog.BaseURL(spec, filled))
		}
		if with, ok := any(&s).(interface {
			SetSecrets(map[string]secret.String)
		}); ok {
			with.SetSecrets(secrets)
		}
		if with, ok := any(&s).(interface{ Check() []fault.Problem }); ok {
			if err := fault.Problems("The settings of this "+spec.Title+" destination have problems:", with.Check()); err != nil {
				return Opened{}, err
			}
		}
		o, err := open(s)
		if err != nil {
			return Opened{}, invalid(err)
		}
		given := fields.Value(filled)
		if o.Trust, err = trust.Of(given.Get("sslRootCert").Text(), given.Get("sslCert").Text(), secrets["sslKey"]); err != nil {
			return Opened{}, err
		}
		o.Limits, o.Auth, o.Names = limits, authOf(spec, settings, filled, secrets), names
		return o, nil
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

// settingsOf reads checked settings into s and the fields that every kind may have into Limits.
func settingsOf[S any](spec catalog.Spec, settings []byte, s *S) (Limits, error) {
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	var common struct {
		Ordered     *bool            `json:"ordered"`
		Concurrency int              `json:"concurrency"`
		Timeout     catalog.Duration `json:"timeout"`
		Batch       *struct {
			Size int              `json:"size"`
			Wait catalog.Duration `json:"wait"`
		} `json:"batch"`
		Rate     *requests.Rate   `json:"rate"`
		Interval catalog.Duration `json:"interval"`
		FileSize int64            `json:"fileSize"`
	}
	if err := errors.Join(json.Unmarshal(settings, s), json.Unmarshal(settings, &common)); err != nil {
		return Limits{}, fault.Problems("The settings could not be read.", []fault.Problem{{
			Path: "settings", Code: "malformed", Text: "The settings do not fit their spec.",
		}})
	}
	l := Limits{Ordered: common.Ordered == nil || *common.Ordered, Concurrency: common.Concurrency, Timeout: common.Timeout.Std(), BatchSize: 1}
	most := spec.Limits
	if most == nil {
		most = &requests.Limits{}
	}
	if b := most.Batch; b != nil {
		l.BatchSize, l.BatchBytes, l.BatchWait = b.Size, b.Bytes, b.Wait.Std()
	}
	if b := common.Batch; b != nil {
		l.BatchSize, l.BatchWait = max(b.Size, 1), b.Wait.Std()
		if most.Batch != nil {
			l.BatchSize = min(l.BatchSize, most.Batch.Size)
		}
	}
	for _, r := range []*requests.Rate{most.Rate, common.Rate} {
		if r != nil && r.Requests > 0 && r.Per > 0 && (l.Rate == 0 || int64(r.Requests)*int64(l.RatePer) < int64(l.Rate)*int64(r.Per)) {
			l.Rate, l.RatePer = r.Requests, r.Per.Std()
		}
	}
	l.Gzip = most.Gzip
	if l.Interval = common.Interval.Std(); common.FileSize > 0 {
		l.BatchBytes = common.FileSize << 20
	}
	return l.WithDefaults(), nil
}

// maxBatchWait is the longest that a batch gathers in memory.
const maxBatchWait = 2 * time.Second

// WithDefaults fills in what is zero: a concurrency of 16, single events and 30 s.
// A batch gathers for 2 s at most.
func (l Limits) WithDefaults() Limits {
	l.Concurrency = cmp.Or(l.Concurrency, 16)
	l.Timeout = cmp.Or(l.Timeout, 30*time.Second)
	l.BatchSize = cmp.Or(l.BatchSize, 1)
	l.BatchWait = min(l.BatchWait, maxBatchWait)
	return l
}

// invalid makes sure that an error of a kind's build is fault.Invalid with a path.
func invalid(err error) error {
	if fault.KindOf(err) == fault.Invalid && len(fault.ProblemsOf(err)) > 0 {
		return err
	}
	return fault.Problems("The settings cannot be used.", []fault.Problem{{
		Path: "settings", Code: "malformed", Text: "The settings cannot be used by this kind of destination.",
	}})
}
