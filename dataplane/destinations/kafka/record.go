package kafka

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
)

// record is the record of an event. Equal events give equal records.
func (p *producer) record(item *destination.Item) *kgo.Record {
	r := &kgo.Record{Topic: topic(p.settings.Topic, item), Key: p.key(item), Value: item.Body(), Timestamp: item.Event.ReceivedAt}
	for _, name := range slices.Sorted(maps.Keys(p.settings.Headers)) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(fill(p.settings.Headers[name], item, func(s string) string { return s }))})
	}
	return r
}

// key is the key of an event's record; nil lets Kafka choose a partition.
func (p *producer) key(item *destination.Item) []byte {
	var key string
	switch p.settings.Key {
	case "user":
		key = item.Event.User
	case "messageId":
		key = string(item.Event.MessageID)
	case "none":
	default:
		key = fields.Value(item.Event.JSON).Get(strings.Split(p.settings.Key, ".")...).Text()
	}
	if key == "" {
		return nil
	}
	return []byte(key)
}

// mostTopic is the most characters of a topic's name.
// Source: https://kafka.apache.org/documentation/#brokerconfigs, and Kafka's Topic.java
const mostTopic = 249

// topic fills in a topic's name.
func topic(template string, item *destination.Item) string {
	name := fill(template, item, func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
				return r
			}
			return '_'
		}, s)
	})
	if strings.Trim(name, ".") == "" {
		return "_"
	}
	return name[:min(len(name), mostTopic)]
}

// fill replaces what stands in braces by what it stands for, as write writes it.
func fill(template string, item *destination.Item, write func(string) string) string {
	if !strings.Contains(template, "{") {
		return template
	}
	e := &item.Event
	return strings.NewReplacer(
		"{event}", write(item.Fields().Name.Text()), "{type}", write(e.Type), "{messageId}", write(string(e.MessageID)),
		"{source}", write(string(e.Source)), "{workspace}", write(string(e.Workspace)),
	).Replace(template)
}

// verdict is what an answer to a record means; known is false of what is none.
func (p *producer) verdict(err error) (v destination.Verdict, known bool) {
	var answer *kerr.Error
	if err == nil {
		return destination.Verdict{Outcome: destination.Delivered}, true
	}
	if !errors.As(err, &answer) {
		return destination.Verdict{}, false
	}
	v = destination.Verdict{Outcome: destination.Retry, Code: CodeNotWritten, Detail: answer.Message + ": " + answer.Description}
	switch answer {
	case kerr.UnknownTopicOrPartition:
		v.Code = CodeUnknownTopic
		if strings.Contains(p.settings.Topic, "{") { // of this event alone; others would wait behind it
			v.Outcome = destination.Dead
		}
	case kerr.InvalidTopicException:
		v.Outcome, v.Code = destination.Dead, CodeBadTopic
	case kerr.MessageTooLarge, kerr.RecordListTooLarge:
		v.Outcome, v.Code = destination.Dead, CodeTooLarge
	case kerr.InvalidRecord, kerr.InvalidTimestamp:
		v.Outcome, v.Code = destination.Dead, CodeRefused
	case kerr.PolicyViolation, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed:
		v.Code = CodeDenied
	case kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		v.Code = CodeSignIn
	}
	return v, true
}
