// Package iterable sends users, events, carts and purchases to Iterable: what is sent
// stands in spec.yaml. Iterable answers a bulk request with 200 also when it refused
// some of it: it lists their e-mail addresses, userIds and names of events, which are
// looked for here in what was sent.
package iterable

import (
	_ "embed"
	"encoding/json"

	"weir/dataplane/destination"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind iterable.
var Kind = mapping.Define(spec, mapping.Hooks{Judge: judge})

// judge reads the lists of a bulk request's answer; nil: the spec's answers hold.
func judge(req destination.Request, res destination.Response) []destination.Verdict {
	var answer struct {
		Fail       int                        `json:"failCount"`
		Disallowed []string                   `json:"disallowedEventNames"`
		Emails     []string                   `json:"invalidEmails"`
		UserIDs    []string                   `json:"invalidUserIds"`
		Updates    map[string]json.RawMessage `json:"failedUpdates"` // lists of either
	}
	if res.Status != 200 || json.Unmarshal(res.Body, &answer) != nil || answer.Fail == 0 && len(answer.Disallowed) == 0 {
		return nil
	}
	why := map[string]string{} // a code by who or what was refused
	for _, list := range answer.Updates {
		var names []string
		if json.Unmarshal(list, &names) == nil {
			answer.UserIDs = append(answer.UserIDs, names...)
		}
	}
	for _, user := range append(answer.Emails, answer.UserIDs...) {
		why["user "+user] = CodeBadUser
	}
	for _, name := range answer.Disallowed {
		why["event "+name] = CodeNoSuchEvent
	}
	var sent struct{ Events, Users []part }
	if json.Unmarshal(req.Body, &sent) != nil {
		return nil
	}
	refused := map[int]string{}
	for i, p := range append(sent.Events, sent.Users...) {
		for _, key := range []string{"event " + p.Name, "user " + p.Email, "user " + p.UserID} {
			if code := why[key]; code != "" && i < len(req.Parts) && refused[req.Parts[i]] == "" {
				refused[req.Parts[i]] = code
			}
		}
	}
	all := destination.Classify(req, res)
	for i := range all {
		v := &all[i]
		switch code := refused[v.Item]; {
		case code != "":
			*v = destination.Verdict{Item: v.Item, Outcome: destination.Dead, Code: code, Detail: "Iterable lists it among what it refused."}
		case len(refused) == 0: // it does not say which
			*v = destination.Verdict{Item: v.Item, Outcome: destination.Split, Code: CodeRefused, Detail: "Iterable counts a failure, and does not say of what."}
		}
	}
	return all
}

// part is who and what an element of a bulk request is about.
type part struct {
	Email  string `json:"email"`
	UserID string `json:"userId"`
	Name   string `json:"eventName"`
}
