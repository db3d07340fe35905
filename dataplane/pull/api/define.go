// Package api pulls sources that are files: it reads the streams of a spec.yaml (see
// docs/source-format.md) over HTTP. The rules of cursors are here, once for all of them:
//
//   - A list is read for a closed window of time, from where the last one ended to a
//     moment that is so far back that no row appears behind it any more. The end of the
//     window is the next one's beginning.
//   - A list in which rows move between pages is asked for anew from the time of the last
//     row of each page, that time included. Only within rows of one time are pages used,
//     which overlap; where nothing of a page is met again it goes back.
//   - The cursor that is emitted with rows is where to go on behind them. A token that has
//     ended begins its window again.
//   - Changes that are snapshots of the past are put in order, for each window whole.
//
// Requests of one account share its limit; where that is reached the step ends and says
// for how long to wait.
package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/shared/catalog"
	"weir/shared/catalog/private"
	"weir/shared/catalog/requests"
	"weir/shared/catalog/streams"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
)

// Define returns what makes a Kind of a spec.yaml with streams. The spec is read once, by
// the first call, which panics when it is not complete: it is compiled in.
func Define(text []byte) func() pull.Kind {
	return sync.OnceValue(func() pull.Kind {
		spec, err := catalog.Parse(text)
		if err != nil {
			panic(err)
		}
		if spec.Pull == nil {
			panic("the spec of " + spec.Name + " has no streams")
		}
		return kindOf(spec)
	})
}

// Custom makes a Kind of the spec that stands in a workspace. fault.Invalid: the spec is
// not right, or says what this build does not know.
func Custom(text string) (pull.Kind, error) {
	spec, err := private.ParseSource(text)
	if err != nil {
		return pull.Kind{}, err
	}
	return kindOf(spec), nil
}

func kindOf(spec catalog.Spec) pull.Kind {
	return pull.Kind{Spec: spec, Open: func(settings []byte, secrets map[string]secret.String) (pull.Opened, error) {
		if err := fault.Problems("The settings of this "+spec.Title+" source have problems:", catalog.Check(spec, settings, "settings")); err != nil {
			return nil, err
		}
		filled := catalog.Fill(spec, settings)
		return func(d pull.Deps) pull.Puller { return open(spec, settings, filled, secrets, d) }, nil
	}}
}

// source is one opened source.
type source struct {
	spec     *streams.Spec
	base     string
	settings fields.Value
	opened   destination.Opened // how requests are authorised
	limits   destination.Limits
	account  id.Destination // by which its requests share a rate
	deps     pull.Deps
	skew     int64 // how many milliseconds the vendor's clock is behind; 0: it is not
}

func open(spec catalog.Spec, settings, filled []byte, secrets map[string]secret.String, d pull.Deps) *source {
	s := &source{
		spec: spec.PullOf(filled), base: catalog.BaseURL(spec, filled), settings: fields.Value(filled), deps: d,
		opened:  destination.Opened{}.Authorised(spec, settings, filled, secrets),
		account: id.Destination("pull " + account(spec, settings, secrets)),
	}
	if spec.Limits != nil && spec.Limits.Rate != nil {
		s.limits.Rate, s.limits.RatePer = spec.Limits.Rate.Requests, spec.Limits.Rate.Per.Std()
	}
	var given struct{ Rate *requests.Rate }
	if len(filled) > 0 && json.Unmarshal(filled, &given) == nil && given.Rate != nil && given.Rate.Requests > 0 && given.Rate.Per > 0 {
		s.limits.Rate, s.limits.RatePer = given.Rate.Requests, given.Rate.Per.Std()
	}
	return s
}

// account is what tells the account from others of its kind: its address, or, where all
// have one, its secrets.
func account(spec catalog.Spec, settings []byte, secrets map[string]secret.String) string {
	text := catalog.SentTo(spec, settings)
	if slices.ContainsFunc(spec.SentTo, func(name string) bool { return name != "baseUrl" && name != "region" }) {
		return text
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		_, _ = fmt.Fprintf(h, "%q=%q ", name, secrets[name].Reveal())
	}
	return text + " " + hex.EncodeToString(h.Sum(nil))
}

// position is how far a stream is, the JSON of its cursor. Times are texts of RFC 3339,
// values of integer cursors their digits.
type position struct {
	From string `json:"from,omitempty"` // the window; From alone: the next one's beginning
	To   string `json:"to,omitempty"`
	At   string `json:"at,omitempty"` // from where the list is asked for now
	Open bool   `json:"open,omitempty"`

	Page     string   `json:"page,omitempty"`  // token, address, key, number or offset of the page that is read next; "": the first
	Begun    bool     `json:"begun,omitempty"` // a page was read since the list was asked for
	Tail     []string `json:"tail,omitempty"`  // sums of the last keys of the page before
	Restarts int      `json:"restarts,omitempty"`
	Pass     string   `json:"pass,omitempty"` // where windows end that are divided: what may have changed is read again once
	Job      string   `json:"job,omitempty"`  // that makes the list
	Made     bool     `json:"made,omitempty"` // it has ended
	Sums     []string `json:"sums,omitempty"` // of groups of a list that is compared with what it was

	// Of lists whose rows move: the page before is read again after each page.
	Former string  `json:"former,omitempty"` // the page before
	Back   *behind `json:"back,omitempty"`   // set: Former is read again next; then it goes on here

	Listed  bool     `json:"listed,omitempty"`  // of a stream with changes: its list was read whole
	Changed string   `json:"changed,omitempty"` // from when on changes are read then
	Done    []string `json:"done,omitempty"`    // sums of the keys of parents of this page that are read

	// Of streams for each row of another that have a cursor of their own.
	Known  []string  `json:"known,omitempty"`  // short sums of the keys of parents that were read once
	Inside string    `json:"inside,omitempty"` // sum of the key of the parent that is read now
	Inner  *position `json:"inner,omitempty"`  // how far its list is
}

func (p *position) cursor() pull.Cursor {
	b, err := json.Marshal(p)
	if err != nil {
		panic("a position that cannot be JSON: " + err.Error()) // texts and numbers
	}
	return b
}

func read(c pull.Cursor) (position, error) {
	var p position
	if len(c) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(c, &p); err != nil {
		return p, fmt.Errorf("read a cursor: %w", err)
	}
	return p, nil
}

// behind is where a list goes on behind a page.
type behind struct {
	Page string   `json:"page,omitempty"`
	Tail []string `json:"tail,omitempty"`
	At   string   `json:"at,omitempty"` // the list is asked for anew from here
	Last bool     `json:"last,omitempty"`
}

// list begins the list anew.
func (p *position) list() {
	p.Page, p.Begun, p.Tail, p.Former, p.Back, p.Done = "", false, nil, "", nil, nil
	p.Inside, p.Inner, p.Job, p.Made = "", nil, "", false
}
