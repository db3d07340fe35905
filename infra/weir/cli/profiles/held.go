package profiles

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"weir/infra/weir/cli/console"
	"weir/shared/capability"
	"weir/shared/fault"
)

// held is what a run that its gate holds would have changed of an entity.
type held struct {
	By    []string `json:"by"`
	Pairs []struct {
		A    string `json:"a"`
		B    string `json:"b"`
		Said string `json:"said"`
	} `json:"pairs"`
	Movers []struct {
		ID   string `json:"id"`
		From string `json:"from"`
		With string `json:"with"`
	} `json:"movers"`
	Joins   []set `json:"joins"`
	Largest []set `json:"largest"`
}

// set is the identifiers of one person.
type set struct {
	IDs      int64    `json:"ids"`
	Of       int64    `json:"of"`
	Examples []string `json:"examples"`
}

// said asks what warehouses said against runs that failed, as far as the caller may see it: it can quote rows.
func (k *invocation) said(ctx context.Context, all []status) error {
	if !slices.ContainsFunc(all, func(s status) bool { return s.Last != nil && s.Last.State == "failed" }) {
		return nil
	}
	view, _, err := k.view(ctx, capability.LookupProfiles)
	var out struct{ Said map[string]string }
	if err == nil {
		err = view.Ask(ctx, http.MethodGet, "/v1/profiles/said", nil, &out)
	}
	if kind := fault.KindOf(err); kind == fault.Denied || kind == fault.Missing { // a plane of old says it at once
		return nil
	}
	for _, s := range all {
		if text := out.Said[s.Name]; s.Last != nil && text != "" {
			s.Last.Detail = text
		}
	}
	return err
}

// hold asks what runs that are held would have changed, as far as the caller may see identifiers.
func (k *invocation) hold(ctx context.Context, all []status) error {
	for i, s := range all {
		if s.Last == nil || s.Last.State != "held" {
			continue
		}
		var entities map[string]json.RawMessage
		if err := json.Unmarshal(s.Last.Identity, &entities); err != nil {
			return fault.New(fault.Unavailable, "the plane's answer cannot be read")
		}
		one := *k
		one.profile = s.Name
		for _, one.entity = range slices.Sorted(maps.Keys(entities)) {
			raw, err := one.ask(ctx, capability.LookupProfiles, "held", map[string]any{})
			if fault.KindOf(err) == fault.Denied {
				return nil
			}
			if err != nil {
				return err
			}
			var answer struct{ Held *held }
			if err := json.Unmarshal(raw, &answer); err != nil {
				return fault.New(fault.Unavailable, "the plane's answer cannot be read")
			}
			if answer.Held == nil {
				continue
			}
			if all[i].Held == nil {
				all[i].Held = map[string]held{}
			}
			all[i].Held[one.entity] = *answer.Held
		}
	}
	return nil
}

// would shows what runs that are held would have changed.
func (k *invocation) would(all []status) error {
	t, some := console.Table{Head: []string{"PROFILES", "ENTITY", "HELD: WOULD", "IDENTIFIER", "AND"}}, false
	for _, s := range all {
		for _, entity := range slices.Sorted(maps.Keys(s.Held)) {
			add := func(what, a, b string) {
				some = true
				t.Add(s.Name, entity, what, a, b)
			}
			h := s.Held[entity]
			for _, p := range h.Pairs {
				add(map[bool]string{true: "part what was reviewed as one person", false: "join what was reviewed as two persons"}[p.Said == "same"], p.A, p.B)
			}
			if slices.Contains(h.By, "largest") {
				for _, x := range h.Largest[:min(3, len(h.Largest))] {
					add(fmt.Sprintf("make a person of %d identifiers", x.IDs), strings.Join(x.Examples, " "), "")
				}
			}
			for _, x := range h.Joins {
				add(fmt.Sprintf("join %d persons", x.Of), strings.Join(x.Examples, " "), "")
			}
			for _, m := range h.Movers {
				to := "to nobody"
				if m.With != "" {
					to = "to that of " + m.With
				}
				add("move", m.ID, "from the person of "+m.From+" "+to)
			}
		}
	}
	if !some {
		return nil
	}
	if _, err := fmt.Fprintln(k.Out); err != nil {
		return err
	}
	return t.Write(k.Out)
}
