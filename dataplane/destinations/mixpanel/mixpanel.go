// Package mixpanel sends events, user profiles and group profiles to Mixpanel by its
// Ingestion API.
//
// A track call is an event, a page or screen call one called Loaded a Page, or Viewed
// and its name; an identify call updates the user's profile. A group call updates the
// group's profile, and notes the group in the user's. Mixpanel drops an event whose
// name, time, user and $insert_id, made of the messageId, it had before; an increment
// that is sent again after its answer was lost counts twice.
//
// A project that merges identities by the Simplified API learns who a device's user is
// from any event with both. With the Original API, an identify call links the two
// before the profile is updated, and an alias call merges two users.
//
// Sources: https://docs.mixpanel.com/reference/import-events,
// https://docs.mixpanel.com/reference/profile-batch-update,
// https://docs.mixpanel.com/reference/group-batch-update,
// https://docs.mixpanel.com/docs/tracking-methods/id-management
package mixpanel

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"slices"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind mixpanel.
var Kind = destination.Define(spec, New)

type mixpanel struct {
	settings Settings
	original bool
	actions  map[string]string // of traits that are not set
}

// New takes what the spec checked.
func New(s Settings) (destination.Destination, error) {
	m := &mixpanel{settings: s, original: s.IdentityMerge == "original", actions: map[string]string{}}
	for action, traits := range map[string][]string{"$set_once": s.SetOnce, "$add": s.Increment, "$union": s.Union, "$append": s.Append} {
		for _, trait := range traits {
			m.actions[trait] = max(m.actions[trait], action) // of one named twice, always the same
		}
	}
	return m, nil
}

// Endpoints. A profile's place is not that of this server: ip=0.
const (
	events = "/import?strict=1"
	users  = "/engage?ip=0&strict=1&verbose=1"
	groups = "/groups?ip=0&strict=1&verbose=1"
)

// maxParts is how many records a request may have.
const maxParts = 2000

// request is a request that is being written.
type request struct {
	body.Writer
	destination.Request
}

func (m *mixpanel) request(endpoint string) *request {
	r := &request{Request: destination.Request{Method: http.MethodPost, URL: m.settings.Base + endpoint, Header: http.Header{"Content-Type": {"application/json"}}}}
	r.OpenList()
	return r
}

func (r *request) done() destination.Request {
	r.CloseList()
	r.Body = r.Buf
	return r.Request
}

// Build makes a request of the events, one of the users' profiles and one of the
// groups'; more where they have more parts than a request may have.
func (m *mixpanel) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	var reqs []destination.Request
	var verdicts []destination.Verdict
	open := map[string]*request{}
	for i := range b.Items {
		record, code := m.record(&b.Items[i], b.Now)
		if code != "" {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dropped, Code: code})
			continue
		}
		r := open[record.endpoint]
		if r != nil && len(r.Parts)+record.parts > maxParts {
			reqs = append(reqs, r.done())
			r = nil
		}
		if r == nil {
			r = m.request(record.endpoint)
			open[record.endpoint] = r
		}
		record.write(&r.Writer)
		r.Items = append(r.Items, i)
		for range record.parts {
			r.Parts = append(r.Parts, i)
		}
	}
	for _, endpoint := range []string{events, groups, users} {
		if r := open[endpoint]; r != nil {
			reqs = append(reqs, r.done())
		}
	}
	return reqs, verdicts
}

// LookUps are what has to be written before a user's profile: the link of a user and
// a device, and a group's profile.
func (m *mixpanel) LookUps(b destination.Batch) []destination.Request {
	var reqs []destination.Request
	keys := map[string]int{} // of a request
	for i := range b.Items {
		endpoint, key, write := m.first(&b.Items[i])
		if key == "" {
			continue
		}
		n, there := keys[key]
		if !there {
			r := m.request(endpoint)
			write(&r.Writer)
			r.Key = key
			n = len(reqs)
			keys[key], reqs = n, append(reqs, r.done())
		}
		reqs[n].Items = append(reqs[n].Items, i)
	}
	return reqs
}

// Find reads the answer to a look-up. A user whom Mixpanel does not link, such as one
// who is linked to another device id already, has a profile none the less.
func (m *mixpanel) Find(req destination.Request, res destination.Response) (string, destination.Verdict) {
	one := req
	one.Items, one.Parts = []int{0}, []int{0}
	v := m.Judge(one, res)[0]
	if req.URL == m.settings.Base+events && (v.Outcome == destination.Split || v.Code == CodeRefused) {
		return "", destination.Verdict{Outcome: destination.Delivered}
	}
	if v.Outcome == destination.Split {
		v.Outcome = destination.Dead
	}
	return "", v
}

// Judge goes by the list of refused records that an answer may hold, also one with
// status 200; Mixpanel took the others.
func (m *mixpanel) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	if res.Status != 200 && res.Status != 400 {
		return all
	}
	var answer struct {
		Status json.RawMessage `json:"status"` // a text of /import, 1 or 0 of the others
		Failed []struct {
			Index   int    `json:"index"`
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"failed_records"`
	}
	if string(res.Body) == "0" {
		answer.Status = res.Body
	} else if json.Unmarshal(res.Body, &answer) != nil {
		return all
	}
	why := map[int]string{} // by item
	for _, record := range answer.Failed {
		if record.Index >= 0 && record.Index < len(req.Parts) {
			why[req.Parts[record.Index]] = record.Field + ": " + record.Message
		}
	}
	for i := range all {
		v := &all[i]
		detail, refused := why[v.Item]
		switch {
		case refused:
			*v = destination.Verdict{Item: v.Item, Outcome: destination.Dead, Code: CodeRefused, Detail: detail}
		case len(why) > 0:
			*v = destination.Verdict{Item: v.Item, Outcome: destination.Delivered}
		case res.Status == 200 && slices.Contains([]string{"0", `"0"`, `"error"`}, string(answer.Status)):
			*v = destination.Verdict{Item: v.Item, Outcome: destination.Split, Code: CodeRefused, Detail: string(res.Body)}
		}
	}
	return all
}
