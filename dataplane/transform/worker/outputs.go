package worker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/event"
	"weir/dataplane/transform/engine"
)

// collect reads an answer of step s and returns what items became, in their
// order.
func (p *part) collect(s int, items []item, a engine.Answer) []item {
	for _, f := range a.Failures {
		p.end(items[f.At].from, s, f.Problem)
	}
	for _, l := range a.Logs {
		from := p.first + items[max(l.At, 0)].from
		if l.At < 0 && len(p.results) > 1 {
			from = -1
		}
		p.logs = append(p.logs, Log{from, l.Level, l.Text})
	}
	made := make([][]string, len(items))
	for _, o := range a.Outputs {
		made[o.At] = append(made[o.At], o.JSON)
	}
	var next []item
	for i, it := range items[:a.Done] {
		if len(made[i]) == 0 && len(a.Unknown) > 0 {
			p.end(it.from, s, engine.Problem{Code: engine.CodeFailed, Text: "transformBatch returned an event with a messageId that is not of this batch: " + a.Unknown[0]})
		}
		if most := p.limits.Outputs(p.steps[s]); len(made[i]) > most {
			p.end(it.from, s, tooMany(most))
		}
		for n, text := range made[i] {
			out, ok := p.identified(it, text, n+1)
			res := &p.results[it.from]
			res.bytes += len(out.json)
			if !ok {
				p.end(it.from, s, engine.Problem{Code: engine.CodeFailed, Text: "an output is not valid JSON"})
			}
			if len(out.json) > p.limits.MaxBytes {
				p.end(it.from, s, p.large())
			}
			if res.bytes > maxFan*(s+1) {
				p.end(it.from, s, engine.Problem{Code: engine.CodeOutput, Text: fmt.Sprintf("the outputs of the event have together more than %d MiB", maxFan>>20)})
			}
			next = append(next, out)
		}
	}
	return next
}

// large is the problem of an output that is too large.
func (p *part) large() engine.Problem {
	return engine.Problem{Code: engine.CodeOutput, Text: fmt.Sprintf("an output has more than %d KiB", p.limits.MaxBytes>>10)}
}

// count ends inputs of which a step has made too many items, so far.
func (p *part) count(s int, items []item) {
	n := make(map[int]int)
	for _, it := range items {
		if n[it.from]++; n[it.from] > p.limits.MaxOutputs {
			p.end(it.from, s, tooMany(p.limits.MaxOutputs))
		}
	}
}

// tooMany is the problem of an event of which more than most came.
func tooMany(most int) engine.Problem {
	return engine.Problem{Code: engine.CodeOutput, Text: "the event became more than " + strconv.Itoa(most) + " events, the most that a transformation may make of one"}
}

// identified gives the nth output of it, from 1, its id: one that lost it or
// still has the input's gets it back, a later one with its number.
func (p *part) identified(it item, text string, n int) (item, bool) {
	out := item{from: it.from, json: text, id: messageID([]byte(text)), inputID: it.inputID}
	if blank := out.id == ""; blank || out.id == it.id {
		out.id = it.id
		if n > 1 {
			out.id += ":" + strconv.Itoa(n)
		}
		if blank || n > 1 {
			out.json = withID(text, out.id)
		}
		return out, out.json != ""
	}
	out.inputID = false
	return out, true
}

// finish writes an item as an output of its input.
func (p *part) finish(it item) {
	res := &p.results[it.from]
	if res.ended != nil {
		return
	}
	sent := p.Events[p.first+it.from]
	if n := len(res.outs) + 1; it.inputID {
		want := p.IDs[p.first+it.from]
		if n > 1 {
			want += ":" + strconv.Itoa(n)
		}
		if it.id != want {
			it.json = withID(it.json, want)
		}
	}
	restored, ok := p.restorer.Restore(nil, sent, []byte(it.json))
	switch {
	case !ok:
		p.end(it.from, len(p.steps)-1, engine.Problem{Code: engine.CodeFailed, Text: "an output is not valid JSON"})
	case len(restored) > p.limits.MaxBytes:
		p.end(it.from, len(p.steps)-1, p.large())
	case string(restored) == string(sent):
		res.outs = append(res.outs, Output{Same: true})
	default:
		res.outs = append(res.outs, Output{JSON: restored})
	}
}

// messageID is the id of an event, "" for none.
func messageID(json []byte) string {
	for key, value := range event.Fields(json) {
		if string(key) == "messageId" {
			return strings.TrimSpace(event.Text(value))
		}
	}
	return ""
}

// withID returns an object with the messageId id: in the place of the one that
// it has, else at its end. "" when it is no object.
func withID(text, id string) string {
	b := []byte(text)
	quoted := quote(id)
	for key, value := range event.Fields(b) {
		if string(key) == "messageId" {
			at := cap(b) - cap(value)
			return text[:at] + quoted + text[at+len(value):]
		}
	}
	text = strings.TrimRight(text, " \n\r\t")
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return ""
	}
	comma := ","
	if strings.TrimSpace(text[1:len(text)-1]) == "" {
		comma = ""
	}
	return text[:len(text)-1] + comma + `"messageId":` + quoted + "}"
}

// quote is s as JSON.
func quote(s string) string {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return `""` // s is valid UTF-8 wherever it comes from
	}
	return string(b)
}
