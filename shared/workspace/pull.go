package workspace

import (
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"weir/shared/catalog"
	"weir/shared/catalog/duration"
	"weir/shared/catalog/streams"
)

// Pull says which rows of a source are pulled, and when.
type Pull struct {
	Streams []string `json:"streams,omitempty" doc:"Which streams of the kind are pulled; absent: all but those that the kind leaves off"`
	Every   string   `json:"every,omitempty" doc:"How often, such as 15m, 1m to 168h; absent: every 15m, and every 24h what is read whole each time"`
	Cron    string   `json:"cron,omitempty" doc:"When, in place of every: minute, hour, day of the month, month and day of the week, in UTC"`
	From    string   `json:"from,omitempty" doc:"Rows that changed before this day, such as 2025-01-31, are not pulled; absent: all are"`
	History bool     `json:"history,omitempty" doc:"Warehouses keep each state of a row that was pulled, in place of the newest alone"`
}

// Times of pulls.
const (
	pullEvery  = 15 * time.Minute
	scanEvery  = 24 * time.Hour
	leastEvery = time.Minute
	mostEvery  = 168 * time.Hour
)

// Schedule returns how often a stream is pulled, or by which cron; whole says that it is
// read whole each time.
func (p Pull) Schedule(whole bool) (every time.Duration, fields string) {
	if _, err := cron.ParseStandard(p.Cron); p.Cron != "" && err == nil {
		return 0, p.Cron
	}
	if every, ok := duration.Parse(p.Every); ok && every > 0 {
		return every, ""
	}
	if whole {
		return scanEvery, ""
	}
	return pullEvery, ""
}

// Next returns when a stream is due that was begun at a time; whole says that it is read
// whole each time.
func (p Pull) Next(after time.Time, whole bool) time.Time {
	every, fields := p.Schedule(whole)
	if schedule, err := cron.ParseStandard(fields); fields != "" && err == nil {
		if next := schedule.Next(after.UTC()); !next.IsZero() {
			return next
		}
	}
	if every == 0 { // the fields name a day that does not come
		every = mostEvery
	}
	return after.Add(every)
}

// Of returns those of a kind's streams that are pulled.
func (p Pull) Of(all []streams.Outline) []streams.Outline {
	return slices.DeleteFunc(slices.Clone(all), func(s streams.Outline) bool {
		if len(p.Streams) == 0 {
			return s.Off
		}
		return !slices.Contains(p.Streams, s.Name)
	})
}

// pull checks what a source says of its rows.
func (k *check) pull(at string, spec catalog.Spec, settings []byte, p *Pull) {
	if p == nil {
		return
	}
	if !spec.Pulled() {
		k.add(at, "not_allowed", "Sources of the type %s take what is sent to them; nothing is pulled.", spec.Name)
		return
	}
	spec.Streams = spec.StreamsIn(settings)
	if len(p.Streams) > len(spec.Streams) {
		k.add(at+".streams", "too_many", "The type %s has %d streams.", spec.Name, len(spec.Streams))
		return
	}
	for i, name := range p.Streams {
		path := fmt.Sprintf("%s.streams[%d]", at, i)
		switch {
		case !slices.ContainsFunc(spec.Streams, func(s streams.Outline) bool { return s.Name == name }):
			k.add(path, "not_in_enum", "The type %s has the streams %s.", spec.Name, streamNames(spec))
		case slices.Index(p.Streams, name) < i:
			k.add(path, "duplicate_name", "This stream is named twice.")
		}
	}
	k.followed(at+".streams", spec, p)
	if every, ok := duration.Parse(p.Every); p.Every != "" && (!ok || every < leastEvery || every > mostEvery) {
		k.add(at+".every", "bad_duration", "Every is a duration of 1m to 168h, such as 15m.")
	}
	if p.Cron != "" {
		if p.Every != "" {
			k.add(at+".cron", "not_allowed", "Say every or cron, not both.")
		}
		if _, err := cron.ParseStandard(p.Cron); err != nil || len(p.Cron) > 100 {
			k.add(at+".cron", "malformed", "Cron has five fields in UTC, such as 0 3 * * *.")
		}
	}
	if _, err := time.Parse(time.DateOnly, p.From); p.From != "" && err != nil {
		k.add(at+".from", "malformed", "From is a day such as 2025-01-31.")
	}
}

// followed checks that streams whose changes are one stream are pulled with it, and it with
// some of them: without the changes nothing is copied, and without a copy changes are of rows
// that nobody has.
func (k *check) followed(path string, spec catalog.Spec, p *Pull) {
	i := slices.IndexFunc(spec.Streams, func(s streams.Outline) bool { return s.Cursor == s.Name })
	if i < 0 || len(p.Streams) == 0 {
		return
	}
	feed := spec.Streams[i].Name
	switch others := slices.ContainsFunc(p.Streams, func(name string) bool { return name != feed }); {
	case !slices.Contains(p.Streams, feed):
		k.add(path, "required", "Changes of these streams come in the stream %s: name it beside them.", feed)
	case !others:
		k.add(path, "required", "The stream %s has the changes of others: name those beside it that are to be copied.", feed)
	}
}

func streamNames(spec catalog.Spec) string {
	text := ""
	for i, s := range spec.Streams {
		if i > 0 {
			text += ", "
		}
		text += s.Name
	}
	return text
}
