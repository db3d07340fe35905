package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/id"
)

// line is one line of want.jsonl.
type line struct {
	Events  []id.Event          `json:"events"`
	LookUp  string              `json:"lookUp,omitempty"` // its Key
	Method  string              `json:"method,omitempty"`
	URL     string              `json:"url,omitempty"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    string              `json:"body,omitempty"`
	Outcome string              `json:"outcome,omitempty"`
	Code    string              `json:"code,omitempty"`
}

// Outcome is the word for an outcome in case files.
func Outcome(o destination.Outcome) string {
	return map[destination.Outcome]string{
		destination.Delivered: "delivered", destination.Dropped: "dropped", destination.Retry: "retry", destination.Dead: "dead", destination.Split: "split",
	}[o]
}

// Run returns what a destination makes of a case, in the form of want.jsonl, and what its
// answers mean, in that of verdicts.jsonl. wrong are answers that are to no request.
func (c *Case) Run(o destination.Opened) (requests, verdicts []byte, wrong []string) {
	var got bytes.Buffer
	var all []built
	for events := range slices.Chunk(c.Events, max(o.Limits.BatchSize, 1)) {
		b := Batch(events)
		if kind, chained := o.HTTP.(destination.Chained); chained {
			all = append(all, show(&got, b, kind.LookUps(b), nil)...)
			b.Found = c.Found
		}
		for todo := []destination.Batch{b}; len(todo) > 0; {
			b, todo = todo[0], todo[1:]
			reqs, verdicts := o.HTTP.Build(b)
			all = append(all, show(&got, b, reqs, verdicts)...)
			todo = append(todo, Following(b, reqs)...)
		}
	}
	verdicts, wrong = c.judge(o, all)
	return got.Bytes(), verdicts, wrong
}

// Batch is a batch of events, at Now.
func Batch(events []event.Event) destination.Batch {
	b := destination.Batch{Now: Now()}
	for _, e := range events {
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// Following are the batches of the items that more follows for, by their stage.
func Following(b destination.Batch, reqs []destination.Request) []destination.Batch {
	var all []destination.Batch
	for _, r := range reqs {
		if r.Next <= b.Stage || r.Next >= r.MaxStages() {
			continue
		}
		at := slices.IndexFunc(all, func(next destination.Batch) bool { return next.Stage == r.Next })
		if at < 0 {
			at = len(all)
			all = append(all, destination.Batch{Now: b.Now, Found: b.Found, Stage: r.Next})
		}
		for _, i := range r.Items {
			if i >= 0 && i < len(b.Items) {
				all[at].Items = append(all[at].Items, b.Items[i])
			}
		}
	}
	slices.SortFunc(all, func(a, b destination.Batch) int { return a.Stage - b.Stage })
	return all
}

// show writes a line for each request and verdict on b.
func show(to *bytes.Buffer, b destination.Batch, reqs []destination.Request, verdicts []destination.Verdict) (all []built) {
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	events := make([]event.Event, len(b.Items))
	for i := range events {
		events[i] = b.Items[i].Event
	}
	for _, r := range reqs {
		l := line{LookUp: r.Key, Method: r.Method, URL: r.URL, Headers: r.Header, Body: string(r.Body)}
		for _, i := range r.Items {
			if i >= 0 && i < len(events) { // lookUps says so
				l.Events = append(l.Events, events[i].MessageID)
			}
		}
		_ = enc.Encode(l) // a buffer
		all = append(all, built{r, events})
	}
	for _, v := range verdicts {
		_ = enc.Encode(line{Events: []id.Event{events[v.Item].MessageID}, Outcome: Outcome(v.Outcome), Code: v.Code})
	}
	return all
}

// answer is one line of answers.jsonl: an answer to a request of the case, the first when
// it does not say which. Body is any JSON, or a text that is the body as it stands.
type answer struct {
	Request int               `json:"request"`
	LookUp  string            `json:"lookUp"` // of a look-up: its Key
	Status  int               `json:"status"`
	Header  map[string]string `json:"header"`
	Body    json.RawMessage   `json:"body"`
}

// judged is one line of verdicts.jsonl.
type judged struct {
	Status   int      `json:"status"`
	Found    *string  `json:"found,omitempty"` // of a look-up
	Verdicts []string `json:"verdicts"`        // event, outcome, code, and how long to wait
}

// built is a request of a case, and the events of its batch.
type built struct {
	destination.Request
	events []event.Event
}

// judge returns what the answers of the case mean.
func (c *Case) judge(o destination.Opened, requests []built) (verdicts []byte, wrong []string) {
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	for i, l := range bytes.Split(c.Part("answers.jsonl"), []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		var a answer
		if err := json.Unmarshal(l, &a); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s, answers.jsonl line %d: %v", c.Path, i+1, err))
			continue
		}
		at := slices.IndexFunc(requests, func(r built) bool { return r.Key == a.LookUp })
		if a.LookUp == "" && at >= 0 {
			at += a.Request
		}
		if at < 0 || at >= len(requests) {
			wrong = append(wrong, fmt.Sprintf("%s, answers.jsonl line %d: there is no such request", c.Path, i+1))
			continue
		}
		_ = enc.Encode(a.verdicts(o, requests[at])) // a buffer
	}
	return got.Bytes(), wrong
}

func (a *answer) verdicts(o destination.Opened, r built) judged {
	res := destination.Response{Status: a.Status, Header: http.Header{}, Body: a.Body}
	var text string
	if json.Unmarshal(a.Body, &text) == nil {
		res.Body = []byte(text)
	}
	for name, value := range a.Header {
		res.Header.Set(name, value)
	}
	out := judged{Status: a.Status, Verdicts: []string{}}
	if kind, chained := o.HTTP.(destination.Chained); chained && r.Key != "" {
		found, v := kind.Find(r.Request, res)
		out.Found = &found
		out.Verdicts = append(out.Verdicts, verdictText(v, ""))
		return out
	}
	for _, v := range destination.Judge(o.HTTP, r.Request, res, nil, Now()) {
		out.Verdicts = append(out.Verdicts, verdictText(v, r.events[v.Item].MessageID))
	}
	return out
}

// verdictText is a verdict in one line.
func verdictText(v destination.Verdict, of id.Event) string {
	text := Outcome(v.Outcome)
	if of != "" {
		text = string(of) + " " + text
	}
	if v.Code != "" {
		text += " " + v.Code
	}
	if v.After > 0 {
		text += " after " + v.After.String()
	}
	return text
}
