// Package profiles is what the view answers of profiles: how their runs stand, previews,
// why identifiers belong together, and decisions about them. What a warehouse says against
// a statement can quote rows: it is shown to whoever may look up persons. Others get its code, with a remedy.
package profiles

import (
	"cmp"
	"context"
	"errors"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/profile/answers"
	"weir/dataplane/profile/lookup"
	"weir/dataplane/profile/runs"
	"weir/dataplane/tables"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/warehouse"
	"weir/shared/capability"
	"weir/shared/fault"
	configured "weir/shared/workspace/profiles"
)

// in is what a call says.
type in struct {
	Profile string `json:"profile"` // its name; empty for the only one
	Entity  string `json:"entity"`  // empty for the first one
	Name    string `json:"name"`    // of a feature or an audience
	Input   string `json:"input"`   // of a column
	Column  string `json:"column"`
	Kind    string `json:"kind"` // of a decision
	A       string `json:"a"`    // an identifier, type:value
	B       string `json:"b"`
	Undo    bool   `json:"undo"`
	// Pairs are many to review, instead of one.
	Pairs [][2]string `json:"pairs"`

	Full  bool `json:"full"`
	Force bool `json:"force"`
	Learn bool `json:"learn"`
	// Entities are rules that somebody has not saved.
	Entities []configured.Entity `json:"entities"`
	// Inputs are those that the rules would read, and none those that are published.
	Inputs []configured.Input `json:"inputs"`
	profile.Draft
}

type calls struct {
	board  *runs.Board
	copies *lookup.Store
	now    func() time.Time

	elsewhere Elsewhere
}

// Add adds the calls to a view's. elsewhere is empty where the plane is one process.
func Add(m *endpoint.Mux, board *runs.Board, copies *lookup.Store, now func() time.Time, elsewhere Elsewhere) {
	v := calls{board, copies, now, elsewhere}
	// What names persons, or has values of their rows, is a look at them; the others answer configuration, counts and codes.
	m.Handle("GET /v1/profiles", capability.ReadProfiles, v.here(v.list))
	m.Handle("GET /v1/profiles/said", capability.LookupProfiles, v.here(v.said))
	m.Handle("POST /v1/profiles/preview", capability.LookupProfiles, v.here(v.preview))
	m.Handle("POST /v1/profiles/rules", capability.LookupProfiles, v.here(v.rules))
	m.Handle("POST /v1/profiles/inputs", capability.ReadProfiles, v.here(v.inputs))
	m.Handle("POST /v1/profiles/values", capability.LookupProfiles, v.here(v.values))
	m.Handle("POST /v1/profiles/sizes", capability.ReadProfiles, v.here(v.sizes))
	m.Handle("POST /v1/profiles/scores", capability.ReadProfiles, v.here(v.scores))
	m.Handle("POST /v1/profiles/person", capability.LookupProfiles, v.here(v.person))
	m.Handle("POST /v1/profiles/explain", capability.LookupProfiles, v.here(v.explain))
	m.Handle("POST /v1/profiles/reviews", capability.LookupProfiles, v.here(v.reviews))
	m.Handle("POST /v1/profiles/held", capability.LookupProfiles, v.here(v.held))
	m.Handle("POST /v1/profiles/run", capability.RunProfiles, v.here(v.run))
	m.Handle("POST /v1/profiles/decide", capability.DecideProfiles, v.here(v.decide))
	m.Handle("POST /v1/profiles/publish", capability.DecideProfiles, v.here(v.publish))
	m.Handle("POST /v1/profiles/erase", capability.DecideProfiles, v.here(v.erase))
	m.HandleKeyed("GET /v1/profiles/{identifier}/{part}", capability.LookupProfiles, v.workspace, v.here(v.lookup))
}

// status is how a profile stands, with its copy.
type status struct {
	runs.Status
	Lookup *lookup.State `json:"lookup,omitempty"`
}

func (v calls) list(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	all := []status{}
	for _, s := range v.board.Statuses(c.Grant.Workspace) {
		if s.Last != nil && s.Last.Detail != "" {
			last := *s.Last
			last.Detail = remedy(last.Code)
			s.Last = &last
		}
		all = append(all, status{s, v.copies.State(c.Grant.Workspace, s.Name)})
	}
	return map[string]any{"profiles": all}, nil
}

// said answers what warehouses said against the last runs that failed, by the profiles' names.
func (v calls) said(c *endpoint.Call) (any, error) {
	if err := c.Whole(); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, s := range v.board.Statuses(c.Grant.Workspace) {
		if s.Last != nil && s.Last.Detail != "" {
			all[s.Name] = s.Last.Detail
		}
	}
	return map[string]any{"said": all}, nil
}

// read reads what a call says.
func read(c *endpoint.Call) (i in, err error) {
	if err := c.Whole(); err != nil {
		return i, err
	}
	return i, c.Decode(&i, endpoint.MaxBody)
}

// with does something on the warehouse of the call's profile.
func (v calls) with(c *endpoint.Call, i in, do func(context.Context, tables.Session, profile.Config) error) error {
	return spoken(c, v.board.With(c.Context(), c.Grant.Workspace, i.Profile, func(ctx context.Context, s tables.Session, config profile.Config) error {
		known := i.Entity == ""
		for _, e := range config.Plan.Entities {
			known = known || e.Name == i.Entity
		}
		if !known {
			return fault.New(fault.Missing, "There is no entity %s.", i.Entity)
		}
		return do(ctx, s, config)
	}))
}

// spoken gives a warehouse's failure the kind and the text with which it is shown.
func spoken(c *endpoint.Call, err error) error {
	var known *fault.Error
	var failure *warehouse.Failure
	switch {
	case errors.As(err, &failure) && c.Grant.Action != capability.LookupProfiles:
		kind := fault.KindOf(err)
		if kind == fault.Internal {
			kind = fault.Unavailable
		}
		return fault.New(kind, "The warehouse failed with %s. %s", failure.Code, remedy(failure.Code))
	case err == nil || errors.As(err, &known) && known.Kind != fault.Internal:
		return err
	case errors.As(err, &failure):
		return fault.New(fault.Unavailable, "The warehouse failed with %s: %v.", failure.Code, failure.Err)
	}
	return err
}

func (v calls) preview(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	var p profile.Preview
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
		p, err = config.Preview(ctx, s, i.Name, i.Draft, v.now())
		return err
	})
	return p, err
}

func (v calls) inputs(c *endpoint.Call) (any, error) {
	return answer(v, c, "inputs", func(ctx context.Context, s tables.Session, config profile.Config, _ in) ([]answers.Input, error) {
		return answers.Inputs(ctx, s, config)
	})
}

func (v calls) values(c *endpoint.Call) (any, error) {
	return answer(v, c, "values", func(ctx context.Context, s tables.Session, config profile.Config, i in) ([]string, error) {
		return answers.Values(ctx, s, config, i.Input, i.Column)
	})
}

func (v calls) sizes(c *endpoint.Call) (any, error) {
	return answer(v, c, "audiences", func(ctx context.Context, s tables.Session, config profile.Config, _ in) ([]answers.Size, error) {
		return answers.Sizes(ctx, s, config)
	})
}

func (v calls) scores(c *endpoint.Call) (any, error) {
	return answer(v, c, "scores", func(ctx context.Context, s tables.Session, config profile.Config, _ in) ([]answers.Score, error) {
		return answers.Scores(ctx, s, config)
	})
}

func (v calls) person(c *endpoint.Call) (any, error) {
	return answer(v, c, "person", func(ctx context.Context, s tables.Session, config profile.Config, i in) (answers.Person, error) {
		return answers.Find(ctx, s, config, i.Entity, i.A)
	})
}

func (v calls) reviews(c *endpoint.Call) (any, error) {
	return answer(v, c, "reviews", func(ctx context.Context, s tables.Session, config profile.Config, i in) (answers.Reviews, error) {
		return answers.Pairs(ctx, s, config, i.Entity)
	})
}

func (v calls) held(c *endpoint.Call) (any, error) {
	return answer(v, c, "held", func(ctx context.Context, s tables.Session, config profile.Config, i in) (*identity.Held, error) {
		return answers.Held(ctx, s, config, i.Entity)
	})
}

// answer answers a call with what is found, under a name.
func answer[T any](v calls, c *endpoint.Call, name string, find func(context.Context, tables.Session, profile.Config, in) (T, error)) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	var found T
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
		found, err = find(ctx, s, config, i)
		return err
	})
	return map[string]T{name: found}, err
}

func (v calls) explain(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	var x answers.Explained
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
		x, err = answers.Explain(ctx, s, config, i.Entity, i.A, i.B)
		return err
	})
	return x, err
}

func (v calls) run(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	return v.ask(c, i, profile.Options{Full: i.Full, Learn: i.Learn})
}

func (v calls) publish(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	return v.ask(c, i, profile.Options{Full: i.Full, Force: true})
}

func (v calls) ask(c *endpoint.Call, i in, o profile.Options) (any, error) {
	return v.board.Ask(c.Grant.Workspace, i.Profile, o)
}

func (v calls) decide(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	if len(i.Pairs) > 0 {
		var wrong []answers.Wrong
		err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
			wrong, err = answers.Review(ctx, s, config, i.Entity, i.Kind, i.Pairs, i.Undo, v.now())
			return err
		})
		return map[string]any{"done": err == nil, "wrong": wrong}, err
	}
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) error {
		return answers.Decide(ctx, s, config, i.Entity, answers.Decision{Kind: i.Kind, A: i.A, B: i.B, Undo: i.Undo}, v.now())
	})
	return map[string]bool{"done": err == nil}, err
}

func (v calls) erase(c *endpoint.Call) (any, error) {
	i, err := read(c)
	if err != nil {
		return nil, err
	}
	var ids int64
	err = v.with(c, i, func(ctx context.Context, s tables.Session, config profile.Config) (err error) {
		var person string
		if person, ids, err = profile.Erase(ctx, s, config, i.Entity, i.A, v.now()); err != nil {
			return err
		}
		return v.copies.Forget(c.Grant.Workspace, config.Name, cmp.Or(i.Entity, config.Plan.Entities[0].Name), person)
	})
	if gone := fault.KindOf(err) == fault.Missing; err == nil || gone { // records of others may tell of them until then; gone: an earlier call may not have come so far
		if _, again := v.board.Ask(c.Grant.Workspace, i.Profile, profile.Options{}); again != nil && !gone {
			return nil, fault.New(fault.Unavailable, "The person is erased, and another process of this plane took over meanwhile: have it run the profiles, so that records of others tell nothing of them.")
		}
	}
	return map[string]int64{"ids": ids}, err
}
