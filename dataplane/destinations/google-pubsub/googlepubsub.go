// Package googlepubsub publishes events as messages to topics of Google Cloud Pub/Sub.
//
// Sources: https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish,
// https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage,
// https://docs.cloud.google.com/pubsub/quotas#resource_limits (sizes),
// https://docs.cloud.google.com/pubsub/docs/reference/error-codes.
package googlepubsub

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/destination/serviceaccount"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind google-pubsub.
var Kind = destination.Define(spec, New)

// Sizes that Pub/Sub takes, in bytes.
const (
	mostKey   = 1024 // an ordering key
	mostName  = 256  // the name of an attribute
	mostValue = 1024 // its value
	mostTopic = 255  // characters of a topic's id
)

type topics struct {
	settings Settings
	names    []string // of attributes
}

// New refuses credentials that are none, and names that attributes cannot have.
func New(s Settings) (destination.Destination, error) {
	var problems []fault.Problem
	if text := s.Secrets.Credentials.Reveal(); text != "" {
		if _, err := serviceaccount.Parse(text); err != nil {
			problems = append(problems, fault.Problem{Path: "secrets.credentials", Code: "malformed", Text: "The secret credentials " + err.Error() + "."})
		}
	}
	if s.MachineRole && s.Secrets.Credentials.Reveal() != "" {
		problems = append(problems, fault.Problem{Path: "secrets.credentials", Code: "not_allowed", Text: "With machineRole the plane signs in as its machine: leave credentials out, or machineRole."})
	}
	names := slices.Sorted(maps.Keys(s.Attributes))
	for _, name := range names {
		if name == "" || len(name) > mostName || strings.HasPrefix(name, "goog") {
			problems = append(problems, fault.Problem{Path: "settings.attributes." + name, Code: "bad_name", Text: "An attribute's name has 1 to 256 bytes and does not begin with goog."})
		}
	}
	if strings.HasPrefix(s.Topic, "goog") {
		problems = append(problems, fault.Problem{Path: "settings.topic", Code: "bad_name", Text: "A topic's id does not begin with goog."})
	}
	return &topics{s, names}, fault.Problems("The settings cannot be used:", problems)
}

// publish is the permission that is needed.
const publish = "pubsub.topics.publish"

// Test asks which permissions there are for the topic. There is no such request without
// credentials, as of an emulator, nor for a topic that events name.
// Source: https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/testIamPermissions
func (t *topics) Test(time.Time) (r destination.Request, ok bool) {
	if strings.Contains(t.settings.Topic, "{") || !t.settings.MachineRole && t.settings.Secrets.Credentials.Reveal() == "" {
		return r, false
	}
	return destination.Request{
		Method: http.MethodPost, URL: t.settings.Base + "/v1/projects/" + t.settings.Project + "/topics/" + t.settings.Topic + ":testIamPermissions",
		Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(`{"permissions":["` + publish + `"]}`), Items: []int{0},
	}, true
}

// Accepted wants the permission: without it, or the topic, the list is empty.
func (t *topics) Accepted(res destination.Response) bool {
	var answer struct {
		Permissions []string `json:"permissions"`
	}
	return res.Status == http.StatusOK && json.Unmarshal(res.Body, &answer) == nil && slices.Contains(answer.Permissions, publish)
}

// Build makes a request for each topic that the batch has messages of.
func (t *topics) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	at := map[string]int{} // by topic, its request
	for i := range b.Items {
		topic := t.topic(&b.Items[i])
		n, there := at[topic]
		if !there {
			n = len(reqs)
			at[topic] = n
			reqs = append(reqs, destination.Request{
				Method: http.MethodPost, URL: t.settings.Base + "/v1/projects/" + t.settings.Project + "/topics/" + topic + ":publish",
				Header: http.Header{"Content-Type": {"application/json"}}, Body: append(make([]byte, 0, 1024), `{"messages":[`...),
			})
		} else {
			reqs[n].Body = append(reqs[n].Body, ',')
		}
		reqs[n].Body = t.message(reqs[n].Body, &b.Items[i])
		reqs[n].Items = append(reqs[n].Items, i)
	}
	for n := range reqs {
		reqs[n].Body = append(reqs[n].Body, "]}"...)
	}
	return reqs, nil
}

// message appends the message of an event. Its data is the event, to the byte.
func (t *topics) message(body []byte, item *destination.Item) []byte {
	body = append(base64.StdEncoding.AppendEncode(append(body, `{"data":"`...), item.Body()), '"')
	var values *strings.Replacer
	first := true
	for _, name := range t.names {
		value := t.settings.Attributes[name]
		if strings.Contains(value, "{") {
			if values == nil {
				values = ofEvent(item)
			}
			value = values.Replace(value)
		}
		if value = cut(value, mostValue); value == "" {
			continue
		}
		if first {
			body = append(body, `,"attributes":{`...)
		} else {
			body = append(body, ',')
		}
		first = false
		body = append(quoted(body, name), ':')
		body = quoted(body, value)
	}
	if !first {
		body = append(body, '}')
	}
	if key := t.key(item); key != "" {
		body = quoted(append(body, `,"orderingKey":`...), key)
	}
	return append(body, '}')
}

// quoted appends text as JSON.
func quoted(body []byte, text string) []byte {
	b, err := json.Marshal(text)
	if err != nil {
		b = []byte(`""`) // a string always is
	}
	return append(body, b...)
}

// ofEvent fills in what stands for parts of an event.
func ofEvent(item *destination.Item) *strings.Replacer {
	e := &item.Event
	return strings.NewReplacer("{event}", item.Fields().Name.Text(), "{type}", e.Type, "{messageId}", string(e.MessageID), "{source}", string(e.Source), "{workspace}", string(e.Workspace))
}

// cut is text in UTF-8, of at most so many bytes.
func cut(text string, most int) string {
	if text = strings.ToValidUTF8(text, "\uFFFD"); len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// topic is the id of an event's topic.
func (t *topics) topic(item *destination.Item) string {
	if !strings.Contains(t.settings.Topic, "{") {
		return t.settings.Topic
	}
	id := strings.Map(func(c rune) rune {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("._~+-", c) {
			return '_'
		}
		return c
	}, ofEvent(item).Replace(t.settings.Topic))
	return id[:min(len(id), mostTopic)]
}

// key is the ordering key of an event, "" for none. A longer one is its SHA-256.
func (t *topics) key(item *destination.Item) (key string) {
	switch t.settings.OrderingKey {
	case "none":
	case "user":
		key = item.Event.User
	default:
		key = fields.Value(item.Event.JSON).Get(strings.Split(t.settings.OrderingKey, ".")...).Text()
	}
	if key = strings.ToValidUTF8(key, "\uFFFD"); len(key) > mostKey {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return key
}

// Judge reads an answer: Pub/Sub takes all messages of a request or none.
func (t *topics) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	var answer struct {
		MessageIDs []string `json:"messageIds"`
		Error      struct{ Status, Message string }
	}
	err := json.Unmarshal(res.Body, &answer)
	v := destination.Verdict{Outcome: destination.Retry, Detail: answer.Error.Message}
	switch {
	case res.Status >= 200 && res.Status < 300:
		if err == nil && len(answer.MessageIDs) == len(all) {
			return all
		}
		v.Code, v.Detail = "unexpected_status", fmt.Sprintf("The answer names %d messages of %d.", len(answer.MessageIDs), len(all))
	case res.Status < 400 || res.Status >= 500:
		return all
	case answer.Error.Status == "FAILED_PRECONDITION":
		v.Code = CodePrecondition
	case answer.Error.Status == "ABORTED" || answer.Error.Status == "CANCELLED" || answer.Error.Status == "RESOURCE_EXHAUSTED":
		v.Code = "busy"
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden:
		v.Code = CodeDenied
	case res.Status == http.StatusNotFound:
		if v.Code = CodeNoTopic; strings.Contains(t.settings.Topic, "{") { // of this event alone; others would wait behind it
			v.Outcome = destination.Dead
		}
	case res.Status == http.StatusBadRequest || res.Status == http.StatusRequestEntityTooLarge:
		v.Code, v.Outcome = CodeRefused, destination.Split
	default:
		return all
	}
	for i := range all {
		item := all[i].Item
		all[i] = v
		all[i].Item = item
	}
	return all
}
