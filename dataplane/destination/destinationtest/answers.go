package destinationtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/shared/id"
)

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

// judge appends what the answers of the case mean.
func (c *caseFile) judge(m *mistakes, o destination.Opened, requests []built) []byte {
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	for i, l := range bytes.Split(c.archive.get("answers.jsonl"), []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		var a answer
		if err := json.Unmarshal(l, &a); err != nil {
			m.add("%s, answers.jsonl line %d: %v", c.path, i+1, err)
			continue
		}
		at := slices.IndexFunc(requests, func(r built) bool { return r.Key == a.LookUp })
		if a.LookUp == "" && at >= 0 {
			at += a.Request
		}
		if at < 0 || at >= len(requests) {
			m.add("%s, answers.jsonl line %d: there is no such request", c.path, i+1)
			continue
		}
		_ = enc.Encode(a.verdicts(o, requests[at])) // a buffer
	}
	return got.Bytes()
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
	for _, v := range destination.Judge(o.HTTP, r.Request, res, nil, now) {
		out.Verdicts = append(out.Verdicts, verdictText(v, r.events[v.Item].MessageID))
	}
	return out
}

// verdictText is a verdict in one line.
func verdictText(v destination.Verdict, of id.Event) string {
	text := outcomes[v.Outcome]
	if v.Outcome == destination.Split {
		text = "split"
	}
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
