package profiles

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/infra/weir/cli/console"
	"weir/shared/command"
	"weir/shared/fault"
)

// tell prints an answer as people read it, unless JSON or YAML is asked for.
func tell[T any](k *invocation, raw json.RawMessage, err error, write func(T) error) error {
	if err != nil || k.Output != console.AsTable {
		return k.answer(raw, err)
	}
	var answer T
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fault.New(fault.Unavailable, "the plane's answer cannot be read")
	}
	return write(answer)
}

// explained is who has an identifier, and the links to another one.
type explained struct {
	Person string   `json:"person"`
	IDs    []string `json:"ids"`
	Other  string   `json:"other"`
	Path   []struct {
		From  string    `json:"from"`
		To    string    `json:"to"`
		First time.Time `json:"firstSeen"`
		Last  time.Time `json:"lastSeen"`
		More  bool      `json:"more"`
		Rule  *struct {
			At time.Time `json:"at"`
		} `json:"rule"`
		Events []struct {
			Table    string    `json:"table"`
			Event    string    `json:"event"`
			ID       string    `json:"id"`
			At       time.Time `json:"at"`
			Received time.Time `json:"receivedAt"`
		} `json:"events"`
	} `json:"path"`
	Unfinished bool `json:"unfinished"`
}

// explain prints it; the second identifier is empty when only one was asked about.
func (k *invocation) explain(x explained, a, b string) error {
	if b == "" {
		t := console.Table{Head: []string{"PERSON", "IDENTIFIER"}}
		for _, id := range x.IDs {
			t.Add(x.Person, id)
		}
		return t.Write(k.Out)
	}
	if x.Person != x.Other {
		_, err := fmt.Fprintf(k.Out, "two persons: %s is %s, %s is %s\n", a, x.Person, b, x.Other)
		return err
	}
	if _, err := fmt.Fprintf(k.Out, "one person, %s, by these links:\n\n", x.Person); err != nil {
		return err
	}
	t := console.Table{Head: []string{"FROM", "TO", "FIRST SEEN", "LAST SEEN", "IN", "EVENT", "ID", "AT", "RECEIVED"}}
	for _, l := range x.Path {
		link := []string{l.From, l.To, when(l.First), when(l.Last)}
		switch {
		case l.Rule != nil:
			t.Add(append(link, "a decision", "", "", when(l.Rule.At), "")...)
		case len(l.Events) == 0 && x.Unfinished:
			t.Add(append(link, "(not read in time)", "", "", "", "")...)
		case len(l.Events) == 0:
			t.Add(append(link, "(rows are gone)", "", "", "", "")...)
		}
		for _, e := range l.Events {
			t.Add(append(link, e.Table, e.Event, e.ID, when(e.At), when(e.Received))...)
			link = []string{"", "", "", ""}
		}
		if l.More {
			t.Add(append(link, "and later ones", "", "", "", "")...)
		}
	}
	return t.Write(k.Out)
}

// when is a moment, and nothing of a link that somebody made.
func when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// previewed is what a feature, score or audience would be.
type previewed struct {
	Persons int64    `json:"persons"`
	Known   int64    `json:"known"`
	Sampled bool     `json:"sampled"`
	Lineage []string `json:"lineage"`
	Numbers *struct {
		Min  float64 `json:"min"`
		Max  float64 `json:"max"`
		Mean float64 `json:"mean"`
	} `json:"numbers"`
	Values []struct {
		Value   *string `json:"value"`
		Persons int64   `json:"persons"`
	} `json:"values"`
	Rows []struct {
		ID    string  `json:"weir_id"`
		Value *string `json:"value"`
	} `json:"rows"`
}

func (k *invocation) preview(p previewed) error {
	some := ""
	if p.Sampled {
		some = " of a sample"
	}
	text := fmt.Sprintf("%d of %d persons%s have a value", p.Known, p.Persons, some)
	if n := p.Numbers; n != nil {
		text += fmt.Sprintf("; least %.6g, mean %.6g, greatest %.6g", n.Min, n.Mean, n.Max)
	}
	if len(p.Lineage) > 0 {
		text += "\nread from " + command.Clean(strings.Join(p.Lineage, ", "))
	}
	if _, err := fmt.Fprintln(k.Out, text+"\n"); err != nil {
		return err
	}
	values := console.Table{Head: []string{"VALUE", "PERSONS"}}
	for _, v := range p.Values {
		values.Add(value(v.Value), fmt.Sprint(v.Persons))
	}
	if err := values.Write(k.Out); err != nil || len(p.Rows) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(k.Out); err != nil {
		return err
	}
	rows := console.Table{Head: []string{"PERSON", "VALUE"}}
	for _, r := range p.Rows {
		rows.Add(r.ID, value(r.Value))
	}
	return rows.Write(k.Out)
}

func value(v *string) string {
	if v == nil {
		return "(none)"
	}
	return *v
}

// compared is what rules would make of the persons there are.
type compared struct {
	Before, After totals
	Moved         int64    `json:"moved"`
	Joined        int64    `json:"joined"`
	Parted        int64    `json:"parted"`
	Held          []string `json:"held"`
	Sampled       []string `json:"sampled"`
	Largest       []struct {
		IDs      int64    `json:"ids"`
		Examples []string `json:"examples"`
	} `json:"largest"`
}

type totals struct {
	IDs     int64            `json:"ids"`
	Persons int64            `json:"persons"`
	Largest int64            `json:"largest"`
	Apart   map[string]int64 `json:"apart"`
}

// whyNot says why identifiers are nobody's.
func whyNot(why string) string {
	switch why {
	case "blocked":
		return "nobody's: blocked by somebody"
	case "excluded":
		return "nobody's: value excluded by the rules"
	case "untyped":
		return "nobody's: type not in the rules"
	case "gone":
		return "nobody's: whom they name is gone"
	}
	return "nobody's: seen with " + why
}

func (k *invocation) compare(c compared) error {
	t := console.Table{Head: []string{"", "NOW", "WITH THESE RULES"}}
	add := func(what string, of func(totals) int64) {
		t.Add(what, fmt.Sprint(of(c.Before)), fmt.Sprint(of(c.After)))
	}
	add("identifiers of persons", func(t totals) int64 { return t.IDs })
	add("persons", func(t totals) int64 { return t.Persons })
	add("identifiers of the largest", func(t totals) int64 { return t.Largest })
	whys := map[string]bool{}
	for _, of := range []totals{c.Before, c.After} {
		for why := range of.Apart {
			whys[why] = true
		}
	}
	for _, why := range slices.Sorted(maps.Keys(whys)) {
		add(whyNot(why), func(t totals) int64 { return t.Apart[why] })
	}
	if err := t.Write(k.Out); err != nil {
		return err
	}
	text := fmt.Sprintf("\n%d identifiers would move, %d persons be joined and %d come apart.\n", c.Moved, c.Joined, c.Parted)
	if len(c.Held) > 0 {
		text += "The gate would hold such a run: " + strings.Join(c.Held, ", ") + ".\n"
	}
	if len(c.Sampled) > 0 {
		text += "Only the newest rows were read of " + strings.Join(c.Sampled, ", ") + ".\n"
	}
	if _, err := fmt.Fprintln(k.Out, text+"The largest persons; --output yaml shows who would move, be joined and come apart:\n"); err != nil {
		return err
	}
	largest := console.Table{Head: []string{"IDENTIFIERS", "SUCH AS"}}
	for _, s := range c.Largest[:min(5, len(c.Largest))] {
		largest.Add(fmt.Sprint(s.IDs), strings.Join(s.Examples[:min(3, len(s.Examples))], ", "))
	}
	return largest.Write(k.Out)
}
