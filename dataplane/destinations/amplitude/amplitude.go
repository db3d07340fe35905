// Package amplitude sends events to Amplitude Analytics by its HTTP V2 API.
//
// A track call is an event, a page or screen call one called Loaded a Page, or Viewed
// and its name; an identify call sets user properties, and a group call puts the user
// into a group and sets its properties. Other calls are dropped. Amplitude drops an
// event whose insert_id, the messageId, it had within seven days.
//
// Sources: https://amplitude.com/docs/apis/analytics/http-v2,
// https://amplitude.com/docs/apis/analytics/http-api-batching-retries
package amplitude

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind amplitude.
var Kind = destination.Define(spec, New)

type amplitude struct {
	url      string
	settings Settings
	actions  map[string]string // of traits that are not set
}

// New takes what the spec checked.
func New(s Settings) (destination.Destination, error) {
	a := &amplitude{url: s.Base + "/2/httpapi", settings: s, actions: map[string]string{}}
	for action, traits := range map[string][]string{"$setOnce": s.TraitsToSetOnce, "$append": s.TraitsToAppend, "$prepend": s.TraitsToPrepend, "$add": s.TraitsToIncrement} {
		for _, trait := range traits {
			a.actions[trait] = max(a.actions[trait], action) // of one named twice, always the same
		}
	}
	return a, nil
}

// Build makes one request of all events that Amplitude can take.
func (a *amplitude) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	size := 64
	for i := range b.Items {
		size += len(b.Items[i].Event.JSON) + 256
	}
	w := writer{Writer: body.Writer{Buf: append(make([]byte, 0, size), `{"events":[`...)}}
	r := destination.Request{Method: http.MethodPost, URL: a.url, Header: http.Header{"Content-Type": {"application/json"}}}
	for i := range b.Items {
		before := w.events
		if code := a.add(&w, &b.Items[i]); code != "" {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code})
			continue
		}
		r.Items = append(r.Items, i)
		for range w.events - before {
			r.Parts = append(r.Parts, i)
		}
	}
	if len(r.Items) > 0 {
		r.Body = append(w.Buf, `],"options":{"min_id_length":1}}`...)
		reqs = []destination.Request{r}
	}
	return reqs, verdicts
}

// Judge goes by the lists of refused events that an answer may hold: those are dead,
// or tried again where a user sends too much, and the others go again at once.
func (a *amplitude) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	if res.Status != 400 && res.Status != 429 {
		return all
	}
	var answer struct {
		Error         string           `json:"error"`
		MissingField  string           `json:"missing_field"`
		InvalidFields map[string][]int `json:"events_with_invalid_fields"`
		MissingFields map[string][]int `json:"events_with_missing_fields"`
		InvalidIDs    map[string][]int `json:"events_with_invalid_id_lengths"`
		Silenced      []int            `json:"silenced_events"`
		Throttled     []int            `json:"throttled_events"`
	}
	if json.Unmarshal(res.Body, &answer) != nil {
		return all
	}
	culprits, verdict := answer.Throttled, destination.Verdict{Outcome: destination.Retry, Code: all[0].Code}
	if res.Status == 400 {
		culprits, verdict = answer.Silenced, destination.Verdict{Outcome: destination.Dead, Code: CodeRefused, Detail: all[0].Detail}
		for _, lists := range []map[string][]int{answer.InvalidFields, answer.MissingFields, answer.InvalidIDs} {
			for _, list := range lists {
				culprits = append(culprits, list...)
			}
		}
	}
	refused := map[int]bool{}
	for _, part := range culprits {
		if part >= 0 && part < len(req.Parts) {
			refused[req.Parts[part]] = true
		}
	}
	keyed := answer.MissingField == "api_key" || strings.Contains(strings.ToLower(answer.Error), "api key")
	for i := range all {
		v := &all[i]
		switch item := v.Item; {
		case refused[item]:
			*v = verdict
			v.Item = item
		case len(refused) > 0:
			v.Outcome = destination.Split
		case res.Status == 400 && keyed:
			v.Outcome = destination.Dead // no event is to blame
		}
	}
	return all
}

// ordered reports whether an event of this name is an order.
func ordered(name string) bool {
	return slices.Contains([]string{"Order Completed", "Completed Order"}, name)
}
